"""Rules that the packet rows cannot see: affinity, shares, comments, ports for health checks."""

from __future__ import annotations

import re

from proxy_rows import CIDR, HERE, HERE2, NODE, THERE, endpoint, endpoint_slice, service

from podwalk.proxy import model, names, render
from podwalk.proxy.render import Ruleset


def rules_of(svc: dict[str, object], *ips: str) -> Ruleset:
    return render.render(model.service_ports([svc], [endpoint_slice(*map(endpoint, ips))], NODE), NODE, CIDR)


def chain(rules: Ruleset, prefix: str) -> list[str]:
    (found,) = (lines for name, lines in rules.nat.items() if name.startswith(prefix))
    return found


def test_endpoints_get_equal_shares() -> None:
    shares, left = [], 1.0
    for rule in chain(rules_of(service(), HERE, HERE2, THERE), names.SERVICE_PREFIX)[1:]:
        chance = re.search(r"--probability (\S+)", rule)
        share = left * (float(chance[1]) if chance else 1.0)
        shares.append(share)
        left -= share
    assert [round(s, 6) for s in shares] == [0.333333] * 3


def test_client_ip_affinity_asks_first_who_has_been_here() -> None:
    sticky = service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 600}})
    rules = rules_of(sticky, HERE, THERE)
    _, first, second, *rest = chain(rules, names.SERVICE_PREFIX)
    assert all("--rcheck --seconds 600 --reap" in rule for rule in (first, second))
    assert not any("--rcheck" in rule for rule in rest)
    remembering = [r for name, lines in rules.nat.items() if name.startswith(names.ENDPOINT_PREFIX) for r in lines]
    assert sum("-m recent --set" in rule for rule in remembering) == 2


def test_affinity_lasts_three_hours_unless_told_otherwise() -> None:
    rules = rules_of(service(sessionAffinity="ClientIP"), HERE)
    assert "--seconds 10800" in chain(rules, names.SERVICE_PREFIX)[1]


def test_node_ports_are_asked_for_last() -> None:
    last = rules_of(service(), HERE).nat[names.SERVICES][-1]
    assert last.endswith("-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")


def test_the_health_check_port_is_accepted_even_without_endpoints() -> None:
    svc = service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=31000)
    assert rules_of(svc).filter[names.NODEPORTS] == [
        '-p tcp -m comment --comment "shop/web:http health check node port" -m tcp --dport 31000 -j ACCEPT'
    ]


def test_a_service_without_endpoints_has_no_nat_chains() -> None:
    assert not [name for name in rules_of(service()).nat if name.startswith(names.PREFIXES)]


def test_comments_are_left_out_when_there_are_too_many_endpoints() -> None:
    few, many = ([f"10.244.{i // 250}.{i % 250}" for i in range(n)] for n in (1000, 1001))
    assert "--comment" in chain(rules_of(service(), *few), names.SERVICE_PREFIX)[-1]
    assert "--comment" not in chain(rules_of(service(), *many), names.SERVICE_PREFIX)[-1]
