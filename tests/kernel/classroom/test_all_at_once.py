"""A class does a lab at the same time, each on a cluster of their own, on one machine.

Eight learners, so that other tests have room beside them; thirty, or $PODWALK_LEARNERS, by `make class`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from instructor import LAB, ROOT, Instructor

LEARNERS = [f"learner-{number:02}" for number in range(int(os.environ.get("PODWALK_LEARNERS", "8")))]
# One who leaves the fault in: a mark is of the learner's own cluster, not of the room's.
IDLE = LEARNERS[3]


@pytest.fixture
def instructor(tmp_path: Path) -> Iterator[Instructor]:
    one = Instructor(tmp_path)
    one.patience = 15 * len(LEARNERS)
    (tmp_path / "roster.yaml").write_text("\n".join(f"- {name}" for name in LEARNERS))
    try:
        one.run("class", "up", "--roster", str(tmp_path / "roster.yaml"))
        yield one
    finally:
        one.run("class", "down")


@pytest.mark.kernel
@pytest.mark.timeout(60 * len(LEARNERS))
def test_each_is_marked_for_what_they_did(instructor: Instructor) -> None:
    fix = ROOT / "solutions" / LAB / "fix" / "10-service.yaml"

    def learn(name: str) -> None:
        instructor.run("lab", "start", LAB, learner=name)
        instructor.run("lab", "check", learner=name, code=1)
        if name != IDLE:
            instructor.kubectl(name, "apply", "-f", str(fix))
            instructor.run("lab", "check", learner=name)

    with ThreadPoolExecutor(len(LEARNERS)) as pool:
        list(pool.map(learn, LEARNERS))
    instructor.run("class", "collect")
    instructor.run("class", "grades")
    marks = instructor.marks()
    assert {name: (row["file"], row["done"], row["points"]) for name, row in marks.items()} == {
        name: ("sealed", "no", "0") if name == IDLE else ("sealed", "yes", "10") for name in LEARNERS
    }
