"""Recording one connection: a program on every node collects, one of them opens the connection, all report.

The recording is plain data (JSON), and everything that `merge` and `explain` know comes from it, so that a walk can be
kept and read again.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.machinery
import json
import marshal
import selectors
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.trace import census
from podwalk.trace.target import Source, Target, TraceError

Recording = dict[str, Any]

OUTSIDE = "outside"
# A handshake is the kernels' affair and takes a millisecond; programs get longer (see probe.connection).
DEFAULT_TIMEOUT = 0.5
_MODULES = ("netlink", "nft", "packets", "capture", "namespaces", "names", "connection", "agent")
_ORDER_SECONDS = 20.0
# Runs the modules from what it is given: a node need not see podwalk's files. Compiled code (packed, because an
# argument may have 128 KB) starts faster, and is for the very same interpreter only.
_LOADER = """
import binascii, json, marshal, sys, types, zlib
compiled, modules = json.loads(sys.argv[1])
def unpack(packed):
    return marshal.loads(zlib.decompress(binascii.a2b_base64(packed)))
for name, source in modules:
    module = types.ModuleType(name)
    module.__path__ = []
    sys.modules[name] = module
    exec(unpack(source) if compiled and source else compile(source, name, "exec"), module.__dict__)
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, module)
sys.modules["podwalk.trace.probe.agent"].main()
"""


def record(
    cluster: Cluster, source: Source, target: Target, *, timeout: float = DEFAULT_TIMEOUT, size: int | None = None
) -> Recording:
    """Follow one connection. Raises TraceError, BackendError; nothing is left on the nodes either way."""
    target.order("", timeout, size)  # refuse a bad size before anything starts
    began = time.monotonic()
    status = cluster.status()
    alive = [n.name for n in status.nodes if n.alive]
    with Agents(cluster, [*alive, OUTSIDE]) as agents:
        with _api(cluster) as client:
            known = census.take(client)
        pod, place = _begin(known, source, [n.name for n in status.nodes], alive)
        names = _resolve(agents, place, pod, target)
        recording: Recording = {
            "cluster": cluster.name,
            "source": str(source),
            "place": place,
            "pod": pod,
            "target": {"url": target.url, "protocol": target.protocol, "host": target.host, "port": target.port},
            "names": names,
            "census": known,
            "nodes": {n.name: n.address for n in status.nodes},
            "dead": [n.name for n in status.nodes if not n.alive],
            "troubles": agents.troubles,
        }
        address = target.address or next(iter(names["addresses"]), "")
        if not address and (server := _silent_server(names)):
            # The walk to follow is then that of the question.
            target = Target.parse(f"udp://{server}:53")
            address = server
            recording["target"] |= {"protocol": "udp", "port": 53, "question": True}
        if address:
            _walk(agents, recording, target, address, timeout, size)
        recording["seconds"] = round(time.monotonic() - began, 4)
    return recording


def _walk(agents: Agents, recording: Recording, target: Target, address: str, timeout: float, size: int | None) -> None:
    order = target.order(address, timeout, size)
    recording["target"]["address"] = address
    recording["sent_order"] = {k: v for k, v in order.items() if k in ("port", "data")}
    behind = census.behind(recording["census"], address, target.port)
    pod, place = recording["pod"], recording["place"]
    addresses = list(dict.fromkeys([a for a in (pod, address) if a] + [a for a, _ in behind]))
    ports = sorted({int(str(order["port"])), *(port for _, port in behind if port)})
    recording["addresses"], recording["ports"] = addresses, ports
    agents.all({"do": "arm", "protocol": target.protocol, "ports": ports, "addresses": addresses})
    recording["sent"] = agents.one(place, {"do": "go", "pod": pod, **order})
    recording["reports"] = agents.all({"do": "report"})


def _begin(known: dict[str, Any], source: Source, nodes: list[str], alive: list[str]) -> tuple[str, str]:
    """(address of the Pod's own network or empty, node) where the connection is opened. Raises TraceError."""
    if source.kind == OUTSIDE:
        return "", OUTSIDE
    if source.kind == "node":
        short = [n for n in nodes if n == source.name or n.endswith(f"-{source.name}")]
        if not short:
            raise TraceError(f"node/{source.name}: not found; the cluster has: {', '.join(nodes)}")
        return "", _alive(short[0], alive)
    found = next((p for p in known["pods"] if p["name"] == str(source)), None)
    if found is None:
        raise TraceError(
            f"pod/{source.name}: not found in namespace {source.namespace}; kubectl get pods -A lists them"
        )
    if not found["node"]:
        raise TraceError(
            f"pod/{source.name}: is on no node yet; kubectl -n {source.namespace} describe pod {source.name}"
        )
    if not found["hostNetwork"] and not found["address"]:
        raise TraceError(
            f"pod/{source.name}: has no address yet; kubectl -n {source.namespace} describe pod {source.name}"
        )
    return ("" if found["hostNetwork"] else found["address"]), _alive(found["node"], alive)


def _alive(node: str, alive: list[str]) -> str:
    if node not in alive:
        raise TraceError(f"node/{node}: is dead, so nothing can leave it; choose another place to begin")
    return node


def _resolve(agents: Agents, place: str, pod: str, target: Target) -> dict[str, Any]:
    if target.address:
        return {"addresses": [], "attempts": []}
    return agents.one(place, {"do": "resolve", "pod": pod, "name": target.host})


def _silent_server(names: dict[str, Any]) -> str:
    """The name server that was asked last and gave no answer at all; empty where one did."""
    attempts = names["attempts"]
    silent = attempts and attempts[-1]["answer"] not in ("NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED")
    return str(attempts[-1]["server"]) if silent else ""


@contextlib.contextmanager
def _api(cluster: Cluster) -> Any:
    try:
        with cluster.client() as client:
            yield client
    except (ApiError, OSError) as error:
        raise TraceError(
            f"the API server does not say which Pods and Services there are ({error}); podwalk status"
        ) from None


class Agents:
    """The programs on the nodes: started together, ended together."""

    def __init__(self, cluster: Cluster, places: list[str]) -> None:
        own = cluster.backend == "embedded"
        argv = [sys.executable if own else "python3", "-I", "-S", "-c", _LOADER, json.dumps([own, _modules(own)])]
        self.troubles: list[str] = []
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        try:
            for place in places:
                self._running[place] = cluster.start(None if place == OUTSIDE else place, argv)
        except BaseException:
            self.end()
            raise

    def __enter__(self) -> Agents:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.end()

    def one(self, place: str, order: dict[str, Any]) -> dict[str, Any]:
        """Give an order and wait for the answer. Raises TraceError."""
        if place not in self._running:
            raise TraceError(next((t for t in self.troubles if t.startswith(place)), f"{place}: cannot be watched"))
        return self._answers({place: order})[place]

    def all(self, order: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Give everybody an order, and wait for all answers."""
        return self._answers(dict.fromkeys(self._running, order))

    def _answers(self, orders: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for place, order in orders.items():
            stdin = self._running[place].stdin
            assert stdin is not None
            with contextlib.suppress(BrokenPipeError):
                stdin.write(json.dumps(order).encode() + b"\n")
                stdin.flush()
        with ThreadPoolExecutor(len(orders) or 1) as pool:
            patience = [_ORDER_SECONDS + 5 * order.get("timeout", 0) for order in orders.values()]
            lines = dict(zip(orders, pool.map(self._line, orders, patience), strict=True))
        answers = {}
        for place, line in lines.items():
            try:
                answer = json.loads(line)
            except ValueError:
                self._give_up(place, len(orders) == 1)
                continue
            if "failed" in answer:
                raise TraceError(f"{place}: {answer['failed']}; podwalk doctor says what this machine lacks")
            answers[place] = answer
        return answers

    def _line(self, place: str, seconds: float) -> bytes:
        """One line of an agent; empty where it has died or is silent."""
        stdout = self._running[place].stdout
        assert stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            return stdout.readline() if selector.select(seconds) else b""

    def _give_up(self, place: str, needed: bool) -> None:
        process = self._running.pop(place)
        process.kill()
        _, said = process.communicate()
        last = (said.decode(errors="replace").strip().splitlines() or ["its program ended without a word"])[-1]
        if "python3" in last and ("not found" in last or "no such file" in last.lower()):
            last = "has no python3, which the collector needs; podwalk trace sees everything on the embedded cluster"
        self.troubles.append(f"{place}: {last}")
        if needed:
            raise TraceError(self.troubles[-1])

    def end(self) -> None:
        """Close their stdin, which ends them, and wait: then their sockets and tables are gone."""
        for process in self._running.values():
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        for process in self._running.values():
            try:
                process.wait(_ORDER_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        self._running.clear()


def _modules(compiled: bool) -> list[tuple[str, str]]:
    """The collector's modules by name, in an order in which they can be run: as text, or compiled (from the cache)."""
    found = [(name, "") for name in ("podwalk", "podwalk.trace", "podwalk.trace.probe")]
    folder = Path(__file__).parent / "probe"
    for short in _MODULES:
        name, path = f"podwalk.trace.probe.{short}", folder / f"{short}.py"
        if compiled:
            code = importlib.machinery.SourceFileLoader(name, str(path)).get_code(name)
            found.append((name, base64.b64encode(zlib.compress(marshal.dumps(code))).decode()))
        else:
            found.append((name, path.read_text()))
    return found


def pods_at(known: dict[str, Any]) -> dict[str, Object]:
    """The Pods with an address of their own, by address."""
    return {p["address"]: p for p in known["pods"] if p["address"] and not p["hostNetwork"]}


__all__ = ["DEFAULT_TIMEOUT", "OUTSIDE", "BackendError", "Recording", "pods_at", "record"]
