"""What the documents name is there: files, headings, anchors of chapters, labs, commands."""

from __future__ import annotations

import json
import posixpath
import re
from pathlib import Path

import click
import pytest

from podwalk.cli.main import cli
from podwalk.course import layout

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")])
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_LAB = re.compile(r"`((?:pod-network|services|ingress|policy-egress)/[a-z0-9-]+)`")
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_COMMAND = re.compile(r"(?:^|`|\$ |&& )podwalk ([a-z]+)(?: ([a-z]+))?", re.MULTILINE)


def text(path: Path) -> str:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        return "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return path.read_text()


def anchors(path: Path) -> set[str]:
    """What a link may name after ``#``: headings as GitHub writes them, and anchors that were set."""
    words = re.findall(r"^#+ +(.*)", text(path), re.MULTILINE)
    headings = {re.sub(r"[^\w\- ]", "", word.lower()).replace(" ", "-") for word in words}
    return headings | set(re.findall(r'id="([^"]+)"', text(path)))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(text(page)):
        name, _, anchor = link.partition("#")
        if "://" in name or name.startswith("attachment:"):
            continue
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if anchor and target.suffix in (".md", ".ipynb"):
            assert anchor in anchors(target), link


def test_links_lead_somewhere_in_a_learners_folder_too() -> None:
    files = layout.shipped(ROOT)
    for name, page in files.items():
        if page.suffix not in (".md", ".ipynb") or name.startswith("docs/decisions/"):
            continue
        for link in _LINK.findall(text(page)):
            target = link.partition("#")[0]
            if target and "://" not in target:
                assert posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) in files, f"{name}: {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_labs_are_there(page: Path) -> None:
    for name in _LAB.findall(text(page)):
        if name not in ("services/web-times-out",):  # the example of docs/add-a-lab.md
            assert (ROOT / "labs" / name).is_dir(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_are_there(page: Path) -> None:
    context = click.Context(cli)
    code = "\n".join(_CODE.findall(text(page)))
    for name, word in _COMMAND.findall(code):
        command = cli.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group) and word and not command.invoke_without_command:
            command.resolve_command(click.Context(command, info_name=name), [word])
