"""GIFT (docs.moodle.org, "GIFT format"): quizzes as plain text. :mod:`podwalk.drills.gift_reader` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from podwalk.drills import numbers
from podwalk.drills.asking import Asked
from podwalk.drills.exchange import LIVE, ONE_DRAW, ONE_WORDING, SELF_GRADED, Exported, shown_text

SPECIAL = r"~=#{}:"


def write(questions: Iterable[Asked]) -> Exported:
    """All that the format can hold: choices, numbers, short answers and texts."""
    out = Exported()
    parts: list[str] = []
    layer = ""
    for asked in sorted(questions, key=lambda a: a.question.layer):
        question = asked.question
        if question.type == "drill":
            out.drop(question, LIVE)
            continue
        if question.order is not None:
            out.drop(question, "the format has no ordering")
            continue
        if question.layer != layer:
            layer = question.layer
            parts.append(f"$CATEGORY: podwalk/{layer}\n")
        body = "\n".join(f"\t{line}" for line in [*_answers(asked, out), f"####{_safe(asked.fill(question.explain))}"])
        parts.append(f"::{_safe(question.id)}:: [plain] {_safe(shown_text(asked))} {{\n{body}\n}}\n")
        out.count += 1
    out.text = "\n".join(parts)
    return out


def _answers(asked: Asked, out: Exported) -> list[str]:
    question = asked.question
    if question.chosen:
        return _choices(asked)
    if question.predict is not None:
        if question.predict.match != "exact":
            out.lose(question, ONE_WORDING)
        return [f"={_safe(question.predict.answer)}"]
    if question.spot is not None:
        right = [f"=%100%{line}:0" for line in question.spot.lines]
        return ["#", *right, *(f"=%0%{n}:0#{_safe(asked.fill(why))}" for n, why in question.spot.near.items())]
    if question.numeric is not None:
        out.lose(question, ONE_DRAW)
        tol = numbers.show(question.numeric.tol)
        found = ["#", f"=%100%{numbers.show(asked.number)}:{tol}"]
        for trap in question.numeric.traps:
            value = numbers.show(numbers.evaluate(trap.match, asked.values))
            found.append(f"=%0%{value}:{tol}#{_safe(asked.fill(trap.why))}")
        return found
    out.lose(question, SELF_GRADED)
    return []


def _choices(asked: Asked) -> list[str]:
    question = asked.question
    right = sum(c.ok for c in question.choices)
    wrong = len(question.choices) - right
    found = []
    for shown, choice in zip(asked.shown, question.choices, strict=True):
        if question.type == "multi":
            share = 100 / right if choice.ok else -100 / wrong
            mark = f"~%{f'{share:.5f}'.rstrip('0').rstrip('.')}%"
        else:
            mark = "=" if choice.ok else "~"
        why = f"#{_safe(asked.fill(choice.why))}" if choice.why is not None else ""
        found.append(f"{mark}{_safe(shown)}{why}")
    return found


def _safe(text: str) -> str:
    text = text.replace("\\", "\\\\")
    text = re.sub(f"([{re.escape(SPECIAL)}])", r"\\\1", text)
    return text.replace("\n", "\\n")
