"""Who answers for an address, and what goes over the wire."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from podwalk.loadbalancer import arp, members, speaker
from podwalk.loadbalancer.speaker import candidates, elected

Object = dict[str, Any]
MAC = bytes.fromhex("02000000000a")
ASKER = bytes.fromhex("02000000000b")


def node(name: str, *, excluded: bool = False, network: str = "False") -> Object:
    labels = {speaker.LABEL_EXCLUDE: ""} if excluded else {}
    conditions = [{"type": "NetworkUnavailable", "status": network}]
    return {"metadata": {"name": name, "labels": labels}, "status": {"conditions": conditions}}


def endpoints(*nodes: str, **conditions: bool) -> Object:
    return {"endpoints": [{"addresses": ["10.244.0.1"], "nodeName": n, "conditions": conditions} for n in nodes]}


NODES = [node("a"), node("b"), node("c")]
EVERYBODY = {"a", "b", "c"}


def test_any_living_node_may_answer() -> None:
    assert candidates({}, [endpoints("a")], NODES, {"a", "c"}) == {"a", "c"}


def test_policy_local_leaves_the_nodes_with_an_endpoint() -> None:
    local = {"spec": {"externalTrafficPolicy": "Local"}}
    assert candidates(local, [endpoints("a"), endpoints("b")], NODES, EVERYBODY) == {"a", "b"}
    assert candidates(local, [endpoints("a"), endpoints("b")], NODES, {"b", "c"}) == {"b"}


@pytest.mark.parametrize(
    ("conditions", "serves"),
    [
        ({"ready": True}, True),
        ({}, True),
        ({"ready": False}, False),
        ({"ready": False, "serving": True, "terminating": True}, True),
        ({"ready": True, "serving": False}, False),
    ],
)
def test_without_an_endpoint_that_serves_nobody_answers(conditions: dict[str, bool], serves: bool) -> None:
    assert bool(candidates({}, [endpoints("a", **conditions)], NODES, EVERYBODY)) is serves


def test_excluded_nodes_and_nodes_without_network_do_not_answer() -> None:
    nodes = [node("a", excluded=True), node("b", network="True"), node("c")]
    assert candidates({}, [endpoints("a")], nodes, EVERYBODY) == {"c"}


def test_the_choice_is_one_spreads_over_addresses_and_moves_only_what_must_move() -> None:
    addresses = [f"192.0.2.{i}" for i in range(60)]
    chosen = {a: elected(a, EVERYBODY) for a in addresses}
    assert set(chosen.values()) == EVERYBODY
    without = {a: elected(a, {"a", "c"}) for a in addresses}
    assert all(without[a] == n for a, n in chosen.items() if n != "b")
    assert elected("192.0.2.1", set()) is None


def test_a_question_for_an_announced_address_is_answered_to_the_asker() -> None:
    ip = bytes((192, 0, 2, 1))
    question = arp.frame(1, (ASKER, bytes((192, 0, 2, 9))), (bytes(6), ip), to=b"\xff" * 6)
    reply = arp.answer(question, MAC, {"192.0.2.1"})
    assert reply is not None
    assert (reply[:6], reply[6:12], reply[20:22]) == (ASKER, MAC, b"\0\2")
    assert (reply[22:28], reply[28:32], reply[32:38], reply[38:42]) == (MAC, ip, ASKER, bytes((192, 0, 2, 9)))


@pytest.mark.parametrize("change", ["another address", "a reply", "another protocol", "too short", "own question"])
def test_everything_else_is_left_alone(change: str) -> None:
    asker = MAC if change == "own question" else ASKER
    question = arp.frame(1, (asker, bytes(4)), (bytes(6), bytes((192, 0, 2, 1))), to=b"\xff" * 6)
    if change == "a reply":
        question = question[:20] + b"\0\2" + question[22:]
    elif change == "another protocol":
        question = question[:12] + b"\x08\0" + question[14:]
    elif change == "too short":
        question = question[:40]
    assert arp.answer(question, MAC, {"192.0.2.2" if change == "another address" else "192.0.2.1"}) is None


def test_a_gratuitous_announcement_claims_the_address_twice() -> None:
    request, reply = arp.gratuitous(MAC, "192.0.2.1")
    assert (request[20:22], reply[20:22]) == (b"\0\1", b"\0\2")
    for data in (request, reply):
        assert data[:6] == b"\xff" * 6
        assert data[28:32] == data[38:42] == bytes((192, 0, 2, 1))


async def test_speakers_hear_of_each_other_and_of_a_death(unused_udp_port: int) -> None:
    news = {name: asyncio.Event() for name in ("one", "two")}
    one = members.Members("one", "127.0.0.1", news["one"].set, port=unused_udp_port, interval=0.01)
    two = members.Members("two", "127.0.0.2", news["two"].set, port=unused_udp_port, interval=0.01)
    one.set_peers({"127.0.0.2"})
    two.set_peers({"127.0.0.1"})
    tasks = [asyncio.create_task(m.run()) for m in (one, two)]
    async with asyncio.timeout(10):
        for event in news.values():
            await event.wait()
        assert one.alive() == two.alive() == {"one", "two"}
        news["one"].clear()
        tasks[1].cancel()
        await news["one"].wait()
        assert one.alive() == {"one"}
        tasks[0].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_stranger_is_no_member(unused_udp_port: int) -> None:
    heard = asyncio.Event()
    one = members.Members("one", "127.0.0.1", heard.set, port=unused_udp_port, interval=0.01)
    stranger = members.Members("stranger", "127.0.0.3", lambda: None, port=unused_udp_port, interval=0.01)
    known = members.Members("known", "127.0.0.4", heard.set, port=unused_udp_port, interval=0.01)
    one.set_peers({"127.0.0.4"})
    stranger.set_peers({"127.0.0.1", "127.0.0.4"})
    known.set_peers({"127.0.0.1", "127.0.0.3"})
    tasks = [asyncio.create_task(m.run()) for m in (one, stranger, known)]
    async with asyncio.timeout(10):
        while not (one.alive() == {"one", "known"} and known.alive() == {"known", "one", "stranger"}):
            await heard.wait()
            heard.clear()
            await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
