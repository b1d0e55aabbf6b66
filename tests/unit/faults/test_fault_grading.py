"""Grades of live drills, from data alone."""

from __future__ import annotations

import pytest

from podwalk.faults import catalogue, grading, probes
from podwalk.faults.grading import After, Answer

F18, F48 = catalogue.find("F18"), catalogue.find("F48")
WELL = {
    "service": "12 × HTTP 200 from trams-east, trams-west", "near": "1 × HTTP 200 from trams-east",
    "office": "1 × HTTP 200 from office", "safe-board": "1 × timeout", "safe-stranger": "1 × timeout",
    "abroad": "15 × HTTP 200 from somebody",
}  # fmt: skip
SEEN = "trams-abc   IPv4   <unset>   <unset>   3m"
RIGHT = Answer("services", "the selector of service trams", F18.lesson.cause, SEEN)


def graded(
    answer: Answer = RIGHT, *, seen: dict[str, str] | None = None, hints: int = 0, seconds: float = 60, **after: object
) -> grading.Result:
    return grading.grade([F18], [answer], [SEEN], hints, After({**WELL, **(seen or {})}, **after), seconds)  # type: ignore[arg-type]


def test_all_right_is_a_hundred_and_gold() -> None:
    result = graded()
    assert (result.points, result.badge, result.deductions) == (100, "gold", ())


@pytest.mark.parametrize(
    ("answer", "points"),
    [
        (Answer("dns", RIGHT.object, RIGHT.cause, SEEN), 85),
        (Answer(RIGHT.layer, "something", RIGHT.cause, SEEN), 85),
        (Answer(RIGHT.layer, "", RIGHT.cause, SEEN), 85),
        (Answer(RIGHT.layer, RIGHT.object, catalogue.find("F19").lesson.cause, SEEN), 75),
        # It was on the screen, and something else was cited.
        (Answer(RIGHT.layer, RIGHT.object, RIGHT.cause, "no idea"), 93),
        (Answer(), 38),
    ],
)
def test_each_part_of_the_answer_counts(answer: Answer, points: int) -> None:
    assert graded(answer).points == points


def test_evidence_that_nobody_saw_counts_nothing() -> None:
    answer = Answer(RIGHT.layer, RIGHT.object, RIGHT.cause, "all fine")
    result = grading.grade([F18], [answer], ["all fine"], 0, After(WELL), 60)
    assert result.faults[0].evidence == 0


def test_a_symptom_that_stays_earns_nothing_for_the_repair() -> None:
    result = graded(seen={"service": "1 × connection refused"})
    assert result.faults[0].fix == 0
    assert "connection refused" in result.faults[0].notes[0]


def test_a_door_that_was_closed_and_is_open_earns_nothing_either() -> None:
    result = graded(seen={"safe-stranger": "1 × HTTP 200 from safe"})
    assert result.faults[0].fix == 0
    assert "must be closed" in result.faults[0].notes[0]


def test_to_take_it_back_is_no_repair() -> None:
    result = graded(taken_back=True)
    assert result.points == 70
    assert "podwalk fault undo" in result.faults[0].notes[0]


def test_something_else_that_broke_costs_part_of_the_repair() -> None:
    assert graded(seen={"office": "1 × timeout"}).faults[0].fix == 25


def test_hints_and_collateral_damage_cost() -> None:
    result = graded(hints=2, changed=["Service tramway/office"], nodes=["worker: - rule"], replaced=0.8)
    assert [cost for _, cost in result.deductions] == [5, 10, 10, 10]
    assert result.points == 65
    assert "Service tramway/office and 1 more" in result.deductions[2][0]


@pytest.mark.parametrize(("seconds", "badge"), [(299, "gold"), (301, "silver"), (599, "silver"), (601, "bronze")])
def test_time_only_decides_the_colour(seconds: float, badge: str) -> None:
    result = graded(seconds=seconds)
    assert (result.points, result.badge) == (100, badge)


def test_no_badge_without_a_pass() -> None:
    assert graded(Answer()).badge == ""


def test_answers_to_two_faults_may_come_in_any_order() -> None:
    other = Answer("policy", "POSTROUTING", F48.lesson.cause, "-A POSTROUTING -s 10.244.1.0/24 -j ACCEPT")
    one_way = grading.grade([F18, F48], [RIGHT, other], [SEEN], 0, After(WELL), 60)
    other_way = grading.grade([F18, F48], [other, RIGHT], [SEEN], 0, After(WELL), 60)
    assert one_way.points == other_way.points == 100
    # One of two found is half of it, and the hints of both cost by how plain they are.
    half = grading.grade([F18, F48], [RIGHT], [SEEN], 3, After({**WELL, "abroad": "1 × timeout"}), 60)
    assert [f.points for f in half.faults] == [95, 0]
    assert [cost for _, cost in half.deductions] == [5, 5, 10]


def test_points_never_fall_below_nothing() -> None:
    assert graded(Answer(), seen={"service": "1 × timeout"}, hints=3, changed=["x"], replaced=1.0).points == 0


def test_a_result_is_plain_data() -> None:
    data = graded(hints=1).as_dict()
    assert data["points"] == 95
    assert data["faults"][0]["points"] == 100
    assert data["deductions"] == [{"for": "hint 1", "points": 5}]


def test_only_unrelated_objects_are_told() -> None:
    before = {"Service a/x": {"spec": 1}, "Service a/y": {"spec": 1}, "Secret a/z": {}}
    after = {"Service a/x": {"spec": 2}, "Service a/y": {"spec": 2}, "ConfigMap a/new": {}}
    assert grading.unrelated(before, after, ["Service a/x", "Secret a/*"]) == ["ConfigMap a/new", "Service a/y"]


def test_every_probe_that_must_fail_is_one_of_two_kinds() -> None:
    assert {p.name for p in probes.PROBES.values() if p.closed} == {"safe-board", "safe-stranger"}
