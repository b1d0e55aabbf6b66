"""A cluster with one network profile, three Pods and three Services in it, and questions to its wires."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.network import profiles

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
PATIENCE = 20.0

_FETCH = """
import json, sys, urllib.request
found = {}
for url in sys.argv[1:]:
    try:
        found[url] = urllib.request.urlopen(f"http://{url}/clientip", timeout=3).read().decode().rpartition(":")[0]
    except OSError as error:
        found[url] = str(error)
print(json.dumps(found))
"""

_LISTEN = """
import socket, sys
server = socket.create_server(("172.18.0.1", int(sys.argv[1])))
server.settimeout(20)
with server.accept()[0] as connection:
    print(connection.getpeername()[0])
"""

# tcpdump says on stderr when it listens; then one ping, and the first packet that matches.
_CAPTURE = """
tcpdump -i eth0 -nn -e -l --immediate-mode -c 1 "$1" >/tmp/seen 2>/tmp/state & p=$!
until grep -q listening /tmp/state; do kill -0 $p || { cat /tmp/state; exit 1; }; sleep 0.01; done
nsenter --net="$2" ping -c 1 -W 5 "$3" >/dev/null
wait $p; cat /tmp/seen
"""


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait until ``holds`` gives something true, and return it."""
    deadline = time.monotonic() + PATIENCE
    while not (value := holds()):
        assert time.monotonic() < deadline, f"still not true after {PATIENCE:g} s: {what}"
        time.sleep(0.02)
    return value


def pod(name: str, node: str) -> dict[str, Any]:
    container = {"name": "c", "image": AGNHOST, "args": ["netexec", "--http-port=8080"]}
    container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "namespace": "default", "labels": {"app": name}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def service(name: str) -> dict[str, Any]:
    spec = {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}], "type": "NodePort"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"}, "spec": spec}


@dataclass
class World:
    """``near`` and ``beside`` run on the first worker, ``far`` on the second; each has a Service of its name."""

    profile: str
    cluster: Cluster
    ips: dict[str, str] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    node_ports: dict[str, int] = field(default_factory=dict)
    netns: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        return f"{self.cluster.name}-worker"

    @property
    def second(self) -> str:
        return f"{self.cluster.name}-worker2"

    def populate(self) -> None:
        pods = [pod("near", self.first), pod("beside", self.first), pod("far", self.second)]
        self.create(pods, [service(p["metadata"]["name"]) for p in pods])
        addresses = [f"{ip}:80" for name, ip in self.services.items() if name in self.ips]
        for who in ("near", "far"):  # each node has rules of its own
            until(
                lambda who=who: not [v for v in self.ask(who, *addresses).values() if " " in v], f"Services for {who}"
            )

    def create(self, pods: list[dict[str, Any]], services: list[dict[str, Any]]) -> None:
        """Make them, wait until the Pods are Ready, and note everybody's addresses."""
        until(lambda: self.cluster.kubectl("get", "serviceaccount", "default").ok, "the default ServiceAccount")
        self.kubectl("create", "-f", "-", input=yaml.safe_dump_all([*pods, *services]))
        self.kubectl("wait", "--for=condition=Ready", *(f"pod/{p['metadata']['name']}" for p in pods), "--timeout=30s")
        for found in self.items("pods"):
            name = found["metadata"]["name"]
            self.ips[name] = found["status"]["podIP"]
            self.netns[name] = f"/run/netns/cni-{found['metadata']['uid']}"
        for found in self.items("services"):
            name = found["metadata"]["name"]
            self.services[name] = found["spec"]["clusterIP"]
            self.node_ports[name] = found["spec"]["ports"][0].get("nodePort", 0)

    def kubectl(self, *args: str, input: str | None = None) -> str:
        done = self.cluster.kubectl(*args, input=input)
        assert done.ok, done.stderr
        return done.stdout

    def items(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-n", "default", "-o", "json"))["items"]
        return found

    def on(self, node: str, *argv: str) -> str:
        done = self.cluster.node(node, argv, timeout=40)
        assert done.ok, (argv, done.stdout, done.stderr)
        return done.stdout

    def ask(self, who: str, *addresses: str) -> dict[str, str]:
        """What source address each server sees, asked from a Pod or (``who`` a node) from a node; or the error."""
        argv = [sys.executable, "-I", "-S", "-c", _FETCH, *addresses]
        if who in self.netns:
            argv = ["nsenter", f"--net={self.netns[who]}", *argv]
            who = self.second if who == "far" else self.first
        answers: dict[str, str] = json.loads(self.on(who, *argv))
        return answers

    def one(self, who: str, address: str) -> str:
        return self.ask(who, address)[address]

    def in_pod(self, name: str, *argv: str) -> str:
        return self.on(self.second if name == "far" else self.first, "nsenter", f"--net={self.netns[name]}", *argv)

    def first_packet(self, packets: str) -> str:
        """What tcpdump on the first worker's eth0 says of the first packet of a ping from ``near`` to ``far``."""
        argv = ("sh", "-c", _CAPTURE, "sh", packets, self.netns["near"], self.ips["far"])
        return self.on(self.first, *argv)

    def seen_outside(self, port: int) -> str:
        """The source address that a server outside sees when ``near`` connects."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(1) as pool:
            server = pool.submit(self.cluster.outside, [sys.executable, "-I", "-S", "-c", _LISTEN, str(port)])
            connect = f"import socket; socket.create_connection(('172.18.0.1', {port}), 3)"
            argv = ("nsenter", f"--net={self.netns['near']}", sys.executable, "-I", "-S", "-c", connect)
            until(lambda: server.done() or self.cluster.node(self.first, argv, timeout=20).ok, "a connection outside")
            return server.result().stdout.strip()

    def kill(self, node: str) -> None:
        """End a node's pid 1 from outside, as pulling the plug does."""
        state = json.loads((self.cluster.kubeconfig_path.parent / "state.json").read_text())
        assert self.cluster.outside(["kill", "-9", str(state["node_pids"][node])]).ok
        until(lambda: not [n for n in self.cluster.status().nodes if n.name == node and n.alive], "the node is dead")


def boot(profile: str, **options: Any) -> World:
    """A proven cluster with this profile. Skips where the machine lacks what the profile runs."""
    if (lack := profiles.missing(profile)) is not None:
        pytest.skip(lack)
    config = clusterconfig.default(f"net{os.getpid() % 10000}-{profile}").with_options({"cni": profile, **options})
    return World(profile, EmbeddedBackend().up(config, progress=lambda fact: None))
