"""Every chapter runs from top to bottom without a person, and is committed as it was written: without outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from podwalk.backends.base import Cluster

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# The cells whose output is a picture, by their ids.
DRAWINGS = {"20-services": ["spread", "map", "flush", "elsewhere", "broken-map", "scale", "repaired"]}
_CELL_SECONDS = 90
_LONGEST_CELL = 10


def _read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def _outputs(cell: Any) -> list[Any]:
    return list(cell.get("outputs", ()))


def _said(cell: Any) -> str:
    return "".join(o.get("text", "") for o in _outputs(cell)) + "".join(
        o["data"].get("text/plain", "") for o in _outputs(cell) if "data" in o
    )


def test_there_are_chapters() -> None:
    assert {"20-services"} <= {path.stem for path in CHAPTERS}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_it_is_committed_without_outputs(path: Path) -> None:
    notebook = _read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs, cell.id
            assert cell.execution_count is None, cell.id
            assert len(cell.source.splitlines()) < _LONGEST_CELL, cell.id


@pytest.mark.cluster
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning:zmq")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:jupyter_client")
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_it_runs_from_top_to_bottom(path: Path, cluster: Cluster, podwalk_home: Path) -> None:
    notebook = _read(path)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PODWALK_HOME": str(podwalk_home), "PODWALK_CLUSTER": cluster.name, "PATH": tools}
    client = NotebookClient(
        notebook, timeout=_CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute(env=env)
    cells = {cell.id: cell for cell in notebook.cells}
    for cell in notebook.cells:
        assert not [o for o in _outputs(cell) if o.output_type == "error" or o.get("name") == "stderr"], cell.id
    for cell_id in DRAWINGS.get(path.stem, ()):
        pictures = [o["data"]["image/png"] for o in _outputs(cells[cell_id]) if "image/png" in o.get("data", {})]
        assert len(pictures) == 1, f"{cell_id}: {_said(cells[cell_id])}"
    if path.stem == "20-services":
        _services(cells)
    with cluster.client() as api:
        assert api.find("Namespace", f"chapter-{path.stem.partition('-')[2]}") is None


def _services(cells: dict[str, Any]) -> None:
    """What the chapter claims is what happened."""
    assert "33% to" in _said(cells["map"])
    assert "probability 0.33333" in _said(cells["rules"])
    assert "timeout" in _said(cells["flush"])
    assert "30 requests" in _said(cells["elsewhere"])
    assert "timeout" not in _said(cells["elsewhere"])
    assert "no rule of its node leads on" in _said(cells["broken-map"])
    assert _said(cells["scale"]).count("25% to") == 4
    assert "60 requests" in _said(cells["repaired"])
