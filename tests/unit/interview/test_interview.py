"""An interview from the first question to the report, interrupted wherever one likes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwalk.course import catalogue
from podwalk.drills import bank as banks
from podwalk.drills.asking import Asked
from podwalk.drills.bank import Bank
from podwalk.interview import model, plan, render, report, script, session, state
from podwalk.interview.session import Interview
from podwalk.interview.state import InterviewError

ROOT = Path(__file__).parents[3]
LIVE = {
    "points": 80, "badge": "", "seconds": 300, "faults": [{"fault": "F18", "evidence": 15, "points": 80}],
    "deductions": [{"for": "a hint", "points": 5}], "method": {"hypotheses": 2, "commands": 5, "hints": 1},
    "truth": [{"cause": "the selector", "evidence": "kubectl get", "fix": "kubectl edit"}],
    "replay": [{"kind": "command", "text": "kubectl get pods", "seconds": 3.0, "output": ""}],
}  # fmt: skip


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def bank() -> Bank:
    return banks.load(ROOT)


def right_answer(asked: Asked) -> str:
    """What somebody who knows it types."""
    question = asked.question
    if question.written:
        said = [p.point.en for p in question.rubric if not p.antipattern]
        return f"{asked.fill(question.answer) if question.answer else ''} {' '.join(said)}"
    if question.order is not None:
        wanted = question.order.accepted[0]
        return " ".join(asked.marks[asked.order.index(item)] for item in wanted)
    if question.choices:
        return " ".join(m for m, i in zip(asked.marks, asked.order, strict=True) if question.choices[i].ok)
    if question.numeric is not None:
        return str(asked.number)
    if question.spot is not None:
        return str(question.spot.lines[0])
    assert question.predict is not None
    return question.predict.answer


def go_through(held: Interview, live: dict[str, object] | None = LIVE) -> None:
    while held.part is not None:
        asked = held.next()
        if asked is not None:
            held.answer(asked, right_answer(asked))
        elif held.part is not None:
            held.live_done(live, "" if live else "there was no cluster")
    held.finish()


@pytest.mark.parametrize("track", model.tracks())
def test_every_track_is_as_long_as_its_parts_and_has_its_questions(track: str, bank: Bank) -> None:
    chosen = model.tracks()[track]
    assert sum(p.minutes for p in chosen.parts) == chosen.minutes
    drawn = plan.draw(chosen, bank, 7)
    for part, names in zip(chosen.parts, drawn, strict=True):
        assert len(names) == (part.count or part.depth or (0 if part.kind == "live" else 1)), part.title
    names = [n for part in drawn for n in part]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("track", ["junior", "senior"])
def test_who_knows_everything_passes(track: str, bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, track, seed=3)
    go_through(held)
    found = report.make(state.load(state.every(tmp_path)[0]), bank, catalogue.all_labs(ROOT))
    assert found.passed, found.short_of
    assert found.overall > 0.9
    assert found.dimensions["safety"] == 0.9


def test_who_passes_every_question_does_not_and_is_told_what_to_practise(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "senior", seed=3)
    while held.part is not None:
        asked = held.next()
        if asked is not None:
            held.pass_by(asked)
        elif held.part is not None:
            held.live_done(None, "there was no cluster")
    held.finish()
    labs = catalogue.all_labs(ROOT)
    found = report.make(held.state, bank, labs)
    assert not found.passed
    assert any("live part was left out (there was no cluster)" in s for s in found.short_of)
    assert len(found.practise) == 3
    assert set(found.practise) <= {lab.name for lab in labs}


def test_the_follow_ups_end_after_two_misses(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "staff", seed=1)
    for _ in range(2):
        asked = held.next()
        assert asked is not None
        assert asked.question.id.startswith("curl.")
        held.pass_by(asked)
    asked = held.next()
    assert asked is not None
    assert asked.question.type == "design"
    skipped = [g for g in held.state.given if g.skipped == "two were missed before it"]
    assert len(skipped) == 12


def test_an_interruption_at_any_point_loses_nothing(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "junior", seed=5)
    answered = 0
    while held.part is not None:
        # As if the process had died after every answer: nobody calls pause.
        held = session.resume(tmp_path, bank)
        asked = held.next()
        if asked is not None:
            held.answer(asked, right_answer(asked))
            answered += 1
            assert len(session.resume(tmp_path, bank).state.given) == len(held.state.given)
        elif held.part is not None:
            held.live_done(LIVE)
    held.finish()
    assert answered == 10 + 2 + 4
    with pytest.raises(InterviewError, match="no interview was interrupted"):
        session.resume(tmp_path, bank)


def test_when_the_time_of_a_part_is_over_its_rest_is_left_out(bank: Bank, tmp_path: Path) -> None:
    clock = Clock()
    held = session.begin(tmp_path, bank, "junior", seed=5, clock=clock)
    first = held.next()
    assert first is not None
    clock.now += 8 * 60 + 1
    held.answer(first, right_answer(first))
    second = held.next()
    assert second is not None
    assert second.question.type == "spot"
    assert [g.skipped for g in held.state.given].count("the time was up") == 9


def test_a_clock_that_goes_back_takes_no_time_away(bank: Bank, tmp_path: Path) -> None:
    clock = Clock()
    held = session.begin(tmp_path, bank, "junior", seed=5, clock=clock)
    clock.now = -1e6
    assert held.left == 8 * 60
    held.pause()
    assert held.state.spent[0] == 0


def test_the_observers_mark_counts(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "staff", seed=1, observed=True)
    asked = held.next()
    assert asked is not None
    held.answer(asked, "I have no idea, to be honest", marks=1.0)
    found = report.make(held.state, bank)
    assert found.told[0].share == 1.0
    assert found.dimensions["communication"] == 1.0


def test_a_damaged_file_is_named_and_left_alone(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "junior", seed=5)
    path = state.every(tmp_path)[0]
    path.write_text("{", encoding="utf-8")
    with pytest.raises(InterviewError, match=r"is damaged .*move it away, then begin anew"):
        session.resume(tmp_path, bank)
    path.write_text(json.dumps({"version": 99}), encoding="utf-8")
    with pytest.raises(InterviewError, match="is of version 99, not 1"):
        state.load(path)
    assert held.state.id in path.name


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        state.only_one(tmp_path),
        pytest.raises(InterviewError, match="another interview is open"),
        state.only_one(tmp_path),
    ):
        pass


def test_an_unknown_track_names_those_there_are(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(InterviewError, match="there is no track boss; known: junior, mid"):
        session.begin(tmp_path, bank, "boss")


def test_a_question_that_is_gone_is_passed_over(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "junior", seed=5)
    held.state.plan[0][0] = "no-such-question"
    asked = held.next()
    assert asked is not None
    assert asked.question.id == held.state.plan[0][1]
    assert held.state.given[0].skipped == "it is no longer in the bank"


def test_what_was_typed_never_becomes_markup(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "staff", seed=1)
    asked = held.next()
    assert asked is not None
    held.answer(asked, "<script>alert(1)</script> \x1b[31m dns `$(reboot)`")
    page = render.html(report.make(held.state, bank))
    assert "<script>" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    assert "\x1b" not in render.markdown(report.make(held.state, bank))


def test_the_report_is_written_in_three_ways(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "senior", seed=3)
    go_through(held)
    found = report.make(held.state, bank, catalogue.all_labs(ROOT))
    assert json.loads(render.as_json(found))["track"] == "senior"
    page, text = render.html(found), render.markdown(found)
    assert "<svg" in page
    assert "kubectl get pods" in page
    assert "| services |" in text
    assert text.count("podwalk lab start ") == 3


def test_the_script_has_what_to_ask_and_the_ladder_of_hints(bank: Bank, tmp_path: Path) -> None:
    held = session.begin(tmp_path, bank, "senior", seed=3, observed=True)
    text = script.write(held.state, bank)
    for question in model.followups():
        assert question.stem.en in text
        assert f"hint 1: {model.ladders()[question.id][0]}" in text
