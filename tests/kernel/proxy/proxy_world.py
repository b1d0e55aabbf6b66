"""The rows of tests/unit/proxy as real connections, in a sandbox of its own; prints what was seen as JSON.

Run as a program. The sandbox's own network is the outside, with worker2's Pod in it; a second one is the node, and
each of the node's Pods has one, joined by a veth as the ptp plugin does:

    outside 172.18.0.200 .100, 10.244.2.7 -- eth0 172.18.0.3 node 10.244.1.1 -- 10.244.1.5, .6, .50
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from proxy_rows import (
    CIDR,
    CLUSTER_IP,
    HERE,
    HERE2,
    HOST,
    LB_IP,
    NODE,
    OUTSIDE,
    POD,
    ROWS,
    THERE,
    Row,
    endpoint,
    endpoint_slice,
    service,
)

from podwalk.netns import guard, sandbox, syscalls
from podwalk.netns.netlink import Netlink
from podwalk.proxy import model
from podwalk.proxy.sync import Proxier
from podwalk.proxy.writers import NftablesWriter, nft_by_command

OTHER_OUTSIDE = "172.18.0.100"
CONNECTIONS = 24
SILENCE = 0.3
DEADLINE = 10.0


class World:
    """The networks, and a server on every endpoint. ``mode`` is kube-proxy's."""

    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.outside = _current()
        self.node = _new()
        self.pods = {ip: _new() for ip in (HERE, HERE2, POD)}
        self._wire_outside()
        for number, (ip, namespace) in enumerate(self.pods.items()):
            self._wire_pod(number, ip, namespace)
        with self.inside(self.node):
            # The kernel limits ICMP to one peer, which would leave a refused connection waiting for its next try.
            localnet = "1" if mode == "iptables" else "0"
            for name, value in (("ip_forward", "1"), ("conf/all/route_localnet", localnet), ("icmp_ratelimit", "0")):
                Path("/proc/sys/net/ipv4", name).write_text(value)
        self.listeners = {ip: self._listen(ns, ip) for ip, ns in (*self.pods.items(), (THERE, self.outside))}
        writer = None
        if mode == "nftables":
            writer = NftablesWriter(nft_by_command(self.run), CIDR, "10.96.0.0/16", budget=4000)
        self.proxier = Proxier(self.run, NODE, CIDR, writer)

    @contextlib.contextmanager
    def inside(self, namespace: int) -> Iterator[None]:
        """Be in a network for a while."""
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(self.outside, syscalls.CLONE_NEWNET)

    async def run(self, argv: Sequence[str], stdin: bytes | None) -> Any:
        """Run a command in the node's network."""
        with self.inside(self.node):
            guard.refuse_host()
            return subprocess.run(argv, input=stdin, capture_output=True, check=False)  # noqa: ASYNC221 (one at a time)

    def _wire_outside(self) -> None:
        with Netlink() as net:
            net.add_veth("node", "eth0", self.node)
            net.set_up("node")
            for address in (f"{OUTSIDE}/24", f"{OTHER_OUTSIDE}/24"):
                net.add_address("node", address)
            net.add_address("lo", f"{THERE}/32")
        with self.inside(self.node), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{HOST}/24")
            net.set_up("eth0")
            net.add_route("default", OUTSIDE)
        with Netlink() as net:
            for dst in ("10.244.1.0/24", "10.96.0.0/16", f"{LB_IP}/32"):
                net.add_route(dst, HOST)

    def _wire_pod(self, number: int, ip: str, namespace: int) -> None:
        with self.inside(self.node), Netlink() as net:
            net.add_veth(f"veth{number}", "eth0", namespace)
            net.add_address(f"veth{number}", "10.244.1.1/32")
            net.set_up(f"veth{number}")
        with self.inside(namespace), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{ip}/32")
            net.set_up("eth0")
            net.add_route("10.244.1.1/32", None, "eth0")
            net.add_route("default", "10.244.1.1")
        with self.inside(self.node), Netlink() as net:
            net.add_route(f"{ip}/32", None, f"veth{number}", src="10.244.1.1")

    def _listen(self, namespace: int, ip: str) -> socket.socket:
        with self.inside(namespace):
            sock = socket.create_server((ip, 8080), backlog=64)
        sock.setblocking(False)
        return sock

    def client(self, source: str, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A socket in the place that owns this address."""
        namespace = self.node if source == HOST else self.pods.get(source, self.outside)
        with self.inside(namespace):
            sock = socket.socket(socket.AF_INET, kind)
        if namespace == self.outside:
            sock.bind((source, 0))
        return sock

    def write(self, *objects: dict[str, Any]) -> None:
        """Let kube-proxy program these Services and EndpointSlices."""
        services = [o for o in objects if o["kind"] == "Service"]
        slices = [o for o in objects if o["kind"] == "EndpointSlice"]
        asyncio.run(self.proxier.sync(model.service_ports(services, slices, NODE)))

    def connect(
        self, source: str, destination: str, port: int, *, patient: bool, refused: bool = False
    ) -> dict[str, list[str]]:
        """Many connections at once: who answered -> the sources it saw; ``refused`` and ``silence`` also count."""
        seen: dict[str, set[str]] = {}
        waiting = set()
        for _ in range(CONNECTIONS):
            sock = self.client(source)
            sock.setblocking(False)
            sock.connect_ex((destination, port))
            waiting.add(sock)
        end = time.monotonic() + (DEADLINE if patient else SILENCE)
        while waiting and time.monotonic() < end:
            readable, _, _ = select.select([*waiting, *self.listeners.values()], [], [], max(0, end - time.monotonic()))
            for sock in readable:
                if sock not in waiting:
                    self._serve(sock)
                    continue
                answer = _answer(sock)
                if answer is not None:
                    waiting.discard(sock)
                    sock.close()
                    seen.setdefault(answer[0], set()).add(answer[1])
            if refused and "refused" in seen:
                # A refusal that comes while connect() still holds its socket is lost and waits for the next SYN, a
                # second later: the others are given a moment only.
                end = min(end, time.monotonic() + 0.05)
        if waiting and not (refused and "refused" in seen):
            seen["silence"] = {""}
        for sock in waiting:
            sock.close()
        return {server: sorted(peers) for server, peers in seen.items()}

    def _serve(self, listener: socket.socket) -> None:
        connection, peer = listener.accept()
        with connection:
            connection.sendall(json.dumps([listener.getsockname()[0], peer[0]]).encode())


def _current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _new() -> int:
    home = _current()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    fresh = _current()
    syscalls.setns(home, syscalls.CLONE_NEWNET)
    os.close(home)
    return fresh


def _answer(sock: socket.socket) -> tuple[str, str] | None:
    try:
        data = sock.recv(200)
    except BlockingIOError:
        return None
    except ConnectionRefusedError:
        return "refused", ""
    except OSError as error:
        return f"error {error.strerror}", ""
    server, peer = json.loads(data)
    return server, peer


def row_result(world: World, row: Row) -> dict[str, list[str]]:
    """What became of a row's packets."""
    row = row.of_mode(world.mode)
    world.write(row.service, endpoint_slice(*row.endpoints))
    patient = not row.targets <= {"dropped", "untouched"}
    refused = row.targets == {"refused"}
    return world.connect(row.source, row.destination, row.port, patient=patient, refused=refused)


def affinity(world: World) -> dict[str, list[str]]:
    """With sessionAffinity ClientIP every connection of a client ends at one endpoint."""
    world.write(service(sessionAffinity="ClientIP"), endpoint_slice(endpoint(HERE), endpoint(HERE2), endpoint(THERE)))
    # One connection first: of those that start together none could know of another.
    first = world.client(POD)
    first.connect((CLUSTER_IP, 80))
    chosen = next(s for s in select.select(list(world.listeners.values()), [], [], DEADLINE)[0])
    world._serve(chosen)
    first.close()
    return world.connect(POD, CLUSTER_IP, 80, patient=True) | {"first": [chosen.getsockname()[0]]}


def udp_flow(world: World) -> list[str]:
    """One UDP socket keeps asking while its endpoint is replaced: who gets the datagrams."""
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}]
    svc = service("dns", ports=ports)

    def backends(*ips: str) -> dict[str, Any]:
        ports_there = [{"name": "dns", "port": 5353, "protocol": "UDP"}]
        return endpoint_slice(*map(endpoint, ips), of="dns", ports=ports_there)

    servers = {}
    for ip in (HERE, HERE2):
        with world.inside(world.pods[ip]):
            servers[ip] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        servers[ip].bind((ip, 5353))
    seen = []
    with world.client(POD, socket.SOCK_DGRAM) as client:
        client.bind((POD, 40053))
        for ips in ((HERE,), (HERE2,)):
            world.write(svc, backends(*ips))
            client.sendto(b"?", (CLUSTER_IP, 53))
            ready = select.select(list(servers.values()), [], [], DEADLINE)[0]
            for sock in ready:
                sock.recv(10)
                seen.append(sock.getsockname()[0])
    for sock in servers.values():
        sock.close()
    return seen


def big_change(world: World) -> dict[str, Any]:
    """More Services than an unprivileged transaction holds come and go again; what is left of their chains."""
    services, slices = [], []
    for i in range(320):
        ip = f"10.96.{8 + i // 200}.{i % 200}"
        services.append(service(f"s{i}", clusterIP=ip, clusterIPs=[ip]))
        slices.append(endpoint_slice(endpoint(HERE), endpoint(THERE), of=f"s{i}"))
    world.write(*services, *slices)
    reached = sorted(world.connect(POD, "10.96.9.59", 80, patient=True))
    world.write()
    save = ["nft", "list", "ruleset"] if world.mode == "nftables" else ["iptables-save"]
    saved = asyncio.run(world.run(save, None)).stdout.decode()
    left = ("KUBE-SVC", "KUBE-SEP", "dnat ip to", "goto service")
    return {
        "reached": reached,
        "left": [line for line in saved.splitlines() if any(word in line for word in left)],
    }


def broken_by_hand(world: World) -> dict[str, Any]:
    """Somebody flushes the table and deletes its chains: noticed by the canary, repaired by the next sync."""
    objects = (service(), endpoint_slice(endpoint(HERE)))
    world.write(*objects)
    before = asyncio.run(world.proxier.canary_is_there())
    commands = [["iptables", "-t", "nat", "-F"], ["iptables", "-t", "nat", "-X"]]
    if world.mode == "nftables":
        commands = [["nft", "delete", "table", "ip", "kube-proxy"]]
    for argv in commands:
        asyncio.run(world.run(argv, None))
    after = asyncio.run(world.proxier.canary_is_there())
    world.proxier.forget()
    world.write(*objects)
    return {"canary": [before, after], "answers": sorted(world.connect(POD, CLUSTER_IP, 80, patient=True))}


def main() -> int:
    """Run everything in the mode that was asked for; the results go to standard output."""
    world = World(sys.argv[1])
    results: dict[str, Any] = {"rows": {row.id: row_result(world, row) for row in ROWS}}
    for story in (affinity, udp_flow, big_change, broken_by_hand):
        results[story.__name__] = story(world)
    json.dump(results, sys.stdout)
    return 0


if __name__ == "__main__":
    init = sandbox.spawn_sandbox(main)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
