"""Another user of the machine reaches neither the API, nor the kubeconfig, nor the sandbox."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest
from raw_streams import Door, family, supervisor

from podwalk.backends.base import Cluster

pytestmark = pytest.mark.kernel

_NOBODY = 65534
# What a stranger tries; it prints what worked. Standard library only: a stranger has no virtual environment.
_STRANGER = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
kubeconfig, pids = sys.argv[1], [int(p) for p in sys.argv[2:]]
def attempt(what, does):
    try:
        does()
    except OSError:
        return
    print(what)
def enter(pid, kind):
    fd = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY)
    if libc.setns(fd, 0):
        raise OSError(ctypes.get_errno(), "setns")
attempt("kubeconfig", lambda: open(kubeconfig).read())
attempt("its folder", lambda: os.listdir(os.path.dirname(kubeconfig)))
for pid in pids:
    attempt(f"signal {pid}", lambda: os.kill(pid, 0))
    attempt(f"memory {pid}", lambda: open(f"/proc/{pid}/mem", "rb"))
    attempt(f"environment {pid}", lambda: open(f"/proc/{pid}/environ").read())
    attempt(f"root {pid}", lambda: os.listdir(f"/proc/{pid}/root"))
    attempt(f"files {pid}", lambda: os.listdir(f"/proc/{pid}/fd"))
    for kind in ("user", "net", "mnt", "pid"):
        attempt(f"enter {kind} {pid}", lambda: enter(pid, kind))
print("done")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_stranger_gets_nowhere(cluster: Cluster) -> None:
    python = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if os.access(p, os.X_OK)), sys.executable)
    pids = [str(pid) for pid in family(supervisor(cluster.kubeconfig_path))]
    assert len(pids) > 5
    tried = subprocess.run(
        [python, "-c", _STRANGER, str(cluster.kubeconfig_path), *pids],
        user=_NOBODY, group=_NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert tried.stdout.split("\n") == ["done", ""]


def test_files_are_the_owners_alone(cluster: Cluster) -> None:
    assert stat.S_IMODE(cluster.kubeconfig_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(cluster.kubeconfig_path.parent.stat().st_mode) == 0o700


CLOSED = ("/api/v1/secrets", "/api/v1/pods", "/apis/apps/v1/deployments", "/openapi/v3", "/api", "/metrics", "/logs")
REFUSALS = {"": "403", "wrong": "401", "a" * 3000: "401"}


@pytest.mark.parametrize("token", REFUSALS, ids=["without", "wrong", "long"])
@pytest.mark.parametrize("path", CLOSED)
def test_nobody_asks_without_a_token(cluster: Cluster, path: str, token: str) -> None:
    with Door(cluster.kubeconfig_path).request(path, "Connection: close", token=token) as opened:
        assert opened.recv(4096).split()[1].decode() == REFUSALS[token]


def test_it_listens_on_loopback_only(cluster: Cluster) -> None:
    """Other machines have no way to it, token or not."""
    address, port = Door(cluster.kubeconfig_path).address
    with open("/proc/net/tcp", encoding="ascii") as lines:
        listening = [line.split()[1] for line in lines if f":{port:04X} 00000000:0000 0A" in line]
    assert (address, listening) == ("127.0.0.1", [f"0100007F:{port:04X}"])
