"""What an answer is worth, and why. A learner's text is data throughout: it is matched and quoted, never run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from podwalk.drills import numbers
from podwalk.drills.asking import Asked
from podwalk.drills.model import Point

# What was learnt about blind guessing and half an answer: below this it has not been known.
PASSED = 0.6
GOOD = 0.8
MOST_ANSWER = 8000


class AnswerError(ValueError):
    """What was written is no answer to this question; the message says what would be."""


@dataclass(frozen=True, slots=True)
class Remark:
    """A line of feedback: right, wrong, missed or a note (``kind``), what it is about, and why."""

    kind: str
    text: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer judged. ``score`` from 0 to 1; ``right``: it counts as known; ``expected``: the right answer.

    ``ticks``: for an answer in the learner's own words, the points of the rubric that were found or confirmed.
    ``vouched``: how much of the score rests on the learner's word alone.
    """

    score: float
    right: bool
    expected: str
    remarks: tuple[Remark, ...] = ()
    ticks: tuple[bool, ...] = ()
    vouched: float = 0.0


def grade(asked: Asked, answer: str, ticks: Sequence[bool] | None = None) -> Outcome:
    """Judge an answer, written as it is in the terminal: ``b``; ``a c``; ``3 1 2``; a number; a line; a text.

    ``ticks``: what the learner confirmed of the rubric, where it is one; without it, what was found in the text.
    Raises AnswerError.
    """
    answer = answer[:MOST_ANSWER]
    if asked.question.written:
        return _written(asked, answer, ticks)
    return _GRADERS[asked.question.type](asked, answer.strip())


def proposed(points: Sequence[Point], answer: str) -> tuple[bool, ...]:
    """Which points of a rubric the text seems to make. Patterns cannot read: the learner has the last word."""
    text = " ".join(answer[:MOST_ANSWER].split())
    return tuple(any(re.search(p, text, re.IGNORECASE) for p in point.any_of) for point in points)


def _single(asked: Asked, answer: str) -> Outcome:
    chosen = _letters(asked, answer)
    if len(chosen) != 1:
        raise AnswerError(f"write one letter from a to {asked.marks[-1]}")
    choice = asked.question.choices[asked.order[chosen[0]]]
    right = next(i for i, at in enumerate(asked.order) if asked.question.choices[at].ok)
    remarks = [_reason(asked, chosen[0], "wrong")] if not choice.ok else []
    remarks += [_reason(asked, i, "note") for i in range(len(asked.order)) if i not in (chosen[0], right)]
    expected = f"{asked.marks[right]}) {asked.shown[right]}"
    return Outcome(float(choice.ok), choice.ok, expected, tuple(remarks))


def _multi(asked: Asked, answer: str) -> Outcome:
    chosen = set(_letters(asked, answer))
    if not chosen:
        raise AnswerError(f"write the letters that are right, such as: a {asked.marks[-1]}")
    right = {i for i, at in enumerate(asked.order) if asked.question.choices[at].ok}
    remarks = []
    for i in range(len(asked.order)):
        if i in chosen and i not in right:
            remarks.append(_reason(asked, i, "wrong"))
        elif i in right and i not in chosen:
            remarks.append(_reason(asked, i, "missed"))
        elif i not in right:
            remarks.append(_reason(asked, i, "note"))
    # What is wrongly chosen takes away what is rightly chosen, so that choosing all is worth nothing.
    score = max(0.0, len(chosen & right) / len(right) - len(chosen - right) / (len(asked.order) - len(right)))
    return Outcome(score, chosen == right, " ".join(asked.marks[i] for i in sorted(right)), tuple(remarks))


def _order(asked: Asked, answer: str) -> Outcome:
    assert asked.question.order is not None
    marks = [m for m in re.split(r"[\s,>→-]+", answer.lower()) if m]
    marks = list(marks[0]) if len(marks) == 1 else marks
    if sorted(marks) != sorted(asked.marks):
        raise AnswerError(f"write each of {' '.join(asked.marks)} once, in the order you mean")
    given = tuple(asked.order[asked.marks.index(m)] for m in marks)
    best, score = max(((right, _adjacent(given, right)) for right in asked.question.order.accepted), key=lambda b: b[1])
    right = given in asked.question.order.accepted
    items = asked.question.order.items
    expected = " ".join(asked.marks[asked.order.index(i)] for i in best)
    remarks = []
    for place, item in enumerate(best):
        kind = "right" if given[place] == item else "wrong"
        remarks.append(Remark(kind, f"{asked.marks[asked.order.index(item)]}  {asked.fill(items[item])}"))
    return Outcome(1.0 if right else min(score, 0.99), right, expected, () if right else tuple(remarks))


def _adjacent(given: tuple[int, ...], right: tuple[int, ...]) -> float:
    """The share of neighbours that follow each other as they should: half a path is half right wherever it stands."""
    pairs = set(itertools.pairwise(right))
    return sum(pair in pairs for pair in itertools.pairwise(given)) / len(pairs)


def _predict(asked: Asked, answer: str) -> Outcome:
    body = asked.question.predict
    assert body is not None
    if not answer:
        raise AnswerError("write what you expect, in a few words")
    given = _plain(answer)
    if body.match == "regex":
        right = re.fullmatch(body.pattern, given, re.IGNORECASE) is not None
    elif body.match == "set":
        right = _set(answer) == _set(body.answer)
    else:
        right = given == _plain(body.answer)
    remarks = [] if right else [Remark("wrong", answer, _trap(asked, given))]
    return Outcome(float(right), right, body.answer, tuple(remarks))


def _trap(asked: Asked, given: str) -> str:
    assert asked.question.predict is not None
    for trap in asked.question.predict.traps:
        if re.fullmatch(trap.match, given, re.IGNORECASE):
            return asked.fill(trap.why)
    return ""


def _numeric(asked: Asked, answer: str) -> Outcome:
    body = asked.question.numeric
    assert body is not None
    found = numbers.parse(answer)
    if found is None:
        raise AnswerError("write a number, such as 1450 or 1/3")
    expected = asked.number
    # What binary fractions lose is nobody's mistake.
    slack = max(body.tol, abs(expected) * 1e-9)
    right = abs(found - expected) <= slack
    remarks = []
    if not right:
        why = next(
            (asked.fill(t.why) for t in body.traps if abs(found - numbers.evaluate(t.match, asked.values)) <= slack), ""
        )
        remarks.append(Remark("wrong", numbers.show(found), why))
    return Outcome(float(right), right, f"{numbers.show(expected)} {body.unit}".strip(), tuple(remarks))


def _spot(asked: Asked, answer: str) -> Outcome:
    body = asked.question.spot
    assert body is not None
    found = re.search(r"\d{1,6}", answer)
    if found is None:
        raise AnswerError("write the number of the line that is wrong")
    line = int(found[0])
    right = line in body.lines
    remarks = []
    if not right:
        near = body.near.get(line)
        remarks.append(Remark("wrong", f"line {line}", asked.fill(near) if near else ""))
    lines = body.text.split("\n")
    expected = " or ".join(f"line {n}: {lines[n - 1].strip()}" for n in body.lines)
    return Outcome(float(right), right, expected, tuple(remarks))


def _drill(asked: Asked, answer: str) -> Outcome:
    raise AnswerError("this one is answered in a running cluster: podwalk drill live")


def _written(asked: Asked, answer: str, ticks: Sequence[bool] | None) -> Outcome:
    points = asked.question.rubric
    if not answer.strip():
        raise AnswerError("write a few sentences")
    found = proposed(points, answer)
    ticked = found if ticks is None else tuple(ticks)
    if len(ticked) != len(points):
        raise AnswerError(f"tick or leave each of the {len(points)} points")
    possible = sum(p.weight for p in points if not p.antipattern)
    reached = sum(p.weight * (-1 if p.antipattern else 1) for p, t in zip(points, ticked, strict=True) if t)
    vouched = sum(p.weight for p, t, f in zip(points, ticked, found, strict=True) if t and not f and not p.antipattern)
    score = max(0.0, reached / possible)
    complete = all(t for p, t in zip(points, ticked, strict=True) if p.must)
    remarks = []
    for point, ticked_it in zip(points, ticked, strict=True):
        kind = ("wrong" if ticked_it else "") if point.antipattern else ("right" if ticked_it else "missed")
        if kind:
            remarks.append(Remark(kind, asked.fill(point.point)))
    assert asked.question.answer is not None
    expected = asked.fill(asked.question.answer)
    return Outcome(score, complete and score >= PASSED, expected, tuple(remarks), ticked, vouched / possible)


def _letters(asked: Asked, answer: str) -> list[int]:
    letters = re.sub(r"[\s,;.)]+", "", answer.lower())
    if not letters or any(letter not in asked.marks for letter in letters):
        raise AnswerError(f"write letters from a to {asked.marks[-1]}")
    return sorted({asked.marks.index(letter) for letter in letters})


def _reason(asked: Asked, shown: int, kind: str) -> Remark:
    why = asked.question.choices[asked.order[shown]].why
    return Remark(kind, f"{asked.marks[shown]}) {asked.shown[shown]}", asked.fill(why) if why is not None else "")


def _plain(text: str) -> str:
    return " ".join(text.casefold().strip().strip("\"'`.").split())


def _set(text: str) -> set[str]:
    return {word for word in re.split(r"[\s,;]+", _plain(text)) if word}


_GRADERS: dict[str, Callable[[Asked, str], Outcome]] = {
    "single": _single,
    "myth": _single,
    "multi": _multi,
    "order": _order,
    "predict": _predict,
    "numeric": _numeric,
    "spot": _spot,
    "drill": _drill,
}
