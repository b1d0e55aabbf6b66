"""A course of one tiny lab on a cluster of dictionaries."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))

from fake_cluster import FakeCluster

from podwalk.course import catalogue
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course
from podwalk.course.progress import Progress

LAB_YAML = """\
title: The shop is shut
order: 10
minutes: [5, 10]
difficulty: easy
backends: [embedded]
objectives: [see]
namespaces: [shop]
points:
  it answers: 5
hints:
  - Is it?
  - text: It is.
    cost: 2
"""

SETUP = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: v1
kind: Pod
metadata:
  name: client
  namespace: shop
"""

CHECKER = '''\
"""shut: open it."""

from podwalk.checks import Lab


def check(lab: Lab) -> None:
    """One step and one guard."""
    with lab.step("it answers", nudge="does it?"):
        lab.http("shop/client", "http://web/").expect(status=200)
    with lab.guard("the client is the same Pod", nudge="is it?"):
        lab.same_pod("shop/client")
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course with the lab services/shut."""
    files = {
        "labs/services/shut/lab.yaml": LAB_YAML,
        "labs/services/shut/README.md": "# The shop is shut\n\nIt is.\n",
        "labs/services/shut/setup/10.yaml": SETUP,
        "checkers/services/shut.py": CHECKER,
        "solutions/services/shut/README.md": "# Why\n",
        "solutions/services/shut/fix/fix.sh": 'test "$KUBECONFIG" = /nonexistent/kubeconfig\n',
        "solutions/services/shut/wrong/wrong.sh": "echo no >&2\nfalse\n",
    }
    for name, text in files.items():
        path = tmp_path / "course" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "course"


@pytest.fixture
def lab(root: Path) -> LabSpec:
    return catalogue.find(root, "shut")


@pytest.fixture
def fake() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def progress(tmp_path: Path) -> Iterator[Progress]:
    with Progress(tmp_path / "home" / "progress.sqlite") as opened:
        yield opened


@pytest.fixture
def course(fake: FakeCluster, progress: Progress) -> Course:
    return Course(fake, progress)  # type: ignore[arg-type]
