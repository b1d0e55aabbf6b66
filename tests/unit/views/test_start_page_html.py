"""The start page's HTML: titles are text, links lead to the chapters, and the sums are right."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwalk.course.catalogue import LabSpec
from podwalk.course.path import Chapter, Step
from podwalk.course.progress import Standing
from podwalk.views import start_page_html as html

EVIL = '<img src=x onerror="alert(1)">'
CHAPTER = Chapter("10-wires", f"Wires {EVIL}")


def lab(name: str) -> LabSpec:
    return LabSpec("wires", name, Path(), EVIL, 1, (5, 10), "easy", (), (), (), {"it answers": 5}, ())


LABS = [lab("a"), lab("b")]
STANDINGS = {"wires/a": Standing(done=True, points=4, checks=2), "wires/b": Standing()}


def test_titles_are_text() -> None:
    for made in (
        html.top(Step(EVIL, chapter=CHAPTER), LABS, STANDINGS, None),
        html.top(Step(EVIL, lab=LABS[0]), LABS, STANDINGS, None),
        html.chapters([CHAPTER], LABS, {}, STANDINGS),
    ):
        assert "&lt;img" in made
        assert "<img" not in made


def test_the_sums() -> None:
    made = html.top(Step("go on"), LABS, STANDINGS, None)
    assert "1 of 2 labs" in made
    assert "4 of 10 points" in made
    assert "width:40%" in made


def test_a_chapter_is_a_link_with_its_labs() -> None:
    made = html.chapters([CHAPTER], LABS, {"10-wires": True}, STANDINGS)
    assert 'href="10-wires.ipynb"' in made
    assert "1 of 2 labs" in made
    assert "✔" in made
    assert "▸" in html.chapters([CHAPTER], LABS, {"10-wires": False}, STANDINGS)
    assert "labs" not in html.chapters([Chapter("00-start", "Start")], LABS, {}, STANDINGS)


@pytest.mark.parametrize(
    ("due", "words"), [(None, "asked until you know"), (0, "No drill is due"), (1, "1 drill is"), (7, "7 drills are")]
)
def test_due_drills(due: int | None, words: str) -> None:
    assert words in html.top(Step("go on"), LABS, STANDINGS, due)


@pytest.mark.parametrize(
    ("standing", "runs", "words"),
    [
        (Standing(), False, "<span></span>"),
        (Standing(), True, "runs now"),
        (Standing(checks=1), False, "begun"),
        (Standing(checks=1, shown=True), False, "solution shown"),
        (Standing(done=True, points=3, checks=1), True, "✔ 3 of 5"),
    ],
)
def test_a_labs_line(standing: Standing, runs: bool, words: str) -> None:
    made = html.lab(LABS[0], standing, runs)
    assert words in made
    assert "5 to 10 min" in made
