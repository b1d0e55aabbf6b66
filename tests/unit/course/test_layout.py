"""A learner's folder is brought up to date, and nothing that the learner wrote is lost on the way."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from podwalk.course import layout
from podwalk.course.layout import Change, lay_out
from podwalk.course.schema import LabError

CHAPTER = "notebooks/10-chapter.ipynb"
ANCHORS = "notebooks/10-chapter.yaml"


def notebook(*cells: str, outputs: tuple[str, ...] = ()) -> str:
    made: list[dict[str, Any]] = [{"cell_type": "code", "source": c, "outputs": list(outputs)} for c in cells]
    return json.dumps({"cells": made})


@pytest.fixture
def content(tmp_path: Path) -> Path:
    root = tmp_path / "content"
    for name, text in {
        CHAPTER: notebook("one"),
        ANCHORS: "kind: Namespace\n",
        "notebooks/.ipynb_checkpoints/10-chapter.ipynb": notebook("old"),
        "docs/limits.md": "limits\n",
        "scripts/get-kubectl": "#!/usr/bin/env python3\n",
        "labs/services/x/lab.yaml": "title: x\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture
def folder(tmp_path: Path, content: Path) -> Path:
    lay_out(content, tmp_path / "mine", "1")
    return tmp_path / "mine"


def changes(content: Path, folder: Path, version: str = "2") -> list[Change]:
    return lay_out(content, folder, version)


def test_a_new_folder_holds_what_a_learner_reads_and_runs(folder: Path) -> None:
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    ours = {layout.RECORD, f"{layout.RECORD}.lock"}
    assert found - ours == {CHAPTER, ANCHORS, "docs/limits.md", "get-kubectl"}
    assert os.access(folder / "get-kubectl", os.X_OK)


def test_nothing_new_changes_nothing(content: Path, folder: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.ipynb")}
    assert changes(content, folder) == []
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.ipynb")} == before


def test_what_only_podwalk_changed_is_replaced(content: Path, folder: Path) -> None:
    (content / ANCHORS).write_text("kind: Pod\n")
    assert changes(content, folder) == [Change(ANCHORS, "updated")]
    assert (folder / ANCHORS).read_text() == "kind: Pod\n"
    assert changes(content, folder) == []


def test_what_only_the_learner_changed_stays(content: Path, folder: Path) -> None:
    (folder / ANCHORS).write_text("mine\n")
    assert changes(content, folder) == [Change(ANCHORS, "kept")]
    assert (folder / ANCHORS).read_text() == "mine\n"


def test_where_both_changed_both_are_there(content: Path, folder: Path) -> None:
    (folder / CHAPTER).write_text(notebook("one", "mine"))
    (content / CHAPTER).write_text(notebook("two"))
    beside = "notebooks/10-chapter.podwalk-2.ipynb"
    assert changes(content, folder) == [Change(CHAPTER, "kept", beside)]
    assert "mine" in (folder / CHAPTER).read_text()
    assert "two" in (folder / beside).read_text()
    # It has been told once; from now on the learner's file is only the learner's.
    assert changes(content, folder) == [Change(CHAPTER, "kept")]


def test_having_run_a_notebook_is_no_change(content: Path, folder: Path) -> None:
    (folder / CHAPTER).write_text(notebook("one", outputs=("a picture",)))
    assert changes(content, folder) == []
    assert "a picture" in (folder / CHAPTER).read_text()
    (content / CHAPTER).write_text(notebook("two"))
    assert changes(content, folder) == [Change(CHAPTER, "updated")]


def test_a_removed_file_comes_back(content: Path, folder: Path) -> None:
    (folder / CHAPTER).unlink()
    assert changes(content, folder) == [Change(CHAPTER, "added")]


def test_what_the_course_no_longer_has_goes_unless_it_was_changed(content: Path, folder: Path) -> None:
    (folder / ANCHORS).write_text("mine\n")
    (content / ANCHORS).unlink()
    (content / "docs/limits.md").unlink()
    assert changes(content, folder) == [Change("docs/limits.md", "removed")]
    assert (folder / ANCHORS).exists()
    assert not (folder / "docs/limits.md").exists()


def test_a_dry_run_writes_nothing(content: Path, folder: Path) -> None:
    (content / ANCHORS).write_text("kind: Pod\n")
    assert Change(ANCHORS, "updated") in lay_out(content, folder, "2", dry_run=True)
    assert (folder / ANCHORS).read_text() == "kind: Namespace\n"
    assert json.loads((folder / layout.RECORD).read_text())["version"] == "1"


def test_an_interrupted_laying_out_is_finished_by_the_next(
    content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = layout._write

    def interrupted(target: Path, source: Path) -> None:
        if target.suffix == ".ipynb":
            raise KeyboardInterrupt
        written(target, source)

    monkeypatch.setattr(layout, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lay_out(content, tmp_path / "new", "1")
    monkeypatch.undo()
    assert Change(CHAPTER, "added") in lay_out(content, tmp_path / "new", "1")
    assert lay_out(content, tmp_path / "new", "1") == []


def test_a_link_is_replaced_and_not_written_through(content: Path, folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text("kind: Namespace\n")
    (folder / ANCHORS).unlink()
    (folder / ANCHORS).symlink_to(elsewhere)
    (content / ANCHORS).write_text("kind: Pod\n")
    changes(content, folder)
    assert elsewhere.read_text() == "kind: Namespace\n"


def test_folders_that_are_not_ours_are_left_alone(content: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("two years of work")
    with pytest.raises(LabError, match=r"podwalk init .*/full/podwalk"):
        lay_out(content, full, "1")
    with pytest.raises(LabError, match="is a file"):
        lay_out(content, full / "thesis.txt", "1")
    with pytest.raises(LabError, match="podwalk's own repository"):
        lay_out(content, content, "1")
    assert [p.name for p in full.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("record", "words"),
    [("{", "cannot be read"), ('{"files": 3}', "cannot be read"), ('{"format": 9, "files": {}}', "9")],
)
def test_a_record_that_cannot_be_read_is_named(content: Path, folder: Path, record: str, words: str) -> None:
    (folder / layout.RECORD).write_text(record)
    with pytest.raises(LabError, match=words):
        changes(content, folder)


def test_a_record_reaches_no_file_outside(content: Path, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text("limits\n")
    record = json.loads((folder / layout.RECORD).read_text())
    record["files"]["../outside.md"] = record["files"]["docs/limits.md"]
    (folder / layout.RECORD).write_text(json.dumps(record))
    assert changes(content, folder) == []
    assert outside.exists()
