"""The folder of a class: who may read it, and who may be in it."""

from __future__ import annotations

import json
import os
import pwd
import stat
from pathlib import Path

import pytest

from podwalk.classroom import folder as folders
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.roster import ClassError, Learner


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def room(tmp_path: Path) -> ClassDir:
    return ClassDir(tmp_path / "class")


def test_everything_is_the_instructors_alone(room: ClassDir) -> None:
    room.enrol([Learner("ada")])
    room.key(make=True)
    assert mode(room.path) == mode(room.home(Learner("ada"))) == mode(room.results) == 0o700
    assert mode(room.key_file) == mode(room.path / "class.json") == 0o600


def test_a_second_roster_adds_and_loses_nobody(room: ClassDir) -> None:
    room.enrol([Learner("ada")])
    (room.home(Learner("ada")) / "progress.sqlite").write_text("hers")
    assert room.enrol([Learner("grace")]) == room.learners() == [Learner("ada"), Learner("grace")]
    assert (room.home(Learner("ada")) / "progress.sqlite").read_text() == "hers"


def test_a_key_is_made_once_and_a_damaged_one_refused(room: ClassDir) -> None:
    room.enrol([Learner("ada")])
    with pytest.raises(ClassError, match="no key here"):
        room.key()
    assert room.key(make=True) == room.key(make=True) == room.key()
    for damaged in ("not hex", "abcd"):
        room.key_file.write_text(damaged)
        with pytest.raises(ClassError, match="--key FILE"):
            room.key(make=True)


def test_one_command_at_a_time(room: ClassDir) -> None:
    with room.lock(), pytest.raises(ClassError, match="another podwalk class command"), room.lock():
        pass
    with room.lock():
        pass


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "learners": [{"nom": "ada"}]}', '{"format": 2}'])
def test_a_damaged_record_is_one_line(room: ClassDir, text: str) -> None:
    room.path.mkdir()
    (room.path / "class.json").write_text(text)
    with pytest.raises(ClassError, match="podwalk"):
        room.learners()


def test_no_class_names_the_command_that_makes_one(room: ClassDir) -> None:
    with pytest.raises(ClassError, match="podwalk class up --roster FILE"):
        room.learners()


def test_accounts_that_cannot_be_used(room: ClassDir, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClassError, match="useradd -m no-such-account"):
        room.enrol([Learner("ada", "no-such-account")])
    with pytest.raises(ClassError, match="is root"):
        room.enrol([Learner("ada", "root")])
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(ClassError, match="run as root"):
        room.enrol([Learner("ada", "nobody")])
    assert not (room.path / "class.json").exists()


def test_a_learner_does_not_change_accounts(room: ClassDir) -> None:
    room.enrol([Learner("ada")])
    with pytest.raises(ClassError, match="with user \\(none\\), not nobody"):
        room.enrol([Learner("ada", "nobody")])


def test_a_folder_that_accounts_cannot_reach_is_named(
    tmp_path: Path, room: ClassDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(folders, "account", lambda learner: us)
    tmp_path.chmod(0o700)
    with pytest.raises(ClassError, match="other accounts may not enter it"):
        room.enrol([Learner("ada", us.pw_name)])


def test_the_record_is_plain(room: ClassDir) -> None:
    room.enrol([Learner("ada")])
    assert json.loads((room.path / "class.json").read_text())["learners"] == [{"name": "ada", "user": ""}]
