"""The cache plugin."""

from __future__ import annotations

from typing import Any

import pytest
from dns_world import KUBERNETES, service, serving, store, upstream

from podwalk.dns import cache, corefile, message
from podwalk.dns.cache import Cache
from podwalk.dns.corefile import CorefileError
from podwalk.dns.message import Message, Question, Record
from podwalk.dns.store import Store

QUERY = Message(1, message.RD, Question("www.example.test.", message.A))
SOA = Record("example.test.", message.SOA, 60, ("ns.example.test.", "h.example.test.", 1, 2, 3, 4, 60))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def made(text: str = "cache 30") -> tuple[Cache, Clock]:
    (block,) = corefile.parse(f". {{ {text}\n }}")
    (directive,) = block.directives
    clock = Clock()
    return Cache(cache.configure(directive, block.zones), clock), clock


def answered(ttl: int = 300, **fields: Any) -> Message:
    return QUERY.reply(answers=(Record("www.example.test.", message.A, ttl, "192.0.2.1"),), **fields)


def test_an_answer_is_kept_as_long_as_the_corefile_says_and_grows_older() -> None:
    kept, clock = made()
    kept.put(QUERY, answered())
    clock.now += 29.5
    again = kept.get(Message(2, message.RD, Question("WWW.example.test.", message.A)))
    assert again is not None
    assert (again.id, again.question and again.question.name, again.answers[0].ttl) == (2, "WWW.example.test.", 271)
    clock.now += 1
    assert kept.get(QUERY) is None


@pytest.mark.parametrize(
    ("answer", "lifetime"),
    [
        (answered(ttl=10), 10),
        (answered(ttl=0), 5),
        (QUERY.reply(message.NXDOMAIN, authority=(SOA,)), 30),
        (QUERY.reply(message.SERVFAIL), 5),
        (QUERY.reply(message.REFUSED), 0),
        (answered(flags=message.TC), 0),
        (QUERY.reply(), 0),
    ],
    ids=[
        "its own TTL",
        "not less than five seconds",
        "a denial",
        "SERVFAIL",
        "REFUSED",
        "truncated",
        "nothing to go by",
    ],
)
def test_how_long_answers_are_kept(answer: Message, lifetime: int) -> None:
    kept, clock = made()
    kept.put(QUERY, answer)
    clock.now += lifetime - 0.1
    assert (kept.get(QUERY) is not None) == (lifetime > 0)
    clock.now += 0.2
    assert kept.get(QUERY) is None


def test_zones_can_be_left_out() -> None:
    kept, _ = made("cache 30 {\n disable denial example.test\n }")
    kept.put(QUERY, answered())
    assert kept.get(QUERY) is not None
    other, _ = made("cache 30 {\n disable success example.test\n }")
    other.put(QUERY, answered())
    assert other.get(QUERY) is None


def test_a_mistake_is_named() -> None:
    with pytest.raises(CorefileError, match="plugin/cache"):
        made("cache 30 {\n servfail soon\n }")


def test_another_server_is_asked_once() -> None:
    asked = []

    def answer(query: Message) -> Message:
        asked.append(query)
        return query.reply(flags=message.RA, answers=answered().answers)

    with upstream(answer) as port, serving(f".:53 {{ cache 30\n forward . 127.0.0.1:{port}\n }}") as dns:
        first, second = dns.ask("www.example.test."), dns.ask("www.example.test.")
    assert len(asked) == 1
    assert first.answers[0].data == second.answers[0].data == "192.0.2.1"


def test_a_failure_of_our_own_is_not_kept() -> None:
    known = Store()
    with serving(f".:53 {{ cache 30\n{KUBERNETES}\n }}", known) as dns:
        assert dns.ask("web.shop.svc.cluster.local.").rcode == message.SERVFAIL
        known._pending.clear()
        assert dns.ask("web.shop.svc.cluster.local.").rcode == message.NXDOMAIN


@pytest.mark.parametrize(
    ("options", "stale"), [("", True), ("{\n disable success cluster.local\n disable denial cluster.local\n}", False)]
)
def test_without_exceptions_the_clusters_own_names_grow_stale(options: str, stale: bool) -> None:
    known = store()
    with serving(f".:53 {{ cache 30 {options}\n{KUBERNETES}\n }}", known) as dns:
        before = dns.ask("web.shop.svc.cluster.local.").answers[0].data
        known.put("Service", service("web", clusterIP="10.96.9.9", clusterIPs=["10.96.9.9"]))
        after = dns.ask("web.shop.svc.cluster.local.").answers[0].data
    assert before == "10.96.1.1"
    assert (after == "10.96.1.1") == stale
