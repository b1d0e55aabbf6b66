"""The shape of a file of questions, and complaints that name file, question, reason and cure."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from podwalk.drills.model import QuestionError

GUIDE = "docs/add-a-question.md"
_CURES = {
    "required": f"add it; {GUIDE} shows every field",
    "additionalProperties": f"remove it, or look for the spelling in {GUIDE}",
    "unevaluatedProperties": f"remove it, or look for the spelling in {GUIDE}",
    "enum": "choose one of those",
    "const": "write that",
    "pattern": "write it in that form",
    "type": "write a value of that type",
    "minItems": "add more of them",
    "maxItems": "leave some out",
    "uniqueItems": "leave out what stands there twice",
    "minLength": "write something there",
    "maxLength": "make it shorter",
}


@cache
def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a file of questions."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("question.schema.json").read_text(encoding="utf-8"))
    return found


def validate(data: Any, path: Path) -> None:
    """Whether parsed YAML is a file of questions. Raises QuestionError about the first thing that is wrong."""
    # Imported here: it takes longer than reading all questions, and those of the course are known to be right.
    from jsonschema import Draft202012Validator

    errors = list(Draft202012Validator(schema()).iter_errors(data))
    if not errors:
        return
    # A branch that failed also makes its fields look unknown: what failed in it is the reason.
    error = min(errors, key=lambda e: (e.validator == "unevaluatedProperties", [str(p) for p in e.absolute_path]))
    where = list(error.absolute_path)
    name = ""
    if len(where) >= 2 and where[0] == "questions":
        question = data["questions"][where[1]]
        given = question.get("id") if isinstance(question, dict) else None
        name, where = f"{given or f'question {int(where[1]) + 1}'}: ", where[2:]
    field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in where).lstrip(".")
    reason = error.message.replace("\n", " ")
    reason = reason if len(reason) <= 160 else f"{reason[:159]}…"
    cure = _CURES.get(str(error.validator), f"{GUIDE} shows examples")
    raise QuestionError(f"{path}: {name}{field + ': ' if field else ''}{reason}; {cure}")
