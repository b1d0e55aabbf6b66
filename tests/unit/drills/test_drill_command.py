"""``podwalk drill``: answers come before reveals, a pipe is plain, and what was answered is kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from drilling import right_answer

from podwalk.cli.main import main
from podwalk.course.progress import Progress
from podwalk.drills import asking, bank
from podwalk.drills.memory import Memory

SEED = 11


@dataclass
class Done:
    """What a command printed and how it ended."""

    returncode: int
    stdout: str
    stderr: str


class Learner:
    """A learner with a home of their own, in the tiny course."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.home = root / "home"
        self._patch = monkeypatch
        monkeypatch.setenv("PODWALK_HOME", str(self.home))
        monkeypatch.setenv("PODWALK_COURSE", str(root))

    def drill(self, *args: str, answers: str = "") -> Done:
        """Run ``podwalk drill`` with these lines at its input, as in a pipe."""
        self._patch.setattr("sys.argv", ["podwalk", "drill", *args])
        self._patch.setattr("sys.stdin", io.StringIO(answers))
        out, err = io.StringIO(), io.StringIO()
        code = 0
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main()
            except SystemExit as end:
                code = int(end.code or 0)
        return Done(code, out.getvalue(), err.getvalue())

    def seen(self) -> set[str]:
        """The questions that were answered."""
        with Progress(self.home / "progress.sqlite") as progress:
            return set(Memory(progress).seen())


@pytest.fixture
def learner(root: Path, monkeypatch: pytest.MonkeyPatch) -> Learner:
    """One who has answered nothing yet."""
    return Learner(root, monkeypatch)


def answers(root: Path, count: int) -> str:
    """What is right, in the order in which the seed asks."""
    from podwalk.drills import session

    with Progress(root / "other.sqlite") as progress:
        sitting = session.begin(bank.load(root), Memory(progress), count, seed=SEED)
        lines = []
        while (asked := sitting.next()) is not None:
            lines.append(right_answer(asked) + ("\n." if asked.question.written else ""))
    return "\n".join(lines) + "\n"


def test_a_sitting_in_a_pipe_is_plain_and_keeps_every_answer(learner: Learner) -> None:
    done = learner.drill("--count", "9", "--seed", str(SEED), answers=answers(learner.root, 9))
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "9 of 9 right" in done.stdout
    assert len(learner.seen()) == 9
    assert "t-drill" not in learner.seen()
    status = json.loads(learner.drill("status", "--json").stdout)
    services = next(row for row in status if row["layer"] == "services")
    assert (services["questions"], services["seen"], services["right"]) == (9, 9, 9)


def test_nothing_is_revealed_before_the_answer(learner: Learner) -> None:
    done = learner.drill("--count", "1", "--type", "single", answers="")
    assert done.returncode == 0
    assert "Which?" in done.stdout
    assert "Too hot." not in done.stdout
    assert "Green it is." not in done.stdout
    assert learner.seen() == set()
    listed = learner.drill("list").stdout
    assert "Which?" in listed
    assert "Green it is." not in listed
    assert "Green it is." not in learner.drill("list", "--json").stdout


def test_a_hint_is_given_and_a_slip_is_asked_again(learner: Learner) -> None:
    asked = asking.ask(bank.load(learner.root).get("t-single"), SEED + 1)
    text = f"?\nz\n{right_answer(asked)}!\n"
    done = learner.drill("--count", "1", "--type", "single", "--seed", str(SEED), answers=text)
    assert "The green one." in done.stdout
    assert "write letters from a to c" in done.stdout
    assert "✔ right" in done.stdout
    assert "hard; again in" in done.stdout


def test_a_sitting_that_breaks_off_loses_nothing(learner: Learner) -> None:
    first = answers(learner.root, 9).splitlines()[0]
    done = learner.drill("--count", "9", "--seed", str(SEED), answers=f"{first}\n")
    assert done.returncode == 0
    assert "1 of 1 right" in done.stdout
    assert len(learner.seen()) == 1


def test_a_learners_text_is_only_text(learner: Learner) -> None:
    evil = "$(touch /tmp/never) \x1b[31m {n} kernel `id` conntrack"
    done = learner.drill("--type", "free", answers=f"{evil}\n.\n")
    assert "100 % of the points" in done.stdout
    assert "\x1b" not in done.stdout
    with Progress(learner.home / "progress.sqlite") as progress:
        [(_, review)] = Memory(progress).reviews("t-free")
    assert review.answer == evil


def test_the_chinese_text_is_shown_where_there_is_one(learner: Learner) -> None:
    assert "为什么？" in learner.drill("--type", "free", "--lang", "zh").stdout


def test_a_chinese_text_is_wrapped_by_the_columns_it_takes(learner: Learner) -> None:
    path = learner.root / "drills/questions/services.yaml"
    path.write_text(path.read_text().replace("为什么？", "数据包从网卡出去" * 20))
    shown = learner.drill("--type", "free", "--lang", "zh").stdout.splitlines()
    rows = [line for line in shown if "数据" in line]
    assert len(rows) > 2
    assert all(len(row) + len(row.strip()) <= 96 for row in rows)
    assert "".join(row.strip() for row in rows) == "数据包从网卡出去" * 20


def test_when_all_is_known_the_next_time_is_said(learner: Learner) -> None:
    learner.drill("--type", "single", "--seed", str(SEED), answers=answers_to_single(learner))
    done = learner.drill("--type", "single")
    assert done.returncode == 0
    assert re.search(r"nothing is due and nothing is new; the next one comes in \d+ min", done.stdout)


def answers_to_single(learner: Learner) -> str:
    return right_answer(asking.ask(bank.load(learner.root).get("t-single"), SEED + 1)) + "\n"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--layer", "cable"), 2, "see podwalk drill --help"),
        (("--count", "0"), 2, "see podwalk drill --help"),
        (("export", "paper", "x"), 2, "see podwalk drill export --help"),
        (("import", "nowhere.gift"), 2, "see podwalk drill import --help"),
    ],
)
def test_a_wrong_use_is_one_line(learner: Learner, args: tuple[str, ...], code: int, says: str) -> None:
    done = learner.drill(*args)
    assert done.returncode == code
    assert len(done.stderr.splitlines()) == 1
    assert says in done.stderr


def test_a_wrong_file_is_one_line_with_a_cure(learner: Learner) -> None:
    path = learner.root / "drills/questions/services.yaml"
    path.write_text(path.read_text().replace("layer: services", "layer: servers"))
    for args in ((), ("list",), ("check",)):
        done = learner.drill(*args)
        assert done.returncode == 1
        assert done.stderr.startswith(f"podwalk: {path}: layer: 'servers' is not one of")
        assert len(done.stderr.splitlines()) == 1


def test_a_damaged_progress_file_is_moved_aside(learner: Learner) -> None:
    learner.home.mkdir()
    (learner.home / "progress.sqlite").write_bytes(b"no database" * 100)
    done = learner.drill("status")
    assert done.returncode == 0
    assert "the progress file was damaged and is now" in done.stderr


def test_export_says_what_was_lost_and_import_brings_it_back(learner: Learner, tmp_path: Path) -> None:
    file = tmp_path / "quiz.gift"
    done = learner.drill("export", "gift", str(file))
    assert done.returncode == 0, done.stderr
    assert "8 of 10 questions are in" in done.stdout
    assert "left out (1): the format has no ordering: t-order" in done.stdout
    again = learner.drill("export", "gift", str(file))
    assert again.returncode == 1
    assert "--force" in again.stderr
    taken = learner.drill("import", str(file))
    assert taken.returncode == 0, taken.stderr
    mine = learner.home / "questions" / "quiz-services.yaml"
    ids = [q["id"] for q in yaml.safe_load(mine.read_text())["questions"]]
    assert "own-quiz-t-single" in ids
    assert "own-quiz-t-single" in learner.drill("list").stdout
    twice = learner.drill("import", str(file))
    assert twice.returncode == 1
    assert "--force to replace it" in twice.stderr
    assert learner.drill("import", str(file), "--force").returncode == 0


def test_every_subcommand_has_help_with_an_example(learner: Learner) -> None:
    for name in ("list", "status", "check", "export", "import"):
        done = learner.drill(name, "--help")
        assert done.returncode == 0
        assert f"podwalk drill {name}" in done.stdout


def at_terminal(learner: Learner, *args: str, typed: list[tuple[str, str]]) -> str:
    """What a terminal shows when, after each text that is waited for, something is typed."""
    parent, child = pty.openpty()
    argv = [sys.executable, "-c", "from podwalk.cli.main import main; main()", "drill", *args]
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "96"}
    process = subprocess.Popen(argv, stdin=child, stdout=child, stderr=child, env=env, start_new_session=True)
    os.close(child)
    shown, read = "", 0
    try:
        for waited, text in [*typed, ("everything is kept", "")]:
            while waited not in shown[read:]:
                try:
                    shown += os.read(parent, 4096).decode(errors="replace")
                except OSError:
                    break
            assert waited in shown[read:], shown
            read = shown.index(waited, read) + len(waited)
            if text == CONTROL_C:
                _await_sleep(process.pid)
                os.killpg(process.pid, signal.SIGINT)
            else:
                os.write(parent, text.encode())
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(parent)
    return shown


CONTROL_C = "\x03"


def _await_sleep(pid: int) -> None:
    """Wait until a process that has shown its prompt also reads: Python loses a signal that comes between the two."""
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "S":
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_at_a_terminal_own_words_are_ticked_one_by_one(learner: Learner) -> None:
    steps = [("ends it", "The rules.\n.\n"), ("The kernel", "y\n"), ("conntrack", "\n"), ("carries", "n\n")]
    shown = at_terminal(learner, "--type", "free", typed=steps)
    assert "75 % of the points" in shown
    assert "1 of 1 right" in shown
    assert "hard; again" in shown, "by the learner's word alone"


def test_control_c_ends_a_sitting_and_keeps_what_was_answered(learner: Learner) -> None:
    first = answers(learner.root, 2).splitlines()[0]
    shown = at_terminal(
        learner, "--count", "2", "--seed", str(SEED), typed=[("hint):", f"{first}\n"), ("hint):", CONTROL_C)]
    )
    assert "1 of 1 right" in shown
    assert "Traceback" not in shown
    assert len(learner.seen()) == 1
