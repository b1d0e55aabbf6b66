"""The board of a class in a real browser: readable, without complaints, and it follows the class by itself."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from jupyterlab_page import ROOT, Server, browse, wait_for, what_is_missing

from podwalk.classroom.board import Board
from podwalk.classroom.crew import Outcome
from podwalk.classroom.roster import Learner


def outcome(name: str, minutes: int | None, step: str = "the till gets an answer") -> Outcome:
    since = None if minutes is None else (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()
    now = {"lab": "services/a-lab", "step": since and step, "failingSince": since, "checks": 3, "hints": 1}
    return Outcome(Learner(name), {"labs": [], "cluster": {"running": True}, "now": now}, 0.1)


def test_who_is_stuck_is_seen_and_the_page_follows(tmp_path: Path) -> None:
    if missing := what_is_missing():
        pytest.skip(missing)
    heard = [outcome("grace", None), outcome("ada", 25, "<b>the till</b>"), outcome("alan", 2)]
    pictures = Path(os.environ.get("PODWALK_SCREENSHOTS") or ROOT / "build" / "screenshots")
    pictures.mkdir(parents=True, exist_ok=True)
    with (
        Board(lambda: list(heard), "127.0.0.1", 0, 0.1) as board,
        browse(cast(Server, None), pictures, tmp_path / "profile") as page,
    ):
        driver = page.driver

        def rows() -> list[str]:
            # In one question: the page may load anew between two.
            script = "return [...document.querySelectorAll('tbody tr')].map(row => row.innerText)"
            return [" ".join(text.split()) for text in driver.execute_script(script)]

        driver.set_window_size(1280, 700)
        driver.get(board.url)
        wait_for(lambda: len(rows()) == 3, "the learners are there")
        assert [row.split()[:2] for row in rows()] == [["▲", "ada"], ["alan", "up"], ["grace", "up"]]
        assert "<b>the till</b> 25 min" in rows()[0]
        script = "return getComputedStyle(document.querySelector('tbody td')).fontWeight"
        assert int(driver.execute_script(script)) >= 700
        driver.save_screenshot(str(pictures / "board.png"))
        heard[:] = [outcome("grace", 12)]
        wait_for(lambda: [row.split()[:2] for row in rows()] == [["▲", "grace"]], "the page has followed")
        assert page.console() == []
