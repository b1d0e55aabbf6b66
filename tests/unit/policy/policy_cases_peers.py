"""Who is isolated by a policy, in which direction, and whom its rules let through."""

from __future__ import annotations

from policy_case import ALL, API, DB, NAME, WEB, case, into, out_of
from policy_objects import expr, netpol, peer, port, rule, sel

ISOLATION = [
    case("nothing is isolated without a policy", "shop/api > shop/web:80 yes", "outside > shop/web:80 yes"),
    case("default deny ingress", into(pods=ALL), "shop/api > shop/web:80 no", "data/db > shop/cache:6379 no"),
    case("default deny ingress leaves egress alone", into(pods=ALL), "shop/web > data/db:5432 yes"),
    case("default deny ingress leaves other namespaces alone", into(pods=ALL), "shop/web > tools/web:8000 yes"),
    case("default deny holds on the same node", into(pods=ALL), "shop/cache > shop/web:80 no"),
    case("default deny holds across nodes", into(pods=ALL), "data/backup > shop/web:80 no"),
    case("default deny egress", out_of(pods=ALL), "shop/web > data/db:5432 no", "shop/web > outside:80 no"),
    case("default deny egress leaves ingress alone", out_of(pods=ALL), "data/db > shop/web:80 yes"),
    case("default deny egress on the same node", out_of(pods=ALL), "shop/web > shop/cache:6379 no"),
    case(
        "default deny both ways",
        netpol("shop", ALL, types=["Ingress", "Egress"]),
        "shop/web > shop/api:8080 no",
        "data/db > shop/web:80 no",
        "data/db > data/replica:5433 yes",
    ),
    case("allow all ingress", into(rule()), "outside > shop/web:80 yes", "data/db > shop/web:443 yes"),
    case("allow all egress", out_of(rule()), "shop/web > outside:80 yes", "shop/web > tools/probe:53/UDP yes"),
    case("an empty list of rules is no rule", netpol("shop", WEB, ingress=[]), "shop/api > shop/web:80 no"),
    case("only selected Pods are isolated", into(), "shop/api > shop/web:80 no", "shop/web > shop/cache:6379 yes"),
    case("a selector that nobody matches", into(pods=sel(app="none")), "shop/api > shop/web:80 yes"),
    case("a policy of another namespace", into(ns="tools"), "data/db > shop/web:80 yes", "data/db > tools/web:80 no"),
    case(
        "select by In",
        into(pods=expr("app", "In", "web", "api")),
        "data/db > shop/api:80 no",
        "data/db > shop/cache:80 yes",
    ),
    case(
        "select by NotIn",
        into(pods=expr("app", "NotIn", "web")),
        "data/db > shop/api:80 no",
        "data/db > shop/web:80 yes",
    ),
    case("NotIn selects what lacks the key", into(pods=expr("role", "NotIn", "x")), "data/db > shop/web:80 no"),
    case("select by Exists", into(pods=sel("tier")), "data/db > shop/web:80 no"),
    case(
        "select by DoesNotExist",
        into(pods=expr("role", "DoesNotExist"), ns="data"),
        "shop/web > data/db:5432 no",
        "shop/web > data/replica:5433 yes",
    ),
    case("labels and expressions are both asked", into(pods={**WEB, **sel("role")}), "data/db > shop/web:80 yes"),
]

TYPES = [
    case(
        "no policyTypes means ingress", netpol("shop", WEB), "shop/api > shop/web:80 no", "shop/web > shop/api:8080 yes"
    ),
    case(
        "no policyTypes with egress rules means both",
        netpol("shop", WEB, egress=[rule(peer(API))]),
        "shop/api > shop/web:80 no",
        "shop/web > shop/api:8080 yes",
        "shop/web > shop/cache:6379 no",
    ),
    case("an empty egress does not isolate egress", netpol("shop", WEB, egress=[]), "shop/web > shop/api:8080 yes"),
    case(
        "type Egress alone ignores ingress rules",
        netpol("shop", WEB, ingress=[rule(peer(API))], types=["Egress"]),
        "data/db > shop/web:80 yes",
        "shop/web > data/db:5432 no",
    ),
    case(
        "type Ingress alone ignores egress rules",
        netpol("shop", WEB, egress=[rule(peer(API))], types=["Ingress"]),
        "shop/web > data/db:5432 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "both types with rules for one",
        netpol("shop", WEB, ingress=[rule()], types=["Ingress", "Egress"]),
        "data/db > shop/web:80 yes",
        "shop/web > data/db:5432 no",
    ),
]

PEERS = [
    case(
        "from a Pod of the namespace",
        into(rule(peer(API))),
        "shop/api > shop/web:80 yes",
        "shop/cache > shop/web:80 no",
    ),
    case("a podSelector means the policy's namespace", into(rule(peer(DB))), "data/db > shop/web:80 no"),
    case(
        "an empty podSelector means the whole namespace",
        into(rule(peer(ALL))),
        "shop/cache > shop/web:80 yes",
        "tools/probe > shop/web:80 no",
    ),
    case(
        "a namespaceSelector means all its Pods",
        into(rule(peer(ns=sel(team="blue")))),
        "data/backup > shop/web:80 yes",
        "shop/api > shop/web:80 no",
    ),
    case(
        "an empty namespaceSelector means every Pod",
        into(rule(peer(ns=ALL))),
        "tools/probe > shop/web:80 yes",
        "outside > shop/web:80 no",
    ),
    case(
        "a namespace by its name",
        into(rule(peer(ns=sel(**{NAME: "tools"})))),
        "tools/web > shop/web:80 yes",
        "data/db > shop/web:80 no",
    ),
    case(
        "both selectors in one peer is AND",
        into(rule(peer(DB, sel(team="blue")))),
        "data/db > shop/web:80 yes",
        "data/backup > shop/web:80 no",
        "shop/api > shop/web:80 no",
    ),
    case(
        "two peers are OR",
        into(rule(peer(API), peer(ns=sel(team="blue")))),
        "data/backup > shop/web:80 yes",
        "shop/api > shop/web:80 yes",
        "shop/cache > shop/web:80 no",
    ),
    case(
        "an empty podSelector beside a namespaceSelector",
        into(rule(peer(ALL, sel(env="dev")))),
        "tools/probe > shop/web:80 yes",
        "data/db > shop/web:80 no",
    ),
    case(
        "a podSelector in every namespace",
        into(rule(peer(WEB, ALL)), pods=API),
        "tools/web > shop/api:8080 yes",
        "shop/web > shop/api:8080 yes",
        "tools/probe > shop/api:8080 no",
    ),
    case(
        "a namespace by NotIn",
        into(rule(peer(ns=expr("env", "NotIn", "prod")))),
        "tools/probe > shop/web:80 yes",
        "data/db > shop/web:80 no",
    ),
    case(
        "a namespace label that nobody has",
        into(rule(peer(ns=sel(team="gold")))),
        "data/db > shop/web:80 no",
        "shop/api > shop/web:80 no",
    ),
    case(
        "to a Pod of the namespace",
        out_of(rule(peer(API))),
        "shop/web > shop/api:8080 yes",
        "shop/web > shop/cache:6379 no",
        "shop/web > data/db:5432 no",
    ),
    case(
        "to a namespace",
        out_of(rule(peer(ns=sel(team="blue")))),
        "shop/web > data/replica:5433 yes",
        "shop/web > shop/api:8080 no",
    ),
    case(
        "to both selectors in one peer",
        out_of(rule(peer(DB, sel(team="blue")))),
        "shop/web > data/db:1 yes",
        "shop/web > data/backup:1 no",
    ),
    case(
        "to every Pod is not to the world",
        out_of(rule(peer(ns=ALL))),
        "shop/web > tools/web:8000 yes",
        "shop/web > outside:80 no",
        "shop/web > far:80 no",
    ),
    case(
        "an empty peer list is everybody",
        into({"peers": [], "ports": [port(80)]}),
        "outside > shop/web:80 yes",
        "outside > shop/web:81 no",
    ),
    case(
        "a peer may be the Pod's own kind",
        into(rule(peer(DB)), pods=DB, ns="data"),
        "data/db > data/replica:5433 yes",
        "data/replica > data/db:5432 yes",
        "data/backup > data/db:5432 no",
    ),
]
