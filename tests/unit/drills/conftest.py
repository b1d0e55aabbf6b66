"""A tiny course with questions of every type, and a clock that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from drilling import Clock

from podwalk.course.progress import Progress
from podwalk.drills import bank
from podwalk.drills.bank import Bank
from podwalk.drills.memory import Memory

QUESTIONS = """\
layer: services
questions:
  - id: t-single
    type: single
    level: junior
    exam: [CKA.services]
    stem: Which?
    hint: The green one.
    choices:
      - {ok: true, text: green}
      - {text: red, why: Too hot.}
      - {text: blue, why: Too cold.}
    explain: Green it is.
    refs: [page]
  - id: t-multi
    type: multi
    level: junior
    exam: [CKA.services]
    stem: Which ones?
    choices:
      - {ok: true, text: one}
      - {ok: true, text: two}
      - {text: three, why: Too many.}
      - {text: four, why: Far too many.}
    explain: One and two.
    refs: [page]
  - id: t-order
    type: order
    level: mid
    exam: [CKA.services]
    stem: In which order?
    order:
      items: [first, second, third, fourth]
      also: [[2, 1, 3, 4]]
    explain: So.
    refs: [page]
  - id: t-predict
    type: predict
    level: mid
    exam: [CKA.services]
    prereq: [t-single]
    stem: What will it say?
    artifact: shown.txt
    predict:
      answer: 10.0.0.1
      traps: [{pattern: '10\\.0\\.0\\.2', why: That is the other one.}]
    explain: Look at it.
    refs: [page]
  - id: t-numeric
    type: numeric
    level: mid
    exam: [CKA.services]
    stem: "{n} legs: which share?"
    numeric:
      params: {n: [3, 4, 7]}
      expr: 1 / n
      tol: 0.005
      traps: [{expr: 1 / (n - 1), why: One fewer.}]
    explain: One in n.
    refs: [page]
  - id: t-free
    type: free
    level: senior
    exam: [beyond]
    stem: {en: Why?, zh: 为什么？}
    answer: The rules are in the kernel, and conntrack remembers.
    rubric:
      - {point: The kernel, weight: 3, must: true, any_of: [kernel]}
      - {point: conntrack, weight: 1, any_of: [conntrack]}
      - {point: Says that the proxy carries, weight: 2, antipattern: true, any_of: ['proxy carries']}
    explain: Because.
    refs: [page]
  - id: t-spot
    type: spot
    level: junior
    exam: [CKAD.services]
    stem: Which line?
    spot:
      text: |
        a: 1
        b: 3
      lines: [2]
      near: {1: It is right.}
      fix: |
        a: 1
        b: 2
    explain: Two.
    refs: [page]
  - id: t-myth
    type: myth
    level: junior
    exam: [beyond]
    stem: Pods walk.
    choices:
      - {ok: true, text: They do not.}
      - {text: They run., why: No.}
    explain: They stay.
    refs: [page]
  - id: t-design
    type: design
    level: staff
    exam: [beyond]
    stem: Design it.
    constraints: [Cheaply.]
    answer: With numbers, and a rollback.
    rubric:
      - {point: Numbers, must: true, any_of: [number]}
      - {point: Rollback, any_of: [rollback]}
    explain: Numbers.
    refs: [page]
  - id: t-drill
    type: drill
    level: senior
    exam: [CKA.troubleshooting]
    stem: It refuses.
    drill: {fault: F18, layer: services, object: Service, cause: A typo.}
    explain: So it was.
    refs: [page]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A course folder with one file of questions."""
    for name in ("labs", "drills/questions", "drills/artifacts"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "drills/questions/services.yaml").write_text(QUESTIONS)
    (tmp_path / "drills/references.yaml").write_text("page: https://kubernetes.io/\n")
    (tmp_path / "drills/artifacts/shown.txt").write_text("$ show it\n10.0.0.1\n")
    return tmp_path


@pytest.fixture
def questions(root: Path) -> Bank:
    """The bank of the tiny course."""
    return bank.load(root)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    """A memory in a fresh progress file."""
    with Progress(tmp_path / "progress.sqlite") as progress:
        yield Memory(progress)


@pytest.fixture
def clock() -> Clock:
    """Noon."""
    return Clock()
