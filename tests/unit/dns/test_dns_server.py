"""The server on loopback: protocols, plugins, other servers."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable

import pytest
from dns_world import KUBERNETES, endpoint, endpoint_slice, service, serving, store, upstream

from podwalk.dns import corefile, message
from podwalk.dns.message import Message, Record
from podwalk.dns.store import Store

CLUSTER = f".:53 {{ {KUBERNETES} }}"
ANSWER = Record("www.example.test.", message.A, 300, "192.0.2.80")


def forwarding(port: int, more: str = "") -> str:
    return f".:53 {{\n errors\n {more}\n {KUBERNETES}\n forward . 127.0.0.1:{port}\n}}"


def known_name(query: Message) -> Message | None:
    return query.reply(flags=message.RA, answers=(ANSWER,))


@pytest.mark.parametrize("tcp", [False, True])
def test_a_service_is_answered_with_authority(tcp: bool) -> None:
    with serving(CLUSTER) as dns:
        answer = dns.ask("web.shop.svc.cluster.local.", tcp=tcp)
    assert [r.data for r in answer.answers] == ["10.96.1.1"]
    assert answer.flag_text == "qr,aa,rd"
    assert answer.id == 4711


def test_a_long_answer_is_cut_for_udp_and_whole_over_tcp() -> None:
    known = store()
    known.put("Service", service("many", clusterIP="None"))
    known.put("EndpointSlice", endpoint_slice("many", *(endpoint(f"10.244.3.{i}") for i in range(1, 101))))
    name = "many.shop.svc.cluster.local."
    with serving(CLUSTER, known) as dns:
        small, large, whole = dns.ask(name), dns.ask(name, udp_size=4096), dns.ask(name, tcp=True)
    assert small.flags & message.TC
    assert len(small.answers) < 40
    assert [len(a.answers) for a in (large, whole)] == [100, 100]


def test_garbage_gets_a_format_error_and_answers_get_nothing() -> None:
    with serving(CLUSTER) as dns:
        reply = message.parse(dns.ask_raw(b"\x12\x34\x01\x00\x00\x01" + b"\0" * 6))
        assert (reply.id, reply.rcode) == (0x1234, message.FORMERR)
        assert dns.ask("web.shop.svc.cluster.local.").rcode == message.NOERROR


def test_a_query_that_is_no_standard_one_is_not_implemented() -> None:
    query = message.pack(Message(1, 2 << 11, message.Question("web.shop.svc.cluster.local.", message.A)))
    with serving(CLUSTER) as dns:
        assert message.parse(dns.ask_raw(query)).rcode == message.NOTIMP


def test_a_name_outside_every_zone_is_refused() -> None:
    with serving(f"cluster.local:53 {{ {KUBERNETES} }}") as dns:
        assert dns.ask("www.example.test.").rcode == message.REFUSED


def test_the_longest_zone_answers() -> None:
    with upstream(known_name) as port:
        text = f"{CLUSTER}\nexample.test:53 {{ forward . 127.0.0.1:{port} }}"
        with serving(text) as dns:
            assert [r.data for r in dns.ask("www.example.test.").answers] == ["192.0.2.80"]
            assert dns.ask("www.example.org.").rcode == message.SERVFAIL


def test_other_names_are_forwarded_and_the_answer_is_passed_on_as_it_is() -> None:
    with upstream(known_name) as port, serving(forwarding(port)) as dns:
        answer = dns.ask("www.example.test.", udp_size=1232)
    assert answer.answers == (ANSWER,)
    assert answer.flag_text == "qr,rd,ra"
    assert answer.id == 4711


def test_a_forwarded_answer_that_is_too_long_sends_the_client_to_tcp() -> None:
    long = tuple(Record("www.example.test.", message.MX, 5, b"\x00\x0a\xc0\x0c" + b"\0" * 40) for _ in range(20))
    with upstream(lambda query: query.reply(answers=long)) as port, serving(forwarding(port)) as dns:
        answer = dns.ask("www.example.test.", message.MX)
    assert answer.flags & message.TC
    assert answer.answers == ()


def test_reverse_names_fall_through_and_cluster_names_do_not() -> None:
    seen = []

    def remember(query: Message) -> Message:
        assert query.question is not None
        seen.append(query.question.name)
        return query.reply(message.NXDOMAIN)

    with upstream(remember) as port, serving(forwarding(port)) as dns:
        dns.ask("9.2.0.192.in-addr.arpa.", message.PTR)
        dns.ask("nosuch.shop.svc.cluster.local.")
    assert seen == ["9.2.0.192.in-addr.arpa."]


def test_an_external_name_is_followed_to_its_address() -> None:
    with upstream(known_name) as port, serving(forwarding(port)) as dns:
        outside = dns.ask("ext.shop.svc.cluster.local.")
        inside = dns.ask("alias.shop.svc.cluster.local.")
    assert [r.data for r in outside.answers] == ["www.example.test.", "192.0.2.80"]
    assert [r.data for r in inside.answers] == ["web.shop.svc.cluster.local.", "10.96.1.1"]


def test_a_silent_server_holds_up_nobody_else() -> None:
    asked = threading.Event()

    def silent(query: Message) -> None:
        asked.set()

    with upstream(silent) as port, serving(forwarding(port)) as dns:
        slow = threading.Thread(target=lambda: dns.ask("slow.example.test."))
        started = time.monotonic()
        slow.start()
        assert asked.wait(5)
        assert dns.ask("web.shop.svc.cluster.local.").rcode == message.NOERROR
        assert time.monotonic() - started < 1.5
        slow.join(5)


def test_an_upstream_that_refuses_is_an_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with serving(forwarding(port)) as dns:
        assert dns.ask("www.example.test.").rcode == message.SERVFAIL
    (line,) = [r.getMessage() for r in caplog.records if r.name == "plugin/errors"]
    assert line.startswith("2 www.example.test. A: read udp 127.0.0.1:")
    assert line.endswith(f"->127.0.0.1:{port}: read: connection refused")


def test_the_next_server_is_asked_when_one_is_gone() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        gone = unused.getsockname()[1]
    with upstream(known_name) as port:
        text = f".:53 {{ forward . 127.0.0.1:{gone} 127.0.0.1:{port} {{\n policy sequential\n }}\n}}"
        with serving(text) as dns:
            assert dns.ask("www.example.test.").answers == (ANSWER,)


def test_unknown_names_are_no_name_errors_before_everything_is_listed() -> None:
    empty = Store()
    with serving(CLUSTER, empty) as dns:
        assert dns.ask("web.shop.svc.cluster.local.").rcode == message.SERVFAIL


def test_queries_are_logged_as_coredns_does(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(f".:53 {{ log\n{KUBERNETES} }}") as dns:
        dns.ask("Web.shop.svc.cluster.local.")
    (line,) = [r.getMessage() for r in caplog.records if r.name == "queries"]
    words = line.split()
    assert words[0].startswith("127.0.0.1:")
    assert " ".join(words[1:-2]).startswith(
        '- 4711 "A IN web.shop.svc.cluster.local. udp 44 false 512" NOERROR qr,aa,rd'
    )
    assert words[-1].endswith("s")


def test_only_failures_are_logged_where_only_they_are_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with serving(f".:53 {{ log {{\n class denial\n }}\n{KUBERNETES} }}") as dns:
        dns.ask("web.shop.svc.cluster.local.")
        dns.ask("nosuch.shop.svc.cluster.local.")
    assert ["NXDOMAIN" in r.getMessage() for r in caplog.records if r.name == "queries"] == [True]


def test_addresses_come_in_changing_order() -> None:
    with serving(f".:53 {{ {KUBERNETES}\n loadbalance }}") as dns:
        orders = {tuple(r.data for r in dns.ask("db.shop.svc.cluster.local.").answers) for _ in range(60)}
    assert len(orders) > 1
    assert {frozenset(order) for order in orders} == {frozenset(("10.244.1.7", "10.244.2.8", "10.244.2.9"))}


def http_get(port: int, path: str) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with sock.makefile("rb") as file:
            return file.read().decode()


@pytest.mark.parametrize(("listed", "status"), [(True, "200 OK"), (False, "503 Service Unavailable")])
def test_ready_says_whether_everything_has_been_listed(listed: bool, status: str) -> None:
    with serving(f".:53 {{ {KUBERNETES}\n ready :0\n }}", store() if listed else Store()) as dns:
        assert http_get(dns.server.bound_port("http"), "/ready").startswith(f"HTTP/1.1 {status}\r\n")


def test_ready_waits_a_moment_for_what_is_about_to_come() -> None:
    known = Store()
    with serving(f".:53 {{ {KUBERNETES}\n ready :0\n }}", known) as dns:
        soon = threading.Timer(0.05, known._pending.clear)
        soon.start()
        assert http_get(dns.server.bound_port("http"), "/ready").startswith("HTTP/1.1 200 OK\r\n")
        soon.join()


def test_health_says_that_the_server_lives() -> None:
    with serving(f".:53 {{ {KUBERNETES}\n health :0\n }}", Store()) as dns:
        assert http_get(dns.server.bound_port("http"), "/health").endswith("\r\n\r\nOK")
        assert http_get(dns.server.bound_port("http"), "/").startswith("HTTP/1.1 404")


def test_a_forwarding_loop_is_found() -> None:
    """The server forwards to itself, as where a node's resolv.conf names the cluster's DNS."""
    with serving(".:53 { errors\n }") as dns:
        port = dns.server.bound_port("udp")
        found = threading.Event()
        dns.server.fatal = lambda text: (dns.fatal.append(text), found.set())[0]
        run_in(
            dns.loop, lambda: dns.server.configure(corefile.parse(f".:53 {{ loop\n forward . 127.0.0.1:{port}\n }}"))
        )
        dns.ask("wake.test.", tcp=False)
        assert found.wait(5)
    assert dns.fatal[0].startswith("Loop (127.0.0.1:")
    assert 'detected for zone ".", see https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO ' in dns.fatal[0]


def test_another_corefile_takes_over_without_losing_the_sockets() -> None:
    with serving(CLUSTER) as dns:
        port = dns.server.bound_port("udp")
        with upstream(known_name) as other:
            dns.server.configure(corefile.parse(forwarding(other)))
            assert dns.ask("www.example.test.").answers == (ANSWER,)
        assert dns.server.bound_port("udp") == port


def run_in(loop: object, callback: Callable[[], None]) -> None:
    """Run a callback in the server's thread, as a timer does."""
    loop.call_later(0, callback)  # type: ignore[attr-defined]
