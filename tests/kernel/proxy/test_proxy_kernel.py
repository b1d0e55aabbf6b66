"""kube-proxy's rules in a kernel: the rows of the simulator, and what only a kernel can show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
UNIT = HERE.parents[1] / "unit" / "proxy"
sys.path.insert(0, str(UNIT))

import proxy_rows  # noqa: E402 (its folder had to be named first)

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module", params=["iptables", "nftables"])
def seen(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What proxy_world.py saw, in each of kube-proxy's modes."""
    path = os.pathsep.join(p for p in (str(UNIT), os.environ.get("PYTHONPATH", "")) if p)
    done = subprocess.run(
        [sys.executable, str(HERE / "proxy_world.py"), request.param],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {**json.loads(done.stdout), "mode": request.param}


@pytest.mark.parametrize("row", proxy_rows.ROWS, ids=lambda row: row.id)
def test_the_kernel_does_what_the_simulator_says(row: proxy_rows.Row, seen: dict[str, Any]) -> None:
    observed: dict[str, list[str]] = seen["rows"][row.id]
    row = row.of_mode(seen["mode"])
    if row.destination == "127.0.0.1" and row.targets == {"untouched"}:
        assert observed.keys() == {"refused"}  # by the node itself: nothing listens there
        return
    if row.targets <= {"dropped", "untouched"}:
        assert set(observed) <= {"silence", "error Network is unreachable", "error No route to host"}
        return
    assert set(observed) == row.targets
    for target, sources in observed.items():
        if target == "refused" or row.source == proxy_rows.HOST:
            continue  # the node's own address is what masquerading gives, too
        assert (sources != [row.source]) == (target in row.masqueraded), f"{target} saw {sources}"


def test_a_client_with_affinity_stays_where_it_was(seen: dict[str, Any]) -> None:
    (first,) = seen["affinity"].pop("first")
    assert list(seen["affinity"]) == [first]


def test_a_udp_client_follows_the_service_to_its_new_endpoint(seen: dict[str, Any]) -> None:
    assert seen["udp_flow"] == [proxy_rows.HERE, proxy_rows.HERE2]


def test_many_services_come_and_go(seen: dict[str, Any]) -> None:
    assert seen["big_change"] == {"reached": sorted((proxy_rows.HERE, proxy_rows.THERE)), "left": []}


def test_deleted_chains_are_noticed_and_written_again(seen: dict[str, Any]) -> None:
    assert seen["broken_by_hand"] == {"canary": [True, False], "answers": [proxy_rows.HERE]}
