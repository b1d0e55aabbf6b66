"""Conditions as the Gateway API writes them."""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object


def condition(kind: str, ok: bool, reason: str, message: str = "", generation: int = 0) -> Object:
    """One condition, without its time."""
    return {
        "type": kind,
        "status": "True" if ok else "False",
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
    }


def merged(old: list[Object], new: list[Object]) -> list[Object]:
    """The new conditions with the times of the old ones where the status is the same."""
    known = {c.get("type"): c for c in old}
    out = []
    for fresh in new:
        before = known.get(fresh["type"]) or {}
        same = before.get("status") == fresh["status"] and before.get("lastTransitionTime")
        out.append({**fresh, "lastTransitionTime": before["lastTransitionTime"] if same else meta.now()})
    return out


def generation(obj: Object) -> int:
    """metadata.generation."""
    return int(obj["metadata"].get("generation") or 0)
