"""What a fault is: what it breaks, how it shows, how it goes away, and what a learner has to find out about it."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol

from podwalk.backends.base import BackendError, Completed
from podwalk.client.sync import SyncClient
from podwalk.faults.facts import Facts

Layer = Literal["pod-network", "services", "ingress", "policy", "dns"]
Level = Literal["junior", "mid", "senior", "netsre"]
LAYERS: tuple[Layer, ...] = ("pod-network", "services", "ingress", "policy", "dns")
LEVELS: tuple[Level, ...] = ("junior", "mid", "senior", "netsre")
Plan = dict[str, Any]


class FaultError(BackendError):
    """Nothing could be injected, or something could not be undone; one line with a cure."""


class Hands(Protocol):
    """What injecting and undoing need of a cluster; the keeper has only this much."""

    client: SyncClient

    def node(self, node: str, script: str) -> Completed:
        """Run a shell script on a node."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a learner is asked about a fault.

    ``ticket`` says what people see, never why. ``objects`` are patterns of names that count as "found": the objects
    and devices at fault. ``token`` is a pattern that output shows only to those who look at the right place;
    ``evidence`` is a command that prints it. ``mistaken_for`` are the ids of faults that look alike.
    """

    ticket: str
    cause: str
    objects: tuple[str, ...]
    evidence: str
    token: str
    fix: str
    hints: tuple[str, ...]
    mistaken_for: tuple[str, ...] = ()


@cache
def lessons() -> Mapping[str, Lesson]:
    """The lessons by the faults' ids, from lessons.yaml."""
    import yaml

    text = resources.files("podwalk.faults").joinpath("lessons.yaml").read_text(encoding="utf-8")
    entries: dict[str, dict[str, Any]] = yaml.load(text, Loader=yaml.CSafeLoader)
    return {name: Lesson(**{k: _plain(v) for k, v in entry.items()}) for name, entry in entries.items()}


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value.strip()


@dataclass(frozen=True)
class Fault(ABC):
    """One fault. ``plan`` decides where it strikes and keeps what `undo` will need; it is stored before `inject`.

    ``shows`` maps probes (see :mod:`podwalk.faults.probes`) to a pattern of what they see while it is there. ``needs``
    are parts of the application (``balancer``, ``ingress``, ``gateway``) and kinds of cluster (``vxlan``,
    ``link``, ``iptables``). ``allowed`` are patterns, ``Kind namespace/name``, of objects that a repair may change.
    """

    id: str
    layer: Layer
    level: Level
    shows: Mapping[str, str]
    needs: frozenset[str] = field(default=frozenset(), kw_only=True)
    allowed: tuple[str, ...] = field(default=(), kw_only=True)

    @property
    def lesson(self) -> Lesson:
        """What a learner is told and asked about it."""
        return lessons()[self.id]

    @abstractmethod
    def plan(self, hands: Hands, facts: Facts, rng: random.Random) -> Plan:
        """Choose, and remember what is there now. Plain JSON data."""

    @abstractmethod
    def inject(self, hands: Hands, plan: Plan) -> None:
        """Break it. Raises FaultError."""

    @abstractmethod
    def undo(self, hands: Hands, plan: Plan) -> None:
        """Mend it, whatever is left of it; harmless where somebody has done so. Raises FaultError."""
