"""`podwalk lab`: exit codes, JSON, one-line errors, an example in every help."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fake_cluster import FakeCluster, answered, node

from podwalk.cli import lab as command
from podwalk.course.catalogue import LabSpec


@pytest.fixture
def home(tmp_path: Path, root: Path, fake: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PODWALK_COURSE", str(root))
    monkeypatch.setattr(command, "running", lambda name: fake)
    monkeypatch.setattr("podwalk.backends.find", lambda name: fake)
    return tmp_path / "home"


def run_lab(*args: str) -> Result:
    return CliRunner().invoke(command.lab, list(args))


def test_the_course_of_a_lab_from_list_to_stop(home: Path, fake: FakeCluster) -> None:
    assert " 5 to 10 min  5 points   The shop is shut" in run_lab("list").output
    started = run_lab("start", "shut")
    assert started.exit_code == 0
    assert started.output.startswith("# The shop is shut\n")
    assert "services/shut  easy  5 to 10 minutes  5 points" in started.output
    assert "is already running" in run_lab("start", "shut").output
    assert "(current)" in run_lab("status").output
    fake.exec = lambda *_: answered(0, exit_code=7)
    failed = run_lab("check")
    assert failed.exit_code == 1
    assert "Next: does it?" in failed.output
    assert run_lab("hint").output == "Hint 1 of 2\nIs it?\n"
    assert run_lab("hint").output == "Hint 2 of 2, costs 2 points\nIt is.\n"
    fake.exec = lambda *_: answered()
    passed = run_lab("check")
    assert passed.exit_code == 0
    assert "5 of 5 points" in passed.output
    assert "✔ shut" in run_lab("list").output
    assert "3 of 5" in run_lab("list").output
    assert run_lab("reset").exit_code == 0
    assert "applied fix.sh" in run_lab("solve").output
    assert run_lab("stop").exit_code == 0
    assert "no lab runs" in run_lab("status").output


def test_an_ill_cluster_is_exit_code_3(home: Path, fake: FakeCluster) -> None:
    run_lab("start", "shut")
    fake.add(node("two", "False"))
    result = run_lab("check")
    assert result.exit_code == 3
    assert "not Ready: two" in result.output


def test_reading_commands_speak_json(home: Path, fake: FakeCluster) -> None:
    run_lab("start", "shut")
    assert json.loads(run_lab("check", "--json").output)["verdict"] == "pass"
    (listed,) = json.loads(run_lab("list", "--json").output)
    assert (listed["lab"], listed["running"], listed["done"], listed["points"]) == ("services/shut", True, True, 5)
    (on,) = json.loads(run_lab("status", "--json").output)
    assert on["current"] is True
    assert json.loads(run_lab("show", "shut", "--json").output)["text"].startswith("# The shop is shut")
    assert json.loads(run_lab("hint", "--json").output) == {
        "number": 1,
        "of": 2,
        "text": "Is it?",
        "cost": 0,
        "new": True,
    }


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["start", "nothing"], "there is no lab nothing"),
        (["check"], "no lab runs; choose one: podwalk lab list"),
        (["check", "shut"], "services/shut is not running; start it: podwalk lab start shut"),
        (["new", "nonsense"], "is no layer/id"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(home: Path, args: list[str], message: str) -> None:
    result = run_lab(*args)
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count("\n") == 1


def test_a_ticket_is_wrapped_for_a_terminal_and_left_alone_in_a_pipe(
    root: Path, lab: LabSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = f"# The shop\n\n{' '.join(['word'] * 60)}\n"
    command._ticket(text, lab)
    assert capsys.readouterr().out.startswith(text)
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("FORCE_COLOR", "1")
    command._ticket(text, lab)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines) < 80
    assert sum(line.count("word") for line in lines) == 60


def test_a_wrong_option_is_exit_code_2(home: Path) -> None:
    assert run_lab("check", "--nonsense").exit_code == 2


@pytest.mark.parametrize("name", sorted(command.lab.commands))
def test_every_help_has_an_example(name: str) -> None:
    assert f"podwalk lab {name}" in run_lab(name, "--help").output.replace("\n\n", "\n").partition("Usage:")[2][20:]


def test_a_damaged_progress_file_is_said_on_stderr(home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "progress.sqlite").write_text("not a database, but long enough to be read as one" * 10)
    result = CliRunner().invoke(command.lab, ["list"])
    assert result.exit_code == 0
    assert "was damaged and is now" in result.stderr
    assert "was damaged" not in result.stdout
