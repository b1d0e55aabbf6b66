#!/usr/bin/env python3
"""Render all chapters, executed on a cluster of their own, as a book of HTML pages that need nothing else.

    make book                              into build/book
    scripts/book.py --out DIR              elsewhere
    scripts/book.py --only 00-orientation  one chapter; may be repeated

The pages hold their pictures, run no script and load nothing: they can be read offline, or put on any web server. Where
a notebook has something to click, the page has what it says in words. Exit code 1 where a chapter does not run.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter

from podwalk import __version__
from podwalk.api import clusterconfig
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.course.path import Chapter, chapters

ROOT = Path(__file__).resolve().parents[1]
NAME = "book"
_CELL_SECONDS = 120
_WIDGET = "application/vnd.jupyter.widget-view+json"
_STYLE = """<style>
:root { color-scheme: light; }
body.jp-Notebook { max-width: 900px; margin: 0 auto; padding: 0 20px 60px; }
.jp-OutputArea-output img { max-width: 100%; height: auto; }
.book-nav { display: flex; flex-wrap: wrap; gap: 4px 24px; justify-content: space-between; padding: 14px 0;
  font: 14px/1.4 system-ui, sans-serif; border-bottom: 1px solid #ddd; margin-bottom: 14px; }
.book-nav:last-child { border-bottom: 0; border-top: 1px solid #ddd; margin-top: 30px; }
.book-nav a { color: #1565c0; text-decoration: none; } .book-nav a:hover { text-decoration: underline; }
</style>"""
_INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>podwalk</title><style>
body {{ font: 17px/1.55 system-ui, sans-serif; color: #1f2430; max-width: 44em; margin: 6vh auto; padding: 0 20px; }}
h1 {{ font-size: 2.2em; margin-bottom: 0; }} ol {{ list-style: none; padding: 0; }}
li {{ border-top: 1px solid #e3e3e3; padding: 12px 0; }} a {{ color: #1565c0; font-weight: 600; }}
a {{ text-decoration: none; }} a:hover {{ text-decoration: underline; }} p, small {{ color: #4b5260; }}
</style></head><body><h1>podwalk</h1>
<p>Walk a packet through Kubernetes networking. These are the chapters of the course, as they ran on a cluster; what is
drawn here was read from its kernels. To break things yourself, and for the labs, start the course.</p>
<ol>{rows}</ol><small>podwalk {version}</small></body></html>
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Render what the arguments ask for; 0, or 1 where a chapter did not run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "book", help="the folder for the pages")
    parser.add_argument("--only", action="append", default=[], metavar="CHAPTER", help="a notebook's name")
    args = parser.parse_args(argv)
    course = chapters(ROOT)
    chosen = [chapter for chapter in course if chapter.stem in args.only or not args.only]
    if unknown := set(args.only) - {chapter.stem for chapter in course}:
        parser.error(f"there is no chapter {', '.join(sorted(unknown))}; there are {', '.join(c.stem for c in course)}")
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        _render(chosen, args.out)
    except CellExecutionError as error:
        print(f"book: a cell failed\n{error}", file=sys.stderr)
        return 1
    print(f"book: {args.out / 'index.html'}")
    return 0


def _render(chosen: list[Chapter], out: Path) -> None:
    # A cluster and progress of its own, so that a learner's stay as they are.
    with tempfile.TemporaryDirectory(prefix="podwalk-book-") as folder:
        os.environ["PODWALK_HOME"], os.environ["PODWALK_CLUSTER"] = folder, NAME
        notebooks = Path(folder) / "notebooks"
        shutil.copytree(ROOT / "notebooks", notebooks)
        cluster = EmbeddedBackend().up(clusterconfig.default(NAME), progress=lambda fact: None)
        try:
            for at, chapter in enumerate(chosen):
                began = time.monotonic()
                page = _page(chapter, notebooks)
                nav = _nav(chosen, at)
                page = page.replace("</head>", f"{_STYLE}</head>", 1)
                page = re.sub(r"(<body[^>]*>)", lambda found, nav=nav: found[1] + nav, page, count=1)
                page = page.replace("</body>", f"{nav}</body>")
                (out / f"{chapter.stem}.html").write_text(page, encoding="utf-8")
                print(f"book: {chapter.stem} {time.monotonic() - began:.0f} s", flush=True)
        finally:
            cluster.down()
    rows = "".join(f'<li><a href="{c.stem}.html">{html.escape(c.title)}</a></li>' for c in chosen)
    (out / "index.html").write_text(_INDEX.format(rows=rows, version=__version__), encoding="utf-8")


def _page(chapter: Chapter, folder: Path) -> str:
    notebook = nbformat.read(folder / chapter.file, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    client = NotebookClient(
        notebook, timeout=_CELL_SECONDS, kernel_name="python3", resources=resources, store_widget_state=False
    )
    client.execute(env={**os.environ, "PATH": tools})
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _in_words(output)
    exporter = HTMLExporter(mathjax_url="", require_js_url="", jquery_url="", embed_images=True)
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": chapter.title}})
    # Chapters link to each other as notebooks; in the book they are pages. No script is needed to read.
    body = re.sub(r'href="([\w-]+)\.ipynb', r'href="\1.html', body)
    return re.sub(r"<script\b.*?</script>", "", body, flags=re.DOTALL)


def _in_words(output: Any) -> None:
    """A widget is nothing without the Python behind it: what it says as text stays."""
    data = output.get("data", {})
    if _WIDGET in data:
        del data[_WIDGET]
        data.pop("text/html", None)


def _nav(chosen: list[Chapter], at: int) -> str:
    def link(chapter: Chapter, words: str) -> str:
        return f'<a href="{chapter.stem}.html">{words.format(html.escape(chapter.title.partition(":")[0]))}</a>'

    before = link(chosen[at - 1], "← {}") if at else "<span></span>"
    after = link(chosen[at + 1], "{} →") if at + 1 < len(chosen) else "<span></span>"
    return f'<nav class="book-nav">{before}<a href="index.html">podwalk</a>{after}</nav>'


if __name__ == "__main__":
    sys.exit(main())
