"""The cluster of tests/unit/policy as real networks: two nodes with a bridge each, their Pods, the outside.

Run as a program: it reads worlds of policies from standard input, one JSON object a line, programs both nodes with the
rules of podwalk.policy, asks from every place for every connection that the line names, and prints the outcomes, one
line each. The sandbox's own network is the outside:

    outside 172.18.0.1, 203.0.113.9 -- kind0 -- eth0 172.18.0.3 one cni0 10.244.1.1 -- 10.244.1.11 ...
                                             -- eth0 172.18.0.4 two cni0 10.244.2.1 -- 10.244.2.11 ...
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from policy_objects import FAR, NODES, OUTSIDE, PODS, all_namespaces, all_nodes

from podwalk.matrix.prober import Answerer, Probe, wait
from podwalk.netns import guard, sandbox, syscalls
from podwalk.netns.netlink import Netlink
from podwalk.policy.enforcer import Enforcer
from podwalk.policy.render import Objects, render

# Nothing here waits for anything: what is not dropped is answered in microseconds. Silence is asked again, patiently.
SILENCE = 0.05
PATIENCE = 1.5
VIP = "10.96.0.80"


class World:
    """The networks and both nodes' enforcers."""

    def __init__(self) -> None:
        self.home = _current()
        self.places: dict[str, int] = {"outside": self.home, "far": self.home}
        with Netlink() as net:
            net.add_bridge("kind0")
            net.add_address("kind0", f"{OUTSIDE}/16")
            net.add_address("lo", f"{FAR}/32")
            net.set_up("lo")
            net.set_up("kind0")
        self._sysctl("net/ipv4/icmp_ratelimit", "0")
        for name, (ip, cidr) in NODES.items():
            self._node(name, ip, cidr)
        with Netlink() as net:
            for ip, cidr in NODES.values():
                net.add_route(cidr, ip)
        for number, pod in enumerate(p for p in PODS if not p["spec"].get("hostNetwork")):
            self._pod(number, pod)
        self._routes_between_nodes()
        self.enforcers = {name: Enforcer(self._runner(name)) for name in NODES}
        self.answerers = selectors.DefaultSelector()
        self._answering: set[tuple[str, int, str]] = set()

    @contextlib.contextmanager
    def inside(self, namespace: int) -> Iterator[None]:
        syscalls.setns(namespace, syscalls.CLONE_NEWNET)
        try:
            yield
        finally:
            syscalls.setns(self.home, syscalls.CLONE_NEWNET)

    def _runner(self, name: str) -> Any:
        async def run(argv: Sequence[str], stdin: bytes | None) -> Any:
            with self.inside(self.places[name]):
                guard.refuse_host()
                return subprocess.run(argv, input=stdin, capture_output=True, check=False)  # noqa: ASYNC221

        return run

    def _sysctl(self, name: str, value: str) -> None:
        Path("/proc/sys", name).write_text(value)

    def _node(self, name: str, ip: str, cidr: str) -> None:
        namespace = self.places[name] = _new(self.home)
        with Netlink() as net:
            net.add_veth(name, "eth0", namespace)
            net.set_master(name, "kind0")
            net.set_up(name)
        with self.inside(namespace), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{ip}/16")
            net.set_up("eth0")
            net.add_route("default", OUTSIDE)
            net.add_bridge("cni0")
            net.add_address("cni0", cidr.replace(".0/24", ".1/24"))
            net.set_up("cni0")
            self._sysctl("net/ipv4/ip_forward", "1")
            self._sysctl("net/bridge/bridge-nf-call-iptables", "1")
            self._sysctl("net/ipv4/icmp_ratelimit", "0")

    def _pod(self, number: int, pod: dict[str, Any]) -> None:
        ip, node = pod["status"]["podIP"], pod["spec"]["nodeName"]
        namespace = self.places[pod["metadata"]["uid"]] = _new(self.home)
        device = f"veth{number}"
        with self.inside(self.places[node]), Netlink() as net:
            net.add_veth(device, "eth0", namespace)
            net.set_master(device, "cni0")
            net.set_up(device)
        with self.inside(namespace), Netlink() as net:
            net.set_up("lo")
            net.add_address("eth0", f"{ip}/24")
            net.set_up("eth0")
            net.add_route("default", NODES[node][1].replace(".0/24", ".1"))
            self._sysctl("net/ipv4/icmp_ratelimit", "0")

    def _routes_between_nodes(self) -> None:
        for name in NODES:
            with self.inside(self.places[name]), Netlink() as net:
                for other, (ip, cidr) in NODES.items():
                    if other != name:
                        net.add_route(cidr, ip)

    # --- one line

    def enforce(self, order: dict[str, Any]) -> None:
        """Program both nodes, as their agents would."""
        namespaces = order.get("namespaces") or all_namespaces()
        pods, cluster = order.get("pods") or PODS, order.get("cluster") or []
        objects = Objects(pods, namespaces, all_nodes(), order["policies"], cluster)
        for name, enforcer in self.enforcers.items():
            asyncio.run(enforcer.sync(render(objects, name)))

    def forget_connections(self) -> None:
        """A flow that an earlier world accepted must not carry into the next."""
        for name in NODES:
            with self.inside(self.places[name]):
                subprocess.run(["conntrack", "-F"], capture_output=True, check=False)

    def ask(self, questions: list[list[Any]]) -> list[str]:
        """The outcome of each [source, ip, port, protocol]."""
        return self._ask(questions, SILENCE)

    def ask_again(self, questions: list[list[Any]], outcomes: list[str], expected: list[bool]) -> list[str]:
        """Silence where an answer was expected may be a slow machine's: those are asked once more, with patience."""
        doubtful = [i for i, o in enumerate(outcomes) if o == "dropped" and expected[i]]
        if doubtful:
            for i, outcome in zip(doubtful, self._ask([questions[i] for i in doubtful], PATIENCE), strict=True):
                outcomes[i] = outcome
        return outcomes

    def _ask(self, questions: list[list[Any]], seconds: float) -> list[str]:
        for _, ip, port, protocol in questions:
            if protocol != "TCP":
                self._answer(ip, port, protocol)
        probes = []
        loop = self.answerers
        for source, ip, port, protocol in questions:
            probe = Probe(ip, port, protocol)
            probes.append(probe)
            with self.inside(self.places[source]):
                if source == "far":
                    probe.bind_to = FAR
                probe.start()
            if probe.socket is not None:
                event = selectors.EVENT_WRITE if protocol == "TCP" else selectors.EVENT_READ
                loop.register(probe.socket, event, probe)
        wait(loop, probes, seconds, 0.0)
        for probe in probes:
            if probe.socket is not None:
                loop.unregister(probe.socket)
                probe.settle("dropped")
        return [p.outcome for p in probes]

    def _answer(self, ip: str, port: int, protocol: str) -> None:
        """Somebody answers datagrams at every address that is asked."""
        names = {p["status"]["podIP"]: p["metadata"]["uid"] for p in PODS}
        place = names.get(ip, "outside")
        key = (place, port, protocol)
        if key in self._answering or place not in self.places:
            return
        self._answering.add(key)
        with self.inside(self.places[place]):
            answerer = Answerer(port, protocol)
        self.answerers.register(answerer.socket, selectors.EVENT_READ, answerer)


def _current() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _new(home: int) -> int:
    syscalls.unshare(syscalls.CLONE_NEWNET)
    fresh = _current()
    syscalls.setns(home, syscalls.CLONE_NEWNET)
    return fresh


def main() -> int:
    """Answer line by line until standard input ends."""
    world = World()
    for line in sys.stdin:
        order = json.loads(line)
        began = time.monotonic()
        try:
            world.enforce(order)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
            continue
        enforced = time.monotonic() - began
        world.forget_connections()
        outcomes = world.ask_again(order["ask"], world.ask(order["ask"]), order["expected"])
        answer: dict[str, Any] = {"outcomes": outcomes, "enforced": enforced, "asked": time.monotonic() - began}
        if order.get("list"):
            with world.inside(world.places[order["list"]]):
                done = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=False)
            answer["ruleset"] = done.stdout
        print(json.dumps(answer), flush=True)
    return 0


if __name__ == "__main__":
    init = sandbox.spawn_sandbox(main)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(init, 0)[1]))
