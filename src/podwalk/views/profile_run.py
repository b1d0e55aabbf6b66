"""A profile of the Pod network, measured: its MTU, the bytes it puts in front of a packet, and what passes through it.

Each profile runs in a small cluster of its own, one Pod on each of two nodes, and is gone afterwards. The bytes are
exact. Throughput and round trips are those of this machine at this moment, and say little about any other.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from podwalk import backends
from podwalk.api import clusterconfig, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.course.objects import WaitError, apply_all, wait_for, wait_ready
from podwalk.views.frames import Tap, first_frames
from podwalk.views.topology import NodePlace, PodPlace, read_topology

_NAMESPACE = "measure"
_READY_SECONDS = 60.0
_RUN_SECONDS = 30.0
_PORT = 7654
_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
# Other programs disturb; in the best moment of several they disturb least.
_WINDOW = 0.05
# Both ends of one TCP connection, standard library only. The receiver counts, since only what arrives has passed.
_RECEIVE = """
import json, socket, sys, time
listener = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
sink, _ = listener.accept()
sink.settimeout(20)
best, total, buffer = 0.0, 0, bytearray(1 << 20)
begun = time.perf_counter()
while got := sink.recv_into(buffer):
    total += got
    now = time.perf_counter()
    if now - begun >= float(sys.argv[2]):
        best, begun, total = max(best, total / (now - begun)), now, 0
sink.close()
echo, _ = listener.accept()
echo.settimeout(20)
echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
while data := echo.recv(64):
    echo.send(data)
print(json.dumps({"best": best}), flush=True)
"""
_SEND = """
import json, socket, sys, time
where, seconds = (sys.argv[1], int(sys.argv[2])), float(sys.argv[3])
sink = socket.create_connection(where, 10)
data, until = bytes(1 << 18), time.perf_counter() + seconds
while time.perf_counter() < until:
    sink.sendall(data)
sink.close()
echo = socket.create_connection(where, 10)
echo.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
trips = []
for _ in range(300):
    begun = time.perf_counter()
    echo.send(b"x")
    echo.recv(64)
    trips.append(time.perf_counter() - begun)
echo.close()
print(json.dumps({"trip": sorted(trips)[len(trips) // 2]}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one profile is like: ``overhead`` in bytes, ``rate`` in bits a second at best, ``trip`` in seconds."""

    profile: str
    mtu: int
    overhead: int
    rate: float
    trip: float
    route: str = ""


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a connection: a Pod on each of two nodes of a cluster with this profile."""

    cluster: Cluster
    profile: str
    here: NodePlace
    sender: PodPlace
    there: NodePlace
    receiver: PodPlace


def measure_all(
    profiles: Sequence[str], running: Sequence[Ends] = (), seconds: float = 0.4, tell: Callable[[str], None] = print
) -> list[Measured]:
    """One profile after the other, so that they do not disturb each other: those that run, then those to be started.

    Raises BackendError.
    """
    found = []
    for ends in running:
        tell(f"  measuring {ends.profile} …")
        found.append(_measure(ends, seconds))
    for profile in profiles:
        tell(f"  measuring {profile} …")
        with _started(profile) as ends:
            found.append(_measure(ends, seconds))
    return found


@contextlib.contextmanager
def _started(profile: str) -> Iterator[Ends]:
    """A small cluster with this profile, a Pod on each node, and a way between them."""
    name = f"measure-{profile}"
    nodes = [{"role": "control-plane"}, {"role": "worker"}]
    options = {"cni": profile, "loadBalancer": False, "networkPolicy": False}
    config = clusterconfig.parse({"nodes": nodes}, name=name).with_options(options)
    stale = backends.find(name)
    if stale is not None:
        stale.down()
    cluster = backends.backend("embedded").up(config, progress=lambda fact: None, wait=False)
    try:
        with _told(profile):
            names = [n.name for n in cluster.status().nodes]
            with cluster.client() as client:
                wait_for(lambda: _not_ready(client.list("Node")), _READY_SECONDS)
                apply_all(client, _objects(names))
                wait_ready(client, [_NAMESPACE], (), _READY_SECONDS)
            places = {n.name: n for n in read_topology(cluster, [_NAMESPACE]).nodes}
            here, there = (places[n] for n in names)
            ends = Ends(cluster, profile, here, here.pods[0], there, there.pods[0])
            wait_for(lambda: _unreachable(ends), _READY_SECONDS)
        yield ends
    finally:
        cluster.down()


@contextlib.contextmanager
def _told(profile: str) -> Iterator[None]:
    try:
        yield
    except (WaitError, ApiError, TimeoutError, OSError, ValueError) as error:
        raise BackendError(
            f"profile {profile}: {error}; try it alone: podwalk up --name two --cni {profile}"
        ) from error


def _measure(ends: Ends, seconds: float) -> Measured:
    target = ends.receiver.address
    with _told(ends.profile):
        overhead = _overhead(ends)
        rate, trip = _flow(ends, seconds)
        route = ends.cluster.node(ends.here.name, ["ip", "route", "get", target], timeout=_RUN_SECONDS).stdout
    mtu = ends.sender.devices[0].mtu
    return Measured(ends.profile, mtu, overhead, rate, trip, " ".join(route.partition("\n")[0].split()))


def _objects(nodes: list[str]) -> list[Object]:
    """A Pod on every node, the control plane's too, which takes others only if they tolerate it."""
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"end-{index}", "namespace": _NAMESPACE},
            "spec": {
                "nodeName": node,
                "tolerations": [{"operator": "Exists"}],
                "automountServiceAccountToken": False,
                "containers": [{"name": "end", "image": _IMAGE, "args": ["pause"]}],
            },
        }
        for index, node in enumerate(nodes)
    ]
    return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}}, *pods]


def _not_ready(nodes: list[Object]) -> str:
    waiting = [meta.name(n) for n in nodes if not meta.condition_is_true(n, "Ready")]
    return f"node/{waiting[0]}: is not Ready" if waiting else "" if nodes else "no node has registered"


def _inside(pod: PodPlace, *argv: str) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{pod.netns}", *argv]


def _ping(ends: Ends) -> bool:
    argv = _inside(ends.sender, "ping", "-c", "1", "-W", "1", ends.receiver.address)
    return ends.cluster.node(ends.here.name, argv, timeout=_RUN_SECONDS).ok


def _unreachable(ends: Ends) -> str:
    """BGP takes a moment to tell the other node its routes."""
    return "" if _ping(ends) else f"no way from {ends.here.name} to {ends.receiver.address}"


def _overhead(ends: Ends) -> int:
    here = ends.here.name
    taps = [Tap("Pod", here, "eth0", ends.sender.netns), Tap("node", here, "eth0")]
    frames = first_frames(ends.cluster, taps, echo_to(ends.receiver.address), lambda: _ping(ends))
    if len(frames) != len(taps):
        raise BackendError(f"node/{here}: the ping to {ends.receiver.address} was not seen; look: podwalk doctor")
    return frames[1].length - frames[0].length


def echo_to(address: str) -> str:
    """A tcpdump expression: echo requests to an address, bare, in VXLAN or in flannel's UDP."""
    number = f"0x{bytes(map(int, address.split('.'))).hex()}"
    bare = f"(icmp[icmptype] == icmp-echo and dst host {address})"
    # Behind the outer UDP header: VXLAN 8, Ethernet 14; of the inner IP header, the protocol is at 9, the target at 16.
    vxlan = f"(udp dst port 8472 and udp[39] == 1 and udp[46:4] == {number})"
    udp = f"(udp dst port 8285 and udp[17] == 1 and udp[24:4] == {number})"
    return f"{bare} or {vxlan} or {udp}"


def _flow(ends: Ends, seconds: float) -> tuple[float, float]:
    python = [sys.executable, "-I", "-S", "-c"]
    listen = _inside(ends.receiver, *python, _RECEIVE, str(_PORT), str(_WINDOW))
    receiver = ends.cluster.start(ends.there.name, listen)
    try:
        assert receiver.stdout is not None
        if receiver.stdout.readline().strip() != b"ready":
            raise BackendError(f"pod/{ends.receiver.name}: the receiver does not start; look: podwalk doctor")
        send = _inside(ends.sender, *python, _SEND, ends.receiver.address, str(_PORT), str(seconds))
        sent = ends.cluster.node(ends.here.name, send, timeout=_RUN_SECONDS)
        if not sent.ok:
            raise BackendError(f"pod/{ends.sender.name}: nothing passes ({sent.stderr.strip()[-200:]}); try again")
        got: dict[str, Any] = json.loads(receiver.communicate(timeout=_RUN_SECONDS)[0])
    except subprocess.TimeoutExpired as error:
        raise BackendError(f"pod/{ends.receiver.name}: the receiver does not end; try again") from error
    finally:
        receiver.kill()
        receiver.wait()
        for stream in (receiver.stdin, receiver.stdout, receiver.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
    return float(got["best"]) * 8, float(json.loads(sent.stdout)["trip"])
