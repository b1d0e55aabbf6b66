"""The drill as a learner runs it, in a process of its own; and what becomes of its fault when that one is killed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from podwalk.backends.base import Cluster
from podwalk.client.sync import SyncClient
from podwalk.faults import app, catalogue, engine, keeper, probes, record
from podwalk.faults import drill as live
from podwalk.faults.bench import open_bench
from podwalk.faults.model import FaultError

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(240)]

PODWALK = [sys.executable, "-c", "from podwalk.cli.main import main; main()"]
CAUSE = catalogue.find("F19").lesson.cause
PATCH = '[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]'
REPAIR = f"$ kubectl -n tramway patch service trams --type json -p '{PATCH}'"


@pytest.fixture
def client(faulty: Cluster) -> Iterator[SyncClient]:
    with faulty.client() as one:
        yield one


def until(holds: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"still not true: {what}"
        time.sleep(0.1)


def clean(client: SyncClient) -> bool:
    return not record.load(client) and client.find("Namespace", "tramway") is None


def drill(faulty: Cluster, *lines: str, seed: int) -> subprocess.CompletedProcess[str]:
    options = ["drill", "live", "--name", faulty.name, "--layer", "services", "--level", "junior", "--json"]
    argv = [*PODWALK, *options, "--seed", str(seed)]
    return subprocess.run(argv, input="\n".join(lines), capture_output=True, text=True, timeout=180, check=False)


def seed_of(fault: str) -> int:
    """A seed with which the drill of junior Services draws this fault."""
    import random

    chosen = [f.id for f in catalogue.choose("services", "junior")]
    return next(s for s in range(1000) if random.Random(s).choice(chosen) == fault)


def test_a_learner_who_finds_and_repairs_it(faulty: Cluster, client: SyncClient) -> None:
    done = drill(
        faulty,
        "? nobody listens on the port that the Service names",
        "$ kubectl -n tramway get endpointslice -l kubernetes.io/service-name=trams",
        "$ podwalk fault status",
        REPAIR,
        "done",
        "services",
        "the targetPort of service trams",
        CAUSE,
        "1",
        seed=seed_of("F19"),
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["points"], report["badge"]) == (100, "gold"), report
    assert report["truth"][0]["id"] == "F19"
    assert report["method"] == {"hypotheses": 1, "commands": 3, "hints": 0}
    # The drill never said what it was, and neither did the status.
    told = [e["output"] for e in report["replay"] if e["text"] == "podwalk fault status"]
    assert "hidden" in told[0]
    assert "F19" not in done.stderr + told[0]
    assert clean(client)


def test_a_learner_who_deletes_everything(faulty: Cluster, client: SyncClient) -> None:
    done = drill(
        faulty,
        "hint",
        REPAIR,
        "$ kubectl -n tramway delete networkpolicy --all; kubectl delete pods -n tramway --all --wait=false",
        "done",
        *("dns", "no idea", "1", "no idea"),
        seed=seed_of("F19"),
    )
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["faults"][0]["fix"] == 0
    assert "must be closed" in report["faults"][0]["notes"][0]
    assert [d["points"] for d in report["deductions"]] == [5, 10, 10]
    assert clean(client)


def test_two_faults_at_once(faulty: Cluster, client: SyncClient) -> None:
    one = live.begin(faulty, layer="services", stacked=True, seed=3)
    try:
        assert {r.fault for r in record.load(client)} == {f.id for f in one.faults}
        assert len(one.faults) == 2
        assert all(f.lesson.ticket in one.ticket for f in one.faults)
        result = one.grade([])
        assert [f.fix for f in result.faults] == [0, 0]
        assert result.deductions == (), "what the faults themselves changed is nobody's collateral damage"
    finally:
        one.close()
    assert clean(client)


def test_a_drill_that_is_killed_leaves_nothing(faulty: Cluster, client: SyncClient) -> None:
    argv = [*PODWALK, "drill", "live", "--name", faulty.name, "--layer", "policy", "--level", "junior"]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: record.load(client), "a fault is injected")
        assert all(r.hidden for r in record.load(client))
    finally:
        process.kill()
        process.communicate()
    until(lambda: clean(client), "the keeper has taken it back")
    until(lambda: not keepers(faulty), "the keeper has gone")


def test_a_fault_ends_by_itself(faulty: Cluster, client: SyncClient) -> None:
    done, held = engine.inject(faulty, [catalogue.find("F02")])
    held.close()
    # Nobody waits for a clock: the record says that its time is over.
    record.save(client, replace(done.records[0], expires=0.0))
    record.remove(client, done.records[0])
    until(lambda: clean(client), "the keeper has taken it back")
    assert engine.undo(faulty).records == ()


def test_one_at_a_time_and_only_into_a_clean_cluster(faulty: Cluster, client: SyncClient) -> None:
    _, held = engine.inject(faulty, [catalogue.find("F18")])
    try:
        with pytest.raises(FaultError, match="F18 is injected already; take it back first: podwalk fault undo"):
            engine.inject(faulty, [catalogue.find("F19")])
    finally:
        held.close()
        undone = engine.undo(faulty, keep=True)
    assert undone.clean
    client.patch("Service", "office", {"spec": {"selector": {"app": "nobody"}}}, "tramway")
    with open_bench(faulty) as bench:
        until(lambda: probes.sick(bench.ask(["office"])), "nobody answers at the office")
    # Time enough for what else a loaded machine answers late: the office alone stays ill.
    engine.WELL_SECONDS, before = 3.0, engine.WELL_SECONDS
    try:
        with pytest.raises(FaultError, match="the cluster is not clean: the board calls http://office"):
            engine.inject(faulty, [catalogue.find("F18")])
    finally:
        engine.WELL_SECONDS = before
    app.take_away(client)
    assert clean(client)


def test_the_namespaces_of_somebody_else_are_left_alone(faulty: Cluster, client: SyncClient) -> None:
    assert faulty.kubectl("create", "namespace", "street").ok
    try:
        with pytest.raises(FaultError, match="namespace/street: exists and is not of the faults"):
            engine.inject(faulty, [catalogue.find("F18")])
        engine.undo(faulty)
        assert client.find("Namespace", "street") is not None
    finally:
        assert faulty.kubectl("delete", "namespace", "street").ok


def keepers(faulty: Cluster) -> str:
    return faulty.outside(["sh", "-c", "pgrep -f podwalk.faults.keepe[r] || true"]).stdout.strip()


def test_the_keeper_tells_why_it_cannot_start(faulty: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty, "kubeconfig_path", Path("/nowhere/kubeconfig"))
    with pytest.raises(FaultError, match=r"the keeper does not start .*/nowhere/kubeconfig"):
        keeper.start(faulty)
