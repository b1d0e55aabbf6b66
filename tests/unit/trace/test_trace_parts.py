"""The parts of trace that need no recording: what may be asked for, headers, netlink, rules."""

from __future__ import annotations

import struct

import pytest

from podwalk.trace.probe import names, netlink, nft, packets
from podwalk.trace.rules import Rules, comment_of, dnat_of, rejects
from podwalk.trace.target import Source, Target, TraceError


@pytest.mark.parametrize(
    ("words", "kind", "namespace", "name"),
    [
        ("web", "pod", "default", "web"),
        ("shop/web-1.a", "pod", "shop", "web-1.a"),
        ("pod/web", "pod", "default", "web"),
        ("node/worker2", "node", "", "worker2"),
        ("outside", "outside", "", ""),
    ],
)
def test_where_a_walk_begins(words: str, kind: str, namespace: str, name: str) -> None:
    source = Source.parse(words)
    assert (source.kind, source.namespace, source.name) == (kind, namespace, name)


@pytest.mark.parametrize("words", ["", "a/b/c", "Web", "node/", "shop/"])
def test_no_place_to_begin(words: str) -> None:
    with pytest.raises(TraceError, match="use POD, NAMESPACE/POD, node/NAME or outside"):
        Source.parse(words)


@pytest.mark.parametrize(
    ("url", "protocol", "host", "port"),
    [
        ("http://web.shop", "tcp", "web.shop", 80),
        ("http://web:8080/a?b=c", "tcp", "web", 8080),
        ("tcp://10.0.0.1:5432", "tcp", "10.0.0.1", 5432),
        ("web:81", "tcp", "web", 81),
        ("udp://dns:53", "udp", "dns", 53),
        ("ping://10.0.0.1", "icmp", "10.0.0.1", 0),
    ],
)
def test_where_a_walk_leads(url: str, protocol: str, host: str, port: int) -> None:
    target = Target.parse(url)
    assert (target.protocol, target.host, target.port) == (protocol, host, port)


@pytest.mark.parametrize(
    ("url", "cure"),
    [
        ("https://web", "tcp://web:443"),
        ("ftp://web", "http://, tcp://, udp://, ping://"),
        ("tcp://web", "tcp://web:PORT"),
        ("http://", "http://web.shop:80"),
        ("http://[::1]/", "IPv4"),
        ("tcp://web:99999", "http://web.shop:80/"),
    ],
)
def test_a_bad_url_is_refused_with_the_cure(url: str, cure: str) -> None:
    with pytest.raises(TraceError) as refused:
        Target.parse(url)
    assert cure in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_size_that_no_packet_has_is_refused() -> None:
    with pytest.raises(TraceError, match="use 0 to 65000"):
        Target.parse("ping://a").order("10.0.0.1", 1, 70000)


def ip(protocol: int, payload: bytes, ident: int = 7) -> bytes:
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(payload), ident, 0x4000, 64, protocol, 0)
    return head + bytes([10, 0, 0, 1]) + bytes([10, 0, 0, 2]) + payload


def tcp(flags: int = 2) -> bytes:
    return struct.pack(">HHIIBBHHH", 1234, 80, 99, 0, 0x50, flags, 0, 0, 0)


def test_a_tunnels_inside_is_read() -> None:
    frame = bytes(12) + b"\x08\x00" + ip(6, tcp())
    outer = packets.packet(ip(17, struct.pack(">HHHH", 5, 8472, 0, 0) + b"\x08\0\0\0\0\0\x01\0" + frame, 8))
    assert outer is not None
    assert (outer.tunnel, outer.vni) == ("vxlan", 1)
    assert outer.inner is not None
    assert (outer.inner.tuple, outer.inner.seq, outer.inner.ident) == (("10.0.0.1", 1234, "10.0.0.2", 80), 99, 7)


def test_an_error_quotes_the_packet_it_is_about() -> None:
    error = packets.packet(ip(1, struct.pack(">BBHHH", 3, 4, 0, 0, 1450) + ip(6, tcp())[:28]))
    assert error is not None
    assert (error.icmp, error.mtu) == ((3, 4), 1450)
    assert error.inner is not None
    assert (error.inner.sport, error.inner.dport) == (1234, 80)


@pytest.mark.parametrize("length", range(0, 80, 3))
def test_a_cut_packet_is_no_accident(length: int) -> None:
    whole = ip(17, struct.pack(">HHHH", 5, 8472, 0, 0) + bytes(8) + bytes(12) + b"\x08\x00" + ip(6, tcp()))
    packets.packet(whole[:length])
    packets.frame(bytes(12) + b"\x08\x06" + whole[:length])


def test_netlink_messages_are_written_as_they_are_read() -> None:
    body = netlink.attribute(1, b"abc") + netlink.nested(2, netlink.attribute(3, b"\x01"))
    ((kind, sequence, payload),) = netlink.messages(netlink.message(24, 1, 9, body))
    assert (kind, sequence) == (24, 9)
    found = netlink.attributes(payload)
    assert found[1] == b"abc"
    assert netlink.attributes(found[2]) == {3: b"\x01"}


def test_a_trace_message_is_read() -> None:
    verdict = netlink.nested(5, netlink.attribute(1, struct.pack(">i", -3)), netlink.attribute(2, b"KUBE-SVC-X\0"))
    body = b"\x02\0\0\0" + b"".join([
        netlink.attribute(1, b"nat\0"), netlink.attribute(2, b"KUBE-SERVICES\0"),
        netlink.attribute(3, struct.pack(">Q", 12)),
        netlink.attribute(4, struct.pack(">I", 3)), netlink.attribute(6, struct.pack(">I", 77)), verdict,
        netlink.attribute(10, struct.pack(">I", 4)),
    ])  # fmt: skip
    assert nft.parse(body) == {
        "id": 77, "family": 2, "table": "nat", "chain": "KUBE-SERVICES", "type": "rule", "handle": 12,
        "verdict": "jump", "to": "KUBE-SVC-X", "iif": 4,
    }  # fmt: skip


LISTING = (
    "table ip nat { # handle 3\n\tchain PREROUTING { # handle 6\n"
    "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
    "\t\t counter packets 1 bytes 60 jump KUBE-SERVICES # handle 7\n\t}\n}\n"
)


def test_iptables_words_are_used_where_both_listings_agree() -> None:
    rule = '-A PREROUTING -m comment --comment "service portals" -j KUBE-SERVICES'
    saved = f"*nat\n:PREROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n"
    both = Rules({"nft ip nat": LISTING, "iptables nat": saved})
    found = both.rule("nat", "PREROUTING", 7, "jump", "KUBE-SERVICES")
    assert (found.text, found.comment) == (rule, "service portals")
    assert both.hook("nat", "PREROUTING") == "prerouting"
    longer = saved.replace("COMMIT", "-A PREROUTING -j ACCEPT\nCOMMIT")
    apart = Rules({"nft ip nat": LISTING, "iptables nat": longer})
    assert apart.rule("nat", "PREROUTING", 7, "jump", "").text == "jump KUBE-SERVICES"
    assert "not listed any more" in apart.rule("nat", "PREROUTING", 8, "drop", "").text


@pytest.mark.parametrize(
    ("text", "target", "comment", "refuses"),
    [
        ("-A X -p tcp -j DNAT --to-destination 10.0.0.1:80", ("10.0.0.1", 80), "", False),
        ('ip protocol tcp dnat to 10.0.0.1 comment "a b"', ("10.0.0.1", 0), "a b", False),
        ('-A X -m comment --comment "say \\"no\\"" -j REJECT --reject-with tcp-reset', None, 'say "no"', True),
        ("reject with icmp port-unreachable", None, "", True),
        ("-A X -j DROP", None, "", False),
    ],
)
def test_what_a_rule_says(text: str, target: tuple[str, int] | None, comment: str, refuses: bool) -> None:
    rule = Rules({}).rule("t", "c", 1, "drop", "")
    rule = type(rule)(rule.table, rule.chain, text, "drop")
    assert (dnat_of(rule), comment_of(text), rejects(rule)) == (target, comment, refuses)


@pytest.mark.parametrize(
    ("name", "ndots", "first"),
    [
        ("web", 5, "web.shop.svc."),
        ("web.shop", 1, "web.shop."),
        ("web.shop", 5, "web.shop.shop.svc."),
        ("a.b.", 5, "a.b."),
    ],
)
def test_the_search_list_comes_first_for_short_names(name: str, ndots: int, first: str) -> None:
    assert names._candidates(name, ["shop.svc", "svc"], ndots)[0] == first


def test_hosts_come_before_any_question() -> None:
    found = names.resolve("db", "nameserver 10.0.0.10\n", "127.0.0.1 localhost\n10.1.1.1 x db # mine\n")
    assert (found["addresses"], found["attempts"]) == (["10.1.1.1"], [])
