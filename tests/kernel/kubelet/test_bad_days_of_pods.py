"""Containers and clients that misbehave: the node stays what it was."""

from __future__ import annotations

import os
import subprocess

import pytest
from kubelet_bench import Bench, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]
SLEEP = {"command": ["sleep", "1000"]}


def open_files(bench: Bench) -> int:
    """The descriptors that the agent of the first node holds."""
    return len(bench.on_node("ls", "/proc/1/fd").split())


def processes(bench: Bench) -> int:
    """The processes of the first node."""
    return sum(name.isdigit() for name in bench.on_node("ls", "/proc").split())


def running(bench: Bench, command: str) -> int:
    """The processes of the first node with exactly this command line."""
    return bench.on_node("ps", "ax", "-o", "args=").splitlines().count(command)


def test_a_flood_of_output_is_bounded_and_disturbs_nobody(bench: Bench) -> None:
    bench.pod("flood", {"command": ["sh", "-c", "yes 0123456789abcdef"]}, nodeName=bench.nodes[0])
    bench.pod("quiet", SLEEP, nodeName=bench.nodes[0])
    bench.ready("flood", "quiet")
    directory = bench.on_node("sh", "-c", f"echo /var/log/pods/{bench.namespace}_flood_*/c").strip()
    assert until(lambda: "0.log.1" in bench.on_node("ls", directory))
    assert bench.kubectl("exec", "quiet", "--", "echo", "still here") == "still here\n"
    assert int(bench.on_node("du", "-sk", directory).split()[0]) <= 21 * 1024
    assert bench.kubectl("logs", "flood", "--tail=1").startswith("0123456789")
    bench.kubectl("delete", "pod", "flood")
    assert until(lambda: bench.on_node("sh", "-c", f"ls -d {directory} 2>/dev/null || true") == "")


def test_many_processes_go_with_their_container(bench: Bench) -> None:
    before = processes(bench)
    script = "i=0; while [ $i -lt 300 ]; do sleep 1001 & i=$((i+1)); done; touch /tmp/done; wait"
    probe = {"exec": {"command": ["test", "-e", "/tmp/done"]}}
    bench.pod("forks", {"command": ["sh", "-c", script], "readinessProbe": probe}, nodeName=bench.nodes[0])
    bench.ready("forks")
    assert running(bench, "sleep 1001") == 300
    bench.kubectl("delete", "pod", "forks")
    assert until(lambda: processes(bench) <= before)


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_abandoned_sessions_leave_nothing(bench: Bench, websockets: str) -> None:
    name = f"left-{websockets}"
    bench.pod(name, SLEEP, nodeName=bench.nodes[0])
    bench.ready(name)
    assert bench.kubectl("exec", name, "--", "true") == ""
    files, alive = open_files(bench), processes(bench)
    environment = {
        **os.environ,
        "KUBECONFIG": str(bench.cluster.kubeconfig_path),
        "KUBECTL_REMOTE_COMMAND_WEBSOCKETS": websockets,
    }
    command = ["kubectl", "-n", bench.namespace, "exec", "-i", name, "--", "sleep", "4321"]
    clients = [
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        )
        for _ in range(5)
    ]
    try:
        assert until(lambda: running(bench, "sleep 4321") == 5)
    finally:
        for client in clients:
            client.kill()
            client.communicate()
    assert until(lambda: processes(bench) <= alive and open_files(bench) <= files)
