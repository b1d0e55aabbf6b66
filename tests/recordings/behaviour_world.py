"""Two nodes with kube-proxy's rules, Pods behind them and a client outside; who answers whom, as JSON.

Run as a program with kube-proxy's mode as argument and a JSON list of cases on standard input: ``{"name", "objects",
"probes": [[caller, address, port, protocol, whether it is worth waiting for an answer]]}``. Everything is a network of
its own in one sandbox:

    outside 10.10.0.200 -- br0 -- 10.10.0.1 node-a -- 10.244.0.5 .8 .50
                               -- 10.10.0.2 node-b -- 10.244.1.6 .7 .50
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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from podwalk.netns import guard, sandbox, syscalls
from podwalk.netns.netlink import Netlink
from podwalk.proxy import model
from podwalk.proxy.sync import Proxier
from podwalk.proxy.writers import NftablesWriter, nft_by_command

CIDR, SERVICES = "10.244.0.0/16", "10.96.0.0/16"
NODES = {
    "node-a": ("10.10.0.1", "10.244.0", ("10.244.0.5", "10.244.0.8", "10.244.0.50")),
    "node-b": ("10.10.0.2", "10.244.1", ("10.244.1.6", "10.244.1.7", "10.244.1.50")),
}
NAMES = {"10.244.0.5": "p5", "10.244.0.8": "p8", "10.244.1.6": "p6", "10.244.1.7": "p7"}
PORTS = ((socket.SOCK_STREAM, (53, 8080, 8443)), (socket.SOCK_DGRAM, (53,)))
TRIES = 16
SILENCE = 0.35
PATIENCE = 5.0
_MASQUERADE = f"""
table ip leave {{
    chain post {{
        type nat hook postrouting priority 101; policy accept;
        ip saddr {CIDR} ip daddr != {CIDR} masquerade
    }}
}}
"""


class World:
    """The networks, the servers, and a kube-proxy for each node."""

    def __init__(self, mode: str) -> None:
        self.outside = _current()
        self.places: dict[str, int] = {"10.10.0.200": self.outside}
        self._wire_outside()
        for number, (name, (ip, prefix, pods)) in enumerate(NODES.items()):
            self._wire_node(number, ip, prefix, pods)
            self.places[name] = self.places[ip]
        with Netlink() as net:
            for dst in (SERVICES, "203.0.113.0/24", "192.0.2.0/24"):
                net.add_route(dst, "10.10.0.1")
        self.proxiers = {name: self._proxier(name, mode) for name in NODES}
        self.servers: dict[socket.socket, str] = {}
        for ip, name in NAMES.items():
            self._serve(ip, name)

    @contextlib.contextmanager
    def inside(self, namespace: int) -> Iterator[None]:
        """Be in a network for a while."""
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(self.outside, syscalls.CLONE_NEWNET)

    def _wire_outside(self) -> None:
        with Netlink() as net:
            net.add_bridge("br0")
            net.add_address("br0", "10.10.0.200/24")
            net.set_up("br0")

    def _wire_node(self, number: int, ip: str, prefix: str, pods: Sequence[str]) -> None:
        namespace = self.places[ip] = _new()
        with Netlink() as net:
            net.add_veth(f"node{number}", "eth0", namespace)
            net.set_master(f"node{number}", "br0")
            net.set_up(f"node{number}")
        other_ip, other_prefix = next((i, p) for i, p, _ in NODES.values() if i != ip)
        with self.inside(namespace), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{ip}/24")
            net.set_up("eth0")
            net.add_route("default", "10.10.0.200")
            net.add_route(f"{other_prefix}.0/24", other_ip)
            for name, value in (("ip_forward", "1"), ("conf/all/route_localnet", "1"), ("icmp_ratelimit", "0")):
                Path("/proc/sys/net/ipv4", name).write_text(value)
        for index, pod in enumerate(pods):
            self._wire_pod(namespace, f"veth{index}", f"{prefix}.1", pod)
        with self.inside(namespace):
            guard.refuse_host()
            subprocess.run(["nft", "-f", "-"], input=_MASQUERADE, text=True, check=True)

    def _wire_pod(self, node: int, device: str, gateway: str, ip: str) -> None:
        namespace = self.places[ip] = _new()
        with self.inside(node), Netlink() as net:
            net.add_veth(device, "eth0", namespace)
            net.add_address(device, f"{gateway}/32")
            net.set_up(device)
        with self.inside(namespace), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{ip}/32")
            net.set_up("eth0")
            net.add_route(f"{gateway}/32", None, "eth0")
            net.add_route("default", gateway)
        with self.inside(node), Netlink() as net:
            net.add_route(f"{ip}/32", None, device, src=gateway)

    def _proxier(self, name: str, mode: str) -> Proxier:
        run = self._runner(self.places[name])
        node = model.Node(name, NODES[name][0], name.replace("node", "zone"))
        writer = NftablesWriter(nft_by_command(run), CIDR, SERVICES) if mode == "nftables" else None
        if mode == "nftables":
            with self.inside(self.places[name]):
                Path("/proc/sys/net/ipv4/conf/all/route_localnet").write_text("0")
        return Proxier(run, node, CIDR, writer)

    def _runner(self, namespace: int) -> Callable[[Sequence[str], bytes | None], Any]:
        async def run(argv: Sequence[str], stdin: bytes | None) -> Any:
            with self.inside(namespace):
                guard.refuse_host()
                return subprocess.run(argv, input=stdin, capture_output=True, check=False)  # noqa: ASYNC221

        return run

    def _serve(self, ip: str, name: str) -> None:
        for kind, ports in PORTS:
            for port in ports:
                with self.inside(self.places[ip]):
                    sock = socket.socket(socket.AF_INET, kind)
                sock.bind((ip, port))
                if kind == socket.SOCK_STREAM:
                    sock.listen(512)
                sock.setblocking(False)
                self.servers[sock] = f"{name}:{port}"

    def write(self, objects: list[dict[str, Any]]) -> None:
        """Let both kube-proxies program these Services and EndpointSlices."""
        services = [o for o in objects if o["kind"] == "Service"]
        slices = [o for o in objects if o["kind"] == "EndpointSlice"]
        for proxier in self.proxiers.values():
            asyncio.run(proxier.sync(model.service_ports(services, slices, proxier.node)))

    def ask(self, probes: list[list[Any]]) -> list[dict[str, list[str]]]:
        """Every probe several times, all at once: answer -> the sources that the server saw."""
        seen: list[dict[str, set[str]]] = [{} for _ in probes]
        waiting = {self._call(*probe[:4]): index for index, probe in enumerate(probes) for _ in range(TRIES)}
        patient = {index for index, probe in enumerate(probes) if probe[4]}
        end, quiet = time.monotonic() + PATIENCE, time.monotonic() + SILENCE
        while waiting and time.monotonic() < (end if any(not seen[i] for i in patient) else min(end, quiet)):
            for sock in _readable([*waiting, *self.servers]):
                if sock in self.servers:
                    self._answer(sock)
                    quiet = time.monotonic() + SILENCE
                elif (heard := _heard(sock)) is not None:
                    seen[waiting.pop(sock)].setdefault(heard[0], set()).add(heard[1])
                    sock.close()
                    quiet = time.monotonic() + SILENCE
        for sock, index in waiting.items():
            # A refusal that meets connect() still at work is lost and waits for the next SYN, a second later: one of
            # them tells enough.
            if not seen[index]:
                seen[index]["TIMEOUT"] = {""}
            sock.close()
        return [{answer: sorted(sources) for answer, sources in one.items()} for one in seen]

    def _call(self, caller: str, address: str, port: int, protocol: str) -> socket.socket:
        kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
        with self.inside(self.places[caller]):
            sock = socket.socket(socket.AF_INET, kind)
        sock.setblocking(False)
        sock.connect_ex((address, port))
        if kind == socket.SOCK_DGRAM:
            sock.send(b"?")
        return sock

    def _answer(self, server: socket.socket) -> None:
        try:
            if server.type == socket.SOCK_STREAM:
                connection, peer = server.accept()
                with connection:
                    connection.sendall(json.dumps([self.servers[server], peer[0]]).encode())
            else:
                _, peer = server.recvfrom(10)
                server.sendto(json.dumps([self.servers[server], peer[0]]).encode(), peer)
        except BlockingIOError:
            return


def _readable(sockets: list[socket.socket]) -> list[socket.socket]:
    """Those with something to read, after a moment; there may be more than select() takes."""
    by_number = {sock.fileno(): sock for sock in sockets}
    poll = select.poll()
    for number in by_number:
        poll.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(SILENCE / 4 * 1000)]


def _heard(sock: socket.socket) -> tuple[str, str] | None:
    try:
        data = sock.recv(200)
    except BlockingIOError:
        return None
    except ConnectionRefusedError:
        return "ECONNREFUSED", ""
    except OSError as error:
        return f"error {error.strerror}", ""
    server, peer = json.loads(data)
    return server, peer


def _current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _new() -> int:
    home = _current()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    fresh = _current()
    syscalls.setns(home, syscalls.CLONE_NEWNET)
    os.close(home)
    return fresh


def main() -> int:
    """Play every case."""
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 4096), limit))
    world = World(sys.argv[1])
    results = {}
    for case in json.load(sys.stdin):
        world.write(case["objects"])
        results[case["name"]] = world.ask(case["probes"])
    json.dump(results, sys.stdout)
    return 0


if __name__ == "__main__":
    init = sandbox.spawn_sandbox(main)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
