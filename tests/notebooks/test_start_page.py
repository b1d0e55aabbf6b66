"""The start page on a live cluster: it knows what runs, and a lab opens below its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwalk.backends.base import Cluster, home
from podwalk.course import catalogue
from podwalk.course.engine import Course
from podwalk.course.progress import Progress
from podwalk.views import session
from podwalk.views.start_page import StartPage

LAB = "services/branch-cannot-find-the-ledger"
_SECONDS = 60.0

pytestmark = pytest.mark.cluster


def test_a_lab_opens_below_its_line_and_closes_again(cluster: Cluster) -> None:
    page = StartPage(cluster)
    page.layers.value = "services"
    lines = len(page._rows.children)
    assert page.panel is None

    page.open_lab(LAB)
    assert page.panel is not None
    assert page.panel.lab.name == LAB
    assert page.panel.wait(_SECONDS)
    at = page._rows.children.index(page.panel)
    assert page._rows.children[at - 1].children[0].description == page.panel.lab.title

    page.open_lab(LAB)
    assert len(page._rows.children) == lines
    assert "podwalk lab list" in repr(page)


@pytest.mark.parametrize(("manifest", "finished"), [(False, {"90-talk": True}), (True, {})])
def test_a_chapter_without_objects_is_read_when_it_is_opened(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: bool, finished: dict[str, bool]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", "course/notebooks/90-talk.ipynb")
    if manifest:
        (tmp_path / "90-talk.yaml").touch()
    session._note_chapter_without_objects()
    with Progress(home() / "progress.sqlite") as progress:
        assert progress.chapters() == finished


def test_what_runs_is_open_and_comes_first(cluster: Cluster) -> None:
    lab = catalogue.find(catalogue.course_root(), LAB)
    with Progress(home() / "progress.sqlite") as progress:
        course = Course(cluster, progress)
        course.start(lab)
        try:
            page = StartPage(cluster)
            assert page.layers.value == "services"
            assert page.step.lab is not None
            assert page.step.lab.name in course.running()
            assert page.panel is not None
            assert page.panel.lab.name == page.step.lab.name
            assert page.panel.wait(_SECONDS)
            assert "runs now" in page._facts[LAB].value
        finally:
            course.stop(lab)
    page.refresh()
    assert "runs now" not in page._facts[LAB].value
