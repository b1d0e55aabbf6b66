"""The progress file: facts survive a killed process, two writers, and a damaged file."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from podwalk.checks.report import Report, StepResult, Verdict
from podwalk.course.progress import Attempt, Progress, ProgressError

WRITER = """
import sys
from pathlib import Path
from podwalk.course.progress import Progress
with Progress(Path(sys.argv[1])) as progress:
    for number in range(int(sys.argv[3])):
        progress.take_hint(sys.argv[2], number, 0)
        print(number, flush=True)
"""


def report(points: int, verdict: Verdict = Verdict.PASS) -> Report:
    return Report("a/b", "B", (StepResult("s", "step", verdict, points, 5),))


def begin(progress: Progress, lab: str = "a/b") -> Attempt:
    progress.begin(lab, "podwalk", "uid", [{"kind": "Pod"}])
    attempt = progress.attempt(lab, "uid")
    assert attempt
    return attempt


def test_an_attempt_remembers_how_it_began(progress: Progress) -> None:
    attempt = begin(progress)
    assert attempt.at_start == [{"kind": "Pod"}]
    assert not attempt.solved
    assert progress.attempt("a/b", "another cluster") is None


def test_a_new_attempt_ends_the_old_one_and_stopping_ends_it_for_good(progress: Progress) -> None:
    first, second = begin(progress), begin(progress)
    assert second.id != first.id
    assert progress.running("uid") == ["a/b"]
    progress.end("a/b", "uid")
    assert progress.attempt("a/b", "uid") is None
    assert progress.current("uid") is None


def test_the_current_lab_is_the_one_started_last(progress: Progress) -> None:
    begin(progress, "a/b")
    begin(progress, "a/c")
    assert progress.current("uid") == "a/c"
    progress.end("a/b", "uid")
    assert progress.current("uid") == "a/c"


def test_points_are_of_the_best_pass_less_the_price_of_hints(progress: Progress) -> None:
    attempt = begin(progress)
    progress.record(attempt, report(0, Verdict.NOT_YET))
    assert not progress.standing("a/b").done
    progress.record(attempt, report(5))
    progress.take_hint("a/b", 1, 0)
    progress.take_hint("a/b", 2, 2)
    progress.take_hint("a/b", 2, 2)
    standing = progress.standing("a/b")
    assert (standing.done, standing.points, standing.checks, standing.hints) == (True, 3, 2, 2)


def test_a_pass_of_our_own_solution_does_not_count(progress: Progress) -> None:
    attempt = begin(progress)
    progress.mark_solved(attempt.id)
    # The attempt was read before it was marked, as by a check that was running meanwhile.
    progress.record(attempt, report(5))
    standing = progress.standing("a/b")
    assert (standing.done, standing.points, standing.shown) == (False, 0, True)
    progress.record(begin(progress), report(5))
    assert progress.standing("a/b").done


def test_the_last_report_comes_back_as_it_was(progress: Progress) -> None:
    assert progress.last_report("a/b") is None
    progress.record(begin(progress), report(4))
    found = progress.last_report("a/b")
    assert found
    assert found.to_dict() == report(4).to_dict()


def writer(path: Path, lab: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), lab, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_what_was_said_to_be_written_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "progress.sqlite"
    process = writer(path, "a/b", 1_000_000)
    assert process.stdout
    with process.stdout as lines:
        told = [int(lines.readline()) for _ in range(25)]
        os.kill(process.pid, signal.SIGKILL)
        told += [int(line) for line in lines if line.endswith("\n")]
    process.wait()
    with Progress(path) as progress:
        assert progress.notice == ""
        # The one fact in flight may be there without having been announced.
        assert progress.hints_taken("a/b") in (len(told), len(told) + 1)


def test_two_processes_write_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "progress.sqlite"
    processes = [writer(path, lab, 40) for lab in ("a/one", "a/two")]
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    with Progress(path) as progress:
        assert [progress.hints_taken(lab) for lab in ("a/one", "a/two")] == [40, 40]


@pytest.mark.parametrize("damage", ["text", "middle", "other"])
def test_a_damaged_file_is_moved_aside_with_a_clear_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "progress.sqlite"
    if damage == "text":
        path.write_text("this is no database, and longer than a header of one would be" * 40)
    elif damage == "other":
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE attempts (of TEXT)")
        db.close()
    else:
        with Progress(path) as progress:
            for number in range(400):
                progress.take_hint("a/b" * 30, number, 0)
        data = bytearray(path.read_bytes())
        data[8192:-4096] = b"\xff" * (len(data) - 8192 - 4096)
        path.write_bytes(bytes(data))
    before = path.read_bytes()
    with Progress(path) as progress:
        assert "was damaged and is now" in progress.notice
        begin(progress)
    (aside,) = tmp_path.glob("progress.sqlite.damaged-*Z")
    assert aside.read_bytes() == before
    with Progress(path) as progress:
        assert progress.notice == ""
        assert progress.running("uid") == ["a/b"]


def test_a_file_of_a_newer_podwalk_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "progress.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(ProgressError, match="version 99 is of a newer podwalk"):
        Progress(path)
    assert list(tmp_path.glob("*damaged*")) == []


def test_a_folder_that_cannot_be_made_says_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ProgressError, match="set PODWALK_HOME to a writable folder"):
        Progress(tmp_path / "file" / "progress.sqlite")
