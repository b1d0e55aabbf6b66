"""Moodle XML (docs.moodle.org, "Moodle XML format"): the richest of the formats; ordering needs Moodle 4.4."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from podwalk.drills import numbers
from podwalk.drills.asking import Asked
from podwalk.drills.exchange import (
    LIVE,
    ONE_DRAW,
    ONE_WORDING,
    SELF_GRADED,
    Exported,
    lines,
    references_html,
    shown_html,
)

_TYPES = {
    "single": "multichoice",
    "myth": "multichoice",
    "multi": "multichoice",
    "order": "ordering",
    "predict": "shortanswer",
    "numeric": "numerical",
    "spot": "numerical",
    "free": "essay",
    "design": "essay",
}


def write(questions: Iterable[Asked]) -> Exported:
    """All questions but live drills, in one category a layer."""
    out = Exported()
    quiz = ET.Element("quiz")
    layer = ""
    for asked in sorted(questions, key=lambda a: a.question.layer):
        question = asked.question
        if question.type == "drill":
            out.drop(question, LIVE)
            continue
        if question.layer != layer:
            layer = question.layer
            category = ET.SubElement(quiz, "question", type="category")
            _text(ET.SubElement(category, "category"), f"$course$/podwalk/{layer}")
        _question(quiz, asked, out)
        out.count += 1
    ET.indent(quiz)
    out.text = '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(quiz, encoding="unicode") + "\n"
    return out


def _question(quiz: ET.Element, asked: Asked, out: Exported) -> None:
    question = asked.question
    node = ET.SubElement(quiz, "question", type=_TYPES[question.type])
    _text(ET.SubElement(node, "name"), question.id)
    _html(node, "questiontext", shown_html(asked))
    explain = f"<p>{lines(asked.fill(question.explain))}</p><p>{references_html(question)}</p>"
    _html(node, "generalfeedback", explain)
    _leaf(node, "idnumber", f"podwalk-{question.id}")
    if question.chosen:
        _choices(node, asked)
    elif question.order is not None:
        _order(node, asked, out)
    elif question.predict is not None:
        if question.predict.match != "exact":
            out.lose(question, ONE_WORDING)
        _leaf(node, "usecase", "0")
        _answer(node, "100", question.predict.answer)
    elif question.numeric is not None:
        out.lose(question, ONE_DRAW)
        tol = numbers.show(question.numeric.tol)
        _leaf(_answer(node, "100", numbers.show(asked.number)), "tolerance", tol)
        for trap in question.numeric.traps:
            value = numbers.show(numbers.evaluate(trap.match, asked.values))
            _leaf(_answer(node, "0", value, asked.fill(trap.why)), "tolerance", tol)
    elif question.spot is not None:
        for line in question.spot.lines:
            _leaf(_answer(node, "100", str(line)), "tolerance", "0")
        for line, why in question.spot.near.items():
            _leaf(_answer(node, "0", str(line), asked.fill(why)), "tolerance", "0")
    else:
        out.lose(question, SELF_GRADED)
        _essay(node, asked)
    tags = ET.SubElement(node, "tags")
    for tag in (question.level, question.type, *question.exam):
        _text(ET.SubElement(tags, "tag"), tag)


def _choices(node: ET.Element, asked: Asked) -> None:
    question = asked.question
    right = sum(c.ok for c in question.choices)
    wrong = len(question.choices) - right
    several = question.type == "multi"
    _leaf(node, "single", "false" if several else "true")
    _leaf(node, "shuffleanswers", "true")
    _leaf(node, "answernumbering", "abc")
    for shown, choice in zip(asked.shown, question.choices, strict=True):
        # What is wrongly chosen costs as much as all that is right is worth, shared among the wrong ones.
        fraction = 100 / right if choice.ok else (-100 / wrong if several else 0)
        why = asked.fill(choice.why) if choice.why is not None else ""
        _answer(node, f"{fraction:.5f}".rstrip("0").rstrip("."), shown, why)


def _order(node: ET.Element, asked: Asked, out: Exported) -> None:
    assert asked.question.order is not None
    if asked.question.order.also:
        out.lose(asked.question, "only one of its right orders counts")
    for tag, value in (("layouttype", "VERTICAL"), ("selecttype", "ALL"), ("selectcount", "0")):
        _leaf(node, tag, value)
    _leaf(node, "gradingtype", "RELATIVE_NEXT_EXCLUDE_LAST")
    _leaf(node, "showgrading", "SHOW")
    _leaf(node, "numberingstyle", "none")
    for place, shown in enumerate(asked.shown, 1):
        _answer(node, f"{place}.0000000", shown)


def _essay(node: ET.Element, asked: Asked) -> None:
    question = asked.question
    _leaf(node, "responseformat", "editor")
    _leaf(node, "responserequired", "1")
    points = "".join(
        f"<li>{p.weight} point{'' if p.weight == 1 else 's'}"
        f"{' off' if p.antipattern else ''}{' (must)' if p.must else ''}: {lines(asked.fill(p.point))}</li>"
        for p in question.rubric
    )
    model = lines(asked.fill(question.answer)) if question.answer is not None else ""
    _html(node, "graderinfo", f"<p>{model}</p><ul>{points}</ul>")


def _answer(node: ET.Element, fraction: str, text: str, feedback: str = "") -> ET.Element:
    found = ET.SubElement(node, "answer", fraction=fraction, format="plain_text")
    _text(found, text)
    _text(ET.SubElement(found, "feedback", format="plain_text"), feedback)
    return found


def _html(node: ET.Element, tag: str, content: str) -> None:
    # The text of an element is escaped when it is written, which serves as well as CDATA.
    _text(ET.SubElement(node, tag, format="html"), content)


def _text(node: ET.Element, content: str) -> None:
    _leaf(node, "text", content)


def _leaf(node: ET.Element, tag: str, content: str) -> None:
    ET.SubElement(node, tag).text = content
