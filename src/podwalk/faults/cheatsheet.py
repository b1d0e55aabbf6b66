"""The commands of the cheat sheet, by layer. docs/cheat-sheet.md is made from them by scripts/cheat_sheet.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Entry:
    """What one wants to know, and the command that says it; ``{pod}`` and the like stand for one's own."""

    layer: str
    question: str
    command: str


@cache
def entries() -> tuple[Entry, ...]:
    """All of them, in the order of the sheet."""
    import yaml

    text = resources.files("podwalk.faults").joinpath("cheatsheet.yaml").read_text(encoding="utf-8")
    return tuple(Entry(**e) for e in yaml.load(text, Loader=yaml.CSafeLoader))


def markdown() -> str:
    """The sheet as a page, to be printed."""
    lines = [
        "# Cheat sheet",
        "",
        "Commands by layer, each of which a test runs. Words in braces stand for your own: `{pod}`, `{node}`.",
        "On a cluster other than podwalk's, `podwalk node NODE --` is a shell on the node (`kubectl debug node/NODE`).",
    ]
    for layer in dict.fromkeys(e.layer for e in entries()):
        lines += ["", f"## {layer}", "", "| you want to know | you type |", "|---|---|"]
        lines += [
            f"| {e.question} | `{e.command.replace('|', chr(92) + '|')}` |" for e in entries() if e.layer == layer
        ]
    return "\n".join(lines) + "\n"
