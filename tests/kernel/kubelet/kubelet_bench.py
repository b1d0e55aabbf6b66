"""A namespace of the running cluster, and short words for what the tests of the kubelet do in it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import yaml

from podwalk.backends.base import Cluster, Completed

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
BUSYBOX = "busybox:1.36"


class Bench:
    """A namespace of the cluster, and kubectl in it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self.nodes = [n.name for n in cluster.status().nodes if n.role == "worker"]

    def run(self, *args: str, input: str | None = None) -> Completed:
        return self.cluster.kubectl("-n", self.namespace, *args, input=input, timeout=60)

    def kubectl(self, *args: str, input: str | None = None) -> str:
        done = self.run(*args, input=input)
        assert done.ok, done.stderr
        return done.stdout

    def pod(self, name: str, *containers: dict[str, Any], **spec: Any) -> None:
        full = [{"name": f"c{i}" if i else "c", "image": BUSYBOX, **c} for i, c in enumerate(containers)]
        spec = {"terminationGracePeriodSeconds": 1, **spec, "containers": full}
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("create", "-f", "-", input=yaml.safe_dump_all(objects))

    def ready(self, *names: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", "--timeout=30s", *(f"pod/{n}" for n in names))

    def wait(self, name: str, path: str, value: str) -> None:
        self.kubectl("wait", f"--for=jsonpath={{{path}}}={value}", "--timeout=30s", f"pod/{name}")

    def on_node(self, *argv: str, node: int = 0) -> str:
        printed: str | bytes = self.cluster.node(self.nodes[node], argv).stdout
        return printed.decode() if isinstance(printed, bytes) else printed

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))["status"]
        return found

    def events(self, name: str) -> dict[str, str]:
        return {e["reason"]: e["message"] for e in self._events(name)}

    def messages(self, name: str) -> set[str]:
        return {e["message"] for e in self._events(name)}

    def _events(self, name: str) -> list[dict[str, Any]]:
        listed = json.loads(self.kubectl("get", "events", "-o", "json", f"--field-selector=involvedObject.name={name}"))
        items: list[dict[str, Any]] = listed["items"]
        return items


def until(holds: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether ``holds`` becomes true."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
