"""Who sees whom: real calls from several places through several doors, and the source address that the server saw.

The server is agnhost's netexec, whose ``/clientip`` answers with the address of its caller. Whose an address is, is
read from the nodes' interfaces and the Pods, so that a masqueraded one is named by the device that gave it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from podwalk.api import meta
from podwalk.backends.base import Cluster, Completed
from podwalk.checks import http
from podwalk.checks.state import split_ref
from podwalk.views.table import Cell, Table

_TIMEOUT, _SECONDS = 1.0, 40.0
_MARK = "<<door>>"


def run_at(cluster: Cluster, place: str, script: str, timeout: float = _SECONDS) -> Completed:
    """Run a shell script at a place: a Pod (``namespace/name``), ``node/NAME`` or ``outside``."""
    if place == "outside":
        return cluster.outside(["sh", "-c", script], timeout=timeout)
    if place.startswith("node/"):
        return cluster.node(place.removeprefix("node/"), ["sh", "-c", script], timeout=timeout)
    namespace, name = split_ref(place)
    return cluster.kubectl("exec", "-n", namespace, name, "--", "sh", "-c", script, timeout=timeout)


def who_sees_whom(cluster: Cluster, places: Sequence[str], doors: Mapping[str, str], times: int = 6) -> Table:
    """Call every door (what it is: ``host:port``) from every place; a table of the sources that were seen.

    Each call is on a connection of its own; ``times`` a cell, or fewer where they fail.
    """
    calls = {name: http.script(f"http://{where}/clientip", times, _TIMEOUT) for name, where in doors.items()}
    script = "; ".join(f"echo '{_MARK}'; ( {call} )" for call in calls.values())
    with ThreadPoolExecutor(len(places) + 1) as pool:
        said = [pool.submit(run_at, cluster, place, script) for place in places]
        owners = pool.submit(_owners, cluster)
        columns = [s.result().stdout.split(_MARK)[1:] for s in said]
    rows = []
    for index, (name, where) in enumerate(doors.items()):
        cells = [Cell(name, where)]
        for place, column in zip(places, columns, strict=True):
            cells.append(_cell(column[index] if index < len(column) else "", place, owners.result()))
        rows.append(cells)
    return Table(
        "Which source address does the server see?",
        ["through", *(_place(p) for p in places)],
        rows,
        f"{times} calls a cell, each on a connection of its own, made just now.",
    )


def _place(place: str) -> str:
    if place == "outside":
        return "from outside"
    kind, _, name = place.partition("/")
    return f"from a process on node {name}" if kind == "node" else f"from Pod {name}"


def _cell(output: str, place: str, owners: Mapping[str, str]) -> Cell:
    answers = http.parse(output)
    good = Counter(a.body.strip().rpartition(":")[0] for a in answers if a.outcome == "HTTP 200")
    if not good:
        # curl does not tell a refusal from a network without a route.
        return Cell(http.tally(answers).replace("connection refused", "could not connect"), bad=True)
    lines = [f"{address}: {_whose(owners.get(address, 'nobody that I know'), place)}" for address in sorted(good)]
    failed = [a for a in answers if a.outcome != "HTTP 200"]
    lines += [http.tally(failed)] if failed else []
    if len(good) == 1:
        return Cell(next(iter(good)), "\n".join([lines[0].partition(": ")[2], *lines[1:]]))
    return Cell(f"{len(good)} addresses", "\n".join(lines))


def _whose(owner: str, place: str) -> str:
    own = owner == f"pod {place}" or (place == "outside" and owner == "outside")
    return "the caller itself" if own else owner


def _owners(cluster: Cluster) -> dict[str, str]:
    """Whose each address is, from the Pods and from the nodes' interfaces."""
    owners: dict[str, str] = {}
    with cluster.client() as client:
        for pod in client.list("Pod"):
            if not pod["spec"].get("hostNetwork") and (ip := (pod.get("status") or {}).get("podIP")):
                owners[ip] = f"pod {meta.key(pod)}"
        nodes = [meta.name(n) for n in client.list("Node")]
    for place in [*nodes, "outside"]:
        argv = ["ip", "-j", "-4", "address", "show", "scope", "global"]
        done = cluster.outside(argv, timeout=_SECONDS) if place == "outside" else cluster.node(place, argv, timeout=20)
        for device in json.loads(done.stdout or "[]"):
            for address in device.get("addr_info", ()):
                owners[address["local"]] = "outside" if place == "outside" else f"{device['ifname']} of {place}"
    return owners
