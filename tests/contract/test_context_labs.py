"""Labs on a cluster that somebody else runs, with every answer that they have.

One lab here; with PODWALK_CONTEXT_LABS=all (`make context-labs`) all that say they run there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster, home
from podwalk.backends.context import ContextBackend
from podwalk.checks import control
from podwalk.checks.render import plain
from podwalk.checks.report import Verdict
from podwalk.course import catalogue
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course
from podwalk.course.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
ALL = os.environ.get("PODWALK_CONTEXT_LABS") == "all"
FEW = ("fish-are-not-fed",)
LABS = [lab for lab in catalogue.all_labs(ROOT) if "context" in lab.backends]
CASES = [
    pytest.param(lab, answer, id=f"{lab.id}-{answer.stem if answer else 'untouched'}")
    for lab in LABS
    if ALL or lab.id in FEW
    for answer in (
        None,
        lab.solution / "fix",
        *sorted(lab.solution.glob("also/*.*")),
        *sorted(lab.solution.glob("wrong/*.*")),
    )
]

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def course(cluster: Cluster, podwalk_home: Path) -> Iterator[Course]:
    spaces = {name for lab in LABS for name in lab.namespaces} | {control.NAMESPACE}
    backend = ContextBackend(cluster.kubeconfig_path, cluster.context, "ada", spaces)
    joined = backend.up(clusterconfig.default("joined"), progress=lambda fact: None)
    with Progress(home() / "joined.sqlite") as progress:
        yield Course(joined, progress)
    joined.down()


@pytest.mark.parametrize(("lab", "answer"), CASES)
def test_an_answer_is_judged_as_at_home(course: Course, lab: LabSpec, answer: Path | None) -> None:
    course.start(lab)
    if answer is not None:
        course.answer(lab, answer)
    report = course.check(lab)
    kind = answer.parent.name if answer else ""
    if kind == "wrong":
        assert answer is not None
        title = answer.read_text(encoding="utf-8").splitlines()[0].removeprefix("# fails: ")
        assert report.step(title).verdict is Verdict.NOT_YET, plain(report)
    wanted = Verdict.PASS if answer and kind != "wrong" else Verdict.NOT_YET
    assert report.verdict is wanted, plain(report)
    assert course.stop(lab) == []
