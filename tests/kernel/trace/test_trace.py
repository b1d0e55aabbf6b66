"""Real connections through the cluster, whole and broken: the walk names every station, and the right culprit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from walk_scenarios import CONTROL, FIRST, NAMESPACE, SCENARIOS, SECOND, App

from podwalk.backends.base import Cluster
from podwalk.trace import collect
from podwalk.trace.follow import trace
from podwalk.trace.model import Hop, Walk
from podwalk.trace.target import Source, Target, TraceError

pytestmark = pytest.mark.cluster

BROKEN = [name for name, s in SCENARIOS.items() if s.outcome != "answered"]
WHOLE = [name for name, s in SCENARIOS.items() if s.outcome == "answered"]


@pytest.fixture(scope="module")
def app(cluster: Cluster) -> Iterator[App]:
    made = App(cluster)
    made.up()
    yield made
    made.down()


WALKS: dict[str, Walk] = {}


def follow(app: App, name: str) -> Walk:
    """The walk of a scenario: followed once, and looked at by several tests."""
    if name not in WALKS:
        WALKS[name] = follow_now(app, name)
    return WALKS[name]


def follow_now(app: App, name: str) -> Walk:
    scenario = SCENARIOS[name]
    with app.broken(scenario):
        return trace(app.cluster, scenario.source, app.url(scenario), namespace=NAMESPACE)


def devices(walk: Walk, place: str, direction: str = "request") -> list[str]:
    frames = [
        h for h in walk.hops if h.place.endswith(f"-{place}") and h.direction == direction and h.kind in ("in", "out")
    ]
    return [h.device for h in frames if not h.namespace and not h.device.startswith("veth")]


def rewrites(walk: Walk, direction: str = "request") -> list[tuple[str, str]]:
    return [(h.rewrite.kind, h.rewrite.after) for h in walk.hops if h.rewrite and h.direction == direction]


def ends(walk: Walk, direction: str) -> tuple[Hop, Hop]:
    chosen = [h for h in walk.hops if h.direction == direction]
    return chosen[0], chosen[-1]


def traces_of_us(cluster: Cluster) -> dict[str, tuple[list[str], int]]:
    """What a walk may leave in a kernel: tables, and sockets that capture."""
    found = {}
    for node in [n.name for n in cluster.status().nodes]:
        tables = cluster.node(node, ["nft", "list", "tables"]).stdout.splitlines()
        found[node] = (sorted(tables), len(cluster.node(node, ["cat", "/proc/net/packet"]).stdout.splitlines()))
    tables = cluster.outside(["nft", "list", "tables"]).stdout.splitlines()
    found["outside"] = (sorted(tables), len(cluster.outside(["cat", "/proc/net/packet"]).stdout.splitlines()))
    return found


@pytest.mark.parametrize("name", WHOLE)
def test_an_answered_walk_is_seen_from_end_to_end_and_back(app: App, name: str) -> None:
    walk = follow(app, name)
    assert walk.verdict.outcome == "answered", walk.verdict
    assert walk.unseen == []
    first, last = ends(walk, "request")
    back, home = ends(walk, "reply")
    assert (back.place, back.namespace) == (last.place, last.namespace)
    assert (home.place, home.namespace) == (first.place, first.namespace)
    assert [h.number for h in walk.hops] == list(range(1, len(walk.hops) + 1))
    assert all(h.sentence.endswith(".") for h in walk.hops)
    assert [h.micros for h in walk.hops] == sorted(h.micros for h in walk.hops)
    json.dumps(walk.as_dict())


def test_a_cluster_ip_across_nodes_is_rewritten_at_home_and_wrapped_once(app: App) -> None:
    walk = follow(app, "cross-node")
    assert rewrites(walk) == [("DNAT", f"{app.values['far_pod']}:8080")]
    assert rewrites(walk, "reply") == [("DNAT", f"{app.values['far']}:80")]
    assert devices(walk, FIRST) == ["cni0", "flannel.1", "eth0"]
    assert devices(walk, SECOND) == ["eth0", "flannel.1", "cni0"]
    dnat = next(h for h in walk.hops if h.rewrite)
    assert (dnat.place, dnat.hook) == (f"{app.cluster.name}-{FIRST}", "prerouting")
    assert [r.chain.rpartition("-")[0] for r in dnat.rules] == ["", "KUBE", "KUBE-SVC", "KUBE-SEP"]
    assert dnat.rules[-1].text.endswith(f"-j DNAT --to-destination {app.values['far_pod']}:8080")
    wrapped = [h for h in walk.hops if h.encapsulation and h.direction == "request"]
    assert {(h.encapsulation.outer.src, h.encapsulation.outer.dst) for h in wrapped if h.encapsulation} == {
        (app.values["node"], app.values["node2"])
    }
    assert {h.encapsulation.vni for h in wrapped if h.encapsulation and h.kind != "hook"} == {1}
    routes = {h.route.device for h in walk.hops if h.route and h.place.endswith(FIRST) and not h.namespace}
    assert "flannel.1" in routes
    assert walk.names.address == app.values["far"]
    assert [a.answer for a in walk.names.attempts] == ["NOERROR"]
    assert {c.place for c in walk.connections} == {f"{app.cluster.name}-{n}" for n in (FIRST, SECOND)}
    assert walk.answer.startswith("HTTP/1.1 200 OK")


def test_a_node_port_hides_the_client(app: App) -> None:
    walk = follow(app, "node-port")
    kinds = [kind for kind, _ in rewrites(walk)]
    assert kinds == ["DNAT", "SNAT"]
    assert walk.hops[0].place == "outside"
    assert all(h.place.endswith(CONTROL) for h in walk.hops if h.rewrite)


def test_a_hairpin_leaves_the_pod_and_comes_back_with_the_node_as_source(app: App) -> None:
    walk = follow(app, "hairpin")
    assert [kind for kind, _ in rewrites(walk)] == ["DNAT", "SNAT"]
    assert [h.kind for h in walk.hops if h.namespace and h.direction == "request"] == ["route", "out", "in"]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_walk_names_the_culprit(app: App, name: str) -> None:
    expected, walk = SCENARIOS[name], follow(app, name)
    verdict = walk.verdict
    assert (verdict.outcome, verdict.cause) == (expected.outcome, expected.cause), verdict
    assert verdict.place == (f"{app.cluster.name}-{expected.place}" if expected.place else "")
    assert verdict.sentence


def test_the_rule_that_drops_is_quoted_with_its_comment(app: App) -> None:
    verdict = follow(app, "drop-rule").verdict
    assert verdict.rule is not None
    assert (verdict.rule.table, verdict.rule.chain, verdict.rule.comment) == ("filter", "FORWARD", "maintenance window")
    assert verdict.hook == "forward"
    assert "iptables -t filter -S FORWARD" in verdict.see_it


def test_the_wrong_vtep_is_told_with_the_table_that_is_wrong(app: App) -> None:
    verdict = follow(app, "wrong-vtep").verdict
    assert verdict.device == "flannel.1"
    assert f"{app.values['cp']} (node {app.cluster.name}-{CONTROL})" in verdict.sentence
    assert verdict.see_it.endswith("bridge fdb show dev flannel.1")


def test_a_lost_answer_is_told_apart_from_a_lost_packet(app: App) -> None:
    assert follow(app, "reply-dropped").verdict.direction == "reply"
    assert follow(app, "drop-rule").verdict.direction == "request"


def test_a_large_packet_meets_the_mtu(app: App) -> None:
    walk = trace(app.cluster, "client", "ping://{far_pod}".format(**app.values), namespace=NAMESPACE, size=1450)
    assert (walk.verdict.outcome, walk.verdict.cause) == ("lost", "mtu")
    assert trace(
        app.cluster, "client", "ping://{far_pod}".format(**app.values), namespace=NAMESPACE, size=1400
    ).verdict.outcome == "answered"  # fmt: skip


def test_nothing_stays_on_the_nodes(app: App) -> None:
    before = traces_of_us(app.cluster)
    follow_now(app, "cross-node")
    assert traces_of_us(app.cluster) == before


def test_nothing_stays_when_the_caller_is_killed(app: App) -> None:
    """Killed while it waits for an answer that does not come: sockets close, and the tables go with them."""
    code = (
        "import sys; from podwalk import backends; from podwalk.trace.follow import trace;"
        "trace(backends.find(sys.argv[1]), 'client', sys.argv[2], namespace=sys.argv[3], timeout=60)"
    )
    argv = [sys.executable, "-c", code, app.cluster.name, f"tcp://{app.values['nobody']}:80", NAMESPACE]
    node = f"{app.cluster.name}-{SECOND}"
    with subprocess.Popen(argv, env=dict(os.environ)) as caller:
        seen = app.cluster.node(node, ["sh", "-c", _UNTIL_ARMED], timeout=30)
        caller.send_signal(signal.SIGKILL)
    assert seen.ok, "the trace never began"
    gone = app.cluster.node(node, ["sh", "-c", _UNTIL_DISARMED], timeout=30)
    assert gone.ok
    for other in (FIRST, CONTROL):
        assert app.cluster.node(f"{app.cluster.name}-{other}", ["sh", "-c", _UNTIL_DISARMED], timeout=30).ok


_UNTIL_ARMED = "for i in $(seq 2000); do nft list tables | grep -q podwalk_trace && exit 0; done; exit 1"
_UNTIL_DISARMED = "for i in $(seq 2000); do nft list tables | grep -q podwalk_trace || exit 0; done; exit 1"


@pytest.mark.parametrize(
    ("source", "url", "says"),
    [
        ("nobody", "http://far", f"pod/nobody: not found in namespace {NAMESPACE}"),
        ("node/mars", "http://far", "node/mars: not found; the cluster has: "),
    ],
)
def test_a_walk_that_cannot_begin_says_why(app: App, source: str, url: str, says: str) -> None:
    before = traces_of_us(app.cluster)
    with pytest.raises(TraceError, match=says):
        collect.record(app.cluster, Source.parse(source, NAMESPACE), Target.parse(url))
    assert traces_of_us(app.cluster) == before


def test_the_ruleset_can_be_listed_while_a_walk_is_followed(app: App) -> None:
    """nft 1.0 ends with a failed assertion where it misreads a rule, and kube-proxy would end with it."""
    node = f"{app.cluster.name}-{FIRST}"
    for protocol in ("tcp", "udp", "icmp"):
        with collect.Agents(app.cluster, [node]) as agents:
            agents.all({"do": "arm", "protocol": protocol, "ports": [80, 8080], "addresses": []})
            listed = app.cluster.node(node, ["nft", "list", "ruleset"])
            assert listed.ok, listed.stderr
            assert listed.stdout.count("meta nftrace set 1") >= 20
