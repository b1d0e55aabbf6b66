"""Connections worth following, and ways to break them: shared by the kernel tests and by the recorder of unit tests.

``{near}``, ``{far}``, ``{empty}``, ``{self}`` in URLs and commands are the ClusterIPs of these Services, ``{far_pod}``
the address of the Pod behind ``far``, ``{far_net}`` its first three bytes, ``{nobody}`` an address there that no Pod
has, ``{node}``, ``{node2}`` and ``{cp}`` the addresses of the first worker, the second worker and the control plane,
``{padding}`` is 1300 letters.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from podwalk.backends.base import Cluster

NAMESPACE = "trace-walks"
FIRST, SECOND, CONTROL = "worker", "worker2", "control-plane"
_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"


@dataclass(frozen=True)
class Scenario:
    """A walk, what is broken before it (node, command, command that mends it), and what must be said about it."""

    source: str
    url: str
    outcome: str = "answered"
    cause: str = ""
    place: str = ""
    breakage: tuple[str, str, str] = ("", "", "")


_DROP_FORWARD = (
    SECOND, "iptables -I FORWARD -d {far_pod} -j DROP -m comment --comment 'maintenance window'",
    "iptables -D FORWARD -d {far_pod} -j DROP -m comment --comment 'maintenance window'",
)  # fmt: skip
_MAC = "$(bridge fdb show dev flannel.1 | grep 'dst {node2} ' | cut -d' ' -f1)"
_RP = "/proc/sys/net/ipv4/conf/flannel.1/rp_filter"
_OWN_MAC = "$(cat /tmp/trace-mac)"
SCENARIOS = {
    "same-node": Scenario("client", "http://near"),
    "cross-node": Scenario("client", "http://far"),
    "pod-to-pod": Scenario("client", "tcp://{far_pod}:8080"),
    "hairpin": Scenario("client", "http://self"),
    "udp": Scenario("client", "udp://far:90"),
    "ping": Scenario("client", "ping://{far_pod}"),
    "node-port": Scenario("outside", "http://{cp}:30078/"),
    "node-port-from-node": Scenario("node/worker", "http://{node}:30078/"),
    "host-network": Scenario("hostnet", "http://{far}"),
    "no-endpoints": Scenario("client", "http://empty", "rejected", "no-endpoints", FIRST),
    "no-listener": Scenario("client", "tcp://{far_pod}:81", "refused", "no-listener", SECOND),
    "no-udp-listener": Scenario("client", "udp://{far_pod}:81", "refused", "no-listener", SECOND),
    "ghost": Scenario("client", "tcp://{nobody}:80", "lost", "no-neighbour", SECOND),
    "no-such-name": Scenario("client", "http://nosuch", "unresolved", "no-such-name"),
    "drop-rule": Scenario("client", "http://{far}", "dropped", "rule", SECOND, _DROP_FORWARD),
    "reply-dropped": Scenario(
        "client", "http://{far}", "dropped", "rule", SECOND,
        (SECOND, "iptables -I FORWARD -s {far_pod} -j DROP", "iptables -D FORWARD -s {far_pod} -j DROP"),
    ),
    "tunnel-blocked": Scenario(
        "client", "http://{far}", "dropped", "rule", SECOND,
        (SECOND, "iptables -I INPUT -p udp --dport 8472 -j DROP", "iptables -D INPUT -p udp --dport 8472 -j DROP"),
    ),
    "tunnel-blocked-at-home": Scenario(
        "client", "http://{far}", "dropped", "rule", FIRST,
        (FIRST, "iptables -I OUTPUT -p udp --dport 8472 -j DROP", "iptables -D OUTPUT -p udp --dport 8472 -j DROP"),
    ),
    "no-route": Scenario(
        "client", "http://{far}", "lost", "no-route", FIRST,
        (FIRST, "ip route del {far_net}.0/24",
         "ip route add {far_net}.0/24 via {far_net}.0 dev flannel.1 onlink"),
    ),
    "blackhole": Scenario(
        "client", "http://{far}", "lost", "no-route", FIRST,
        (FIRST, "ip route add blackhole {far_pod}", "ip route del blackhole {far_pod}"),
    ),
    "wrong-vtep": Scenario(
        "client", "http://{far}", "lost", "wrong-vtep", FIRST,
        (FIRST, f"echo {_MAC} > /tmp/trace-mac; bridge fdb replace {_OWN_MAC} dev flannel.1 dst {{cp}}",
         f"bridge fdb replace {_OWN_MAC} dev flannel.1 dst {{node2}}; rm /tmp/trace-mac"),
    ),
    "no-vtep": Scenario(
        "client", "http://{far}", "lost", "no-tunnel-entry", FIRST,
        (FIRST, f"echo {_MAC} > /tmp/trace-mac; bridge fdb del {_OWN_MAC} dev flannel.1 dst {{node2}}",
         f"bridge fdb append {_OWN_MAC} dev flannel.1 dst {{node2}}; rm /tmp/trace-mac"),
    ),
    "not-forwarding": Scenario(
        "client", "http://{far}", "lost", "not-forwarding", SECOND,
        (SECOND, "echo 0 > /proc/sys/net/ipv4/ip_forward", "echo 1 > /proc/sys/net/ipv4/ip_forward"),
    ),
    "rp-filter": Scenario(
        "client", "http://{far}", "lost", "rp-filter", SECOND,
        (SECOND, f"cat {_RP} > /tmp/trace-rp; echo 1 > {_RP}; ip route add {{client_pod}} dev eth0",
         f"ip route del {{client_pod}} dev eth0; cat /tmp/trace-rp > {_RP}; rm /tmp/trace-rp"),
    ),
    "mtu-black-hole": Scenario(
        "near", "http://{far}/?{padding}", "lost", "mtu", FIRST,
        (FIRST, "ip link set flannel.1 mtu 1200; iptables -I OUTPUT -p icmp -j DROP",
         "ip link set flannel.1 mtu 1450; iptables -D OUTPUT -p icmp -j DROP"),
    ),
    "silent-name-server": Scenario(
        "client", "http://far", "dropped", "rule", FIRST,
        (FIRST, "iptables -I FORWARD -p udp --dport 53 -j DROP", "iptables -D FORWARD -p udp --dport 53 -j DROP"),
    ),
}  # fmt: skip


class App:
    """The Pods and Services of the scenarios, on a cluster with two workers."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.values: dict[str, str] = {}

    def up(self) -> None:
        """Make them and wait until every Pod is Ready."""
        done = self.cluster.kubectl("apply", "-f", "-", input=_manifest(self.cluster.name))
        assert done.ok, done.stderr
        done = self.cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s")
        assert done.ok, done.stderr
        with self.cluster.client() as client:
            services = {s["metadata"]["name"]: s["spec"]["clusterIP"] for s in client.list("Service", NAMESPACE)}
            pods = {p["metadata"]["name"]: p["status"]["podIP"] for p in client.list("Pod", NAMESPACE)}
            taken = {(p.get("status") or {}).get("podIP") for p in client.list("Pod")}
        far_net = pods["far"].rpartition(".")[0]
        nodes = {n.name: n.address for n in self.cluster.status().nodes}
        self.values = {
            **services,
            "padding": "x" * 1300,
            "far_pod": pods["far"],
            "client_pod": pods["client"],
            "far_net": far_net,
            "nobody": next(a for a in (f"{far_net}.{n}" for n in range(250, 2, -1)) if a not in taken),
            "node": nodes[f"{self.cluster.name}-{FIRST}"],
            "node2": nodes[f"{self.cluster.name}-{SECOND}"],
            "cp": nodes[f"{self.cluster.name}-{CONTROL}"],
        }

    def down(self) -> None:
        """Remove them."""
        self.cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")

    def url(self, scenario: Scenario) -> str:
        """The URL of a scenario here."""
        return scenario.url.format(**self.values)

    @contextlib.contextmanager
    def broken(self, scenario: Scenario) -> Iterator[None]:
        """Break what the scenario breaks, and mend it afterwards."""
        node, breaks, mends = scenario.breakage
        if node:
            self._run(node, breaks)
        try:
            yield
        finally:
            if node:
                self._run(node, mends)

    def _run(self, node: str, command: str) -> None:
        argv = ["sh", "-ec", command.format(**self.values)]
        done = self.cluster.node(f"{self.cluster.name}-{node}", argv)
        assert done.ok, f"{command}: {done.stderr}"


def _manifest(cluster: str) -> str:
    import json

    netexec = ["netexec", "--http-port=8080", "--udp-port=8081"]

    def pod(name: str, node: str, **spec: Any) -> dict[str, Any]:
        container = {"name": "c", "image": _IMAGE, "args": spec.pop("args", netexec)}
        spec = {"nodeName": f"{cluster}-{node}", "terminationGracePeriodSeconds": 0, "containers": [container], **spec}
        return _object("Pod", name, {"spec": spec}, {"app": name})

    def service(name: str, selects: str, *ports: dict[str, Any], **spec: Any) -> dict[str, Any]:
        return _object("Service", name, {"spec": {"selector": {"app": selects}, "ports": list(ports), **spec}})

    http = {"name": "http", "port": 80, "targetPort": 8080}
    udp = {"name": "udp", "protocol": "UDP", "port": 90, "targetPort": 8081}
    items = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        pod("client", FIRST),
        pod("near", FIRST),
        pod("far", SECOND),
        pod("hostnet", FIRST, hostNetwork=True, args=["pause"]),
        service("near", "near", http),
        service("self", "client", http),
        service("empty", "nobody", http),
        service("far", "far", {**http, "nodePort": 30078}, udp, type="NodePort"),
    ]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _object(kind: str, name: str, body: dict[str, Any], labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **body}
