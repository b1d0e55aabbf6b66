"""The board: who comes first, what is shown, and to whom."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from podwalk.classroom.board import Board, Place, places, render
from podwalk.classroom.crew import Crew, Outcome
from podwalk.classroom.folder import ClassDir
from podwalk.classroom.roster import Learner
from podwalk.cli.class_ import class_

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def outcome(
    name: str, since: str | None = None, *, at: bool = True, error: str = "", step: str = "it answers"
) -> Outcome:
    where = {"lab": "a/b", "step": step if since else None, "failingSince": since, "checks": 2, "hints": 1}
    labs = [{"done": True, "points": 5}, {"done": False, "points": 0}]
    answer: dict[str, Any] = {"labs": labs, "cluster": {"running": at}, "now": where if at else None}
    return Outcome(Learner(name), {} if error else answer, 0.1, error)


def test_who_is_stuck_longest_comes_first() -> None:
    rows = places(
        [
            outcome("works"),
            outcome("short", "2026-01-01T11:55:00+00:00"),
            outcome("long", "2026-01-01T11:30:30+00:00"),
            outcome("away", at=False),
            outcome("ill", error="no disk"),
            outcome("just", "2026-01-01T12:00:00+00:00"),
        ],
        NOW,
    )
    assert [row.learner for row in rows] == ["ill", "long", "short", "just", "works", "away"]
    assert [row.stuck for row in rows] == [True, True, False, False, False, False]
    assert rows[1] == Place("long", "up", "a/b", "it answers", 29, checks=2, hints=1, done=1, points=5)
    assert rows[-1].cluster == "down"


@pytest.mark.parametrize("answer", [{}, {"labs": 3}, {"labs": [], "cluster": {"running": 1}, "now": {"lab": 1}}])
def test_a_folder_of_another_shape_is_trouble_and_no_traceback(answer: dict[str, Any]) -> None:
    (row,) = places([Outcome(Learner("ada"), answer, 0.1)], NOW)
    assert row.stuck
    assert "another shape" in row.trouble


def test_nothing_a_learner_writes_is_markup() -> None:
    evil = "<img src=x onerror=alert(1)>"
    rows = places([outcome("ada", "2026-01-01T11:30:00+00:00", step=evil), outcome("g", error=evil)], NOW)
    assert "<img" not in render(rows, NOW)
    assert render(rows, NOW).count("&lt;img") == 2


@pytest.fixture
def asked() -> threading.Event:
    return threading.Event()


@pytest.fixture
def board(asked: threading.Event) -> Iterator[Board]:
    def ask() -> list[Outcome]:
        if board._seen is not None:
            asked.set()
        return [outcome("ada", "2026-01-01T11:30:00+00:00")]

    board = Board(ask, "127.0.0.1", 0, 0.01)
    with board:
        yield board


def get(url: str) -> tuple[int, str, Any]:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status, response.read().decode(), response.headers
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), error.headers


def test_the_page_is_served_to_who_knows_where(board: Board, asked: threading.Event) -> None:
    assert asked.wait(30)
    status, text, headers = get(board.url)
    assert status == 200
    assert "it answers" in text
    assert headers["Cache-Control"] == "no-store"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    (row,) = json.loads(get(board.url + "board.json")[1])
    assert (row["learner"], row["stuck"]) == ("ada", True)


@pytest.mark.parametrize(
    "change",
    [
        lambda url: url.rsplit("/", 2)[0] + "/",
        lambda url: url.rsplit("/", 2)[0] + "/board.json",
        lambda url: url[:-2] + "/",
        lambda url: url[:-1] + "x/",
        lambda url: url + "nothing",
        lambda url: url + "../../etc/passwd",
    ],
)
def test_to_others_there_is_nothing(board: Board, change: Callable[[str], str]) -> None:
    status, text, _ = get(change(board.url))
    assert (status, text) == (404, "not found\n")


def test_it_listens_on_loopback_and_every_board_has_a_path_of_its_own(board: Board) -> None:
    other = Board(list, "127.0.0.1", 0, 1)
    with other:
        assert other.url.rsplit("/", 2)[1] != board.url.rsplit("/", 2)[1]
    assert len(board.url.rsplit("/", 2)[1]) >= 32
    assert board.url.startswith("http://127.0.0.1:")


def test_a_class_that_is_gone_ends_the_board() -> None:
    def ask() -> list[Outcome]:
        raise OSError("gone")

    with Board(ask, "127.0.0.1", 0, 1) as made, pytest.raises(OSError, match="gone"):
        made.wait()


def test_it_may_be_interrupted_as_soon_as_its_url_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ClassDir(tmp_path).enrol([Learner("ada")])
    monkeypatch.setattr(Crew, "do", lambda *args: [])
    echo = click.echo

    def interrupted(text: str) -> None:
        echo(text)
        if text.startswith("http://"):
            raise KeyboardInterrupt

    monkeypatch.setattr(click, "echo", interrupted)
    done = CliRunner().invoke(class_, ["board", "--dir", str(tmp_path)])
    assert (done.exit_code, done.output.splitlines()[1:]) == (0, ["the board is closed"])
