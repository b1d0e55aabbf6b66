"""Both ends of a connection, the edges of the API, and the tiers of ClusterNetworkPolicy."""

from __future__ import annotations

from policy_case import ALL, API, DB, WEB, case, into, out_of
from policy_objects import EVERYBODY, act, block, cluster_pods, cnp, netpol, networks, peer, port, rule, sel, tcp, team

BOTH_ENDS = [
    case("egress allowed, ingress denied", out_of(rule()), into(pods=API), "shop/web > shop/api:8080 no"),
    case(
        "ingress allowed, egress denied",
        out_of(),
        netpol("shop", API, ingress=[rule()], name="b"),
        "shop/web > shop/api:8080 no",
    ),
    case(
        "both allowed",
        out_of(rule(peer(API))),
        netpol("shop", API, ingress=[rule(peer(WEB))], name="b"),
        "shop/web > shop/api:8080 yes",
        "shop/api > shop/web:80 yes",
    ),
    case(
        "replies need no rule",
        netpol("shop", WEB, egress=[rule(peer(API))], types=["Ingress", "Egress"]),
        "shop/web > shop/api:8080 yes",
        "shop/web > shop/api:53/UDP yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "replies to who came in need no rule",
        netpol("shop", WEB, ingress=[rule(peer(API))], types=["Ingress", "Egress"]),
        "shop/api > shop/web:80 yes",
        "shop/api > shop/web:53/UDP yes",
        "shop/web > shop/api:80 no",
    ),
    case(
        "a three-tier application",
        netpol("shop", ALL, types=["Ingress"], name="deny"),
        netpol("shop", API, ingress=[rule(peer(WEB), ports=[port(8080)])], name="api"),
        netpol("data", DB, ingress=[rule(peer(API, sel(team="red")), ports=[port("sql")])], name="db"),
        "shop/web > shop/api:8080 yes",
        "shop/api > data/db:5432 yes",
        "shop/web > data/db:5432 no",
        "tools/probe > shop/api:8080 no",
    ),
    case(
        "policies add up",
        into(rule(peer(API))),
        netpol("shop", WEB, ingress=[rule(peer(ns=sel(team="blue")))], name="b"),
        "shop/api > shop/web:80 yes",
        "data/db > shop/web:80 yes",
        "tools/probe > shop/web:80 no",
    ),
    case(
        "a deny does not undo an allow",
        netpol("shop", ALL, name="a"),
        netpol("shop", WEB, ingress=[rule()], name="b"),
        "tools/probe > shop/web:80 yes",
        "tools/probe > shop/api:80 no",
    ),
    case(
        "ports of two policies do not mix with peers",
        into(rule(peer(API), ports=[port(80)])),
        netpol("shop", WEB, ingress=[rule(peer(ns=sel(team="blue")), ports=[port(443)])], name="b"),
        "shop/api > shop/web:443 no",
        "data/db > shop/web:443 yes",
    ),
    case(
        "many policies for one Pod",
        *[netpol("shop", WEB, ingress=[rule(ports=[port(9000 + i)])], name=f"p{i}") for i in range(12)],
        "shop/api > shop/web:9000 yes",
        "shop/api > shop/web:9011 yes",
        "shop/api > shop/web:9012 no",
    ),
]

EDGES = [
    case("a Pod reaches itself", netpol("shop", WEB, types=["Ingress", "Egress"]), "shop/web > shop/web:80 yes"),
    case("a node reaches its own Pods", into(pods=ALL), "one > shop/web:80 yes", "one > shop/cache:6379 yes"),
    case("another node does not", into(pods=ALL), "two > shop/web:80 no"),
    case("another node by its address", into(rule(block("172.18.0.4/32"))), "two > shop/web:80 yes"),
    case("a Pod reaches its own node", out_of(), "shop/web > one:10250 yes"),
    case("a Pod does not reach another node", out_of(), "shop/web > two:10250 no"),
    case(
        "a host-network Pod is not isolated",
        netpol("tools", ALL, types=["Ingress", "Egress"]),
        "shop/api > one:80 yes",
        "one > data/db:5432 yes",
    ),
    case("a host-network Pod is no peer", into(rule(peer(sel(app="host"), sel(env="dev")))), "two > shop/web:80 no"),
    case(
        "a long name",
        netpol("shop", WEB, ingress=[rule(peer(API))], name="n" * 253),
        "shop/api > shop/web:80 yes",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "many exceptions",
        into(rule(block("10.244.0.0/16", *[f"10.244.2.{i}/32" for i in range(2, 60)]))),
        "shop/api > shop/web:80 no",
        "shop/cache > shop/web:80 yes",
    ),
]

TIERS = [
    case(
        "an Admin Deny",
        cnp("a", "Admin", 10, EVERYBODY, ingress=[act("Deny", team("blue"))]),
        "data/db > shop/web:80 no",
        "shop/api > shop/web:80 yes",
    ),
    case(
        "an Admin Deny overrules a NetworkPolicy",
        cnp("a", "Admin", 10, EVERYBODY, ingress=[act("Deny", team("blue"))]),
        into(rule()),
        "data/db > shop/web:80 no",
        "shop/api > shop/web:80 yes",
    ),
    case(
        "an Admin Accept overrules a NetworkPolicy",
        cnp("a", "Admin", 10, EVERYBODY, ingress=[act("Accept", team("blue"))]),
        into(),
        "data/db > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "Pass leaves it to the NetworkPolicy",
        cnp("a", "Admin", 10, EVERYBODY, ingress=[act("Pass", team("blue")), act("Deny", EVERYBODY)]),
        netpol("shop", WEB, ingress=[rule(peer(DB, sel(team="blue")))]),
        "data/db > shop/web:80 yes",
        "data/backup > shop/web:80 no",
        "shop/api > shop/web:80 no",
    ),
    case(
        "the lower number goes first",
        cnp("a", "Admin", 20, EVERYBODY, ingress=[act("Deny", EVERYBODY)]),
        cnp("b", "Admin", 10, EVERYBODY, ingress=[act("Accept", team("blue"))]),
        "data/db > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "Pass skips later policies of the tier",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Pass", EVERYBODY)]),
        cnp("b", "Admin", 2, EVERYBODY, ingress=[act("Deny", EVERYBODY)]),
        "data/db > shop/web:80 yes",
    ),
    case(
        "the first rule that matches",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Accept", cluster_pods(DB)), act("Deny", team("blue"))]),
        "data/db > shop/web:80 yes",
        "data/backup > shop/web:80 no",
    ),
    case(
        "Baseline holds where no NetworkPolicy selects",
        cnp("default", "Baseline", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY)]),
        into(rule(peer(API))),
        "shop/api > shop/web:80 yes",
        "shop/web > shop/api:8080 no",
        "outside > shop/api:8080 yes",
    ),
    case(
        "a NetworkPolicy decides before Baseline",
        cnp("default", "Baseline", 1, EVERYBODY, ingress=[act("Accept", EVERYBODY)]),
        into(),
        "shop/api > shop/web:80 no",
    ),
    case(
        "Baseline Accept before Baseline Deny",
        cnp("x", "Baseline", 1, EVERYBODY, ingress=[act("Accept", team("red")), act("Deny", EVERYBODY)]),
        "shop/api > shop/web:80 yes",
        "data/db > shop/web:80 no",
    ),
    case(
        "Admin Pass reaches Baseline",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Pass", EVERYBODY)]),
        cnp("x", "Baseline", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY)]),
        "shop/api > shop/web:80 no",
    ),
    case(
        "a subject by Pods",
        cnp("a", "Admin", 1, cluster_pods(WEB, sel(env="prod")), ingress=[act("Deny", EVERYBODY)]),
        "shop/api > shop/web:80 no",
        "shop/api > tools/web:8000 yes",
    ),
    case(
        "ports and ranges",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY, protocols=[tcp(80), tcp(8000, 8100)])]),
        "shop/api > shop/web:80 no",
        "shop/api > shop/web:8050 no",
        "shop/api > shop/web:81 yes",
        "shop/api > shop/web:80/UDP yes",
    ),
    case(
        "a protocol alone",
        cnp(
            "a", "Admin", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY, protocols=[{"udp": {"destinationPort": None}}])]
        ),
        "shop/api > shop/web:53/UDP no",
        "shop/api > shop/web:53 yes",
    ),
    case(
        "a named port of the destination",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY, protocols=[{"destinationNamedPort": "http"}])]),
        "shop/web > shop/api:8080 no",
        "shop/api > shop/web:80 no",
        "shop/api > shop/web:8080 yes",
    ),
    case(
        "egress to networks",
        cnp(
            "a",
            "Admin",
            1,
            team("red"),
            egress=[act("Accept", networks("203.0.113.0/24")), act("Deny", networks("0.0.0.0/0"))],
        ),
        "shop/web > far:80 yes",
        "shop/web > outside:80 no",
        "shop/web > data/db:5432 no",
        "data/db > outside:80 yes",
    ),
    case(
        "Pods pass before networks are denied",
        cnp("a", "Admin", 1, team("red"), egress=[act("Pass", EVERYBODY), act("Deny", networks("0.0.0.0/0"))]),
        "shop/web > data/db:5432 yes",
        "shop/web > outside:80 no",
    ),
    case(
        "egress to nodes",
        cnp("a", "Admin", 1, EVERYBODY, egress=[act("Deny", {"nodes": {}})]),
        "shop/web > two:10250 no",
        "shop/web > one:10250 yes",
        "shop/web > data/db:5432 yes",
    ),
    case(
        "an unknown peer fails closed in a Deny",
        cnp("a", "Admin", 1, EVERYBODY, egress=[act("Deny", {"clouds": {}})]),
        "shop/web > data/db:5432 no",
    ),
    case(
        "an unknown peer matches nothing in an Accept",
        cnp("a", "Admin", 1, EVERYBODY, egress=[act("Accept", {"domainNames": ["a.example"]})]),
        out_of(),
        "shop/web > far:80 no",
    ),
    case(
        "Accept of egress is no Accept of ingress",
        cnp("a", "Admin", 1, EVERYBODY, egress=[act("Accept", EVERYBODY)]),
        into(),
        "shop/api > shop/web:80 no",
    ),
    case(
        "an Admin policy does not stop a node's probes",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Deny", networks("0.0.0.0/0"))]),
        "one > shop/web:80 yes",
    ),
]

TIERS += [
    case(
        "an IPv6 network matches no IPv4 packet",
        cnp("a", "Admin", 1, EVERYBODY, egress=[act("Deny", networks("::/0"))]),
        "shop/web > outside:80 yes",
    ),
    case(
        "a rule's name may be anything",
        cnp("a", "Admin", 1, EVERYBODY, ingress=[act("Deny", EVERYBODY, name='a "name"\n} \\')]),
        "shop/api > shop/web:80 no",
    ),
]
