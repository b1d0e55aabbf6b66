"""Every chapter runs from top to bottom without a person, and is committed as it was written: without outputs."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import layer7_chapters
import nbformat
import network_chapters
import policy_chapters
import pytest
import troubleshooting_chapters
from nbclient import NotebookClient

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend

CHAPTERS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
# The cells whose output is a picture, by their ids.
DRAWINGS = {
    "20-services": [
        "spread", "map", "flush", "elsewhere", "broken-map", "scale", "repaired", "tree", "trace", "beside", "kept-one",
        "kept-few", "kept-flush", "deaf", "deaf-change", "deaf-calls", "deaf-elsewhere", "deaf-repair", "outside-trace",
        "gate-tree", "balancer-inside", "closed", "refused-trace", "affinity", "affinity-tree", "near", "roll",
        "roll-again",
    ],
    **network_chapters.DRAWINGS,
    **layer7_chapters.DRAWINGS,
    **policy_chapters.DRAWINGS,
    **troubleshooting_chapters.DRAWINGS,
}  # fmt: skip
CLAIMS = network_chapters.CLAIMS | layer7_chapters.CLAIMS | policy_chapters.CLAIMS
CLAIMS |= troubleshooting_chapters.CLAIMS
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


@pytest.fixture(scope="module")
def cluster(podwalk_home: Path) -> Iterator[Cluster]:
    """A cluster of the chapters' own: they count what is there, so that no other test may have added to it."""
    running = EmbeddedBackend().up(clusterconfig.default("chapters"), progress=lambda fact: None)
    yield running
    running.down()


def test_there_are_chapters() -> None:
    assert {"00-orientation", "10-pod-network", "20-services"} <= {path.stem for path in CHAPTERS}


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
    for program in layer7_chapters.NEEDS.get(path.stem, ()):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is not installed")
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
    if path.stem in CLAIMS:
        CLAIMS[path.stem](lambda cell_id: _said(cells[cell_id]))
    with cluster.client() as api:
        assert api.find("Namespace", f"chapter-{path.stem.partition('-')[2]}") is None


def _services(cells: dict[str, Any]) -> None:
    """What the chapter claims is what happened."""
    _claims(cells, "map", "33% to")
    _claims(cells, "rules", "probability 0.33333")
    _claims(cells, "flush", "timeout")
    _claims(cells, "elsewhere", "30 requests", never="timeout")
    _claims(cells, "broken-map", "no rule of its node leads on")
    assert _said(cells["scale"]).count("25% to") == 4
    _claims(cells, "repaired", "60 requests", never="timeout")
    _claims(cells, "tree", "KUBE-MARK-MASQ", "MASQUERADE")
    _claims(cells, "trace", "the destination becomes", "Answered")
    _claims(cells, "hairpin-look", "the caller itself")
    _claims(cells, "mode", "iptables")
    _claims(cells, "beside", "map service-ips", "numgen random mod 3")
    _claims(cells, "edges", "timeout", never="refused")
    _claims(cells, "edges-nft", "connection refused", never="timeout")
    _claims(cells, "conntrack", "sport=8080")
    _claims(cells, "kept-one", ": 40")
    _claims(cells, "kept-flush", "none was lost")
    _claims(cells, "same-port-lost", "timeout")
    _claims(cells, "same-port-again", "11000 timeout", "11001 HTTP 200", "SYN_SENT", "[UNREPLIED]")
    _services_on_a_deaf_node(cells)
    _services_from_outside(cells)
    _services_and_names(cells)
    _claims(cells, "roll", "calls from", never="none was lost")
    _claims(cells, "roll-again", "none was lost")


def _services_on_a_deaf_node(cells: dict[str, Any]) -> None:
    _claims(cells, "deaf", "30 requests", never="timeout")
    assert _said(cells["deaf-change"]).count("33% to") == 3
    _claims(cells, "deaf-calls", "requests")
    _claims(cells, "deaf-elsewhere", "24 requests", never="timeout")
    _claims(cells, "deaf-repair", "24 requests", never="timeout")


def _services_from_outside(cells: dict[str, Any]) -> None:
    _claims(cells, "outside-trace", "the source becomes", "Answered")
    table = _said(cells["who-sees"]).splitlines()
    rows = {line.partition("  ")[0].partition(" (")[0]: line for line in table}
    assert rows["the Service's ClusterIP"].count("the caller itself") == 1
    assert "the caller itself" not in rows["node port, a node without"]
    assert rows["Local, a node with bakers"].count("the caller itself") == 2
    assert rows["Local, a node without"].count("timeout") == 3
    _claims(cells, "gate-tree", "KUBE-SVL-", "as above")
    _claims(cells, "arp", "who-has", "is-at", "HTTP 200")
    _claims(cells, "arp-look", "announcing from node")
    _claims(cells, "balancer-inside", "Answered")
    _claims(cells, "closed", "has no endpoints")
    _claims(cells, "fates", "timeout")
    fates = _said(cells["fates-inside"])
    assert (fates.count("connection refused"), fates.count("timeout"), fates.count("HTTP 200")) == (2, 1, 1)
    _claims(cells, "refused-trace", "Rejected")
    _claims(cells, "internal", "timeout", never="HTTP 200")
    _claims(cells, "internal-back", "HTTP 200")
    _claims(cells, "affinity", ": 30")
    _claims(cells, "affinity-tree", "who came here in the last 10800 s")


def _services_and_names(cells: dict[str, Any]) -> None:
    _claims(cells, "resolv", "ndots:5", "10.96.0.10")
    _claims(cells, "records", "SRV 0 50 8080 oven-0.ovens.", "oven-1.ovens.")
    _claims(cells, "ptr", "in-addr.arpa. 30", "PTR")
    _claims(cells, "mill", "CNAME", "Host: mill", "sees you as")
    _claims(cells, "ndots", "8 questions, 6 in vain")
    _claims(cells, "dot", "2 questions, 0 in vain")
    _claims(cells, "fqdn", "8 questions, 6 in vain")
    _claims(cells, "short", "2 questions, 0 in vain")
    _claims(cells, "log-off", "the log is off")
    waited = re.search(r"HTTP 200 +([0-9.]+) s", _said(cells["five"]))
    assert waited is not None
    assert float(waited[1]) >= 5


def _claims(cells: dict[str, Any], cell_id: str, *words: str, never: str = "") -> None:
    said = _said(cells[cell_id])
    for word in words:
        assert word in said, f"{cell_id}: {said}"
    assert not never or never not in said, f"{cell_id}: {said}"
