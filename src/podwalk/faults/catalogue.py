"""All faults, by id."""

from __future__ import annotations

from collections.abc import Mapping

from podwalk.faults import edge, naming, podnet, policies, rules, service
from podwalk.faults.model import Fault, FaultError

FAULTS: Mapping[str, Fault] = {
    fault.id: fault
    for fault in sorted(
        (*podnet.FAULTS, *service.FAULTS, *rules.FAULTS, *edge.FAULTS, *policies.FAULTS, *naming.FAULTS),
        key=lambda f: f.id,
    )
}


def find(name: str) -> Fault:
    """The fault with this id, in any case. Raises FaultError."""
    found = FAULTS.get(name.upper())
    if found is None:
        raise FaultError(f"fault {name}: there is none; podwalk fault list shows them")
    return found


def choose(layer: str | None = None, level: str | None = None) -> list[Fault]:
    """The faults of a layer and level."""
    return [f for f in FAULTS.values() if layer in (None, f.layer) and level in (None, f.level)]
