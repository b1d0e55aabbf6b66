"""Sittings: what is asked, how it is rated, when it comes again; and what happens to a damaged file or clock."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from drilling import Clock, right_answer, wrong_answer

from podwalk.course.progress import Progress
from podwalk.drills import asking, schedule, session
from podwalk.drills.bank import Bank
from podwalk.drills.grading import AnswerError, Outcome
from podwalk.drills.memory import Memory, Review
from podwalk.drills.session import Session

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def begin(questions: Bank, memory: Memory, clock: Clock, count: int = 20) -> Session:
    return session.begin(questions, memory, count, seed=1, clock=clock)


def answer_all(sitting: Session, seconds: float = 30.0) -> list[str]:
    names = []
    while (asked := sitting.next()) is not None:
        sitting.answer(asked, right_answer(asked), seconds)
        names.append(asked.question.id)
    return names


def test_new_questions_come_by_level_each_after_what_it_needs(questions: Bank, memory: Memory, clock: Clock) -> None:
    names = answer_all(begin(questions, memory, clock))
    assert "t-drill" not in names, "it needs a cluster"
    assert len(names) == len(set(names)) == 9
    levels = [questions.get(n).level for n in names]
    assert levels == sorted(levels, key=["junior", "mid", "senior", "staff"].index)
    assert names.index("t-single") < names.index("t-predict")


def test_what_was_answered_comes_again_when_it_is_due_and_before_what_is_new(
    questions: Bank, memory: Memory, clock: Clock
) -> None:
    first = answer_all(begin(questions, memory, clock, count=3))
    assert not set(first) & {q.id for q in begin(questions, memory, clock).plan}
    clock.move(minutes=11)
    plan = [q.id for q in begin(questions, memory, clock, count=4).plan]
    assert set(plan[:3]) == set(first)
    assert plan[3] not in first


def test_what_was_wrong_is_asked_once_more_in_the_same_sitting(questions: Bank, memory: Memory, clock: Clock) -> None:
    sitting = begin(questions, memory, clock, count=2)
    asked = sitting.next()
    assert asked
    graded = sitting.answer(asked, wrong_answer(asked), 5)
    assert graded.again
    assert graded.rating == schedule.AGAIN
    second, repeated = sitting.next(), None
    assert second
    sitting.answer(second, right_answer(second), 5)
    repeated = sitting.next()
    assert repeated
    assert repeated.question.id == asked.question.id
    assert sitting.repeating
    assert not sitting.answer(repeated, wrong_answer(repeated), 5).again
    assert sitting.next() is None


def test_good_answers_move_a_card_further_and_further_but_never_beyond_two_months(
    questions: Bank, memory: Memory, clock: Clock
) -> None:
    distances = []
    for _ in range(10):
        due = memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
        distances.append(due - clock())
        clock.now = due
    assert distances[0] == timedelta(minutes=10)
    assert distances == sorted(distances)
    assert distances[-1] == timedelta(days=schedule.MOST_DAYS)


@pytest.mark.parametrize(
    ("outcome", "seconds", "hinted", "sure", "expected"),
    [
        (Outcome(0, False, ""), 1, False, True, schedule.AGAIN),
        (Outcome(0.7, False, ""), 1, False, False, schedule.AGAIN),
        (Outcome(1, True, ""), 30, True, False, schedule.HARD),
        (Outcome(1, True, ""), 61, False, True, schedule.HARD),
        (Outcome(0.7, True, ""), 10, False, True, schedule.HARD),
        (Outcome(1, True, "", vouched=0.9), 10, False, True, schedule.HARD),
        (Outcome(1, True, ""), 30, False, True, schedule.GOOD_),
        (Outcome(1, True, ""), 10, False, False, schedule.GOOD_),
        (Outcome(1, True, ""), 10, False, True, schedule.EASY),
    ],
)
def test_the_rating_follows_from_how_it_was_known(
    questions: Bank, outcome: Outcome, seconds: float, hinted: bool, sure: bool, expected: int
) -> None:
    found = schedule.rating(questions.get("t-single"), outcome, seconds, hinted=hinted, sure=sure)
    assert found == expected


def test_no_answer_keeps_nothing(questions: Bank, memory: Memory, clock: Clock) -> None:
    sitting = begin(questions, memory, clock)
    asked = sitting.next()
    assert asked
    with pytest.raises(AnswerError):
        sitting.answer(asked, "", 1)
    assert memory.reviews() == []
    assert memory.seen() == {}


def test_every_answer_is_kept_with_what_it_takes_to_ask_it_again(questions: Bank, memory: Memory, clock: Clock) -> None:
    sitting = begin(questions, memory, clock, count=1)
    asked = sitting.next()
    assert asked
    sitting.answer(asked, right_answer(asked), 12.5, hinted=True, sure=True)
    [(at, review)] = memory.reviews(asked.question.id)
    assert at == NOON
    assert (review.seconds, review.hints, review.sure, review.session) == (12.5, 1, True, sitting.id)
    assert asking.ask(asked.question, review.seed) == asked
    assert review.answer == right_answer(asked)


def test_a_clock_set_back_counts_as_now(memory: Memory, clock: Clock) -> None:
    for _ in range(4):
        clock.now = memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
    ahead = clock.now
    clock.now = NOON
    due = memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
    assert NOON < due <= NOON + timedelta(days=schedule.MOST_DAYS)
    assert ahead > NOON


def test_a_clock_that_was_years_ahead_hides_no_card(memory: Memory, clock: Clock) -> None:
    clock.move(days=4000)
    memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
    clock.move(days=-4000)
    assert memory.due(clock()) == ["t-single"]


SENSELESS = {"card_id": 0, "state": 2, "step": None, "due": str(NOON), "last_review": str(NOON)}


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"card_id": 1}',
        '{"due": 3}',
        json.dumps({**SENSELESS, "stability": "much", "difficulty": 5}),
        json.dumps({**SENSELESS, "stability": None, "difficulty": None}),
        json.dumps({**SENSELESS, "stability": float("nan"), "difficulty": 5}),
        json.dumps({**SENSELESS, "stability": 5, "difficulty": 5, "state": 9}),
    ],
)
def test_a_damaged_card_begins_anew_and_says_so(memory: Memory, clock: Clock, damage: str) -> None:
    memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
    with memory.progress.transaction() as db:
        db.execute("UPDATE cards SET card = ?, due = ?", (damage, "whenever"))
    assert "t-single" in memory.seen()
    memory.record(Review("s", "t-single", schedule.GOOD_, 1.0, 10), clock())
    assert memory.notices == ["the card of t-single was damaged; it begins anew"]
    assert memory.seen()["t-single"] == NOON + timedelta(minutes=10)


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from podwalk.course.progress import Progress
from podwalk.drills.memory import Memory, Review
with Progress(Path(sys.argv[1])) as progress:
    memory = Memory(progress)
    for number in range(25):
        memory.record(Review(sys.argv[2], "t-single", 3, 1.0, 1.0), datetime.now(UTC))
"""


def test_two_sittings_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "progress.sqlite"
    argv = [sys.executable, "-c", WRITER, str(path)]
    both = [subprocess.Popen([*argv, name]) for name in ("one", "two")]
    assert [p.wait(60) for p in both] == [0, 0]
    with Progress(path) as progress:
        reviews = [review.session for _, review in Memory(progress).reviews()]
    assert sorted(reviews) == ["one"] * 25 + ["two"] * 25


def test_a_file_of_an_older_podwalk_is_brought_along(tmp_path: Path) -> None:
    path = tmp_path / "progress.sqlite"
    with Progress(path) as progress:
        progress.take_hint("a/b", 1, 2)
        with progress.transaction() as db:
            for statement in ("DROP TABLE cards", "DROP TABLE reviews", "PRAGMA user_version = 2"):
                db.execute(statement)
    with Progress(path) as progress:
        assert progress.hints_taken("a/b") == 1
        assert Memory(progress).seen() == {}
