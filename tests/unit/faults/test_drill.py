"""The drill without a cluster: what is drawn, what is told, and the commands of a learner."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from podwalk.backends.base import Cluster, ClusterStatus
from podwalk.faults import bench as bench_module
from podwalk.faults import catalogue, drill, engine, grading
from podwalk.faults.bench import Bench
from podwalk.faults.drill import LiveDrill, compatible
from podwalk.faults.model import FaultError

ALL = list(catalogue.FAULTS.values())


class _Cluster:
    """As much of a cluster as a drill needs that asks nobody."""

    name = "there"
    backend = "embedded"
    kubeconfig_path = Path("/there/kubeconfig")

    def __init__(self, **options: Any) -> None:
        self._options = options

    def status(self) -> ClusterStatus:
        return ClusterStatus("there", "embedded", True, "there", "", (), {"options": self._options})


def cluster(**options: Any) -> Cluster:
    return cast(Cluster, _Cluster(**options))


def live(*ids: str) -> LiveDrill:
    faults = tuple(catalogue.find(i) for i in ids)
    return LiveDrill(cluster(), faults, 7, cast(Any, None), cast(Any, None))


@pytest.mark.parametrize("seed", range(40))
def test_two_that_are_stacked_are_of_two_layers_and_compatible(seed: int) -> None:
    first, second = drill._draw(ALL, True, random.Random(seed))
    assert first.layer != second.layer
    assert compatible(first, second)
    assert drill._draw(ALL, True, random.Random(seed)) == [first, second]


def test_one_fault_cannot_be_stacked() -> None:
    with pytest.raises(FaultError, match="leave out --level"):
        drill._draw([catalogue.find("F50")], True, random.Random(1))


def test_the_true_causes_are_among_those_that_look_alike() -> None:
    one = live("F18", "F48")
    assert {f.lesson.cause for f in one.faults} < set(one.causes())
    assert one.causes() == live("F18", "F48").causes()
    assert len(one.causes()) == len(set(one.causes()))
    assert one.minutes == 30


def test_hints_go_from_gentle_to_plain() -> None:
    one = live("F18", "F48")
    given = [one.hint() for _ in range(7)]
    assert given[0] == catalogue.find("F18").lesson.hints[0]
    assert given[1] == catalogue.find("F48").lesson.hints[0]
    assert given[6] == ""
    assert one.hints == 6


def test_a_command_of_the_learner_runs_with_the_cluster_at_hand() -> None:
    one = live("F18")
    assert one.run("echo $KUBECONFIG $PODWALK_CLUSTER; echo sorry >&2; exit 3") == "/there/kubeconfig there\nsorry\n"
    one.suppose("`$(reboot)`")
    one.paste("seen elsewhere")
    assert [e.kind for e in one.entries] == ["command", "hypothesis", "evidence"]
    assert one.outputs() == ["/there/kubeconfig there\nsorry\n", "seen elsewhere"]


def test_a_command_without_an_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert drill.run_command("yes", cluster()).endswith("(stopped after 1000 kB)\n")
    # Time stands still until the command has said something, and is over then.
    said = iter([0.0, 0.0])
    monkeypatch.setattr(drill.time, "monotonic", lambda: next(said, drill._COMMAND_SECONDS + 1))
    assert drill.run_command("echo begun; sleep 600", cluster()) == "begun\n\n(stopped after 60 s)\n"


def test_a_report_is_plain_data_with_the_truth_and_the_replay() -> None:
    one = live("F18")
    one.run("echo hello")
    result = grading.grade(one.faults, [], one.outputs(), 0, grading.After({}), 30)
    report = one.report(result)
    assert report["truth"][0]["id"] == "F18"
    assert report["replay"][0]["output"] == "hello\n"
    assert report["method"] == {"hypotheses": 0, "commands": 1, "hints": 0}


@pytest.mark.parametrize(
    ("fault", "options", "missing"),
    [
        ("F18", {}, ""),
        ("F10", {"cni": "calico"}, "flannel"),
        ("F07", {"cni": "calico"}, "share a link"),
        ("F29", {"proxyMode": "nftables"}, "writes iptables"),
        ("F18", {"networkPolicy": False}, "enforces NetworkPolicies"),
        ("F18", {"proxyMode": "none"}, "a kube-proxy"),
        ("F33", {"loadBalancer": False}, "load balancers"),
        ("F34", {"loadBalancer": False}, "load balancers"),
    ],
)
def test_what_a_cluster_lacks_is_said(fault: str, options: dict[str, Any], missing: str) -> None:
    said = engine.lacking(catalogue.find(fault), cluster(**options))
    assert missing in said
    assert bool(said) == bool(missing)


def test_other_clusters_are_refused() -> None:
    kind = cluster()
    kind.backend = "kind"
    with pytest.raises(FaultError, match="need an embedded one: podwalk up"):
        engine.inject(kind, [catalogue.find("F18")])
    with pytest.raises(FaultError, match="F10 needs a Pod network of flannel's"):
        engine.inject(cluster(cni="kindnet"), [catalogue.find("F10")])


class _Seen(Bench):
    """A bench whose probes see what a list says, one round after the other; then they see nothing more."""

    def __init__(self, *rounds: dict[str, str]) -> None:
        self._rounds = list(rounds)
        self.asked: list[list[str]] = []
        self.clock = 0.0

    def questions(self) -> list[str]:
        return list(WELL)

    def ask(self, names: Collection[str]) -> dict[str, str]:
        self.asked.append(list(names))
        seen = self._rounds.pop(0)
        return {name: seen[name] for name in names}

    def _settle(self, seconds: float) -> None:
        pass


WELL = {"safe-board": "1 × timeout", "clock": "answered by clock"}
ILL = WELL | {"clock": "timeout"}


@pytest.fixture
def after(monkeypatch: pytest.MonkeyPatch) -> Callable[[Bench], grading.After]:
    """What a drill of F18 grades on a bench; nothing but its probes is looked at."""
    for module, name, value in (
        (drill.objects, "snapshot", {}),
        (drill.nodestate, "read", {}),
        (drill.record, "load", ["F18"]),
        (drill, "_pods", frozenset()),
    ):
        monkeypatch.setattr(module, name, lambda *args, value=value: value)
    monkeypatch.setattr(bench_module, "_LOOK", 0.0)
    monkeypatch.setattr(_Seen, "client", None, raising=False)
    one = replace(live("F18"), _before=drill._Before({}, frozenset(), {}, frozenset()))
    return one._after


def test_what_was_well_at_once_is_graded_and_not_asked_once_more(after: Callable[[Bench], grading.After]) -> None:
    bench = _Seen(ILL, WELL, WELL, ILL)
    assert after(bench).seen == WELL
    assert bench.asked == [list(WELL), ["clock"], list(WELL)]


def test_what_is_ill_at_the_end_is_graded_with_the_others(
    after: Callable[[Bench], grading.After], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drill, "_SETTLE_SECONDS", -1.0)
    assert after(_Seen(ILL)).seen == ILL


def test_the_time_to_get_well_begins_after_the_rollouts(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = _Seen(ILL, WELL, WELL)
    monkeypatch.setattr(bench_module.time, "monotonic", lambda: bench.clock)
    monkeypatch.setattr(bench_module.time, "sleep", lambda seconds: None)
    # The rollouts take all of their seconds, and a little more.
    monkeypatch.setattr(bench, "_settle", lambda seconds: setattr(bench, "clock", seconds + 1))
    assert bench.sick(5.0) == {}
