"""Rosters: what is read, and what is refused with a cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwalk.classroom import roster
from podwalk.classroom.roster import ClassError, Learner


def written(folder: Path, text: str, name: str = "roster.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_csv_with_accounts_and_columns_of_the_schools(tmp_path: Path) -> None:
    text = "\ufeffgroup,name,user\n1,ada,u1\n\n2, grace ,\n"
    assert roster.read(written(tmp_path, text)) == [Learner("ada", "u1"), Learner("grace")]


def test_yaml_names_and_mappings(tmp_path: Path) -> None:
    text = "- ada\n- {name: grace, user: u2}\n"
    assert roster.read(written(tmp_path, text, "r.yaml")) == [Learner("ada"), Learner("grace", "u2")]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("r.csv", "learner\nada\n", "no column called name"),
        ("r.csv", "name\nAda Lovelace\n", "for example ada-lovelace"),
        ("r.csv", "name\n../etc\n", "line 2: '../etc' cannot be a name"),
        ("r.csv", "name\nada\nada\n", "ada is there twice"),
        ("r.csv", "name,user\nada,u\ngrace,u\n", "account of their own"),
        ("r.csv", "name\n", "has no learners"),
        ("r.csv", "name\n" + "".join(f"l{n}\n" for n in range(201)), "has 201 learners"),
        ("r.csv", "name\n" + "x" * 300_000, "larger than"),
        ("r.yaml", "name: ada", "is no list"),
        ("r.yaml", "[{name: ada, age: 3}]", "unknown key age"),
        ("r.yaml", "[", "not YAML"),
    ],
)
def test_what_is_refused(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(ClassError) as error:
        roster.read(written(tmp_path, text, name))
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_roster_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ClassError, match="name a CSV or YAML file"):
        roster.read(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"name\n\xe9\n")
    with pytest.raises(ClassError, match="UTF-8"):
        roster.read(tmp_path / "latin.csv")
