"""Probes from nodes and from outside, connections, flows with their controls, and names."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Mapping

import pytest
from fake_cluster import FakeCluster, answered, pod
from test_probes import lab_on, step

from podwalk.backends.base import BackendError, Completed
from podwalk.checks import connect, lookups
from podwalk.checks.report import Verdict
from podwalk.checks.shell import Shell

FREE = "free"


class RealShell(Shell):
    """Runs the script on this machine."""

    def __init__(self) -> None:
        pass

    def run(self, place: str, script: str, timeout: float) -> str:
        done = subprocess.run(["sh", "-eu", "-c", script], capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stderr
        return done.stdout


def test_the_fates_of_real_connections() -> None:
    with socket.socket() as listener, socket.socket() as unheard, socket.socket() as full:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        unheard.bind(("127.0.0.1", 0))
        # A queue of one that is full answers no more SYNs: a port that stays silent, without leaving this machine.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = []
        for _ in range(3):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(full.getsockname())
            waiting.append(client)
        targets = [f"127.0.0.1:{s.getsockname()[1]}" for s in (listener, unheard, full)]
        found = connect.fates(RealShell(), "shop/a", [*targets, "no-such-name.invalid:80"], 3)
        for client in waiting:
            client.close()
    assert found[:3] == [connect.OPEN, connect.REFUSED, connect.TIMEOUT]
    assert found[3] in (connect.UNKNOWN_NAME, connect.TIMEOUT)


@pytest.mark.parametrize("wrong", ["web", "web:", "web:x", "web:0", "web:70000", "$(id):80", "a b:80"])
def test_a_target_is_host_and_port(wrong: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        connect.check_target(wrong)


def network(fates: Mapping[tuple[str, str], str]) -> FakeCluster:
    """A cluster in which a connection from a place to a target has a fate; all others open."""
    codes = {fate: code for code, fate in connect._FATES.items()}
    cluster = FakeCluster([pod("shop/a"), pod("shop/b")])

    def answer(namespace: str, name: str, script: str) -> Completed:
        place = name if not namespace else f"{namespace}/{name}"
        targets = [part.split("/")[0] for part in script.split("http://")[1:]]
        lines = [f"{i} {codes[fates.get((place, t), connect.OPEN)]}" for i, t in enumerate(targets)]
        return Completed(0, "\n".join(lines) + "\n")

    cluster.exec = answer
    return cluster


ALLOWED = [("shop/a", "db:80"), ("shop/b", "web:80")]
BLOCKED = [("shop/b", "db:80")]


@pytest.mark.parametrize(
    ("fates", "observed"),
    [
        ({("shop/b", "db:80"): "no answer"}, None),
        ({("shop/b", "db:80"): "refused"}, None),
        ({}, "shop/b → db:80: open"),
        ({("shop/b", "db:80"): "name not known"}, "shop/b → db:80: name not known"),
        ({("shop/a", "db:80"): "no answer", ("shop/b", "db:80"): "no answer"}, "shop/a → db:80: no answer"),
    ],
)
def test_flows_pass_only_if_allowed_ones_open_and_blocked_ones_do_not(
    fates: dict[tuple[str, str], str], observed: str | None
) -> None:
    lab = lab_on(network(fates))
    result = step(lab, lambda: lab.flows(allowed=ALLOWED, blocked=BLOCKED).expect(within="0s"))
    assert (result.finding.observed if result.finding else None) == observed
    assert result.verdict is (Verdict.NOT_YET if observed else Verdict.PASS)


@pytest.mark.parametrize(("late", "verdict"), [("db:80", Verdict.PASS), ("", Verdict.NOT_YET)])
def test_a_single_allowed_flow_that_was_late_is_asked_again_alone(late: str, verdict: Verdict) -> None:
    fates = {("shop/b", "db:80"): "no answer", ("shop/a", "db:80"): "no answer"}
    cluster = network(fates)
    answer, asked = cluster.exec, []

    def once_late(namespace: str, name: str, script: str) -> Completed:
        asked.append((name, script.count("http://")))
        done = answer(namespace, name, script)
        if name == "a" and late in script:
            fates.pop(("shop/a", late), None)
        return done

    cluster.exec = once_late
    lab = lab_on(cluster)
    result = step(lab, lambda: lab.flows(allowed=ALLOWED, blocked=BLOCKED).expect(within="0s"))
    assert result.verdict is verdict
    assert sorted(asked) == [("a", 1), ("a", 1), ("b", 2)]


@pytest.mark.parametrize(
    "allowed",
    [[("shop/a", "db:80")], [("shop/a", "db:8080"), ("shop/b", "web:8080")]],
    ids=["no sender", "no listener"],
)
def test_a_blocked_flow_without_its_control_is_a_bug_of_the_lab(allowed: list[tuple[str, str]]) -> None:
    lab = lab_on(network({("shop/b", "db:80"): "no answer"}))
    result = step(lab, lambda: lab.flows(allowed=allowed, blocked=BLOCKED).expect())
    assert result.verdict is Verdict.COULD_NOT_TELL
    assert "must also be allowed" in result.reason


def test_a_probe_from_outside_and_from_a_node() -> None:
    cluster = FakeCluster()
    cluster.exec = lambda _, place, script: answered(body=f"172.18.0.1:{len(place)}000")
    lab = lab_on(cluster)
    assert (
        step(lab, lambda: lab.client_ip("outside", "http://web/clientip").expect("172.18.0.1")).verdict is Verdict.PASS
    )
    found = step(lab, lambda: lab.http("node:one", "http://web/").expect(status=500, within="0s")).finding
    assert found is not None
    assert found.see_it == "podwalk node one -- curl -sSm2 http://web/"
    assert {node for node, _ in cluster.beyond} == {"", "one"}


def test_a_node_that_is_dead_could_not_tell() -> None:
    cluster = FakeCluster()

    def dead(*_: str) -> Completed:
        raise BackendError("node/one: is dead")

    cluster.exec = dead
    lab = lab_on(cluster)
    result = step(lab, lambda: lab.output("node:one", "ip route").expect("x", within="0s"))
    assert (result.verdict, result.reason) == (Verdict.COULD_NOT_TELL, "node/one: is dead")


DIG = """\
;; ->>HEADER<<- opcode: QUERY, status: {status}, id: 1
;; flags: qr aa rd; QUERY: 1, ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 1
{answers}
"""


@pytest.mark.parametrize(
    ("output", "found"),
    [
        (DIG.format(status="NOERROR", answers="web.shop.svc.cluster.local. 30 IN A 10.96.0.7"), {"10.96.0.7"}),
        (
            DIG.format(status="NOERROR", answers="x. 5 IN CNAME y.\ny. 5 IN A 1.2.3.4\ny. 5 IN A 1.2.3.5"),
            {"1.2.3.4", "1.2.3.5"},
        ),
        (DIG.format(status="NOERROR", answers="x. 5 IN CNAME y."), {"y."}),
        (DIG.format(status="NOERROR", answers="_h._tcp.x. 5 IN SRV 0 50 80 a.x."), {"0 50 80 a.x."}),
        (DIG.format(status="NOERROR", answers=""), set()),
        (DIG.format(status="NXDOMAIN", answers=""), {"NXDOMAIN"}),
        (";; connection timed out; no servers could be reached\n", {"no answer"}),
    ],
)
def test_what_dig_says(output: str, found: set[str]) -> None:
    assert lookups.parse(output) == found
