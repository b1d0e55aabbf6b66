"""Whose processes a container sees, who is pid 1, and what a container may do."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from kubelet_bench import AGNHOST, Bench, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]
SLEEP = {"command": ["sleep", "1000"]}
ZONES = {"volumeMounts": [{"name": "zones", "mountPath": "/zones"}]}


def commands(listing: str) -> dict[str, str]:
    """pid -> command of the output of busybox ps."""
    return {line.split()[0]: line.split(None, 2)[2] for line in listing.splitlines()[1:]}


def test_a_program_is_pid_1_and_sees_nobody_else(bench: Bench) -> None:
    bench.pod("own", SLEEP, {"command": ["sleep", "2000"]})
    bench.ready("own")
    assert commands(bench.kubectl("exec", "own", "-c", "c", "--", "ps"))["1"] == "sleep 1000"
    assert "2000" not in bench.kubectl("exec", "own", "-c", "c", "--", "ps")


def test_pid_1_ignores_sigterm_unless_it_handles_it(bench: Bench) -> None:
    """`sleep` waits for the end of the grace period; agnhost, as a Go program, ends at once with code 2."""
    bench.pod("deaf", SLEEP, terminationGracePeriodSeconds=2)
    bench.pod("hears", {"image": AGNHOST, "args": ["pause"]}, terminationGracePeriodSeconds=60)
    bench.ready("deaf", "hears")
    bench.kubectl("exec", "deaf", "--", "kill", "-TERM", "1")
    began = time.monotonic()
    bench.kubectl("delete", "pod", "hears")
    assert time.monotonic() - began < 30
    began = time.monotonic()
    bench.kubectl("delete", "pod", "deaf")
    assert time.monotonic() - began >= 2


@pytest.mark.parametrize(
    "container",
    [
        {"image": AGNHOST, "args": ["netexec"]},
        {"image": AGNHOST, "command": ["/coredns", "-conf", "/zones/Corefile"], **ZONES},
        {"image": "registry.k8s.io/coredns/coredns:v1.12.1", "args": ["-conf", "/zones/Corefile"], **ZONES},
        {"image": "quay.io/jetstack/cert-manager-controller:v1.18.2"},
    ],
    ids=["netexec", "script", "dns", "controller"],
)
def test_a_pod_that_is_deleted_as_soon_as_it_runs_ends_at_once(bench: Bench, container: dict[str, Any]) -> None:
    """SIGTERM comes before the program has its handlers, and is not lost."""
    name = {"name": "zones"}
    bench.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name, "data": {"Corefile": ".:1053 {\n}\n"}})
    bench.pod("brief", container, terminationGracePeriodSeconds=60, volumes=[{**name, "configMap": name}])
    bench.ready("brief")
    began = time.monotonic()
    bench.kubectl("delete", "pod/brief", "configmap/zones")
    assert time.monotonic() - began < 30


def test_containers_share_their_processes_on_request(bench: Bench) -> None:
    bench.pod("shared", SLEEP, {"command": ["sleep", "2000"]}, shareProcessNamespace=True)
    bench.ready("shared")
    found = commands(bench.kubectl("exec", "shared", "-c", "c", "--", "ps"))
    assert "/pause" in found["1"]
    assert {"sleep 1000", "sleep 2000"} <= set(found.values())


def test_a_debugging_container_joins_its_target(bench: Bench) -> None:
    bench.pod("target", SLEEP, {"command": ["sleep", "2000"]})
    bench.ready("target")
    bench.kubectl("debug", "target", "--image=busybox", "--target=c1", "--profile=general", "-c", "dbg", "--", "ps")
    bench.wait("target", ".status.ephemeralContainerStatuses[0].state.terminated.exitCode", "0")
    assert commands(bench.kubectl("logs", "target", "-c", "dbg"))["1"] == "sleep 2000"


def test_a_node_is_debugged_from_a_pod(bench: Bench) -> None:
    node = bench.nodes[0]
    script = "chroot /host cat /etc/hostname; ps | grep -c [p]ause"
    bench.kubectl("debug", f"node/{node}", "--image=busybox", "--profile=sysadmin", "--", "sh", "-c", script)
    listed = json.loads(bench.kubectl("get", "pods", "-o", "json"))["items"]
    name = next(p["metadata"]["name"] for p in listed if p["metadata"]["name"].startswith(f"node-debugger-{node}"))
    bench.wait(name, ".status.phase", "Succeeded")
    hostname, pauses = bench.kubectl("logs", name).split()
    assert hostname == node
    assert int(pauses) >= 1


def test_a_hook_runs_before_the_container_counts_as_running(bench: Bench) -> None:
    slow = {"exec": {"command": ["sh", "-c", "sleep 0.3; cat /proc/1/cmdline > /tmp/seen"]}}
    bench.pod("hooked", {**SLEEP, "lifecycle": {"postStart": slow}})
    bench.ready("hooked")
    assert bench.kubectl("exec", "hooked", "--", "cat", "/tmp/seen").startswith("sleep\0")
    bench.pod("refused", {**SLEEP, "lifecycle": {"postStart": {"exec": {"command": ["false"]}}}})
    bench.wait("refused", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
    assert bench.events("refused")["FailedPostStartHook"] == "PostStartHook failed"


def test_grpc_probes(bench: Bench) -> None:
    probe = {"grpc": {"port": 5000, "service": "web"}, "periodSeconds": 1, "failureThreshold": 1}
    server = {"image": AGNHOST, "args": ["grpc-health-checking", "--service=web"], "readinessProbe": probe}
    bench.pod("grpc", server)
    bench.ready("grpc")
    bench.kubectl("exec", "grpc", "--", "curl", "-s", "http://127.0.0.1:8080/make-not-serving")
    bench.kubectl("wait", "--for=condition=Ready=false", "--timeout=10s", "pod/grpc")
    expected = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
    # Events are written beside the status, and a probe that was late by itself has one too.
    assert until(lambda: expected in bench.messages("grpc"))


def test_what_a_container_may_not_do(bench: Bench) -> None:
    locked = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsUser": 1000,
    }
    scratch = [{"name": "s", "mountPath": "/data"}, {"name": "m", "mountPath": "/mem"}]
    bench.pod(
        "locked",
        {**SLEEP, "securityContext": locked, "volumeMounts": scratch},
        securityContext={
            "fsGroup": 2000,
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "80"}],
        },
        volumes=[
            {"name": "s", "emptyDir": {}},
            {"name": "m", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        ],
    )
    bench.ready("locked")
    script = (
        "touch /x 2>&1; touch /etc/hosts 2>&1; touch /data/ok /mem/ok && echo wrote; "
        "grep -e NoNewPrivs -e CapBnd /proc/self/status | cut -f2; "
        "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep ' /mem ' /proc/mounts | grep -o size=1024k; "
        "stat -c %a /data"
    )
    lines = bench.kubectl("exec", "locked", "--", "sh", "-c", script).splitlines()
    assert lines == [
        "touch: /x: Read-only file system",
        "touch: /etc/hosts: Read-only file system",
        "wrote",
        "0" * 16,
        "1",
        "80",
        "size=1024k",
        "2777",
    ]


def test_root_is_refused_on_request(bench: Bench) -> None:
    bench.pod("nonroot", {**SLEEP, "securityContext": {"runAsNonRoot": True}})
    bench.wait("nonroot", ".status.containerStatuses[0].state.waiting.reason", "CreateContainerConfigError")
    said = bench.status("nonroot")["containerStatuses"][0]["state"]["waiting"]["message"]
    assert said.startswith('container has runAsNonRoot and image will run as root (pod: "nonroot_')
