"""Seals: whatever is changed in a file is noticed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podwalk.classroom import grades, seal
from podwalk.classroom.roster import Learner

KEY, OTHER = b"k" * 32, b"o" * 32
BODY = grades.body(
    Learner("ada"), {"labs": [{"lab": "a/b", "points": 3, "note": "é\ud800"}]}, "2026-01-01T00:00:00+00:00"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ada.json"
    seal.write(path, json.loads(json.dumps({**BODY, "results": {"labs": [{"lab": "a/b", "points": 3}]}})), KEY)
    return path


def test_a_sealed_file_opens(file: Path) -> None:
    opened = seal.read(file, "ada", KEY)
    assert opened.state == "sealed"
    assert opened.body["results"]["labs"][0]["points"] == 3
    assert file.stat().st_mode & 0o077 == 0


def _points(data: dict[str, Any]) -> None:
    data["body"]["results"]["labs"][0]["points"] = 10


def _time(data: dict[str, Any]) -> None:
    data["body"]["collected"] = "2027-01-01T00:00:00+00:00"


def _added(data: dict[str, Any]) -> None:
    data["body"]["results"]["chapters"] = {}


def _mac(data: dict[str, Any]) -> None:
    data["seal"]["mac"] = "0" * 64


def _algorithm(data: dict[str, Any]) -> None:
    data["seal"]["algorithm"] = "none"


@pytest.mark.parametrize("change", [_points, _time, _added, _mac, _algorithm])
def test_a_change_is_noticed(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
    opened = seal.read(file, "ada", KEY)
    assert opened.state == "changed"
    assert opened.body == {}


def test_another_ones_file_is_not_ones_own(file: Path) -> None:
    assert seal.read(file, "grace", KEY).state == "changed"


def test_a_seal_of_ones_own_making_is_of_another_key(file: Path) -> None:
    seal.write(file, BODY | {"results": {}}, OTHER)
    assert seal.read(file, "ada", KEY).state == "other key"
    data = json.loads(file.read_text())
    data["seal"]["key"] = seal.key_id(KEY)
    file.write_text(json.dumps(data))
    assert seal.read(file, "ada", KEY).state == "changed"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"body": 3, "seal": {"mac": 1, "key": 2}}', "[" * 100_000, "\xff"])
def test_what_is_no_file_of_results(file: Path, text: str) -> None:
    file.write_text(text, encoding="latin-1")
    opened = seal.read(file, "ada", KEY)
    assert opened.state == "unreadable"
    assert opened.why


def test_a_missing_file_and_a_huge_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seal.read(file.with_name("none.json"), "ada", KEY).state == "missing"
    monkeypatch.setattr(seal, "_MOST_BYTES", 10)
    assert seal.read(file, "ada", KEY).state == "unreadable"
