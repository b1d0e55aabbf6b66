"""Who reaches whom, as data: one cell a question, each with what was seen and what the policies say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["allowed", "refused", "dropped", "could not tell"]


@dataclass(frozen=True, slots=True)
class Port:
    """A port of the destination."""

    number: int
    protocol: str = "TCP"

    def __str__(self) -> str:
        return f"{self.number}" if self.protocol == "TCP" else f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Cell:
    """One source, one destination, one port.

    ``refused`` means that the packet arrived where nobody listens: as far as policy goes it was let through.
    ``expected`` is the evaluator's word, None where Kubernetes leaves it open; ``why`` names the deciding policies.
    """

    source: str
    target: str
    port: Port
    outcome: Outcome
    expected: bool | None = None
    why: str = ""
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether packets arrive, or None where that could not be told."""
        return None if self.outcome == "could not tell" else self.outcome != "dropped"

    @property
    def disagrees(self) -> bool:
        """Whether packets and policies contradict each other."""
        return self.reached is not None and self.expected is not None and self.reached != self.expected


@dataclass(frozen=True, slots=True)
class Matrix:
    """All cells of one look, and the seconds it took."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    cells: tuple[Cell, ...]
    seconds: float
    policies: int = 0
    notes: tuple[str, ...] = ()
    _index: dict[tuple[str, str], list[Cell]] = field(default_factory=dict, compare=False, repr=False)

    def between(self, source: str, target: str) -> list[Cell]:
        """The cells from one to another, by port."""
        if not self._index:
            for cell in self.cells:
                self._index.setdefault((cell.source, cell.target), []).append(cell)
        return self._index.get((source, target), [])

    @property
    def disagreements(self) -> list[Cell]:
        """Where packets and policies contradict each other."""
        return [c for c in self.cells if c.disagrees]

    def changes(self, before: Matrix) -> list[tuple[Cell, Cell]]:
        """(old, new) of the cells of this matrix whose packets fare otherwise than in an earlier one."""
        old = {(c.source, c.target, c.port): c for c in before.cells}
        pairs = ((old.get((c.source, c.target, c.port)), c) for c in self.cells)
        return [(b, c) for b, c in pairs if b is not None and b.reached != c.reached]

    def as_dict(self) -> dict[str, Any]:
        """Plain data for --json."""
        cells = [
            {
                "source": c.source,
                "target": c.target,
                "port": c.port.number,
                "protocol": c.port.protocol,
                "outcome": c.outcome,
                "expected": c.expected,
                "disagrees": c.disagrees,
                "why": c.why,
                **({"note": c.note} if c.note else {}),
            }
            for c in self.cells
        ]
        plain = {k: v for k, v in asdict(self).items() if k in ("sources", "targets", "seconds", "policies", "notes")}
        return {**plain, "cells": cells, "disagreements": len(self.disagreements)}


def parse_ports(texts: Iterable[str]) -> tuple[Port, ...]:
    """``80``, ``53/UDP``, ``80,443``. Raises ValueError with the text that is no port."""
    ports = []
    for part in (p.strip() for text in texts for p in text.split(",")):
        number, _, protocol = part.partition("/")
        protocol = (protocol or "TCP").upper()
        if not number.isdecimal() or not 1 <= int(number) <= 65535 or protocol not in ("TCP", "UDP", "SCTP"):
            raise ValueError(f"{part!r} is no port; write 80, 53/UDP or 80,443")
        ports.append(Port(int(number), protocol))
    return tuple(dict.fromkeys(ports))
