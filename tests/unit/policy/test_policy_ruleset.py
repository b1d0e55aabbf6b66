"""The table as text: what changes is written, and nothing else; names and comments are what nft takes."""

from __future__ import annotations

import re

import pytest
from policy_objects import PODS, all_namespaces, all_nodes, block, netpol, peer, port, rule, sel

from podwalk.policy import counters, ruleset
from podwalk.policy.enforcer import Enforcer, NftError
from podwalk.policy.render import Objects, render
from podwalk.policy.ruleset import Ruleset, changes


def rules(*policies: object, node: str = "one", pods: list[object] | None = None) -> Ruleset:
    return render(Objects(pods or PODS, all_namespaces(), all_nodes(), list(policies), []), node)  # type: ignore[arg-type]


def web(*more: object, name: str = "web") -> dict[str, object]:
    return netpol("shop", sel(app="web"), ingress=[rule(peer(sel(app="api")), *more)], name=name)  # type: ignore[arg-type]


def test_a_node_without_isolated_pods_gets_no_rules() -> None:
    assert rules() == Ruleset()
    assert rules(web(), node="two").rules == 0


def test_a_node_gets_rules_for_its_own_pods_only() -> None:
    found = rules(web())
    assert found.ingress == {"10.244.1.11": "pod-ingress/shop/web"}
    assert found.egress == {}
    assert found.chains["pod-ingress/shop/web"][-1].endswith('drop comment "isolated by shop/web"')


def test_a_pod_whose_address_the_api_does_not_show_yet_is_isolated_all_the_same() -> None:
    unborn = {**PODS[0], "status": {"phase": "Pending"}}
    objects = Objects([unborn], all_namespaces(), all_nodes(), [web()], [], {unborn["metadata"]["uid"]: "10.244.1.77"})
    assert render(objects, "one").ingress == {"10.244.1.77": "pod-ingress/shop/web"}


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_an_ended_pod_has_no_rules_and_is_nobodys_peer(phase: str) -> None:
    ended = [{**p, "status": {**p["status"], "phase": phase}} if p["metadata"]["name"] == "api" else p for p in PODS]
    (peers,) = [s for n, s in rules(web(), pods=ended).sets.items() if n.startswith("peers-")]
    assert peers.elements == frozenset()


def test_only_what_changed_is_written() -> None:
    before = rules(web())
    relabelled = [
        {**p, "metadata": {**p["metadata"], "labels": {"app": "api"}}} if p["metadata"]["name"] == "cache" else p
        for p in PODS
    ]
    (text,) = changes(before, rules(web(), pods=relabelled))
    assert re.fullmatch(r"add element ip podwalk-policy peers-\w+ \{ 10\.244\.1\.12 \}\n", text)
    assert changes(before, before) == []


def test_what_goes_is_removed_after_nobody_refers_to_it() -> None:
    (text,) = changes(rules(web()), Ruleset())
    verbs = [line.split(" ip ")[0] for line in text.splitlines()]
    assert verbs.index("delete element") < verbs.index("flush chain") < verbs.index("delete chain")
    assert verbs.index("delete chain") < verbs.index("delete set") < verbs.index("delete counter")


def test_a_pods_chain_is_whole_before_packets_are_sent_there() -> None:
    lines = "".join(changes(None, rules(web()))).splitlines()
    last_rule = max(i for i, line in enumerate(lines) if line.startswith("add rule") and "/" in line)
    assert next(i for i, line in enumerate(lines) if "jump pod-ingress" in line) > last_rule


def test_no_transaction_is_larger_than_an_ordinary_user_may_send() -> None:
    many = [netpol("shop", sel(), ingress=[rule(ports=[port(i)])], name=f"p{i}") for i in range(1, 400)]
    texts = changes(None, rules(*many))
    assert len(texts) > 5
    assert max(sum(line.startswith("add rule") for line in t.splitlines()) for t in texts if "pod-" not in t) <= 120


@pytest.mark.parametrize("parts", [("x" * 253, "y" * 63), ("a", "b")])
def test_names_are_short_enough_and_differ(parts: tuple[str, str]) -> None:
    name, other = ruleset.name("pod-ingress", *parts), ruleset.name("pod-ingress", parts[0], parts[1] + "z")
    assert len(name) <= 200
    assert name != other
    assert re.fullmatch(r"[a-zA-Z][-\w/.]*", name)


def test_a_comment_has_no_quote_inside() -> None:
    assert ruleset.comment('say "hi"\\') == "\"say 'hi'/\""
    assert ruleset.comment("two\nlines\0") == '"two lines "'
    assert len(ruleset.comment("n" * 300)) == 122


def test_exceptions_and_ranges_are_merged_for_nft() -> None:
    policy = netpol(
        "shop", sel(app="web"),
        ingress=[rule(block("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24"), ports=[port(10, end=20), port(15, end=30)])],
    )  # fmt: skip
    (line,) = rules(policy).chains["policy-ingress/shop/policy"]
    assert line.startswith("ip saddr 10.0.0.0/8 ip saddr != { 10.1.0.0/16 } tcp dport { 10-30 } counter name")


class Refused:
    returncode, stderr = 1, b"Error: No such file or directory"


async def test_after_a_refusal_everything_is_written_anew() -> None:
    sent: list[str] = []
    answers = [None, Refused()]

    class Done:
        returncode, stderr = 0, b""

    async def run(argv: object, stdin: bytes | None) -> object:
        sent.append((stdin or b"").decode())
        return answers.pop(0) or Done() if answers else Done()

    enforcer = Enforcer(run)  # type: ignore[arg-type]
    await enforcer.sync(rules(web()))
    with pytest.raises(NftError, match="No such file"):
        await enforcer.sync(Ruleset())
    await enforcer.sync(rules(web()))
    assert sent[0] == sent[2]
    assert sent[2].startswith("add table ip podwalk-policy\ndelete table")


async def test_a_node_that_never_needed_rules_is_left_alone() -> None:
    async def run(argv: object, stdin: bytes | None) -> object:
        raise AssertionError(argv)

    enforcer = Enforcer(run)  # type: ignore[arg-type]
    assert await enforcer.sync(Ruleset()) == 0
    assert await enforcer.table_is_there()


def test_counters_are_read_back_in_words() -> None:
    text = """{"nftables": [{"metainfo": {}},
      {"counter": {"table": "podwalk-policy", "name": "allow/ingress/shop/web/0", "packets": 3}},
      {"counter": {"table": "podwalk-policy", "name": "drop/egress/shop/web", "packets": 1}},
      {"counter": {"table": "podwalk-policy", "name": "admin-ingress/no-blue/2", "packets": 7}},
      {"counter": {"table": "other", "name": "x", "packets": 7}}]}"""
    found = counters.parse(text)
    moved = counters.moved({"allow/ingress/shop/web/0": 3}, found)
    assert [(c.meaning, c.packets) for c in moved] == [
        ("ClusterNetworkPolicy no-blue ingress[2] (Admin tier) decided", 7),
        ("egress of pod shop/web dropped, no policy's rule matched", 1),
    ]
    assert counters.parse("Error: No such file") == {}
