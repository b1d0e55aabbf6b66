"""Host names, grants, durations, prefixes and the order of routes, without a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from podwalk.gateway import attach, certificates, envoy, filters
from podwalk.gateway.world import World, intersect
from podwalk.kubelet.builtin_images import localhost_certificate


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("", "", ""),
        ("", "a.test", "a.test"),
        ("a.test", "a.test", "a.test"),
        ("a.test", "b.test", None),
        ("*.test", "a.test", "a.test"),
        ("a.b.test", "*.test", "a.b.test"),
        ("*.b.test", "*.test", "*.b.test"),
        ("*.test", "test", None),
        ("*.a.test", "*.b.test", None),
        ("*.test", "atest", None),
    ],
)
def test_the_names_that_two_names_have_in_common(one: str, other: str, common: str | None) -> None:
    assert intersect(one, other) == common
    assert intersect(other, one) == common


@pytest.mark.parametrize(
    ("text", "seconds"), [("10s", 10), ("1h30m", 5400), ("500ms", 0.5), ("1m1s", 61), ("x", 0), ("", 0)]
)
def test_durations(text: str, seconds: float) -> None:
    assert filters.seconds(text) == seconds


@pytest.mark.parametrize(
    ("prefix", "by", "written"),
    [
        ("/foo", "/x", {"prefix_rewrite": "/x"}),
        ("/foo", "/x/", {"prefix_rewrite": "/x"}),
        ("", "/x", {"prefix_rewrite": "/x/"}),
        ("/f.o", "/", {"regex_rewrite": {"pattern": {"regex": "^/f\\.o/*"}, "substitution": "/"}}),
    ],
)
def test_replacing_a_prefix(prefix: str, by: str, written: dict[str, Any]) -> None:
    assert filters.replace_prefix(prefix, by) == written


def world(**more: Any) -> World:
    empty: dict[str, Any] = {
        "classes": [{"metadata": {"name": "envoy"}, "spec": {"controllerName": attach.CONTROLLER}}],
        "gateways": [],
        "http_routes": [],
        "grpc_routes": [],
        "grants": [],
        "namespaces": {"shop": {"metadata": {"name": "shop", "labels": {"team": "a"}}}},
        "services": {},
        "slices": [],
        "secrets": {},
    }
    return World(**{**empty, **more})


def gateway(*listeners: dict[str, Any]) -> dict[str, Any]:
    spec = {"gatewayClassName": "envoy", "listeners": list(listeners)}
    return {"kind": "Gateway", "metadata": {"name": "edge", "namespace": "infra"}, "spec": spec}


def route(name: str = "r", namespace: str = "shop", created: str = "1", **spec: Any) -> dict[str, Any]:
    parents = [{"name": "edge", "namespace": "infra"}]
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": created}
    return {"kind": "HTTPRoute", "metadata": metadata, "spec": {"parentRefs": parents, **spec}}


def http(**more: Any) -> dict[str, Any]:
    return {"name": "web", "port": 80, "protocol": "HTTP", **more}


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [
        ({}, "NotAllowedByListeners"),
        ({"namespaces": {"from": "All"}}, "Accepted"),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}}, "Accepted"),
        ({"namespaces": {"from": "Selector", "selector": {"matchLabels": {"team": "b"}}}}, "NotAllowedByListeners"),
        ({"namespaces": {"from": "All"}, "kinds": [{"kind": "GRPCRoute"}]}, "NotAllowedByListeners"),
    ],
)
def test_whom_a_listener_allows(allowed: dict[str, Any], reason: str) -> None:
    made = attach.plan(world(gateways=[gateway(http(allowedRoutes=allowed))], http_routes=[route()]))
    (parent,) = made.parents["HTTPRoute", "shop/r"]
    assert parent["conditions"][0]["reason"] == reason
    assert len(made.gateways[0].listeners[0].routes) == (reason == "Accepted")


def test_listeners_that_claim_the_same_are_told() -> None:
    listeners = [
        http(),
        http(name="twin"),
        http(name="tls", protocol="HTTPS"),
        http(name="tcp", protocol="TCP", port=1),
    ]
    (made,) = attach.plan(world(gateways=[gateway(*listeners)])).gateways
    assert [x.accepted[1] for x in made.listeners] == [
        "Accepted",
        "HostnameConflict",
        "ProtocolConflict",
        "UnsupportedProtocol",
    ]


def test_a_gateway_of_another_class_is_left_alone() -> None:
    other = gateway(http())
    other["spec"]["gatewayClassName"] = "other"
    made = attach.plan(world(gateways=[other], http_routes=[route()]))
    assert made.gateways == ()
    assert made.parents["HTTPRoute", "shop/r"] == []


def test_routes_stand_in_the_order_of_the_specification() -> None:
    def matching(**match: Any) -> dict[str, Any]:
        return {"matches": [match]}

    rules = [
        matching(path={"type": "PathPrefix", "value": "/"}),
        matching(path={"type": "PathPrefix", "value": "/a/b"}),
        matching(path={"type": "PathPrefix", "value": "/a"}, headers=[{"name": "x", "value": "1"}]),
        matching(path={"type": "PathPrefix", "value": "/a"}, method="GET"),
        matching(path={"type": "PathPrefix", "value": "/a"}),
        matching(path={"type": "Exact", "value": "/a"}),
    ]
    found = world(
        gateways=[gateway(http(allowedRoutes={"namespaces": {"from": "All"}}))], http_routes=[route(rules=rules)]
    )
    files = envoy.resources(attach.plan(found), found, {("infra/edge", 80): 10001}, "/f")
    (table,) = [f["resources"][0] for name, f in files.items() if name.startswith("rds")]
    order = [r["match"] for r in table["virtual_hosts"][0]["routes"]]
    assert [m.get("path") or m.get("path_separated_prefix") or m.get("prefix") for m in order] == [
        "/a",
        "/a/b",
        "/a",
        "/a",
        "/a",
        "/",
    ]
    assert [h["name"] for m in order for h in m.get("headers", [])] == [":method", "x"]
    assert list(files) == ["cds", *[n for n in files if n.startswith("rds")], "lds"]


def test_https_and_tls_share_a_port() -> None:
    passing = {"mode": "Passthrough"}
    listeners = [
        http(name="https", port=443, protocol="HTTPS", hostname="a.test"),
        http(name="tls", port=443, protocol="TLS", tls=passing, hostname="b.test"),
        http(name="plain", port=443),
    ]
    (made,) = attach.plan(world(gateways=[gateway(*listeners)])).gateways
    assert [x.accepted[1] for x in made.listeners] == ["Accepted", "Accepted", "ProtocolConflict"]
    assert made.listeners[0].resolved[1] == "InvalidCertificateRef"
    assert made.listeners[1].programmed


def tls_route(name: str, created: str, *hostnames: str) -> dict[str, Any]:
    rules = [{"backendRefs": [{"name": name, "port": 443}]}]
    return {**route(name, created=created, hostnames=list(hostnames), rules=rules), "kind": "TLSRoute"}


def test_the_older_route_keeps_a_name_that_two_ask_for() -> None:
    listener = http(
        port=443, protocol="TLS", tls={"mode": "Passthrough"}, allowedRoutes={"namespaces": {"from": "All"}}
    )
    service = {"spec": {"ports": [{"port": 443, "targetPort": 8443, "protocol": "TCP"}]}}
    found = world(
        gateways=[gateway(listener)],
        tls_routes=[tls_route("young", "2", "a.test", "b.test"), tls_route("old", "1", "a.test")],
        services={"shop/old": service, "shop/young": service},
    )
    files = envoy.resources(attach.plan(found), found, {("infra/edge", 443): 10001}, "/f")
    (made,) = files["lds"]["resources"]
    names = {c["filters"][0]["typed_config"]["cluster"]: c["filter_chain_match"] for c in made["filter_chains"]}
    assert names == {"shop/old:443": {"server_names": ["a.test"]}, "shop/young:443": {"server_names": ["b.test"]}}
    assert made["listener_filters"]


@pytest.mark.parametrize(
    ("wanted", "share"),
    [({}, 1_000_000), ({"percent": 5}, 50_000), ({"fraction": {"numerator": 1, "denominator": 3}}, 333_333)],
)
def test_the_share_that_a_mirror_gets(wanted: dict[str, Any], share: int) -> None:
    made = filters.mirror("c", wanted)
    assert made["runtime_fraction"]["default_value"] == {"numerator": share, "denominator": "MILLION"}


def test_a_certificate_and_a_key_must_belong_together() -> None:
    one = {k: v.decode() for k, v in localhost_certificate().items()}
    strange = ec.generate_private_key(ec.SECP256R1())
    other = strange.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert certificates.problem(one["/localhost.crt"], one["/localhost.key"]) is None
    assert certificates.problem(one["/localhost.crt"], other) == "tls.key is not the key of tls.crt"
    assert certificates.problem("BEGIN", one["/localhost.key"]) == "tls.crt is no certificate"
    assert certificates.problem(one["/localhost.crt"], "BEGIN") == "tls.key is no private key"


@pytest.mark.parametrize(
    ("timeouts", "written"),
    [
        ({}, "0s"),
        ({"request": "10s"}, "10s"),
        ({"request": "10s", "backendRequest": "500ms"}, "0.5s"),
        ({"request": "0s", "backendRequest": "2s"}, "2s"),
    ],
)
def test_the_shorter_limit_ends_a_request(timeouts: dict[str, str], written: str) -> None:
    rules = [{"backendRefs": [{"name": "gone", "port": 80}], "timeouts": timeouts}]
    allowed = {"namespaces": {"from": "All"}}
    found = world(gateways=[gateway(http(allowedRoutes=allowed))], http_routes=[route(rules=rules)])
    files = envoy.resources(attach.plan(found), found, {("infra/edge", 80): 10001}, "/f")
    (table,) = [f["resources"][0] for name, f in files.items() if name.startswith("rds")]
    assert table["virtual_hosts"][0]["routes"][0]["route"]["timeout"] == written
