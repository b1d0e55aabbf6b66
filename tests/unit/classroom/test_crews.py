"""Doing something for many: one who fails holds up nobody, and nothing waits for ever."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from podwalk.classroom import crew
from podwalk.classroom.crew import Crew
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.roster import Learner

LEARNERS = [Learner("ada"), Learner("grace"), Learner("alan")]


@pytest.fixture
def room(tmp_path: Path) -> ClassDir:
    folder = ClassDir(tmp_path / "class")
    folder.enrol(LEARNERS)
    return folder


def speaking(monkeypatch: pytest.MonkeyPatch, code: str) -> str:
    """A verb at which a learner's process runs a line of Python."""
    monkeypatch.setattr(crew, "_MODULE", "timeit")
    verb = f"import os, sys, json, time; {code}; sys.stdout.flush(); os._exit(0)"
    monkeypatch.setitem(crew._SECONDS, verb, 30.0)
    return verb


def test_outcomes_come_in_the_rosters_order_and_each_has_its_own_home(
    room: ClassDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/the/instructors")
    verb = speaking(monkeypatch, 'print(json.dumps({k: os.environ.get(k) for k in ("PODWALK_HOME", "KUBECONFIG")}))')
    heard: list[str] = []
    outcomes = Crew(room, 2).do(verb, LEARNERS, lambda outcome: heard.append(outcome.learner.name))
    assert [outcome.learner for outcome in outcomes] == LEARNERS
    assert sorted(heard) == ["ada", "alan", "grace"]
    expected: list[Any] = [{"PODWALK_HOME": str(room.home(one)), "KUBECONFIG": None} for one in LEARNERS]
    assert [outcome.answer for outcome in outcomes] == expected


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ('print("Traceback: boom")', "ended without an answer: Traceback: boom"),
        ("pass", "it said nothing"),
        ("print([])", "another shape"),
        ('print(json.dumps({"error": "no\\nroom"}))', "no room"),
    ],
)
def test_a_failure_is_one_line(room: ClassDir, monkeypatch: pytest.MonkeyPatch, code: str, says: str) -> None:
    (outcome,) = Crew(room).do(speaking(monkeypatch, code), LEARNERS[:1])
    assert says in outcome.error
    assert "\n" not in outcome.error


def test_a_process_that_never_ends_is_ended(room: ClassDir, monkeypatch: pytest.MonkeyPatch) -> None:
    verb = speaking(monkeypatch, "time.sleep(3600)")
    monkeypatch.setitem(crew._SECONDS, verb, 0.3)
    (outcome,) = Crew(room).do(verb, LEARNERS[:1])
    assert "not done after 0.3 s" in outcome.error


def test_a_process_that_talks_for_ever_is_ended(room: ClassDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "_MOST_BYTES", 1 << 20)
    verb = speaking(monkeypatch, '[print("x" * 1000) for _ in iter(int, 1)]')
    (outcome,) = Crew(room).do(verb, LEARNERS[:1])
    assert "said more than 1 MiB" in outcome.error


def test_an_interpreter_that_cannot_be_run_names_the_cure(room: ClassDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    (outcome,) = Crew(room).do("up", LEARNERS[:1])
    assert "cannot run /nowhere/python" in outcome.error


def test_an_interruption_ends_what_is_under_way(room: ClassDir, monkeypatch: pytest.MonkeyPatch) -> None:
    verb = speaking(monkeypatch, '(print("{}") if "ada" in os.environ["PODWALK_HOME"] else time.sleep(3600))')

    def interrupt(outcome: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Crew(room, 3).do(verb, LEARNERS, interrupt)
