"""docs/coverage.yaml: every subject and every myth of the lower layers is taught somewhere, and the place exists."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LAYERS = {"pod-network", "services", "ingress", "policy", "interview"}
# What these layers teach has to have a place; another may be planned.
TAUGHT = LAYERS


def _entries() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "coverage.yaml").read_text())
    return found


ENTRIES = _entries()


def missing(place: str, root: Path = ROOT) -> str:
    """What is wrong with a place; nothing if it is there.

    Places: ``labs/layer/id``, ``FILE.ipynb#anchor``, ``FILE.md#heading``, ``drills/questions/LAYER.yaml#id``.
    """
    name, _, anchor = place.partition("#")
    path = root / name
    if name.startswith("labs/"):
        return "" if (path / "lab.yaml").is_file() and not anchor else f"{place}: there is no such lab"
    if not path.is_file():
        return f"{place}: there is no such file"
    if not anchor:
        return f"{place}: an anchor is missing"
    return "" if anchor in anchors(path) else f"{place}: {name} has no such anchor"


@functools.cache
def anchors(path: Path) -> frozenset[str]:
    """The anchors of a chapter (its ``<a id>``) or of a page (its headings as GitHub links them)."""
    text = path.read_text()
    if path.suffix == ".yaml":
        return frozenset(re.findall(r"^  - id: (\S+)$", text, re.MULTILINE))
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        return frozenset(re.findall(r'<a id="([^"]+)"', text))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", h.strip().lower()).replace(" ", "-") for h in headings)


def test_every_entry_says_what_it_is() -> None:
    for entry in ENTRIES:
        assert entry["layer"] in LAYERS, entry
        assert entry["kind"] in ("subject", "myth"), entry
        assert entry["id"].startswith(f"{entry['layer']}."), entry
        assert entry.get("claim" if entry["kind"] == "myth" else "subject"), entry
        if entry["kind"] == "myth" and not entry.get("planned"):
            assert entry.get("truth"), entry["id"]
        fields = {"id", "layer", "kind", "subject", "claim", "truth", "taught", "planned"}
        assert set(entry) <= fields, entry


def test_no_id_stands_there_twice() -> None:
    ids = [entry["id"] for entry in ENTRIES]
    assert len(ids) == len(set(ids)), sorted(i for i in ids if ids.count(i) > 1)


def test_the_lower_layers_are_taught() -> None:
    for entry in ENTRIES:
        if entry["layer"] in TAUGHT:
            assert entry.get("taught"), f"{entry['id']} is taught nowhere"
            assert not entry.get("planned"), entry["id"]
        else:
            assert bool(entry.get("taught")) != bool(entry.get("planned")), entry["id"]


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.get("taught")], ids=lambda e: e["id"])
def test_its_places_exist(entry: dict[str, Any]) -> None:
    assert [wrong for place in entry["taught"] if (wrong := missing(place))] == []


def test_what_is_not_there_is_found_out(tmp_path: Path) -> None:
    (tmp_path / "labs" / "services" / "x").mkdir(parents=True)
    chapter = {"cells": [{"cell_type": "markdown", "source": ['<a id="here"></a>\n', "# T"]}]}
    (tmp_path / "a.ipynb").write_text(json.dumps(chapter))
    (tmp_path / "b.md").write_text("# Title\n\n## Calico's objects, and `more`\n")
    assert missing("a.ipynb#here", tmp_path) == ""
    assert missing("b.md#calicos-objects-and-more", tmp_path) == ""
    for place in ("labs/services/x", "labs/services/y", "a.ipynb#there", "a.ipynb", "b.md#other", "c.md#title"):
        assert missing(place, tmp_path), place
