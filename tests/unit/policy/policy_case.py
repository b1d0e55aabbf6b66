"""What a case is: policies, and connections with their fate.

A connection reads "source > destination:port[/protocol] yes|no"; a source or destination is a Pod, a node ("one"),
"outside" or "far".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from policy_objects import (
    Object,
    netpol,
    sel,
)

ALL = sel()
WEB, API, DB = sel(app="web"), sel(app="api"), sel(app="db")
NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class Case:
    """Policies and what must come of these connections."""

    id: str
    policies: tuple[Object, ...]
    checks: tuple[str, ...]
    cluster: tuple[Object, ...] = field(default=())


def case(name: str, *parts: Object | str) -> Case:
    policies = tuple(p for p in parts if isinstance(p, dict) and p["kind"] == "NetworkPolicy")
    cluster = tuple(p for p in parts if isinstance(p, dict) and p["kind"] == "ClusterNetworkPolicy")
    return Case(name, policies, tuple(p for p in parts if isinstance(p, str)), cluster)


def into(*rules: Object, pods: Object = WEB, ns: str = "shop", types: list[str] | None = None) -> Object:
    """A policy for what enters shop/web."""
    return netpol(ns, pods, ingress=list(rules), types=types or ["Ingress"])


def out_of(*rules: Object, pods: Object = WEB, ns: str = "shop", types: list[str] | None = None) -> Object:
    """A policy for what leaves shop/web."""
    return netpol(ns, pods, egress=list(rules), types=types or ["Egress"])
