"""The command line's manners: errors are one line with a cure, and exit codes mean something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def podwalk(home: Path, *args: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-c", "from podwalk.cli.main import main; main()", *args]
    env = {"PODWALK_HOME": str(home), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("up", "--backend", "docker"), 2, "see podwalk up --help"),
        (("walk",), 2, "No such command 'walk'; see podwalk --help"),
        (("node", "worker", "--", "true"), 1, "start it: podwalk up"),
        (("lab", "check", "no-such-lab"), 1, "podwalk"),
        (("image", "add", "example.com/x", "--program", "/nowhere"), 2, "is not an executable file"),
        (("image", "add", "example.com/x", "/nowhere"), 2, "is not an executable file"),
        (("image", "add", "example.com/x"), 2, "`podwalk image add example.com/x PATH` names it"),
    ],
)
def test_an_error_is_one_line_with_a_cure(tmp_path: Path, args: tuple[str, ...], code: int, says: str) -> None:
    done = podwalk(tmp_path, *args)
    assert done.returncode == code
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("podwalk: ")
    assert says in done.stderr


def test_nothing_runs_and_nothing_is_left_to_end(tmp_path: Path) -> None:
    assert podwalk(tmp_path, "status", "--json").stdout == "[]\n"
    assert podwalk(tmp_path, "down").returncode == 0


def test_every_command_has_help(tmp_path: Path) -> None:
    from podwalk.cli.main import cli

    for name in cli.list_commands(None):  # type: ignore[arg-type]
        done = podwalk(tmp_path, name, "--help")
        assert done.returncode == 0, done.stderr
        assert f"podwalk {name}" in done.stdout
