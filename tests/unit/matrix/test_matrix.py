"""What packets did, beside what policies say: the words for it, and when nothing may be concluded."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from podwalk.backends.base import BackendError
from podwalk.matrix import enforced, prober
from podwalk.matrix.enforced import NodeStatus, _is_seen
from podwalk.matrix.look import _outcome
from podwalk.matrix.model import Cell, Matrix, Port, parse_ports
from podwalk.matrix.table import render
from podwalk.policy.clusterpolicies import served_version


@pytest.mark.parametrize(
    ("seen", "control", "heard", "outcome"),
    [
        ("connected", "dropped", False, "allowed"),
        ("refused", "refused", True, "refused"),
        ("dropped", "connected", True, "dropped"),
        ("dropped", "refused", True, "dropped"),
        ("dropped", "dropped", True, "could not tell"),
        ("dropped", "connected", False, "could not tell"),
        ("no-route", "connected", True, "could not tell"),
        ("error: Too many open files", "connected", True, "could not tell"),
    ],
)
def test_silence_is_a_drop_only_where_both_controls_answer(seen: str, control: str, heard: bool, outcome: str) -> None:
    assert _outcome(seen, control, heard)[0] == outcome


@pytest.mark.parametrize(
    ("outcome", "expected", "disagrees"),
    [
        ("allowed", True, False),
        ("allowed", False, True),
        ("refused", False, True),
        ("refused", True, False),
        ("dropped", True, True),
        ("dropped", False, False),
        ("dropped", None, False),
        ("could not tell", True, False),
    ],
)
def test_a_refused_packet_arrived(outcome: str, expected: bool | None, disagrees: bool) -> None:
    assert Cell("a/b", "c/d", Port(80), outcome, expected).disagrees is disagrees  # type: ignore[arg-type]


def test_ports_are_parsed() -> None:
    assert parse_ports(["80, 53/udp", "80"]) == (Port(80), Port(53, "UDP"))
    for wrong in ("0", "65536", "http", "80/ICMP", ""):
        with pytest.raises(ValueError, match="is no port"):
            parse_ports([wrong])


def two(outcome: str = "dropped") -> Matrix:
    cells = (
        Cell("shop/web", "shop/db", Port(80), "allowed", True, "allowed: no policy selects either end"),
        Cell("shop/db", "shop/web", Port(80), outcome, True, "allowed: no policy selects either end"),  # type: ignore[arg-type]
    )
    return Matrix(("shop/web", "shop/db"), ("shop/web", "shop/db"), cells, 0.25, 1)


def shown(matrix: Matrix, terminal: bool) -> str:
    out = io.StringIO()
    render(matrix, Console(file=out, force_terminal=terminal, width=100, no_color=True, _environ={}))
    return out.getvalue()


def test_a_pipe_gets_a_line_a_cell_and_no_escapes() -> None:
    text = shown(two(), terminal=False)
    assert "\x1b" not in text
    assert "✘! shop/db  → shop/web :80" in text
    assert "packets and policies disagree 1 times" in text


def test_a_terminal_gets_a_table_without_the_namespace_that_all_share() -> None:
    text = shown(two("allowed"), terminal=True)
    assert "shop/web" not in text
    assert ":80" in text
    assert "2 connections, 1 policy, 0.25 s: packets and policies agree" in text


def test_plain_data_says_all_of_it() -> None:
    said = two().as_dict()
    assert said["disagreements"] == 1
    assert said["cells"][1] == {
        "source": "shop/db", "target": "shop/web", "port": 80, "protocol": "TCP", "outcome": "dropped",
        "expected": True, "disagrees": True, "why": "allowed: no policy selects either end",
    }  # fmt: skip


def test_changes_are_those_of_packets() -> None:
    assert [(b.outcome, c.outcome) for b, c in two("dropped").changes(two("allowed"))] == [("allowed", "dropped")]
    assert two("refused").changes(two("allowed")) == []


def test_an_sctp_packet_has_a_right_checksum_and_names_its_ports() -> None:
    assert prober._crc32c(b"123456789") == 0xE3069283  # RFC 3720, B.4
    packet = bytes(20) + prober.sctp_init(20000, 3868)
    assert prober.sctp_ports(packet) == (20000, 3868)
    assert prober.sctp_is_init(packet)
    answer = bytes(20) + prober.sctp_init(3868, 20000, answer_to=packet)
    assert (prober.sctp_ports(answer), prober.sctp_is_init(answer)) == ((3868, 20000), False)


def test_a_prober_asks_from_its_own_network_and_tells_refusal_from_an_answer() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        closed = free.getsockname()[1]
        free.close()
        targets = [["127.0.0.1", port, "TCP"], ["127.0.0.1", closed, "TCP"], ["127.0.0.1", closed, "UDP"]]
        said = prober.run({"pods": {}, "targets": targets, "ask": {"node": [0, 1, 2]}, "seconds": 5})
    assert said["results"] == {"node": ["connected", "refused", "refused"]}


@pytest.mark.parametrize(
    ("wanted", "seen", "enough"),
    [
        ({}, {}, True),
        ({"pods": {"a/b": 7}}, {"pods": {"a/b": "7"}}, True),
        ({"pods": {"a/b": 7}}, {"pods": {"a/b": "9"}}, True),
        ({"pods": {"a/b": 7}}, {"pods": {"a/b": "6"}}, False),
        ({"pods": {"a/b": 7}}, {"pods": {}}, False),
        ({"pods": {}}, {"pods": {"gone/pod": "3"}}, True),
        ({"networkpolicies": {}}, {"networkpolicies": {"gone/policy": "3"}}, False),
    ],
)
def test_an_agent_has_caught_up_when_it_has_seen_all_of_it(
    wanted: dict[str, dict[str, int]], seen: dict[str, dict[str, str]], enough: bool
) -> None:
    assert _is_seen(wanted, seen) is enough


def test_the_newest_version_that_is_served_is_read() -> None:
    def crd(established: str, **versions: bool) -> dict[str, object]:
        listed = [{"name": name, "served": served} for name, served in versions.items()]
        status = {"conditions": [{"type": "Established", "status": established}]}
        return {"metadata": {}, "spec": {"versions": listed}, "status": status}

    assert served_version(None) is None
    assert served_version(crd("False", v1beta1=True)) is None
    assert served_version(crd("True", v1alpha2=True, v1beta1=True)) == "v1beta1"
    assert served_version(crd("True", v1alpha2=True, v1beta1=False)) == "v1alpha2"
    assert served_version(crd("True", v1=True)) is None


def test_what_goes_while_one_waits_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    present = [
        {"networkpolicies": {}, "pods": {"shop/a": 5, "shop/leaving": 7}},
        {"networkpolicies": {}, "pods": {"shop/a": 5}},
    ]
    agent = NodeStatus("one", in_sync=True, seen={"networkpolicies": {}, "pods": {"shop/a": "5"}})
    monkeypatch.setattr(enforced, "_present", lambda cluster: present.pop(0) if len(present) > 1 else present[0])
    monkeypatch.setattr(enforced, "statuses", lambda cluster: [agent])
    assert enforced.wait(object(), 1.0) == [agent]  # type: ignore[arg-type]
    present[0] = {"networkpolicies": {}, "pods": {"shop/a": 6}}
    with pytest.raises(BackendError, match="node one does not enforce"):
        enforced.wait(object(), 0.05)  # type: ignore[arg-type]
