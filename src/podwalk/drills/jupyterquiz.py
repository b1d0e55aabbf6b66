"""jupyterquiz: JSON for quizzes in a notebook or a book. It grades in the browser; answers do not reach Python."""

from __future__ import annotations

import json
from collections.abc import Iterable
from html import escape
from typing import Any

from podwalk.drills import numbers
from podwalk.drills.asking import Asked
from podwalk.drills.exchange import LIVE, ONE_DRAW, ONE_WORDING, Exported, lines, preformatted, shown_text

_NOT_HELD = {"order": "the format has no ordering", "free": "the format has no texts that a person grades"}
_NOT_HELD["design"] = _NOT_HELD["free"]


def write(questions: Iterable[Asked]) -> Exported:
    """Choices, numbers and short answers."""
    out = Exported()
    rows = []
    for asked in questions:
        question = asked.question
        if question.type == "drill":
            out.drop(question, LIVE)
        elif question.type in _NOT_HELD:
            out.drop(question, _NOT_HELD[question.type])
        else:
            rows.append(_row(asked, out))
    out.count = len(rows)
    out.text = json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    return out


def _row(asked: Asked, out: Exported) -> dict[str, Any]:
    question = asked.question
    block = preformatted(question)
    text = shown_text(asked)
    row: dict[str, Any] = {"question": _html(text.removesuffix(f"\n\n{block}") if block else text)}
    if block:
        row["code"] = escape(block)
    explain = _html(asked.fill(question.explain))
    if question.chosen:
        kind = "many_choice" if question.type == "multi" else "multiple_choice"
        answers = [
            {"answer": _html(shown), "correct": c.ok, "feedback": _html(asked.fill(c.why)) if c.why else explain}
            for shown, c in zip(asked.shown, question.choices, strict=True)
        ]
        return {**row, "type": kind, "answers": answers}
    if question.predict is not None:
        if question.predict.match != "exact":
            out.lose(question, ONE_WORDING)
        right: dict[str, Any] = {"answer": question.predict.answer, "correct": True, "match_case": False}
        return {**row, "type": "string", "answers": [{**right, "feedback": explain}]}
    return {**row, "type": "numeric", "answers": _numbers(asked, out, explain)}


def _numbers(asked: Asked, out: Exported, explain: str) -> list[dict[str, Any]]:
    question = asked.question
    if question.spot is not None:
        right = [{"type": "value", "value": n, "correct": True, "feedback": explain} for n in question.spot.lines]
        wrong = [
            {"type": "value", "value": n, "correct": False, "feedback": _html(asked.fill(why))}
            for n, why in question.spot.near.items()
        ]
        return [*right, *wrong, {"type": "default", "feedback": "Another line."}]
    assert question.numeric is not None
    out.lose(question, ONE_DRAW)
    found: list[dict[str, Any]] = [_around(asked.number, question.numeric.tol, True, explain)]
    for trap in question.numeric.traps:
        value = numbers.evaluate(trap.match, asked.values)
        found.append(_around(value, question.numeric.tol, False, _html(asked.fill(trap.why))))
    return [*found, {"type": "default", "feedback": "Calculate once more."}]


def _around(value: float, tol: float, correct: bool, feedback: str) -> dict[str, Any]:
    if tol:
        return {"type": "range", "range": [value - tol, value + tol], "correct": correct, "feedback": feedback}
    plain = int(value) if value == int(value) else value
    return {"type": "value", "value": plain, "correct": correct, "feedback": feedback}


def _html(text: str) -> str:
    """The texts become a page's HTML there, in which a dollar sign begins a formula."""
    return lines(text).replace("$", "&#36;")
