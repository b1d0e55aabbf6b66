"""What the questions show is what a running cluster shows today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("capture_artifacts", ROOT / "scripts" / "capture_artifacts.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT = _script()


@pytest.mark.kernel
@pytest.mark.timeout(300)
@pytest.mark.parametrize("entry", SCRIPT.recipe(), ids=lambda e: e["name"])
def test_a_fresh_capture_is_the_same(entry: dict[str, Any], podwalk_home: Path) -> None:
    for name, text in SCRIPT.capture(entry).items():
        assert not SCRIPT.differences(name, text), f"{name}: capture it again: scripts/capture_artifacts.py"


def test_every_artifact_has_a_recipe() -> None:
    made = {item["file"] for entry in SCRIPT.recipe() for item in entry["captures"]}
    assert made == {path.name for path in SCRIPT.FOLDER.glob("*.txt")}


def test_evening_out_hides_chance_and_nothing_else() -> None:
    one = "$ x\n10.244.1.4:8080 -> 10.244.2.9 via 10.244.2.0 KUBE-SEP-V4ZJ7IJDQVV4STZC\n172.18.0.1:47680\n"
    other = "$ x\n10.244.1.7:8080 -> 10.244.2.3 via 10.244.2.0 KUBE-SEP-BWKO2ZW4IRW35RFX\n172.18.0.1:1505\n"
    assert SCRIPT.even(one) == SCRIPT.even(other)
    assert SCRIPT.even(one) != SCRIPT.even(one.replace("via 10.244.2.0", "via 10.244.1.0"))
    assert SCRIPT.even(one) != SCRIPT.even(one.replace("10.244.2.9", "10.244.1.4"))
