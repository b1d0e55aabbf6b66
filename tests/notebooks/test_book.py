"""The book: chapters as pages that need nothing but themselves."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::nbformat.warnings.MissingIDFieldWarning"),
]


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script on a course of two tiny chapters."""
    spec = importlib.util.spec_from_file_location("book", ROOT / "scripts" / "book.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    # The script sets these for its kernels; after the test they are as before.
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path))
    monkeypatch.setenv("PODWALK_CLUSTER", "nobody")
    write(tmp_path, "00-first", "# First: <one>\n\nNext: [the second](10-second.ipynb#there)", "open_course().layers()")
    write(tmp_path, "10-second", "# Second", "predict('who answers?', 'a', 'b')")
    return module


def write(root: Path, stem: str, words: str, code: str) -> None:
    cells = [
        {"cell_type": "markdown", "id": "words", "metadata": {}, "source": words},
        {
            "cell_type": "code", "id": "code", "metadata": {}, "outputs": [], "execution_count": None,
            "source": f"from podwalk.views import open_course, predict\n{code}",
        },
    ]  # fmt: skip
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    data = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": cells}
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / f"{stem}.ipynb").write_text(json.dumps(data))


def test_pages_hold_everything(book: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert book.main(["--out", str(out)]) == 0
    index, first, second = ((out / f"{name}.html").read_text() for name in ("index", "00-first", "10-second"))
    assert 'href="10-second.html"' in index
    assert "First: &lt;one&gt;" in index
    assert 'href="10-second.html#there"' in first
    assert 'src="data:image/png;base64,' in first
    assert 'href="10-second.html">Second →' in first
    assert "Before you look: who answers?" in second
    for page in (index, first, second):
        assert "<script" not in page
        assert re.findall(r'(?:src|href)="https?://', page) == []


def test_a_cell_that_fails_is_named(book: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "10-second", "# Second", "open_course().node_of('default/no-such-pod')")
    assert book.main(["--out", str(tmp_path / "out"), "--only", "10-second"]) == 1
    assert "no-such-pod" in capsys.readouterr().err


def test_a_chapter_that_there_is_not(book: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        book.main(["--only", "90-no-such"])
    assert "there are 00-first, 10-second" in capsys.readouterr().err
