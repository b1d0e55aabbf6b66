"""Walks read from recordings of a real cluster (see record_walks.py): order, rewrites, explanations and verdicts."""

from __future__ import annotations

import copy
import functools
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from podwalk.trace.follow import read
from podwalk.trace.model import Hop, Walk

_FOLDER = Path(__file__).parent / "recordings"
RECORDED = sorted(path.name.partition(".")[0] for path in _FOLDER.glob("*.json.gz"))
FIRST, SECOND, CONTROL = "walks-worker", "walks-worker2", "walks-control-plane"

ENDINGS = {
    "no-endpoints": ("rejected", "no-endpoints", FIRST),
    "no-listener": ("refused", "no-listener", SECOND),
    "no-udp-listener": ("refused", "no-listener", SECOND),
    "ghost": ("lost", "no-neighbour", SECOND),
    "no-such-name": ("unresolved", "no-such-name", ""),
    "drop-rule": ("dropped", "rule", SECOND),
    "reply-dropped": ("dropped", "rule", SECOND),
    "tunnel-blocked": ("dropped", "rule", SECOND),
    "tunnel-blocked-at-home": ("dropped", "rule", FIRST),
    "no-route": ("lost", "no-route", FIRST),
    "blackhole": ("lost", "no-route", FIRST),
    "wrong-vtep": ("lost", "wrong-vtep", FIRST),
    "no-vtep": ("lost", "no-tunnel-entry", FIRST),
    "not-forwarding": ("lost", "not-forwarding", SECOND),
    "rp-filter": ("lost", "rp-filter", SECOND),
    "mtu-black-hole": ("lost", "mtu", FIRST),
    "silent-name-server": ("dropped", "rule", FIRST),
}


@functools.cache
def _load(name: str) -> Any:
    return json.loads(gzip.decompress((_FOLDER / f"{name}.json.gz").read_bytes()))


def recording(name: str) -> dict[str, Any]:
    return copy.deepcopy(_load(name))


@functools.cache
def walk(name: str) -> Walk:
    return read(recording(name))


def stations(name: str, direction: str = "request") -> list[str]:
    """The walk in short: place, Pod or nothing, and what happens."""

    def words(hop: Hop) -> str:
        device = "veth" if hop.device.startswith("veth") else hop.device
        what = {"hook": hop.hook, "route": f"route {device}"}.get(hop.kind, f"{device} {hop.kind}")
        pod = hop.namespace.rpartition("/")[2]
        return f"{hop.place.removeprefix('walks-')}{f'/{pod}' if pod else ''}: {what}"

    return [words(h) for h in walk(name).hops if h.direction == direction]


def test_every_scenario_is_recorded_and_judged() -> None:
    answered = {"same-node", "cross-node", "pod-to-pod", "hairpin", "udp", "ping", "node-port", "node-port-from-node"}
    assert set(RECORDED) == answered | {"host-network"} | set(ENDINGS)


@pytest.mark.parametrize("name", RECORDED)
def test_the_end_is_told(name: str) -> None:
    verdict = walk(name).verdict
    outcome, cause, place = ENDINGS.get(name, ("answered", "", ""))
    assert (verdict.outcome, verdict.cause) == (outcome, cause)
    if cause:
        assert verdict.place == place
        assert cause == "no-such-name" or verdict.see_it


@pytest.mark.parametrize("name", RECORDED)
def test_every_hop_has_a_number_a_time_and_a_sentence(name: str) -> None:
    hops = walk(name).hops
    assert [h.number for h in hops] == list(range(1, len(hops) + 1))
    assert [h.micros for h in hops] == sorted(h.micros for h in hops)
    assert all(h.sentence and h.sentence[0].isprintable() and h.sentence.endswith(".") for h in hops)
    assert all("  " not in h.sentence for h in hops)
    assert json.loads(json.dumps(walk(name).as_dict()))["verdict"]["outcome"] == walk(name).verdict.outcome


def test_the_way_across_nodes() -> None:
    assert stations("cross-node") == [
        "worker/client: route eth0",
        "worker/client: eth0 out",
        "worker: veth in",
        "worker: prerouting",
        "worker: cni0 in",
        "worker: route flannel.1",
        "worker: forward",
        "worker: postrouting",
        "worker: flannel.1 out",
        "worker: eth0 out",
        "outside: veth in",
        "outside: veth out",
        "worker2: eth0 in",
        "worker2: flannel.1 in",
        "worker2: prerouting",
        "worker2: route cni0",
        "worker2: forward",
        "worker2: postrouting",
        "worker2: cni0 out",
        "worker2: veth out",
        "worker2/far: eth0 in",
    ]


def test_the_way_on_one_node_does_not_leave_it() -> None:
    assert stations("same-node") == [
        "worker/client: route eth0",
        "worker/client: eth0 out",
        "worker: veth in",
        "worker: prerouting",
        "worker: route cni0",
        "worker: forward",
        "worker: postrouting",
        "worker: cni0 out",
        "worker: veth out",
        "worker/near: eth0 in",
    ]


def test_the_answer_gets_its_old_address_back_where_it_was_rewritten() -> None:
    there, back = (
        next(h for h in walk("cross-node").hops if h.rewrite and h.direction == d) for d in ("request", "reply")
    )
    assert there.rewrite
    assert back.rewrite
    assert (there.rewrite.kind, back.rewrite.kind) == ("DNAT", "DNAT")
    assert (there.rewrite.before, there.rewrite.after) == (back.rewrite.after, back.rewrite.before)
    assert there.place == back.place == FIRST
    assert back.rewrite.back
    assert "conntrack" in back.sentence


def test_a_capture_on_the_bridge_shows_the_packet_already_rewritten() -> None:
    hops = {
        h.device: h for h in walk("cross-node").hops if h.direction == "request" and h.place == FIRST and h.kind == "in"
    }
    before, after = (next(h for d, h in hops.items() if d.startswith(p)) for p in ("veth", "cni0"))
    assert before.packet.dst.startswith("10.96.")
    assert after.packet.dst.startswith("10.244.2.")


def test_a_node_port_walk_passes_outside_twice_and_keeps_its_rewrites_apart() -> None:
    found = [
        (h.place, h.hook, h.rewrite.kind) for h in walk("node-port").hops if h.rewrite and h.direction == "request"
    ]
    assert found == [(CONTROL, "prerouting", "DNAT"), (CONTROL, "postrouting", "SNAT")]
    assert [h.place for h in walk("node-port").hops if h.rewrite and h.direction == "reply"] == [CONTROL, CONTROL]


def test_a_hairpin_is_rewritten_on_the_node_and_not_in_the_pod() -> None:
    assert all(not h.namespace for h in walk("hairpin").hops if h.rewrite)
    assert [h.rewrite.kind for h in walk("hairpin").hops if h.rewrite and h.direction == "request"] == ["DNAT", "SNAT"]


def test_rules_are_told_in_the_words_of_iptables() -> None:
    rules = next(h for h in walk("cross-node").hops if h.rewrite).rules
    assert all(r.text.startswith(f"-A {r.chain} ") for r in rules)
    assert rules[1].comment == "trace-walks/far:http cluster IP"
    assert rules[1].to == rules[2].chain


def test_rules_are_told_in_the_words_of_nft_where_iptables_cannot_be_read() -> None:
    said = recording("cross-node")
    for report in said["reports"].values():
        for place in report["places"]:
            place["rules"] = {k: v for k, v in place["rules"].items() if k.startswith("nft")}
    rules = next(h for h in read(said).hops if h.rewrite).rules
    assert rules[0].text == "jump KUBE-SERVICES"
    assert not any(r.text.startswith("-A") for r in rules)


def test_order_does_not_hang_on_clocks_within_a_namespace() -> None:
    """A time stamp may be missing or late: the order of reading is the order of passing."""
    said = recording("same-node")
    for report in said["reports"].values():
        for place in report["places"]:
            for frame in place["frames"][1::2]:
                frame["time"] = 0
    before = [s for s in stations("same-node") if s.startswith("worker:")]
    after = [h for h in read(said).hops if h.direction == "request" and h.place == FIRST and not h.namespace]
    assert len(after) == len(before)
    assert [h.kind for h in after] == [
        h.kind for h in walk("same-node").hops if h.direction == "request" and h.place == FIRST and not h.namespace
    ]


def test_other_connections_are_not_taken_for_ours() -> None:
    said, other = recording("cross-node"), recording("pod-to-pod")
    for place, report in said["reports"].items():
        for mine, theirs in zip(report["places"], other["reports"][place]["places"], strict=False):
            mine["frames"] = [*theirs["frames"], *mine["frames"]]
            mine["traces"] = [*theirs["traces"], *mine["traces"]]
    mixed = read(said)
    assert [(h.place, h.kind, h.device) for h in mixed.hops] == [
        (h.place, h.kind, h.device) for h in walk("cross-node").hops
    ]


def test_what_could_not_be_seen_is_said() -> None:
    said = recording("cross-node")
    said["dead"], said["troubles"] = ["walks-worker3"], ["walks-worker2: has no python3"]
    said["reports"][FIRST]["places"][0]["legacy"] = ["nat"]
    del said["reports"][SECOND]
    unseen = read(said).unseen
    assert any("has no python3" in line for line in unseen)
    assert any("walks-worker3 is dead" in line for line in unseen)
    assert any("iptables-legacy" in line for line in unseen)
    assert any("inside trace-walks/far" in line for line in unseen)


def test_the_question_is_followed_where_no_name_server_answers() -> None:
    found = walk("silent-name-server")
    assert (found.protocol, found.port) == ("udp", 53)
    assert found.names.attempts[-1].answer == "no answer"
    assert "followed is the question" in found.verdict.sentence


def test_the_wrong_vtep_is_explained_at_the_tunnels_wrong_end() -> None:
    last = [h for h in walk("wrong-vtep").hops if h.direction == "request"][-1]
    assert (last.place, last.device) == (CONTROL, "flannel.1")
    assert "which is not its own address" in last.sentence
