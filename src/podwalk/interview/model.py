"""What an interview is made of: tracks, their parts, and the questions that are not in the bank."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from podwalk.drills.model import Point, Question, Words

_LEVEL = "senior"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a track. ``kind``: rapid, tree, live, design or talk; after ``minutes`` its rest is left out."""

    kind: str
    title: str
    minutes: int
    count: int = 0
    levels: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    depth: int = 0
    level: str = ""
    stacked: bool = False
    talk: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """``overall`` and ``layers``: what counts as passed, in percent; our own proposal."""

    name: str
    title: str
    minutes: int
    parts: tuple[Part, ...]
    overall: int
    layers: Mapping[str, int] = field(default_factory=dict)


@cache
def tracks() -> Mapping[str, Track]:
    """The tracks of tracks.yaml, by name."""
    return {
        name: Track(
            name, data["title"], data["minutes"], tuple(_part(p) for p in data["parts"]), data["bar"]["overall"],
            dict(data["bar"]["layers"]),
        )
        for name, data in _read("tracks.yaml").items()
    }  # fmt: skip


@cache
def followups() -> tuple[Question, ...]:
    """ "You curl a Service", from the first question to the deepest; ids begin with ``curl.``."""
    return tuple(_question(f"curl.{item['id']}", item) for item in _read("followups.yaml"))


@cache
def ladders() -> Mapping[str, tuple[str, ...]]:
    """The hints of the follow-ups by id, from gentle to plain: for whoever asks."""
    return {f"curl.{item['id']}": tuple(item.get("hints", ())) for item in _read("followups.yaml")}


@cache
def talks() -> Mapping[str, Question]:
    """What is told at the end, by name; ids begin with ``talk.``."""
    return {name: _question(f"talk.{name}", item) for name, item in _read("talks.yaml").items()}


def _part(data: Mapping[str, Any]) -> Part:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    return Part(**fields)


def _question(name: str, item: Mapping[str, Any]) -> Question:
    rubric = tuple(
        Point(
            Words(p["point"]), p.get("weight", 1), p.get("must", False), p.get("antipattern", False),
            tuple(p.get("any_of", ())),
        )
        for p in item["points"]
    )  # fmt: skip
    return Question(
        name, "free", item["layer"], _LEVEL, (), Words(item["ask"]), Words(item["model"]), (), Path(__file__),
        answer=Words(item["model"]), rubric=rubric,
    )  # fmt: skip


def _read(name: str) -> Any:
    import yaml

    text = resources.files("podwalk.interview").joinpath(name).read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)
