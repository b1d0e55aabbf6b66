"""Worlds at random: labels, named ports, policies of both kinds, and connections that are likely to be on an edge.

Run as a program it looks for a disagreement between packets and evaluator for so many seconds:

    python tests/kernel/policy/policy_random.py 600 [SEED]
"""

from __future__ import annotations

import copy
import json
import random
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "unit" / "policy")]

from policy_kernel import Kernel, Question, disagreements  # noqa: E402 (their folders had to be named first)
from policy_objects import NAMESPACES, NODES, PODS, Object, cnp, namespace, netpol  # noqa: E402

KEYS = {"app": ("web", "api", "db"), "tier": ("front", "back"), "role": ("a",)}
TEAMS = {"team": ("red", "blue"), "env": ("prod", "dev")}
NUMBERS = (52, 53, 54, 80, 81, 443, 8080)
NAMES = ("http", "sql", "talk")
CIDRS = (
    "0.0.0.0/0", "10.244.0.0/16", "10.244.1.0/24", "10.244.2.12/30", "10.244.1.11/32", "172.18.0.0/16", "172.18.0.1/32",
    "172.18.0.3/32", "203.0.113.0/24", "10.244.1.8/29",
)  # fmt: skip
PODS_ASKED = 5
PORTS_ASKED = 4


class Generator:
    """One stream of worlds; the same seed gives the same."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def world(self) -> tuple[dict[str, list[Object]], list[Question]]:
        """(policies, cluster, pods, namespaces), and what to ask."""
        pods = [self._pod(p) for p in PODS]
        out = {
            "pods": pods,
            "namespaces": [namespace(n, self._labels(TEAMS)) for n in NAMESPACES],
            "policies": [self._policy(i) for i in range(self._random.randint(0, 5))],
            "cluster": [self._cluster_policy(i) for i in range(self._random.choice((0, 0, 1, 1, 2, 3)))],
        }
        return out, self._questions()

    def _some(self, chance: float) -> bool:
        return self._random.random() < chance

    def _labels(self, vocabulary: dict[str, tuple[str, ...]]) -> dict[str, str]:
        return {k: self._random.choice(v) for k, v in vocabulary.items() if self._some(0.7)}

    def _pod(self, template: Object) -> Object:
        pod = copy.deepcopy(template)
        pod["metadata"]["labels"] = self._labels(KEYS)
        pod["spec"]["containers"][0]["ports"] = [
            {
                "name": name,
                "containerPort": self._random.choice(NUMBERS),
                "protocol": self._random.choice(("TCP", "UDP")),
            }
            for name in NAMES
            if self._some(0.6)
        ]
        return pod

    def _selector(self, vocabulary: dict[str, tuple[str, ...]]) -> Object:
        if self._some(0.25):
            return {}
        out: Object = {}
        if self._some(0.7):
            key = self._random.choice(list(vocabulary))
            out["matchLabels"] = {key: self._random.choice(vocabulary[key])}
        if not out or self._some(0.2):
            key = self._random.choice(list(vocabulary))
            operator = self._random.choice(("In", "NotIn", "Exists", "DoesNotExist"))
            expression: Object = {"key": key, "operator": operator}
            if operator in ("In", "NotIn"):
                expression["values"] = self._random.sample(
                    vocabulary[key], self._random.randint(1, len(vocabulary[key]))
                )
            out["matchExpressions"] = [expression]
        return out

    # --- NetworkPolicy

    def _policy(self, index: int) -> Object:
        types = self._random.choice((["Ingress"], ["Egress"], ["Ingress", "Egress"], None))
        return netpol(
            self._random.choice(list(NAMESPACES)),
            self._selector(KEYS),
            ingress=self._rules() if self._some(0.8) else None,
            egress=self._rules() if self._some(0.6) else None,
            types=types,
            name=f"p{index}",
        )

    def _rules(self) -> list[Object]:
        return [
            {"peers": [self._peer() for _ in range(self._random.randint(0, 3))], "ports": self._ports()}
            for _ in range(self._random.randint(0, 3))
        ]

    def _peer(self) -> Object:
        if self._some(0.3):
            cidr = self._random.choice(CIDRS)
            return {"ipBlock": {"cidr": cidr, **({"except": self._holes(cidr)} if self._some(0.4) else {})}}
        out: Object = {}
        if self._some(0.6):
            out["namespaceSelector"] = self._selector({**TEAMS, "kubernetes.io/metadata.name": tuple(NAMESPACES)})
        if not out or self._some(0.5):
            out["podSelector"] = self._selector(KEYS)
        return out

    def _holes(self, cidr: str) -> list[str]:
        return self._random.sample(CIDRS[1:], self._random.randint(1, 2))

    def _ports(self) -> list[Object]:
        return [self._port() for _ in range(self._random.choice((0, 0, 1, 1, 2, 3)))]

    def _port(self) -> Object:
        out: Object = {}
        if self._some(0.6):
            out["protocol"] = self._random.choice(("TCP", "TCP", "UDP", "SCTP"))
        if self._some(0.25):
            return {**out, "port": self._random.choice(NAMES)}
        if self._some(0.85):
            out["port"] = self._random.choice(NUMBERS)
            if self._some(0.3):
                out["endPort"] = out["port"] + self._random.choice((0, 1, 30))
        return out

    # --- ClusterNetworkPolicy

    def _cluster_policy(self, index: int) -> Object:
        return cnp(
            f"c{index}",
            self._random.choice(("Admin", "Baseline")),
            self._random.choice((1, 5, 9)),
            self._cluster_peer(),
            ingress=self._cluster_rules("ingress") if self._some(0.7) else None,
            egress=self._cluster_rules("egress") if self._some(0.6) else None,
        )

    def _cluster_rules(self, way: str) -> list[Object]:
        out = []
        for _ in range(self._random.randint(1, 3)):
            peers = [self._cluster_peer(egress=way == "egress") for _ in range(self._random.randint(1, 2))]
            rule: Object = {"action": self._random.choice(("Accept", "Deny", "Pass")), "peers": peers}
            if self._some(0.5):
                rule["protocols"] = [self._protocol() for _ in range(self._random.randint(1, 2))]
            out.append(rule)
        return out

    def _cluster_peer(self, egress: bool = False) -> Object:
        if egress and self._some(0.35):
            networks = {"networks": self._random.sample(CIDRS, 2)}
            return self._random.choice(({"nodes": {}}, networks, networks))
        if self._some(0.5):
            return {"namespaces": self._selector(TEAMS)}
        return {"pods": {"namespaceSelector": self._selector(TEAMS), "podSelector": self._selector(KEYS)}}

    def _protocol(self) -> Object:
        if self._some(0.2):
            return {"destinationNamedPort": self._random.choice(NAMES)}
        number = self._random.choice(NUMBERS)
        port: Object = {"number": number}
        if self._some(0.3):
            port = {"range": {"start": number, "end": number + self._random.choice((1, 30))}}
        return {self._random.choice(("tcp", "udp", "sctp")): {"destinationPort": port} if self._some(0.8) else {}}

    # --- questions

    def _questions(self) -> list[Question]:
        names = [p["metadata"]["uid"] for p in PODS if not p["spec"].get("hostNetwork")]
        targets = self._random.sample(names, PODS_ASKED)
        sources = [*names, "outside", "far", *NODES]
        numbers = self._random.sample(NUMBERS, PORTS_ASKED)
        protocols = ["TCP"] * 6 + ["UDP"] * 3 + ["SCTP"]
        asked = {(s, t, n, self._random.choice(protocols)) for s in sources for t in targets for n in numbers}
        asked |= {(s, t, n, "TCP") for s in names for t in ("outside", *NODES) for n in numbers[:2]}
        return sorted(asked)


def search(
    seed: int, seconds: float, worlds: int = sys.maxsize, kernel: Kernel | None = None
) -> tuple[int, int, list[str]]:
    """Look until time or worlds are over: (worlds, connections, the first disagreement). Closes the kernel."""
    kernel, generator = kernel or Kernel(), Generator(seed)
    asked = count = 0
    end = time.monotonic() + seconds
    try:
        while count < worlds and time.monotonic() < end:
            world, questions = generator.world()
            wrong = disagreements(kernel, world["policies"], world["cluster"], questions, **_rest(world))
            count, asked = count + 1, asked + len(questions)
            if wrong:
                print(json.dumps(world, indent=1), file=sys.stderr)
                return count, asked, [f"seed {seed}, world {count}", *wrong]
    finally:
        kernel.close()
    return count, asked, []


def _rest(world: dict[str, list[Object]]) -> dict[str, list[Object]]:
    return {k: world[k] for k in ("pods", "namespaces")}


if __name__ == "__main__":
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time())
    found = search(chosen, float(sys.argv[1]) if len(sys.argv) > 1 else 600.0)
    print(f"seed {chosen}: {found[0]} worlds, {found[1]} connections, {len(found[2])} lines of disagreement")
    print("\n".join(found[2]))
    sys.exit(bool(found[2]))
