"""Anki: a text file with note ids (docs.ankiweb.net, "File Headers"), which Anki imports without any add-on.

The ids are the questions' own, so a second import updates the notes and makes no duplicates. A text file needs no
package for writing .apkg, and whoever opens it can read what is in it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from html import escape

from podwalk.drills.asking import Asked
from podwalk.drills.exchange import LIVE, ONE_DRAW, SELF_GRADED, Exported, lines, references_html, shown_html
from podwalk.drills.numbers import show

_HEADER = """\
#separator:tab
#html:true
#notetype:Basic
#guid column:1
#deck column:4
#tags column:5
"""


def write(questions: Iterable[Asked]) -> Exported:
    """All questions as notes with a front and a back."""
    out = Exported()
    rows = io.StringIO()
    table = csv.writer(rows, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_ALL)
    for asked in questions:
        question = asked.question
        if question.type == "drill":
            out.drop(question, LIVE)
            continue
        if question.numeric is not None:
            out.lose(question, ONE_DRAW)
        if question.written:
            out.lose(question, SELF_GRADED)
        tags = " ".join(["podwalk", question.layer, question.level, question.type, *question.exam])
        table.writerow([f"podwalk-{question.id}", _front(asked), _back(asked), f"podwalk::{question.layer}", tags])
        out.count += 1
    out.text = _HEADER + rows.getvalue()
    return out


def _front(asked: Asked) -> str:
    parts = [shown_html(asked)]
    if asked.question.chosen:
        several = "<p>Several are right.</p>" if asked.question.type == "multi" else ""
        choices = "".join(f"<li>{lines(text)}</li>" for text in asked.shown)
        parts.append(f'{several}<ol type="a">{choices}</ol>')
    elif asked.question.order is not None:
        # On a card nothing is shuffled: in the order of the alphabet nothing is given away.
        parts.append(f"<ul>{''.join(f'<li>{lines(text)}</li>' for text in sorted(asked.shown))}</ul>")
    return "".join(parts)


def _back(asked: Asked) -> str:
    question = asked.question
    parts = []
    if question.chosen:
        for mark, text, choice in zip(asked.marks, asked.shown, question.choices, strict=True):
            why = f" <i>{lines(asked.fill(choice.why))}</i>" if choice.why is not None else ""
            said = f"<b>{mark}) {lines(text)}</b>" if choice.ok else f"{mark}) {lines(text)}"
            parts.append(f"<p>{said}{why}</p>")
    elif question.order is not None:
        parts.append(f"<ol>{''.join(f'<li>{lines(text)}</li>' for text in asked.shown)}</ol>")
    elif question.predict is not None:
        parts.append(f"<p><b>{lines(question.predict.answer)}</b></p>")
    elif question.numeric is not None:
        parts.append(f"<p><b>{escape(show(asked.number))} {escape(question.numeric.unit)}</b></p>")
    elif question.spot is not None:
        numbers = " or ".join(str(n) for n in question.spot.lines)
        parts.append(f"<p><b>line {numbers}</b></p><pre>{escape(question.spot.fix)}</pre>")
    elif question.answer is not None:
        points = "".join(
            f"<li>{'(a mistake) ' if p.antipattern else ''}{lines(asked.fill(p.point))}</li>" for p in question.rubric
        )
        parts.append(f"<p>{lines(asked.fill(question.answer))}</p><ul>{points}</ul>")
    parts.append(f"<p>{lines(asked.fill(question.explain))}</p><p>{references_html(question)}</p>")
    return "".join(parts)
