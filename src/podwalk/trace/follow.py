"""`trace`: record one connection and read the recording."""

from __future__ import annotations

from typing import Any

from podwalk.backends.base import Cluster
from podwalk.trace import census, collect, events, explain, hops, verdict
from podwalk.trace.collect import DEFAULT_TIMEOUT, Recording
from podwalk.trace.model import Attempt, Connection, Header, Names, Walk
from podwalk.trace.target import Source, Target

_ANSWER_CHARACTERS = 200


def trace(
    cluster: Cluster,
    source: str,
    url: str,
    *,
    namespace: str = "default",
    timeout: float = DEFAULT_TIMEOUT,
    size: int | None = None,
) -> Walk:
    """Follow one real connection from a place (POD, NAMESPACE/POD, node/NAME, outside) to a URL.

    Raises TraceError where it cannot begin, BackendError where the cluster is at fault.
    """
    return read(collect.record(cluster, Source.parse(source, namespace), Target.parse(url), timeout=timeout, size=size))


def read(recording: Recording) -> Walk:
    """The walk in a recording."""
    known, target = recording["census"], recording["target"]
    pods = {a: str(p["name"]) for a, p in collect.pods_at(known).items()}
    spaces = events.namespaces(recording)
    owners = _owners(recording, spaces)
    happened = events.ours(recording, spaces)
    stations = hops.build(happened, pods)
    explain.explain(stations, owners)
    case = verdict.Case(recording, spaces, happened, stations, pods, owners)
    return Walk(
        recording["source"],
        target["url"],
        target["protocol"],
        target.get("address", ""),
        target["port"],
        _names(recording),
        [s.hop for s in stations],
        verdict.judge(case),
        _connections(happened, spaces, pods),
        _answer(recording),
        _unseen(recording, spaces),
        owners,
        recording["seconds"],
    )


def _owners(recording: Recording, spaces: list[events.Namespace]) -> dict[str, str]:
    known = recording["census"]
    owners: dict[str, str] = {}
    for space in (s for s in spaces if not s.pod):
        who = space.place if space.place == collect.OUTSIDE else f"node {space.place}"
        owners |= {a: who for a in space.report["addresses"] if not a.startswith("127.")}
    owners |= {address: f"node {name}" for name, address in recording["nodes"].items()}
    owners |= {a: f"pod {p['name']}" for a, p in collect.pods_at(known).items()}
    owners |= {a: f"service {s['name']}" for s in known["services"] for a in s["addresses"]}
    return owners


def _names(recording: Recording) -> Names:
    found, target = recording["names"], recording["target"]
    if not found["attempts"] and not found.get("file") and not found["addresses"]:
        return Names()
    attempts = tuple(
        Attempt(a["name"], a["server"], a["answer"], tuple(a["addresses"]), a["micros"]) for a in found["attempts"]
    )
    return Names(
        target["host"],
        "" if target.get("question") else target.get("address", ""),
        found.get("file", ""),
        attempts,
        tuple(found.get("search", ())),
    )


def _connections(
    happened: list[events.Event], spaces: list[events.Namespace], pods: dict[str, str]
) -> list[Connection]:
    """The conntrack entries whose original direction is a header that our request had there."""
    found = []
    for space in spaces:
        ours = {e.packet.tuple for e in happened if e.where is space and e.direction == events.REQUEST}
        for entry in space.report["conntrack"]:
            original, reply = _header(entry["original"]), _header(entry["reply"])
            if (original.src, original.sport, original.dst, original.dport) in ours:
                name = pods.get(space.pod, space.pod)
                found.append(Connection(space.place, name, original, reply, entry["state"], entry["replied"]))
    return found


def _header(entry: dict[str, Any]) -> Header:
    port = entry["dport"] or entry["sport"]
    return Header(entry["src"], entry["sport"], entry["dst"], port)


def _answer(recording: Recording) -> str:
    said = str(recording.get("sent", {}).get("answer", ""))
    if recording["target"]["url"].startswith("http:"):
        head, _, body = said.partition("\r\n\r\n")
        said = " · ".join(part for part in (head.partition("\r\n")[0], " ".join(body.split())) if part)
    return said[:_ANSWER_CHARACTERS]


def _unseen(recording: Recording, spaces: list[events.Namespace]) -> list[str]:
    said = list(recording["troubles"])
    said += [f"node {name} is dead: nobody could look there" for name in recording["dead"]]
    for space in spaces:
        where = f"{space.place}{f', {space.pod}' if space.pod else ''}"
        said += [f"{where}: {trouble}" for trouble in space.report["troubles"]]
        if space.report["legacy"]:
            tables = ", ".join(space.report["legacy"])
            said.append(f"{where}: iptables-legacy has tables ({tables}), whose rules cannot be traced by nftables")
    watched = {s.pod for s in spaces}
    pods = collect.pods_at(recording["census"])
    met = [a for a in recording.get("addresses", ()) if a in pods and a not in watched]
    said += [f"inside {pods[a]['name']}: no network namespace with its address {a} was found" for a in met]
    return said


__all__ = ["Recording", "census", "read", "trace"]
