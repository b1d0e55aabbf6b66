"""How to look for a fault, as data: questions from the cheapest on, and at each end the faults that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Step:
    """A question, the command that answers it, and where each answer leads: to a step or an end, by name."""

    ask: str
    test: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class End:
    """What is wrong, in words, and the ids of the faults of the catalogue that are found here."""

    text: str
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """The tree. ``start`` names its first step."""

    start: str
    steps: Mapping[str, Step]
    ends: Mapping[str, End]

    def way(self, fault: str) -> list[tuple[Step, str]]:
        """The questions that lead to a fault, each with its answer. Raises KeyError where none does."""

        def search(name: str) -> list[tuple[Step, str]] | None:
            if name in self.ends:
                return [] if fault in self.ends[name].faults else None
            step = self.steps[name]
            for answer, onward in step.answers.items():
                rest = search(onward)
                if rest is not None:
                    return [(step, answer), *rest]
            return None

        found = search(self.start)
        if found is None:
            raise KeyError(fault)
        return found


@cache
def method() -> Method:
    """The tree of method.yaml."""
    import yaml

    text = resources.files("podwalk.faults").joinpath("method.yaml").read_text(encoding="utf-8")
    data = yaml.load(text, Loader=yaml.CSafeLoader)
    steps = {k: Step(v["ask"], v["test"], dict(v["answers"])) for k, v in data["steps"].items()}
    ends = {k: End(v["text"], tuple(v["faults"])) for k, v in data["ends"].items()}
    return Method(data["start"], steps, ends)
