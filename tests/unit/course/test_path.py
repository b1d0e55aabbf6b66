"""Which chapters there are, and what a learner is told to do next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwalk.course import catalogue
from podwalk.course.catalogue import LabSpec
from podwalk.course.path import Chapter, chapters, next_step
from podwalk.course.progress import Progress, Standing
from podwalk.course.schema import LabError

COURSE = [Chapter("00-start", "Start"), Chapter("10-wires", "Wires"), Chapter("20-names", "Names")]
DONE = Standing(done=True, points=5, checks=1)
ROOT = Path(__file__).parents[3]


def lab(layer: str, name: str) -> LabSpec:
    return LabSpec(layer, name, Path(), name.upper(), 1, (5, 10), "easy", (), (), (), {"it answers": 5}, ())


LABS = [lab("names", "x"), *(lab("wires", n) for n in "abcd")]


def write(root: Path, name: str, *cells: tuple[str, str]) -> None:
    (root / "notebooks").mkdir(exist_ok=True)
    data = {"cells": [{"cell_type": kind, "source": source} for kind, source in cells]}
    (root / "notebooks" / name).write_text(json.dumps(data))


def test_a_chapter_is_found_because_its_notebook_is_there(tmp_path: Path) -> None:
    write(tmp_path, "20-names.ipynb", ("code", "# no title\n1"), ("markdown", "words\n\n# Names: who?\n\n## not this"))
    write(tmp_path, "00-start.ipynb", ("markdown", "no heading"))
    write(tmp_path, "index.ipynb", ("markdown", "# podwalk"))
    assert chapters(tmp_path) == [Chapter("00-start", "00-start"), Chapter("20-names", "Names: who?")]
    (tmp_path / "notebooks" / "10-broken.ipynb").write_text("{}")
    with pytest.raises(LabError, match="is no notebook"):
        chapters(tmp_path)


def test_labs_come_in_the_order_of_their_chapters() -> None:
    labs = catalogue.all_labs(ROOT)
    layers = list(dict.fromkeys(each.layer for each in labs))
    taught = [layer for chapter in chapters(ROOT) for layer in layers if chapter.teaches(layer)]
    assert layers == taught == ["pod-network", "services", "ingress", "policy-egress"]
    places = [(layers.index(each.layer), each.order) for each in labs]
    assert places == sorted(places)


def test_labs_without_a_chapter_come_last(tmp_path: Path) -> None:
    for name in ("b/two", "a/one"):
        folder = tmp_path / "labs" / name
        folder.mkdir(parents=True)
        some = (ROOT / "labs/services/branch-cannot-find-the-ledger/lab.yaml").read_text()
        (folder / "lab.yaml").write_text(some)
    write(tmp_path, "10-b.ipynb")
    assert [each.name for each in catalogue.all_labs(tmp_path)] == ["b/two", "a/one"]


def test_a_chapter_may_teach_more_than_its_layers_name_says() -> None:
    assert Chapter("30-ingress-and-gateway", "").teaches("ingress")
    assert Chapter("40-policy-and-egress", "").teaches("policy-egress")
    assert not Chapter("20-services", "").teaches("service")
    assert not Chapter("30-ingress-and-gateway", "").teaches("policy-egress")


@pytest.mark.parametrize(
    ("seen", "done", "running", "expected"),
    [
        ({}, "", (), "Read the chapter Start"),
        ({"00-start": False}, "", (), "Finish the chapter Start"),
        ({"00-start": True}, "", (), "Read the chapter Wires"),
        ({"00-start": True, "10-wires": True}, "", (), "Practise what you have read: A."),
        ({"00-start": True, "10-wires": True}, "ab", (), "Practise what you have read: C."),
        ({"00-start": True, "10-wires": True}, "abc", (), "Read the chapter Names"),
        ({}, "", ("wires/d",), "Go on with the lab you started: D."),
        ({}, "d", ("wires/d",), "Read the chapter Start"),
        ({c.stem: True for c in COURSE}, "abcx", (), "All chapters are read. The next lab: D."),
        ({c.stem: True for c in COURSE}, "abcdx", (), "You have been everywhere."),
    ],
)
def test_the_next_step(seen: dict[str, bool], done: str, running: tuple[str, ...], expected: str) -> None:
    standings = {each.name: DONE for each in LABS if each.id in done}
    assert next_step(COURSE, LABS, seen, standings, running).words.startswith(expected)


def test_chapters_are_remembered(tmp_path: Path) -> None:
    with Progress(tmp_path / "progress.sqlite") as progress:
        assert progress.chapters() == {}
        progress.chapter_begun("00-start")
        progress.chapter_begun("10-wires")
        progress.chapter_finished("00-start")
        # Reading it once more takes nothing away.
        progress.chapter_begun("00-start")
        assert progress.chapters() == {"00-start": True, "10-wires": False}
