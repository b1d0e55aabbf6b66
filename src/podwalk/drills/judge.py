"""What makes a question wrong, beyond its shape: every rule that a schema cannot say."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from podwalk.drills.model import Question, Words
from podwalk.drills.numbers import ExpressionError, evaluate

# A right answer that is much longer than all others gives itself away.
_LONGER = 1.5
_DRAWS = 2000


def wrong_with(question: Question) -> str:
    """The first thing that is wrong, as ``field: reason; cure``, or nothing."""
    checks: tuple[Callable[[Question], str], ...] = (
        _sources,
        _choices,
        _order,
        _predict,
        _numeric,
        _rubric,
        _spot,
        _translated,
    )
    for check in checks:
        if said := check(question):
            return said
    return ""


def _sources(question: Question) -> str:
    if not question.imported and not question.refs:
        return "refs: there are none; say where it is written"
    return ""


def _choices(question: Question) -> str:
    choices = question.choices
    if not choices:
        return ""
    right = [c for c in choices if c.ok]
    if question.type == "multi":
        if not right or len(right) == len(choices):
            return "choices: some have to be right and some wrong; mend the ok of them"
    elif len(right) != 1:
        return f"choices: {len(right)} of them are right; mark exactly one with ok: true"
    texts = [c.text.en.casefold() for c in choices]
    if len(set(texts)) < len(texts):
        return "choices: two of them are the same; make them differ"
    if question.type != "multi" and len(choices) > 1:
        longest = max(len(c.text.en) for c in choices if not c.ok)
        if len(right[0].text.en) > max(_LONGER * longest, longest + 12):
            return "choices: the right one is by far the longest, which gives it away; shorten it"
    return ""


def _order(question: Question) -> str:
    if question.order is None:
        return ""
    count = len(question.order.items)
    if len({i.en for i in question.order.items}) < count:
        return "order.items: two of them are the same; make them differ"
    for other in question.order.also:
        if sorted(other) != list(range(count)):
            return f"order.also: {[n + 1 for n in other]} does not hold each of 1 to {count} once; mend it"
    return ""


def _predict(question: Question) -> str:
    body = question.predict
    if body is None:
        return ""
    if body.match == "regex":
        if said := _pattern(body.pattern, "predict.pattern"):
            return said
        if not re.fullmatch(body.pattern, body.answer, re.IGNORECASE):
            return "predict.pattern: does not match the answer; mend one of them"
    for trap in body.traps:
        if said := _pattern(trap.match, "predict.traps"):
            return said
        if re.fullmatch(trap.match, body.answer, re.IGNORECASE):
            return f"predict.traps: {trap.match} matches the right answer too; narrow it"
    return ""


def _numeric(question: Question) -> str:
    body = question.numeric
    if body is None:
        return ""
    used = set(re.findall(r"\{([a-z][a-z0-9_]*)\}", question.stem.en))
    if unknown := used - set(body.params):
        return f"stem: {{{min(unknown)}}} is no parameter; add it to numeric.params"
    draws = itertools.islice(itertools.product(*body.params.values()), _DRAWS)
    for drawn in draws:
        values = dict(zip(body.params, drawn, strict=True))
        try:
            right = evaluate(body.expr, values)
            traps = [(trap, evaluate(trap.match, values)) for trap in body.traps]
        except ExpressionError as error:
            return f"numeric: {error}; mend the expression"
        for trap, value in traps:
            if abs(value - right) <= body.tol:
                return f"numeric.traps: {trap.match} is the right answer for {values}; leave those parameters out"
    return ""


def _rubric(question: Question) -> str:
    if not question.rubric:
        return ""
    if not any(p.must for p in question.rubric):
        return "rubric: no point has must: true; say what an answer cannot do without"
    for number, point in enumerate(question.rubric):
        if point.must and point.antipattern:
            return f"rubric[{number}]: must and antipattern exclude each other; leave one out"
        for pattern in point.any_of:
            if said := _pattern(pattern, f"rubric[{number}].any_of"):
                return said
    assert question.answer is not None
    for number, point in enumerate(question.rubric):
        if point.antipattern or not point.must:
            continue
        if not any(re.search(p, question.answer.en, re.IGNORECASE) for p in point.any_of):
            return f"rubric[{number}]: the model answer does not say this; mend one of them"
    return ""


def _spot(question: Question) -> str:
    body = question.spot
    if body is None:
        return ""
    count = len(body.text.split("\n"))
    if any(line > count for line in (*body.lines, *body.near)):
        return f"spot: there are only {count} lines; name one of them"
    if set(body.lines) & set(body.near):
        return "spot.near: a line is right and innocent; leave it out of one of them"
    if body.fix == body.text:
        return "spot.fix: is the same as the text; repair it"
    return ""


def _translated(question: Question) -> str:
    """An article's question stands there in Chinese as well: all that a learner reads."""
    if not question.article:
        return ""
    texts: list[tuple[str, Words | None]] = [("stem", question.stem), ("explain", question.explain)]
    texts += [("choices", c.text) for c in question.choices]
    texts += [("choices.why", c.why) for c in question.choices]
    texts += [("hint", question.hint)]
    texts += [("spot.near", why) for why in question.spot.near.values()] if question.spot else []
    texts += [("order.items", i) for i in question.order.items] if question.order else []
    texts += [("answer", question.answer)] if question.rubric else []
    texts += [("rubric", p.point) for p in question.rubric]
    for where, words in texts:
        if words is not None and not words.zh:
            return f"{where}: has no zh, and the question is from an article; translate it"
    return ""


def _pattern(pattern: str, where: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"{where}: {pattern!r} is no regular expression ({error}); mend it"
    return "" if pattern else f"{where}: is missing; add it"
