"""Reading a Service's rules out of what iptables-save prints."""

from __future__ import annotations

import pytest

from podwalk.views.service_facts import refusal, service_rules

NAT = """\
*nat
:KUBE-SVC-AAAA - [0:0]
-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment "default/kubernetes:https cluster IP" -m tcp --dport 443 -j KUBE-SVC-OTHER
-A KUBE-SERVICES -d 10.96.4.8/32 -p tcp -m comment --comment "shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-AAAA
-A KUBE-SERVICES -d 10.96.4.8/32 -p tcp -m comment --comment "shop/web:more cluster IP" -m tcp --dport 81 -j KUBE-SVC-BBBB
-A KUBE-SVC-AAAA ! -s 10.244.0.0/16 -d 10.96.4.8/32 -p tcp -m tcp --dport 80 -j KUBE-MARK-MASQ
-A KUBE-SVC-AAAA -m recent --name KUBE-SEP-ONE --rcheck --seconds 10800 --reap -j KUBE-SEP-ONE
-A KUBE-SVC-AAAA -m comment --comment "shop/web -> 10.244.1.2:8080" -m statistic --mode random --probability 0.25000000000 -j KUBE-SEP-ONE
-A KUBE-SVC-AAAA -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-TWO
-A KUBE-SVC-AAAA -j KUBE-SEP-THREE
-A KUBE-SEP-ONE -s 10.244.1.2/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-ONE -p tcp -m tcp -j DNAT --to-destination 10.244.1.2:8080
-A KUBE-SEP-TWO -p tcp -m tcp -j DNAT --to-destination 10.244.2.2:8080
COMMIT
""".splitlines()  # noqa: E501
FILTER = [
    '-A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m comment --comment "canteen/menu has no endpoints" -m tcp --dport 80'
    " -j REJECT --reject-with icmp-port-unreachable"
]


def test_the_shares_are_what_the_rules_before_leave_over() -> None:
    chain, rules = service_rules(NAT, "10.96.4.8", 80, "tcp")
    assert chain == "KUBE-SVC-AAAA"
    assert [(r.chain, r.probability) for r in rules] == [
        ("KUBE-SEP-ONE", 0.25),
        ("KUBE-SEP-TWO", 0.5),
        ("KUBE-SEP-THREE", 1.0),
    ]
    assert [r.share for r in rules] == pytest.approx([0.25, 0.375, 0.375])


def test_the_target_is_where_the_chain_rewrites_to() -> None:
    _, rules = service_rules(NAT, "10.96.4.8", 80, "tcp")
    assert [r.target for r in rules] == ["10.244.1.2:8080", "10.244.2.2:8080", ""]


@pytest.mark.parametrize("asked", [("10.96.4.9", 80, "tcp"), ("10.96.4.8", 82, "tcp"), ("10.96.4.8", 80, "udp")])
def test_another_address_port_or_protocol_has_no_chain(asked: tuple[str, int, str]) -> None:
    assert service_rules(NAT, *asked) == ("", ())


def test_an_empty_chain_is_still_a_chain() -> None:
    assert service_rules(NAT, "10.96.4.8", 81, "tcp") == ("KUBE-SVC-BBBB", ())


def test_a_refusal_has_the_rule_s_own_words() -> None:
    assert refusal(FILTER, "10.96.7.7", 80, "tcp") == "canteen/menu has no endpoints"
    assert refusal(FILTER, "10.96.7.8", 80, "tcp") == ""
