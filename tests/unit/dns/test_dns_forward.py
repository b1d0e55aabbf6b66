"""The forward plugin's care for its servers: options, failures, probes."""

from __future__ import annotations

import socket
import threading

import pytest
from dns_world import Running, serving, upstream

from podwalk.dns import corefile, forward, message
from podwalk.dns.corefile import CorefileError
from podwalk.dns.loop import Loop
from podwalk.dns.message import Message, Record


def configured(options: str) -> forward.ForwardConfig:
    return forward.configure(corefile.parse(f". {{\n forward . 192.0.2.1 {{\n {options}\n }}\n}}")[0].directives[0])


def test_options_are_read() -> None:
    config = configured("max_fails 5\n health_check 2s no_rec domain probe.test\n prefer_udp\n max_concurrent 9")
    assert (config.max_fails, config.health_interval, config.health_domain) == (5, 2.0, "probe.test.")
    assert (config.health_recursion, config.prefer_udp, config.force_tcp) == (False, True, False)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("banana", "unknown property 'banana'"),
        ("max_fails many", "max_fails"),
        ("health_check soon", "duration|could not"),
        ("health_check 0s", "can't be negative"),
        ("health_check 1s banana", "unknown option banana"),
        ("policy best", "unknown policy 'best'"),
    ],
)
def test_wrong_options_are_refused(options: str, complaint: str) -> None:
    with pytest.raises(CorefileError, match=complaint):
        configured(options)


def answer(query: Message) -> Message:
    assert query.question is not None
    return query.reply(answers=(Record(query.question.name, message.A, 5, "192.0.2.5"),))


def fails(running: Running) -> dict[tuple[str, int], int]:
    (group,) = running.server._chains.values()
    return group[0]._forwarders[0]._fails


def test_a_server_that_is_away_is_probed_left_out_and_taken_back() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        away = int(reserved.getsockname()[1])
    with upstream(answer) as port:
        options = "policy sequential\n max_fails 1\n health_check 10ms"
        text = f". {{\n forward . 127.0.0.1:{away} 127.0.0.1:{port} {{\n {options}\n }}\n}}"
        with serving(text) as running:
            assert running.ask("a.test.").answers
            server = ("127.0.0.1", away)
            assert _until(lambda: fails(running).get(server) == 2)
            assert running.ask("b.test.").answers
            _answer_one_probe(away)
            assert _until(lambda: server not in fails(running))


def _until(holds) -> bool:  # type: ignore[no-untyped-def]
    gone = threading.Event()
    for _ in range(500):
        if holds():
            return True
        gone.wait(0.01)
    return False


def _answer_one_probe(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(5)
        sock.bind(("127.0.0.1", port))
        data, client = sock.recvfrom(512)
        probe = message.parse(data)
        assert probe.question == message.Question(".", message.NS)
        sock.sendto(message.pack(probe.reply()), client)


def test_where_all_are_away_one_is_asked_all_the_same() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        away = int(reserved.getsockname()[1])
    text = f". {{\n forward . 127.0.0.1:{away} {{\n max_fails 1\n health_check 10ms\n }}\n}}"
    with serving(text) as running:
        assert running.ask("a.test.").rcode == message.SERVFAIL
        assert _until(lambda: fails(running).get(("127.0.0.1", away)) == 2)
        assert running.ask("b.test.").rcode == message.SERVFAIL


def test_a_configuration_that_was_replaced_probes_no_more() -> None:
    loop = Loop()
    forwarder = forward.Forwarder(loop, configured("max_fails 1"))
    forwarder.close()
    forwarder._suspect(("127.0.0.1", 9))
    assert not loop._selector.get_map()
    assert not loop._timers
    loop.close_all()
