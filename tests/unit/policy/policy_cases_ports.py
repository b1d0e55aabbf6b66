"""Which ports and which addresses the rules are about."""

from __future__ import annotations

from policy_case import ALL, API, DB, case, into, out_of
from policy_objects import block, peer, port, rule, sel

PORTS = [
    case("one port", into(rule(ports=[port(80)])), "shop/api > shop/web:80 yes", "shop/api > shop/web:443 no"),
    case(
        "the protocol is TCP where none is named",
        into(rule(ports=[port(53)])),
        "shop/api > shop/web:53 yes",
        "shop/api > shop/web:53/UDP no",
    ),
    case(
        "a UDP port", into(rule(ports=[port(53, "UDP")])), "shop/api > shop/web:53/UDP yes", "shop/api > shop/web:53 no"
    ),
    case(
        "both protocols",
        into(rule(ports=[port(53, "UDP"), port(53, "TCP")])),
        "shop/api > shop/web:53/UDP yes",
        "shop/api > shop/web:53 yes",
        "shop/api > shop/web:54 no",
    ),
    case(
        "an SCTP port",
        into(rule(ports=[port(3868, "SCTP")])),
        "shop/api > shop/web:3868/SCTP yes",
        "shop/api > shop/web:3868 no",
        "shop/api > shop/web:3869/SCTP no",
    ),
    case(
        "a protocol without a port",
        into(rule(ports=[port(None, "UDP")])),
        "shop/api > shop/web:9/UDP yes",
        "shop/api > shop/web:9 no",
    ),
    case(
        "no protocol and no port is all of TCP",
        into(rule(ports=[port()])),
        "shop/api > shop/web:9 yes",
        "shop/api > shop/web:9/UDP no",
    ),
    case(
        "a range",
        into(rule(ports=[port(8000, end=8010)])),
        "shop/api > shop/web:8000 yes",
        "shop/api > shop/web:8010 yes",
        "shop/api > shop/web:7999 no",
        "shop/api > shop/web:8011 no",
    ),
    case(
        "a range of one",
        into(rule(ports=[port(8000, end=8000)])),
        "shop/api > shop/web:8000 yes",
        "shop/api > shop/web:8001 no",
    ),
    case(
        "a range of UDP",
        into(rule(ports=[port(5000, "UDP", 5005)])),
        "shop/api > shop/web:5005/UDP yes",
        "shop/api > shop/web:5005 no",
    ),
    case(
        "ranges that overlap",
        into(rule(ports=[port(10, end=20), port(15, end=30), port(31), port(40)])),
        "shop/api > shop/web:17 yes",
        "shop/api > shop/web:30 yes",
        "shop/api > shop/web:31 yes",
        "shop/api > shop/web:32 no",
        "shop/api > shop/web:40 yes",
    ),
    case("the same port twice", into(rule(ports=[port(80), port(80)])), "shop/api > shop/web:80 yes"),
    case(
        "up to the last port",
        into(rule(ports=[port(60000, end=65535)])),
        "shop/api > shop/web:65535 yes",
        "shop/api > shop/web:59999 no",
    ),
    case(
        "all ports by range",
        into(rule(ports=[port(1, end=65535)])),
        "shop/api > shop/web:1 yes",
        "shop/api > shop/web:1/UDP no",
    ),
    case("a named port", into(rule(ports=[port("http")])), "shop/api > shop/web:80 yes", "shop/api > shop/web:8080 no"),
    case(
        "a named port is each Pod's own number",
        into(rule(ports=[port("sql")]), pods=DB, ns="data"),
        "shop/api > data/db:5432 yes",
        "shop/api > data/replica:5433 yes",
        "shop/api > data/db:5433 no",
        "shop/api > data/replica:5432 no",
    ),
    case(
        "a named port that the Pod lacks",
        into(rule(ports=[port("sql")])),
        "shop/api > shop/web:80 no",
        "shop/api > shop/web:5432 no",
    ),
    case(
        "a named port has a protocol",
        into(rule(ports=[port("talk", "UDP")]), pods=sel(app="cache")),
        "shop/api > shop/cache:7000/UDP yes",
        "shop/api > shop/cache:7000 no",
    ),
    case(
        "a named port of the other protocol",
        into(rule(ports=[port("talk")]), pods=sel(app="cache")),
        "shop/api > shop/cache:7000/UDP no",
        "shop/api > shop/cache:7000 no",
    ),
    case(
        "a named port in egress is the destination's",
        out_of(rule(peer(DB, ALL), ports=[port("sql")])),
        "shop/web > data/db:5432 yes",
        "shop/web > data/replica:5433 yes",
        "shop/web > data/db:5433 no",
    ),
    case(
        "a named port in egress to everybody",
        out_of(rule(ports=[port("http")])),
        "shop/web > shop/api:8080 yes",
        "shop/web > tools/web:8000 yes",
        "shop/web > shop/api:80 no",
        "shop/web > outside:80 no",
    ),
    case(
        "a named and a numbered port",
        into(rule(ports=[port("http"), port(9090)])),
        "shop/api > shop/web:80 yes",
        "shop/api > shop/web:9090 yes",
        "shop/api > shop/web:81 no",
    ),
    case(
        "port and peer are both asked",
        into(rule(peer(API), ports=[port(80)])),
        "shop/api > shop/web:80 yes",
        "shop/api > shop/web:81 no",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "peers and ports of two rules do not mix",
        into(rule(peer(API), ports=[port(80)]), rule(peer(ns=sel(team="blue")), ports=[port(443)])),
        "shop/api > shop/web:80 yes",
        "shop/api > shop/web:443 no",
        "data/db > shop/web:443 yes",
        "data/db > shop/web:80 no",
    ),
    case(
        "every peer with every port",
        into(rule(peer(API), peer(ns=sel(team="blue")), ports=[port(80), port(53, "UDP")])),
        "data/db > shop/web:53/UDP yes",
        "shop/api > shop/web:80 yes",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "egress to a port",
        out_of(rule(ports=[port(53, "UDP"), port(53)])),
        "shop/web > outside:53/UDP yes",
        "shop/web > data/db:53 yes",
        "shop/web > data/db:5432 no",
    ),
    case(
        "egress without DNS",
        out_of(rule(peer(ns=sel(team="blue")), ports=[port(5432)])),
        "shop/web > data/db:5432 yes",
        "shop/web > tools/probe:53/UDP no",
    ),
]

BLOCKS = [
    case("from a block", into(rule(block("172.18.0.0/16"))), "outside > shop/web:80 yes", "shop/api > shop/web:80 no"),
    case("from one address", into(rule(block("172.18.0.1/32"))), "outside > shop/web:80 yes", "far > shop/web:80 no"),
    case("from the whole world", into(rule(block("0.0.0.0/0"))), "far > shop/web:80 yes", "shop/api > shop/web:80 yes"),
    case(
        "from the world but one",
        into(rule(block("0.0.0.0/0", "172.18.0.1/32"))),
        "far > shop/web:80 yes",
        "outside > shop/web:80 no",
    ),
    case(
        "from the world but the Pods",
        into(rule(block("0.0.0.0/0", "10.244.0.0/16"))),
        "outside > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "several exceptions",
        into(rule(block("0.0.0.0/0", "10.0.0.0/8", "172.18.0.0/24"))),
        "far > shop/web:80 yes",
        "outside > shop/web:80 no",
        "data/db > shop/web:80 no",
    ),
    case(
        "exceptions that overlap",
        into(rule(block("10.0.0.0/8", "10.244.0.0/16", "10.244.1.0/24"))),
        "data/db > shop/web:80 no",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "an exception does not forbid what another peer allows",
        into(rule(block("0.0.0.0/0", "10.244.0.0/16"), peer(API))),
        "shop/api > shop/web:80 yes",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "a block may mean Pods",
        into(rule(block("10.244.1.0/24"))),
        "shop/cache > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "a block with host bits",
        into(rule(block("10.244.1.12/24"))),
        "tools/probe > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case("to a block", out_of(rule(block("203.0.113.0/24"))), "shop/web > far:443 yes", "shop/web > outside:443 no"),
    case(
        "to the world but the metadata address",
        out_of(rule(block("0.0.0.0/0", "172.18.0.1/32"))),
        "shop/web > far:80 yes",
        "shop/web > outside:80 no",
        "shop/web > data/db:5432 yes",
    ),
    case(
        "to one Pod by its address",
        out_of(rule(block("10.244.2.12/32"))),
        "shop/web > data/db:5432 yes",
        "shop/web > data/backup:5432 no",
    ),
    case(
        "a block with a port",
        into(rule(block("172.18.0.0/16"), ports=[port(443)])),
        "outside > shop/web:443 yes",
        "outside > shop/web:80 no",
    ),
    case(
        "a block beside selectors",
        into(rule(block("172.18.0.1/32"), peer(ns=sel(team="blue")))),
        "outside > shop/web:80 yes",
        "data/db > shop/web:80 yes",
        "tools/probe > shop/web:80 no",
    ),
]

BLOCKS += [
    case(
        "an IPv6 block matches no IPv4 packet",
        into(rule(block("::/0"))),
        "outside > shop/web:80 no",
        "shop/api > shop/web:80 no",
    ),
    case(
        "an IPv6 block beside an IPv4 block",
        into(rule(block("fd00::/8"), block("0.0.0.0/0"))),
        "outside > shop/web:80 yes",
    ),
]
