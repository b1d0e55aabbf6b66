"""Marks: from what a learner's folder says to the sheet and the page."""

from __future__ import annotations

import csv
import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from podwalk.checks.report import Finding, Report, StepResult, Verdict
from podwalk.classroom import grades, seal
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.page import page
from podwalk.classroom.roster import Learner
from podwalk.classroom.standing import standing
from podwalk.course.progress import Progress

KEY = b"k" * 32
ADA, GRACE = Learner("ada"), Learner("grace", "g")
EVIL = "<script>alert(1)</script>"


def report(points: int, verdict: Verdict, found: str = "refused") -> Report:
    finding = None if verdict is Verdict.PASS else Finding("HTTP 200", found)
    return Report("a/b", "B", (StepResult("it answers", "step", verdict, points, 5, finding),))


def record(home: Path, *reports: Report, solved: bool = False) -> None:
    with Progress(home / "progress.sqlite") as progress:
        progress.begin("a/b", "podwalk", "uid", [{"kind": "Pod"}])
        attempt = progress.attempt("a/b", "uid")
        assert attempt
        if solved:
            progress.mark_solved(attempt.id)
        for one in reports:
            progress.record(attempt, one)


@pytest.fixture
def room(tmp_path: Path) -> ClassDir:
    folder = ClassDir(tmp_path)
    folder.results.mkdir()
    for one in (ADA, GRACE):
        folder.home(one).mkdir(parents=True)
    return folder


def collect(room: ClassDir, learner: Learner = ADA) -> None:
    seal.write(room.results / f"{learner.name}.json", grades.body(learner, standing(room.home(learner)), "now"), KEY)


def graded(room: ClassDir, possible: dict[str, int] | None = None) -> list[grades.Grade]:
    return grades.grade(room, [ADA, GRACE], KEY, possible if possible is not None else {"a/b": 5})


def rows(found: list[grades.Grade]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(grades.sheet(found), newline="")))


def test_the_evidence_is_of_the_pass_that_counts(room: ClassDir) -> None:
    record(room.home(ADA), report(0, Verdict.NOT_YET), report(5, Verdict.PASS), report(0, Verdict.NOT_YET))
    collect(room)
    (mark,) = graded(room)[0].marks
    assert (mark.points, mark.possible, mark.done, mark.checks) == (5, 5, True, 3)
    assert mark.evidence == ("✔ it answers",)
    assert mark.passed_at >= mark.started_at > ""


def test_a_solution_that_was_shown_earns_nothing(room: ClassDir) -> None:
    record(room.home(ADA), report(5, Verdict.PASS), solved=True)
    collect(room)
    (mark,) = graded(room)[0].marks
    assert (mark.points, mark.done, mark.solution_shown, mark.passed_at) == (0, False, True, "")


def test_a_learner_without_a_file_is_in_the_sheet(room: ClassDir) -> None:
    record(room.home(ADA), report(5, Verdict.PASS))
    collect(room)
    ada, grace = rows(graded(room))
    assert (ada["learner"], ada["file"], ada["points"]) == ("ada", "sealed", "5")
    assert (grace["learner"], grace["user"], grace["file"], grace["points"]) == ("grace", "g", "missing", "0")
    assert tuple(ada) == grades.COLUMNS


def test_points_beyond_what_a_lab_gives_and_labs_that_are_not_ours_count_nothing(room: ClassDir) -> None:
    record(room.home(ADA), report(5, Verdict.PASS))
    db = sqlite3.connect(room.home(ADA) / "progress.sqlite")
    with db:
        db.execute("UPDATE checks SET points = 9000")
    db.close()
    collect(room)
    assert graded(room)[0].points == 5
    assert graded(room, {})[0].points == 0


def test_a_changed_file_counts_nothing(room: ClassDir) -> None:
    record(room.home(ADA), report(3, Verdict.PASS))
    collect(room)
    path = room.results / "ada.json"
    path.write_text(path.read_text().replace('"points": 3', '"points": 5'))
    found = graded(room)[0]
    assert (found.file, found.points, found.marks) == ("changed", 0, ())
    assert "changed" in page([found], "now")


@pytest.mark.parametrize("labs", [3, [3], [{"lab": "a/b"}], [{"lab": ["a/b"]}]])
def test_a_sealed_file_of_another_shape_is_no_traceback(room: ClassDir, labs: Any) -> None:
    seal.write(room.results / "ada.json", grades.body(ADA, {"labs": labs}, "now"), KEY)
    assert graded(room)[0].file == "unreadable"


def test_nothing_a_learner_writes_is_markup_or_a_formula(room: ClassDir) -> None:
    record(room.home(ADA), report(0, Verdict.NOT_YET, EVIL))
    collect(room)
    found = graded(room)
    assert "<script" not in page(found, EVIL)
    assert "&lt;script&gt;" in page(found, "now")
    formula = grades.Grade(Learner("=1+1", "@x"), "missing", "-2")
    assert {row["learner"] for row in rows([formula])} == {"'=1+1"}
    assert rows([formula])[0]["evidence"] == "'-2"


def test_a_folder_without_progress_is_not_written_to(tmp_path: Path) -> None:
    assert standing(tmp_path)["labs"] == []
    assert list(tmp_path.iterdir()) == []
