"""Every verb of ``kubectl --help``, on a running cluster, with each kubectl under test."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest
import verbs_pods
import verbs_reading
import verbs_writing
from verb_table import GROUPS, REFUSED, TABLE

from podwalk.backends.base import Cluster

assert verbs_pods
assert verbs_reading
assert verbs_writing

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

CHECKS = {check.__name__: check for checks in TABLE.values() for check in checks}
"""Each check once, whatever many verbs it covers."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


class OnCluster:
    """kubectl in a namespace of its own on the running cluster; as the Kubectl of ``conftest.py``, with more to ask."""

    def __init__(self, plain: Any) -> None:
        self._plain = plain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)

    def __call__(self, *args: str, stdin: Any = None) -> str:
        return str(self._plain(*args, stdin=stdin))

    def alone(self, *args: str, kubeconfig: Path) -> Any:
        """Run a command with another kubeconfig, outside every namespace."""
        environment = {**self.environment(), "KUBECONFIG": str(kubeconfig)}
        done = subprocess.run(
            [self.binary, *args], env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def raw(self, path: str) -> Any:
        """A GET below the namespace."""
        return orjson.loads(self("get", "--raw", f"/api/v1/namespaces/{self.namespace}/{path}"))

    def watched(self, path: str) -> list[Any]:
        """The events of a watch that ends by itself."""
        text = self("get", "--raw", f"/api/v1/namespaces/{self.namespace}/{path}")
        return [orjson.loads(line) for line in text.splitlines()]

    def until(self, holds: Callable[[], Any], seconds: float = 60.0) -> None:
        """Wait until something is so."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, "it never came to pass"
            time.sleep(0.1)


@pytest.fixture
def on_cluster(
    binary: str, cluster: Cluster, make_kubectl: Callable[..., Any], request: pytest.FixtureRequest
) -> Iterator[OnCluster]:
    made = OnCluster(make_kubectl(binary, cluster.kubeconfig_path, request.node.name))
    made.until(lambda: "configmap/kube-root-ca.crt" in made("get", "configmaps", "-o", "name"))
    yield made
    made("delete", "namespace", made.namespace, "--wait=false")


@pytest.mark.parametrize("name", CHECKS)
def test_verb(name: str, on_cluster: OnCluster) -> None:
    CHECKS[name](on_cluster)


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_is_honest(name: str, on_cluster: OnCluster) -> None:
    command, pattern, _ = REFUSED[name]
    on_cluster("create", "deployment", "web", "--image=registry.k8s.io/pause:3.10", "--replicas=0")
    assert re.search(pattern, on_cluster.fails(*command))


def test_no_verb_is_forgotten(binary: str) -> None:
    known = {*TABLE, *REFUSED}
    for group in ("", *GROUPS):
        listed = [f"{group} {verb}".strip() for verb in offered(binary, group)]
        assert listed, f"kubectl {group} --help lists nothing"
        missing = [verb for verb in listed if verb not in known]
        assert not missing, f"neither in the table nor refused: {missing}"


def offered(binary: str, group: str) -> list[str]:
    """The verbs that a help text lists."""
    told = subprocess.run([binary, *group.split(), "--help"], capture_output=True, text=True, check=True, timeout=60)
    found = re.findall(
        r"^  ([a-z][a-z-]+) {2,}\S", told.stdout.partition("\nOptions:")[0].partition("\nUsage:")[0], re.M
    )
    return [verb for verb in found if verb != "kubectl"]
