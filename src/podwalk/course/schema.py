"""The shape of lab.yaml, and complaints about it that name the file, the field, the reason and the cure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from podwalk.backends import NAMES
from podwalk.checks.control import BREAKABLE
from podwalk.course.addons import known
from podwalk.course.outside import TARGET_PATTERN

ID_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
# The value of the label podwalk.dev/lab is <layer>.<id>, and Kubernetes allows 63 characters.
MAX_LABEL = 63
DIFFICULTIES = ("easy", "medium", "hard")

_TEXT = {"type": "string", "minLength": 1}
_NAMES = {"type": "array", "items": {"type": "string", "pattern": ID_PATTERN}, "minItems": 1, "uniqueItems": True}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "order", "minutes", "difficulty", "backends", "objectives", "namespaces", "points", "hints"],
    "properties": {
        "title": {**_TEXT, "maxLength": 60},
        "order": {"type": "integer", "minimum": 1},
        "minutes": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 120},
            "minItems": 2,
            "maxItems": 2,
        },
        "difficulty": {"enum": list(DIFFICULTIES)},
        "backends": {"type": "array", "items": {"enum": list(NAMES)}, "minItems": 1, "uniqueItems": True},
        "objectives": {"type": "array", "items": _TEXT, "minItems": 1},
        "namespaces": _NAMES,
        "points": {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": "integer", "minimum": 1, "maximum": 100},
        },
        "hints": {
            "type": "array",
            "minItems": 2,
            "items": {
                "oneOf": [
                    _TEXT,
                    {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["text"],
                        "properties": {"text": _TEXT, "cost": {"type": "integer", "minimum": 0, "maximum": 100}},
                    },
                ]
            },
        },
        "cluster": {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "cni": _TEXT,
                "proxyMode": {"enum": ["iptables", "nftables"]},
                "networkPolicy": {"type": "boolean"},
            },
        },
        "addons": {"type": "array", "items": {"enum": known()}, "minItems": 1, "uniqueItems": True},
        "outside": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)+$"},
            "additionalProperties": {"type": "string", "pattern": TARGET_PATTERN},
        },
        "breaks": {"type": "array", "items": {"enum": list(BREAKABLE)}, "minItems": 1, "uniqueItems": True},
        "parameters": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"},
            "additionalProperties": {
                "type": "array",
                "items": {"type": ["string", "integer"]},
                "minItems": 2,
                "uniqueItems": True,
            },
        },
        "unready": {"type": "array", "items": {"type": "string", "pattern": "^[^/]+/[^/]+$"}},
        "references": {"type": "array", "items": {"type": "string", "pattern": "^https://"}},
    },
}

_CURES = {
    "required": "add it; docs/add-a-lab.md shows every field",
    "additionalProperties": "remove it, or look for the spelling in docs/add-a-lab.md",
    "enum": "choose one of those",
    "pattern": "write it in that form",
    "type": "write a value of that type",
    "minItems": "add more of them",
    "minLength": "write something there",
}


class LabError(Exception):
    """A lab's files are wrong. The message is one line: file: field: reason; cure."""


def plausible(data: Any) -> bool:
    """Whether a parsed lab.yaml has the fields and the types of one: a look that costs no import."""
    if not isinstance(data, dict) or not set(SCHEMA["required"]) <= set(data) <= set(SCHEMA["properties"]):
        return False
    types = {"string": str, "integer": int, "array": list, "object": dict}
    if any(
        not isinstance(data[k], types[p["type"]]) for k, p in SCHEMA["properties"].items() if k in data and "type" in p
    ):
        return False
    points = all(isinstance(v, int) for v in data["points"].values())
    hints = all(isinstance(h, str) or (isinstance(h, dict) and isinstance(h.get("text"), str)) for h in data["hints"])
    return points and hints and len(data["minutes"]) == 2 and data["difficulty"] in DIFFICULTIES


def validate(data: Any, path: Path) -> None:
    """Check a parsed lab.yaml. Raises LabError about the first thing that is wrong, in the order of the file."""
    from jsonschema import Draft202012Validator

    errors = sorted(Draft202012Validator(SCHEMA).iter_errors(data), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        error = errors[0]
        where = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path).lstrip(".")
        cure = _CURES.get(str(error.validator), "docs/add-a-lab.md shows an example")
        raise LabError(f"{path}: {where or 'the file'}: {_reason(error.message)}; {cure}")
    _cross_checks(data, path)


def _cross_checks(data: dict[str, Any], path: Path) -> None:
    low, high = data["minutes"]
    if low > high:
        raise LabError(f"{path}: minutes: {low} is more than {high}; write [from, to]")
    if data.get("outside") and data["backends"] != ["embedded"]:
        raise LabError(f"{path}: outside: only the embedded cluster has an outside of its own; backends: [embedded]")
    total = sum(data["points"].values())
    costs = sum(h["cost"] for h in data["hints"] if isinstance(h, dict) and "cost" in h)
    if costs >= total:
        raise LabError(f"{path}: hints: together they cost {costs} of {total} points; leave something to earn")


def _reason(message: str) -> str:
    line = message.replace("\n", " ")
    return line if len(line) <= 160 else f"{line[:159]}…"
