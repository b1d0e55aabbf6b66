"""NodeLocal DNSCache: its Corefile, its rules, and where it listens."""

from __future__ import annotations

import socket

import pytest
from dns_world import store

from podwalk.dns import corefile, message, nodecache
from podwalk.dns.corefile import CorefileError
from podwalk.dns.loop import Loop
from podwalk.dns.server import Server


def test_the_placeholders_are_filled_in() -> None:
    template = "forward . __PILLAR__CLUSTER__DNS__\nforward . __PILLAR__UPSTREAM__SERVERS__"
    assert nodecache.corefile(template, "10.96.3.3") == "forward . 10.96.3.3\nforward . /etc/resolv.conf"


def test_the_upstream_service_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBE_DNS_UPSTREAM_SERVICE_HOST", "10.96.3.3")
    assert nodecache.upstream_address("kube-dns-upstream") == "10.96.3.3"
    with pytest.raises(nodecache.SetupError, match="OTHER_SERVICE_HOST is not set"):
        nodecache.upstream_address("other")


def test_queries_and_answers_stay_out_of_connection_tracking() -> None:
    raw = [(chain, " ".join(rule)) for table, chain, rule in nodecache.rules("169.254.20.10") if table == "raw"]
    for protocol in ("tcp", "udp"):
        assert any(c == "PREROUTING" and f"-p {protocol} -d 169.254.20.10 --dport 53" in r for c, r in raw)
        assert any(c == "OUTPUT" and f"-p {protocol} -s 169.254.20.10 --sport 53" in r for c, r in raw)
        assert any(c == "OUTPUT" and f"-p {protocol} -d 169.254.20.10 --dport 53" in r for c, r in raw)
    assert all(rule.endswith("-j NOTRACK") for _, rule in raw)


@pytest.mark.parametrize("argv", [[], ["-localip", "192.0.2.1"]], ids=["no address", "not in a Pod"])
def test_outside_a_pod_it_touches_nothing(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setattr(nodecache, "_run", lambda *argv: pytest.fail(f"ran {argv}"))
    assert nodecache.main(argv) == 2
    assert "in a Pod only" in capsys.readouterr().err


def test_what_was_set_up_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[str] = set()

    def run(*argv: str) -> int:
        text = " ".join(argv)
        if " -C " in text:
            return 0 if text.replace(" -C ", " ") in made else 1
        verb = next(v for v in (" -I ", " -D ", " replace ", " delete ") if v in text)
        (made.add if verb in (" -I ", " replace ") else made.discard)(text.replace(verb, " "))
        return 0

    monkeypatch.setattr(nodecache, "_run", run)
    nodecache.set_up(["169.254.20.10"])
    assert len(made) == 13
    nodecache.set_up(["169.254.20.10"])
    assert len(made) == 13
    nodecache.tear_down(["169.254.20.10"])
    assert made == set()


def test_a_server_listens_where_it_is_bound() -> None:
    loop = Loop()
    server = Server(loop, store(), port=0)
    text = ". {\n bind 127.0.0.2 127.0.0.3\n template ANY ANY {\n rcode REFUSED\n }\n}"
    server.configure(corefile.parse(text))
    bound = {sock.getsockname()[0] for sock in server._sockets.values()}
    loop.close_all()
    assert bound == {"127.0.0.2", "127.0.0.3"}


def test_a_device_is_no_address() -> None:
    with pytest.raises(CorefileError, match="plugin/bind: not a valid IP address"):
        Server(Loop(), store()).configure(corefile.parse(". {\n bind eth0\n}"))


def test_each_address_serves_its_own_blocks() -> None:
    loop = Loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    server = Server(loop, store(), port=port)
    block = "{zone} {{\n bind {address}\n template ANY ANY {{\n rcode {rcode}\n }}\n}}\n"
    text = block.format(zone="one.test", address="127.0.0.2", rcode="NXDOMAIN")
    text += block.format(zone="two.test", address="127.0.0.3", rcode="NXDOMAIN")
    server.configure(corefile.parse(text))
    answers = []
    for name in ("one.test.", "two.test."):
        query = message.Message(1, 0, message.Question(name, message.A))
        server.handle(("127.0.0.2", port), message.pack(query), ("127.0.0.1", 9), tcp=False, send=answers.append)
    loop.close_all()
    assert [message.parse(raw).rcode for raw in answers] == [message.NXDOMAIN, message.REFUSED]
