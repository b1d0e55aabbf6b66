"""scripts/bench.py: the table, and what counts as reached. What is measured needs a cluster and is not tested here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench"] = module
    spec.loader.exec_module(module)
    return module


def line(bench: ModuleType, row: object) -> str:
    text = bench.render([row], "a machine")
    assert text.startswith("a machine\n")
    return str(text.splitlines()[3])


def test_a_row_shows_median_and_extremes(bench: ModuleType) -> None:
    shown = line(bench, bench.Row("up", [3.0, 1.0, 1.25], aim=1.5))
    assert shown.split() == ["up", "✔", "1.25", "s", "1.00", "3.00", "1.5", "s", "3"]


def test_the_median_decides_whether_the_aim_is_reached(bench: ModuleType) -> None:
    assert "✘" in line(bench, bench.Row("rules", [90.0, 101.0, 120.0], "ms", 100))
    assert "✔" in line(bench, bench.Row("rules", [90.0, 100.0, 120.0], "ms", 100))


def test_a_yardstick_has_no_verdict(bench: ModuleType) -> None:
    shown = line(bench, bench.Row("python -c pass", [0.01], note="yardstick"))
    assert "✔" not in shown
    assert "✘" not in shown
    assert shown.endswith("yardstick")


def test_columns_stay_in_line(bench: ModuleType) -> None:
    rows = [bench.Row("a", [1.0], aim=1.0), bench.Row("a longer name", [100.0], "ms", 60.0)]
    first, second = bench.render(rows, "").splitlines()[3:5]
    assert first.index(" s ") + len(" s") == second.index(" ms") + len(" ms")


def test_a_command_that_fails_is_named_with_its_last_line(bench: ModuleType) -> None:
    script = "import sys; print('first', file=sys.stderr); print('the reason', file=sys.stderr); sys.exit(4)"
    with pytest.raises(bench.Trouble, match="exit code 4: the reason"):
        bench.timed([sys.executable, "-c", script])
    assert bench.timed([sys.executable, "-c", "raise SystemExit(1)"], ok=(1,)) > 0


def test_the_tree_of_a_process_holds_its_children(bench: ModuleType) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as child:
        found = list(bench.tree(os.getpid()))
        assert child.pid in found
        assert found[0] == os.getpid()
        assert bench.pss(child.pid) > 0
    assert bench.pss(child.pid) == 0
