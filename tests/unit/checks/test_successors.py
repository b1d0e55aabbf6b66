"""Policies asked about Pods that do not exist yet."""

from __future__ import annotations

from typing import Any

import pytest
from fake_cluster import FakeCluster, pod
from test_probes import lab_on, step

from podwalk.api.meta import Object
from podwalk.checks.report import Verdict
from podwalk.checks.successors import port_of


def cluster_with(*peers: Object, port: Any = 8080) -> FakeCluster:
    nodes = [
        {
            "kind": "Node",
            "metadata": {"name": f"n{i}"},
            "spec": {"podCIDR": f"10.244.{i}.0/24"},
            "status": {"addresses": [{"type": "InternalIP", "address": f"172.18.0.{i + 2}"}]},
        }
        for i in (1, 2)
    ]
    policy = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "ingress": [{"from": list(peers), "ports": [{"port": port}]}],
        },
    }
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
    }
    deployment = {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": template},
    }
    namespace = {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}}
    client, host = pod("shop/client", "10.244.1.5", app="client"), pod("shop/host", "172.18.0.3")
    host["spec"]["hostNetwork"] = True
    return FakeCluster([*nodes, namespace, policy, deployment, client, host])


def said(cluster: FakeCluster, expected: str, source: str = "shop/client", target: str = "shop/deploy/web:8080") -> str:
    lab = lab_on(cluster)
    result = step(lab, lambda: lab.successors(source, target).expect(expected))
    if result.verdict is Verdict.PASS:
        return expected
    return result.finding.observed if result.finding else result.reason


@pytest.mark.parametrize(
    ("peer", "verdict"),
    [
        ({"podSelector": {"matchLabels": {"app": "client"}}}, "allowed"),
        ({"podSelector": {"matchLabels": {"app": "stranger"}}}, "denied"),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, "allowed"),
        ({"ipBlock": {"cidr": "10.244.1.5/32"}}, "denied"),
        ({"ipBlock": {"cidr": "10.244.1.0/24"}}, "allowed at some addresses only"),
        ({"ipBlock": {"cidr": "10.244.0.0/16"}}, "allowed"),
    ],
)
def test_a_policy_means_pods_or_addresses(peer: Object, verdict: str) -> None:
    assert said(cluster_with(peer), verdict) == verdict
    assert said(cluster_with(peer), "something else") == verdict


def test_ports_by_name_are_those_of_the_template() -> None:
    peer = {"podSelector": {}}
    assert said(cluster_with(peer, port="http"), "allowed") == "allowed"
    assert said(cluster_with(peer, port="http"), "denied", target="shop/deploy/web:9090") == "denied"
    assert said(cluster_with(peer), "denied", target="shop/deploy/web:8080/UDP") == "denied"


def test_a_successor_on_the_nodes_network_comes_as_another_node() -> None:
    assert said(cluster_with({"podSelector": {}}), "denied", source="shop/host") == "denied"
    assert said(cluster_with({"ipBlock": {"cidr": "172.18.0.0/24"}}), "allowed", source="shop/host") == "allowed"


def test_an_address_may_be_the_source() -> None:
    assert said(cluster_with({"ipBlock": {"cidr": "203.0.113.7/32"}}), "allowed", source="203.0.113.7") == "allowed"


def test_an_address_may_be_the_target() -> None:
    assert said(cluster_with(), "allowed", target="203.0.113.7:80") == "allowed"
    cluster = cluster_with()
    policy = {"podSelector": {}, "policyTypes": ["Egress"]}
    cluster.add({"kind": "NetworkPolicy", "metadata": {"name": "shut", "namespace": "shop"}, "spec": policy})
    assert said(cluster, "denied", target="203.0.113.7:80") == "denied"


def test_what_is_not_there_is_said() -> None:
    assert said(cluster_with(), "allowed", source="shop/nobody") == "it is gone"


@pytest.mark.parametrize("target", ["shop/web", "shop/web:http", "shop/web:80/ICMP"])
def test_a_target_needs_a_port(target: str) -> None:
    with pytest.raises(ValueError, match="is no target"):
        port_of(target)
