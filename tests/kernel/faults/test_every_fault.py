"""Every fault shows by real packets, leaves its evidence where the lesson says, and goes without a trace."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from podwalk.backends.base import Cluster
from podwalk.faults import app, catalogue, drill, engine
from podwalk.faults.bench import Bench
from podwalk.faults.model import Fault

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def bench(faulty: Cluster) -> Iterator[Bench]:
    """The tramway with every part that this machine can have, once for all faults."""
    lacking = {need for f in catalogue.FAULTS.values() if engine.lacking(f, faulty) for need in f.needs}
    with Bench(faulty) as one:
        one.put(set(app.PARTS) - lacking)
        assert one.sick(30) == {}
        yield one
        app.take_away(one.client)


def evidence(fault: Fault, faulty: Cluster) -> str:
    """What the lesson's command prints, run again until its token shows or the time of a symptom is over.

    The symptom may come first: who cannot reach a Pod knows it before the Pod that replaces it is made.
    """
    deadline = time.monotonic() + engine.SHOW_SECONDS
    while True:
        output = drill.run_command(fault.lesson.evidence, faulty)
        if re.search(fault.lesson.token, output, re.M) or time.monotonic() > deadline:
            return output


@pytest.mark.parametrize("name", catalogue.FAULTS)
def test_a_fault_shows_and_goes(bench: Bench, faulty: Cluster, name: str) -> None:
    fault = catalogue.find(name)
    if missing := engine.lacking(fault, faulty):
        pytest.skip(f"needs {missing}")
    done = engine.strike(bench, [fault], seed=1)
    try:
        assert set(done.seen) == set(fault.shows)
        output = evidence(fault, faulty)
        assert re.search(fault.lesson.token, output, re.M), output
    finally:
        undone = engine.undo(faulty, keep=True)
    # Every question is answered as before, and every node has the lines that it had.
    assert undone.ill == {}
    assert undone.left == ()


def test_no_evidence_without_its_fault(bench: Bench, faulty: Cluster) -> None:
    """What a lesson calls evidence is not there on a cluster that is well: otherwise it would prove nothing."""
    lessons = {f.id: f.lesson for f in catalogue.FAULTS.values() if not engine.lacking(f, faulty)}
    with ThreadPoolExecutor(3) as pool:
        outputs = pool.map(lambda lesson: drill.run_command(lesson.evidence, faulty), lessons.values())
        seen = dict(zip(lessons, outputs, strict=True))
    assert [name for name, output in seen.items() if re.search(lessons[name].token, output, re.M)] == []
