"""What must hold of every fault, and of every question that is asked of the application."""

from __future__ import annotations

import re
from collections import Counter
from importlib import resources

import pytest
import yaml

from podwalk.faults import catalogue, probes
from podwalk.faults.drill import compatible
from podwalk.faults.model import LAYERS, LEVELS, Fault, FaultError, lessons
from podwalk.faults.objects import InApi
from podwalk.faults.onnode import OnNode

FAULTS = list(catalogue.FAULTS.values())


@pytest.fixture(params=FAULTS, ids=lambda f: f.id)
def fault(request: pytest.FixtureRequest) -> Fault:
    found: Fault = request.param
    return found


def test_every_layer_and_level_has_faults() -> None:
    assert len(FAULTS) >= 50
    assert set(Counter(f.layer for f in FAULTS)) == set(LAYERS)
    assert set(Counter(f.level for f in FAULTS)) == set(LEVELS)
    assert set(lessons()) == set(catalogue.FAULTS)


def test_a_fault_shows_in_probes_that_are_ill_then(fault: Fault) -> None:
    assert set(fault.shows) <= set(probes.PROBES)
    for name in fault.shows:
        re.compile(fault.shows[name])
        part = probes.PROBES[name].part
        assert not part or part in fault.needs, f"{name} needs {part}"
    # A pattern that is the healthy one says what still works; at least one says what does not.
    healthy = ["1 × HTTP 200 from x", "12 × HTTP 200 from trams-east, trams-west", "shared", "Service trams"]
    assert any(not any(re.fullmatch(p, h) for h in healthy) for p in fault.shows.values())


def test_a_lesson_can_be_told_and_graded(fault: Fault) -> None:
    lesson = fault.lesson
    for pattern in (*lesson.objects, lesson.token):
        re.compile(pattern)
    assert len(lesson.hints) == 3
    assert lesson.ticket
    assert lesson.evidence.startswith(("kubectl ", "podwalk node "))
    assert lesson.cause not in lesson.ticket
    assert fault.id not in lesson.mistaken_for
    assert set(lesson.mistaken_for) <= set(catalogue.FAULTS)
    assert len(set(lesson.mistaken_for)) >= 3
    # The ticket tells symptoms, never the line that proves the cause.
    assert not re.search(lesson.token, lesson.ticket, re.M)


def test_causes_are_told_apart() -> None:
    assert [c for c, n in Counter(f.lesson.cause for f in FAULTS).items() if n > 1] == []


def test_what_a_fault_changes_may_be_repaired(fault: Fault) -> None:
    import fnmatch

    if isinstance(fault, InApi):
        for change in fault.changes:
            assert any(fnmatch.fnmatchcase(change.ref, p) for p in fault.allowed), change.ref
    else:
        assert isinstance(fault, OnNode)
        assert fault.do.strip()
        assert fault.mend.strip()


def test_faults_are_found_in_any_case() -> None:
    assert catalogue.find("f18").id == "F18"
    with pytest.raises(FaultError, match="podwalk fault list"):
        catalogue.find("F99")


def test_faults_that_touch_the_same_object_are_not_stacked() -> None:
    selector, port = catalogue.find("F18"), catalogue.find("F19")
    assert not compatible(selector, port)
    assert compatible(selector, catalogue.find("F48"))


def test_the_manifests_are_yaml_and_say_what_they_belong_to() -> None:
    folder = resources.files("podwalk.faults").joinpath("manifests")
    names = sorted(p.name for p in folder.iterdir() if p.name.endswith(".yaml"))
    assert names == ["balancer.yaml", "core.yaml", "gateway.yaml", "ingress.yaml"]
    for name in names:
        for obj in yaml.load_all(folder.joinpath(name).read_text(), Loader=yaml.CSafeLoader):
            assert obj["kind"]
            if obj["kind"] == "Namespace":
                assert obj["metadata"]["labels"]["podwalk.dev/faults"] == "app"
