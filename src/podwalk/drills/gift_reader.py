"""Questions from a GIFT file, as data in our own schema. What it holds and we do not is listed, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from podwalk.drills.exchange import Loss
from podwalk.drills.model import LAYERS, QuestionError

MOST = 2_000_000
_NO_REASON = "The file that this question came from gives no reason."
_ANSWER = re.compile(r"(?<!\\)([=~])")
_NUMBER = r"[+-]?\d+(?:\.\d+)?"


@dataclass(slots=True)
class Taken:
    """What was read: questions as data by layer, and what was not taken, or taken with a gap."""

    layers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many questions were taken."""
        return sum(len(q) for q in self.layers.values())


class _NotHeld(Exception):
    """A question of a kind that we do not have."""


def read(text: str, prefix: str, *, layer: str | None = None, level: str = "mid") -> Taken:
    """The questions of a GIFT file.

    ``prefix`` begins their ids; ``layer`` is theirs where no $CATEGORY names one. Raises QuestionError for a file that
    is too large or has no question.
    """
    if len(text) > MOST:
        raise QuestionError(f"the file: is larger than {MOST} characters; split it")
    out = Taken()
    category = layer
    ids: set[str] = set()
    for line, block in _blocks(text):
        if block.startswith("$CATEGORY:"):
            named = block.removeprefix("$CATEGORY:").strip().rpartition("/")[2]
            category = named if named in LAYERS else layer
            continue
        try:
            title, question = _question(block)
        except _NotHeld as error:
            out.losses.append(Loss(f"line {line}", str(error), whole=True))
            continue
        if category is None:
            out.losses.append(Loss(f"line {line}", "no $CATEGORY names a layer; say --layer", whole=True))
            continue
        name = _id(prefix, title, ids, line)
        if question.pop("gap", False):
            out.losses.append(Loss(name, "a wrong answer has no reason (write it behind a #)"))
        head = {"id": name, "type": question.pop("type"), "level": level, "exam": ["beyond"]}
        out.layers.setdefault(category, []).append({**head, **question, "imported": True, "refs": []})
    if not out.count and not out.losses:
        raise QuestionError("the file: holds no question in GIFT; a question has its answers in {…}")
    return out


def _blocks(text: str) -> list[tuple[int, str]]:
    """The parts between empty lines, without comments, each with the number of its first line."""
    found: list[tuple[int, str]] = []
    lines: list[str] = []
    begun = 1
    for number, line in enumerate([*text.removeprefix("\ufeff").splitlines(), ""], 1):
        if line.lstrip().startswith("//"):
            continue
        category = line.startswith("$CATEGORY:")
        if (not line.strip() or category) and lines:
            found.append((begun, "\n".join(lines)))
            lines = []
        if category:
            found.append((number, line))
        elif line.strip():
            begun = number if not lines else begun
            lines.append(line)
    return found


def _question(block: str) -> tuple[str, dict[str, Any]]:
    title = ""
    match = re.match(r"\s*::(.*?)(?<!\\)::\s*", block, re.DOTALL)
    if match:
        title, block = _plain(match[1]), block[match.end() :]
    block = re.sub(r"^\s*\[(html|plain|markdown|moodle)\]\s*", "", block)
    begin, end = re.search(r"(?<!\\)\{", block), re.search(r"(?<!\\)\}", block)
    if begin is None or end is None or end.start() < begin.start():
        raise _NotHeld("it has no answers in {…}")
    before, inside, after = block[: begin.start()], block[begin.end() : end.start()], block[end.end() :]
    stem = _plain(f"{before.rstrip()} _____ {after.lstrip()}" if after.strip() else before)
    body, _, explain = re.split(r"(?<!\\)(####)", inside, maxsplit=1) if "####" in inside else (inside, "", "")
    question = _body(body.strip())
    if not stem:
        raise _NotHeld("it asks nothing")
    question["stem"] = stem
    question["explain"] = _plain(explain) or _right(question)
    return title, question


def _body(body: str) -> dict[str, Any]:
    if not body:
        raise _NotHeld("a text that a person grades needs a rubric; write it as type free")
    if body.startswith("#"):
        return _numeric(body[1:].strip())
    if re.match(r"(T|TRUE|F|FALSE)\s*(#|$)", body):
        return _truth(body)
    if re.search(r"(?<!\\)->", body):
        raise _NotHeld("matching is no type of ours")
    parts = _ANSWER.split(body)
    answers = [(mark, *_answer(text)) for mark, text in zip(parts[1::2], parts[2::2], strict=True)]
    if not answers:
        raise _NotHeld("its answers begin with neither = nor ~")
    if all(mark == "=" and share is None for mark, share, _, _ in answers):
        if len(answers) > 1:
            raise _NotHeld("several right wordings: write it as type predict with a pattern")
        return {"type": "predict", "predict": {"answer": answers[0][2]}}
    return _choices(answers)


def _choices(answers: list[tuple[str, float | None, str, str]]) -> dict[str, Any]:
    gap = False
    choices: list[dict[str, Any]] = []
    for mark, share, text, why in answers:
        if mark == "=" or (share or 0) > 0:
            choices.append({"ok": True, "text": text, **({"why": why} if why else {})})
        else:
            gap = gap or not why
            choices.append({"text": text, "why": why or _NO_REASON})
    right = sum(bool(c.get("ok")) for c in choices)
    if not right or right == len(choices):
        raise _NotHeld("some of its answers have to be right and some wrong")
    texts = [c["text"].casefold() for c in choices]
    if len(set(texts)) < len(texts) or not all(texts) or len(texts) > 8:
        raise _NotHeld("its answers are empty, the same, or more than eight")
    return {"type": "multi" if right > 1 else "single", "choices": choices, "gap": gap}


def _answer(text: str) -> tuple[float | None, str, str]:
    """Weight, text and feedback."""
    text = text.strip()
    share = None
    if match := re.match(rf"%({_NUMBER})%", text):
        share, text = float(match[1]), text[match.end() :]
    said, _, why = _split(text)
    return share, _plain(said), _plain(why)


def _truth(body: str) -> dict[str, Any]:
    said, _, why = _split(body)
    truth = said.strip() in ("T", "TRUE")
    # The first feedback is for the wrong answer, the second for the right one.
    reason = _plain(_split(why)[0])
    choices: list[dict[str, Any]] = [{"text": "It is true"}, {"text": "It is false"}]
    choices[0 if truth else 1]["ok"] = True
    choices[1 if truth else 0]["why"] = reason or _NO_REASON
    return {"type": "single", "choices": choices, "gap": not reason}


def _numeric(body: str) -> dict[str, Any]:
    right: tuple[float, float] | None = None
    traps: list[dict[str, Any]] = []
    parts = _ANSWER.split(body) if _ANSWER.search(body) else ["", "=", body]
    for text in parts[2::2]:
        match = re.match(rf"\s*(?:%({_NUMBER})%)?\s*({_NUMBER})\s*(?::\s*({_NUMBER})|\.\.\s*({_NUMBER}))?", text)
        if match is None:
            raise _NotHeld("a numeric answer that is no number, number:tolerance or from..to")
        value, tol = float(match[2]), float(match[3] or 0)
        if match[4]:
            value, tol = (value + float(match[4])) / 2, abs(float(match[4]) - value) / 2
        why = _plain(_split(text[match.end() :])[2])
        if match[1] is None or float(match[1]) == 100:
            if right is not None:
                raise _NotHeld("several right numbers")
            right = value, tol
        elif why:
            traps.append({"expr": value, "why": why})
    if right is None:
        raise _NotHeld("no number of it is right")
    kept = [t for t in traps if abs(t["expr"] - right[0]) > right[1]]
    return {"type": "numeric", "numeric": {"expr": right[0], "tol": right[1], **({"traps": kept} if kept else {})}}


def _split(text: str) -> tuple[str, str, str]:
    parts = re.split(r"(?<!\\)#", text, maxsplit=1)
    return parts[0], "#" if len(parts) > 1 else "", parts[1] if len(parts) > 1 else ""


def _plain(text: str) -> str:
    """What was escaped, as it was meant."""
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _right(question: dict[str, Any]) -> str:
    if "choices" in question:
        return "Right: " + "; ".join(c["text"] for c in question["choices"] if c.get("ok"))
    return "Right: " + str(question["predict"]["answer"] if "predict" in question else question["numeric"]["expr"])


def _id(prefix: str, title: str, taken: set[str], line: int) -> str:
    """An id from the title, so that a second import means the same question; from the line where there is none."""
    slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:24].strip("-") or f"line-{line}"
    name = f"{prefix}-{slug}"
    if name in taken:
        name = f"{name}-{line}"
    taken.add(name)
    return name
