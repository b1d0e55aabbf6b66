"""What is published: an sdist from which the wheel can be built, and a wheel that is the whole course."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from installation import LAB, ROOT, Installed, run

pytestmark = pytest.mark.timeout(300)


def _committed(*trees: str) -> set[str]:
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository, so nobody knows which files belong to it")
    trust = ["-c", "safe.directory=*"]
    return set(run("git", *trust, "ls-files", *trees, cwd=ROOT).splitlines())


def test_the_wheel_carries_the_course(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
    trees = ("labs", "checkers", "solutions", "notebooks", "drills", "docs")
    missing = {name for name in _committed(*trees) if f"podwalk/content/{name}" not in names}
    # A file that was removed from the folder and not yet from git is nobody's loss.
    assert {name for name in missing if (ROOT / name).exists()} == set()
    assert [n for n in names if "checkpoint" in n or "__pycache__" in n or n.startswith(("tests", "work"))] == []


def test_the_sdist_is_the_repository(sdist: Path) -> None:
    trees = ("src", "tests", "labs", "checkers", "solutions", "notebooks", "drills", "docs", "scripts", "tools")
    missing = {name for name in _committed(*trees) if not (sdist / name).exists()}
    assert {name for name in missing if (ROOT / name).exists()} == set()


def test_the_labs_are_found(installed: Installed) -> None:
    listed = installed.podwalk("lab", "list")
    assert LAB in listed
    assert "Half past eleven" in installed.podwalk("lab", "show", LAB)
    assert "clone of podwalk's repository" in installed.podwalk("lab", "new", "services/mine", code=1)


def test_the_course_is_laid_out(installed: Installed) -> None:
    said = installed.podwalk("init", "course")
    assert "jupyter lab notebooks/index.ipynb" in said
    folder = installed.home / "course"
    assert (folder / "notebooks" / "00-orientation.ipynb").is_file()
    assert (folder / "docs" / "limits.md").is_file()
    assert os.access(folder / "get-kubectl", os.X_OK)
    assert not (folder / "labs").exists()
    assert "is up to date" in installed.podwalk("init", "course")


@pytest.mark.cluster
def test_a_lab_runs(installed: Installed) -> None:
    installed.podwalk("up", "--name", "wheel")
    try:
        installed.podwalk("lab", "start", LAB, "--name", "wheel")
        assert "connection refused" in installed.podwalk("lab", "check", "--name", "wheel", code=1)
        installed.podwalk("lab", "solve", "--name", "wheel")
        assert "10 of 10" in installed.podwalk("lab", "check", "--name", "wheel")
    finally:
        installed.podwalk("down", "--name", "wheel")
