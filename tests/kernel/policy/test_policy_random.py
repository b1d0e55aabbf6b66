"""A short look for disagreements in worlds at random, as root and as an ordinary user (make policy-fuzz: longer)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "unit" / "policy")]

from policy_kernel import Kernel  # noqa: E402 (their folders had to be named first)
from policy_objects import netpol, peer, pod, port, rule, sel  # noqa: E402
from policy_random import search  # noqa: E402

pytestmark = pytest.mark.kernel

_ORDINARY = 65534
_ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the world is made of, where every user can read it."""
    target = Path("/tmp", f"podwalk-policy-{os.getpid()}")
    for folder in ("src", "tests/unit/policy", "tests/kernel/policy"):
        shutil.copytree(_ROOT / folder, target / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield target
    shutil.rmtree(target)


@pytest.fixture(params=["as we are", "as an ordinary user"])
def kernel(request: pytest.FixtureRequest) -> Kernel:
    if request.param == "as we are":
        return Kernel()
    if os.geteuid() != 0:
        pytest.skip("already an ordinary user")
    program = "import sys; sys.exit(sys.version_info < (3, 11))"
    usable = Path("/usr/bin/python3").exists()
    if not usable or subprocess.run(["/usr/bin/python3", "-c", program], user=_ORDINARY, check=False).returncode:
        pytest.skip("no Python 3.11 or newer that an ordinary user can read")
    return Kernel(request.getfixturevalue("readable"), _ORDINARY)


def test_packets_and_evaluator_agree_in_worlds_at_random(kernel: Kernel) -> None:
    worlds, connections, wrong = search(20, 60.0, worlds=10, kernel=kernel)
    assert wrong == []
    assert (worlds, connections > 2000) == (10, True)


def test_more_than_one_transaction_holds(kernel: Kernel) -> None:
    """Rules and sets by the hundred go through an ordinary user's socket, come and go, and still mean the same."""
    crowd = [pod(f"shop/c{i}", f"10.244.1.{20 + i}", "one", {"app": "web"}) for i in range(200)]
    here = [pod("shop/web", "10.244.1.11", "one", {"app": "web"}), pod("data/db", "10.244.2.12", "two", {"app": "db"})]
    policies = [
        netpol("shop", sel(app="web"), ingress=[rule(peer(ns=sel(team="red")), ports=[port(8000 + i)])], name=f"p{i}")
        for i in range(60)
    ]
    policies.append(
        netpol("shop", sel(app="web"), ingress=[rule(peer(ns=sel(team="blue")), ports=[port(80)])], name="z")
    )
    ask = [("data/db", "shop/web", 80, "TCP"), ("data/db", "shop/web", 8001, "TCP")]
    try:
        for pods in ([*here, *crowd], here, [*here, *crowd]):
            seen = kernel.ask(policies, [], ask, [True, False], pods=pods)["outcomes"]
            assert seen == ["refused", "dropped"]
        assert kernel.ask([], [], ask, [True, True], pods=here)["outcomes"] == ["refused", "refused"]
    finally:
        kernel.close()
