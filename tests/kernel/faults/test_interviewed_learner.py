"""A learner goes through a whole junior and a whole senior interview, the broken cluster in the middle included."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from podwalk.backends.base import Cluster
from podwalk.course import catalogue as labs
from podwalk.drills import bank as banks
from podwalk.drills.asking import Asked
from podwalk.faults import catalogue, drill, engine
from podwalk.faults.grading import Answer
from podwalk.faults.model import Fault
from podwalk.interview import report, session, state
from podwalk.interview.session import Interview

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[3]
REPAIRS = {
    "F19": (
        "kubectl -n tramway patch service trams --type json -p "
        '\'[{"op":"replace","path":"/spec/ports/0/targetPort","value":8080}]\''
    ),
    "F05": "podwalk node {worker2} -- nft delete table inet site-firewall",
}


def seed_of(fault: str, level: str, cluster: Cluster) -> int:
    """A seed with which the live part of this level draws the fault."""
    fitting = [f for f in catalogue.choose(None, level) if not engine.lacking(f, cluster)]
    return next(s for s in range(5000) if random.Random(s).choice(fitting).id == fault)


def answer_of(asked: Asked) -> str:
    """What somebody who knows it types."""
    question = asked.question
    if question.written:
        assert question.answer is not None
        return f"{asked.fill(question.answer)} {' '.join(p.point.en for p in question.rubric if not p.antipattern)}"
    if question.order is not None:
        return " ".join(asked.marks[asked.order.index(item)] for item in question.order.accepted[0])
    if question.choices:
        return " ".join(m for m, i in zip(asked.marks, asked.order, strict=True) if question.choices[i].ok)
    if question.numeric is not None:
        return str(asked.number)
    if question.spot is not None:
        return str(question.spot.lines[0])
    assert question.predict is not None
    return question.predict.answer


def find_and_repair(held: Interview, cluster: Cluster, repair: str) -> None:
    part = held.part
    assert part is not None
    started = drill.begin(cluster, level=part.level, stacked=part.stacked, seed=held.state.seed)
    try:
        (fault,) = started.faults
        started.suppose("one thing at a time: what would tell?")
        evidence = started.run(fault.lesson.evidence.replace("worker2", f"{cluster.name}-worker2"))
        assert evidence
        started.run(repair.replace("{worker2}", f"{cluster.name}-worker2"))
        graded = started.grade([_found(fault, evidence)])
        held.live_done(started.report(graded))
    finally:
        started.close()


def _found(fault: Fault, evidence: str) -> Answer:
    return Answer(fault.layer, " ".join(fault.lesson.objects), fault.lesson.cause, evidence)


@pytest.mark.parametrize(("track", "level", "fault"), [("junior", "junior", "F19"), ("senior", "senior", "F05")])
def test_a_learner_goes_through_a_whole_interview(
    track: str, level: str, fault: str, faulty: Cluster, tmp_path: Path
) -> None:
    bank = banks.load(ROOT)
    held = session.begin(tmp_path, bank, track, seed=seed_of(fault, level, faulty))
    while held.part is not None:
        asked = held.next()
        if asked is not None:
            held.answer(asked, answer_of(asked))
        elif held.part is not None:
            find_and_repair(held, faulty, REPAIRS[fault])
    held.finish()
    found = report.make(state.load(state.every(tmp_path)[0]), bank, labs.all_labs(ROOT))
    assert found.live is not None
    assert found.live["truth"][0]["id"] == fault
    assert found.live["points"] >= 80, found.live
    assert found.passed, found.short_of
    assert found.dimensions["method"] == 1.0
    assert [e["kind"] for e in found.live["replay"]] == ["hypothesis", "command", "command"]
