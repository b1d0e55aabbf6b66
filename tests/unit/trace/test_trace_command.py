"""`podwalk trace` on paper: what it prints of recorded walks, its exit codes, and nodes that cannot be watched."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from podwalk.cli import trace as command
from podwalk.trace.collect import Agents
from podwalk.trace.follow import read
from podwalk.trace.target import TraceError

_FOLDER = Path(__file__).parent / "recordings"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    def call(name: str, *options: str) -> Result:
        recording = json.loads(gzip.decompress((_FOLDER / f"{name}.json.gz").read_bytes()))
        monkeypatch.setattr(command, "running", lambda cluster: None)
        monkeypatch.setattr(command, "follow", lambda *_, **__: read(recording))
        return CliRunner().invoke(command.trace, ["client", "http://far", *options])

    return call


def test_an_answered_walk_is_printed_plain_and_succeeds(run: Any) -> None:
    done = run("cross-node")
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    lines = done.output.splitlines()
    assert lines[0] == "trace-walks/client → http://far"
    assert any(line.startswith("name  far.trace-walks.svc.cluster.local. → 10.96.") for line in lines)
    assert "  walks-worker · trace-walks/client" in lines
    assert any("PREROUTING" in line and "DNAT 10.96." in line for line in lines)
    assert any(line.startswith("✔ answered  Answered by 10.244.2.") for line in lines)
    assert "and back" in lines


def test_the_culprit_is_printed_and_the_exit_code_says_so(run: Any) -> None:
    done = run("drop-rule")
    assert done.exit_code == 1
    assert "✘ dropped" in done.output
    assert "filter: -A FORWARD" in done.output
    assert "see it     podwalk node --name walks walks-worker2 -- iptables -t filter -S FORWARD" in done.output


def test_the_question_is_announced_only_where_it_is_followed(run: Any) -> None:
    assert "followed is the question to 10.96.0.10" in run("silent-name-server").output
    assert "question" not in run("node-port").output


def test_all_rules_are_printed_on_demand(run: Any) -> None:
    assert run("cross-node", "--rules").output.count("KUBE-SVC-") > run("cross-node").output.count("KUBE-SVC-") == 0


def test_json_is_the_walk(run: Any) -> None:
    said = json.loads(run("wrong-vtep", "--json").output)
    assert said["verdict"]["cause"] == "wrong-vtep"
    assert {"number", "place", "device", "hook", "rules", "rewrite", "encapsulation", "route", "sentence"} <= set(
        said["hops"][0]
    )


def test_the_answer_of_a_lost_walk_is_explained_hop_by_hop(run: Any) -> None:
    back = run("reply-dropped").output.partition("and back")[2]
    assert "In FORWARD a rule of table filter drops it" in back


class Nodes:
    """A cluster whose nodes run a shell script in the place of the collector."""

    backend = "kind"

    def __init__(self, **scripts: str) -> None:
        self.scripts = scripts

    def start(self, node: str | None, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        pipe = subprocess.PIPE
        return subprocess.Popen(["sh", "-c", self.scripts[str(node)]], stdin=pipe, stdout=pipe, stderr=pipe)


def test_a_node_without_python_is_named_and_the_others_go_on() -> None:
    cluster: Any = Nodes(a="read order; echo '{}'", b="echo 'exec: python3: not found' >&2; exit 127")
    with Agents(cluster, ["a", "b"]) as agents:
        assert agents.all({"do": "arm"}) == {"a": {}}
        assert agents.troubles == [
            "b: has no python3, which the collector needs; podwalk trace sees everything on the embedded cluster"
        ]
        with pytest.raises(TraceError, match="b: has no python3"):
            agents.one("b", {"do": "go"})


def test_what_a_node_refuses_is_told() -> None:
    cluster: Any = Nodes(a="""read order; echo '{"failed": "Operation not permitted"}'""")
    with (
        Agents(cluster, ["a"]) as agents,
        pytest.raises(TraceError, match="a: Operation not permitted; podwalk doctor"),
    ):
        agents.one("a", {"do": "arm"})
