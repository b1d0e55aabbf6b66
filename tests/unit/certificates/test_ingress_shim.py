"""What Ingresses ask for, and what answers a challenge."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.certificates import shim, solver
from podwalk.certificates.orders import solver_for
from podwalk.certificates.shim import BadConfig
from podwalk.programs import acmesolver
from podwalk.programs.gohttp import Request

GROUP = "cert-manager.io/"


def ingress(*tls: dict[str, Any], **annotations: str) -> dict[str, Any]:
    named = {GROUP + name.replace("_", "-"): text for name, text in annotations.items()}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop", "namespace": "shop", "uid": "u", "labels": {"a": "b"}, "annotations": named},
        "spec": {"tls": list(tls)},
    }


TLS = {"hosts": ["web.test", "10.0.0.1"], "secretName": "web-tls"}


def test_each_tls_block_becomes_a_certificate() -> None:
    found, skipped = shim.certificates(ingress(TLS, {"hosts": ["b.test"], "secretName": "b"}, cluster_issuer="acme"))
    assert skipped == []
    assert [c["metadata"]["name"] for c in found] == ["web-tls", "b"]
    assert found[0]["spec"] == {
        "dnsNames": ["web.test"],
        "ipAddresses": ["10.0.0.1"],
        "secretName": "web-tls",
        "issuerRef": {"name": "acme", "kind": "ClusterIssuer", "group": "cert-manager.io"},
        "usages": ["digital signature", "key encipherment"],
    }
    assert found[0]["metadata"]["labels"] == {"a": "b"}
    assert found[0]["metadata"]["ownerReferences"][0]["kind"] == "Ingress"


def test_annotations_say_more() -> None:
    more = {"common_name": "web.test", "duration": "1h", "renew_before": "10m", "usages": "server auth, client auth"}
    keyed = {"private_key_algorithm": "ECDSA", "private_key_size": "384", "private_key_rotation_policy": "Never"}
    found, _ = shim.certificates(ingress(TLS, issuer="own", **more, **keyed))
    spec = found[0]["spec"]
    assert spec["issuerRef"]["kind"] == "Issuer"
    assert (spec["commonName"], spec["duration"], spec["renewBefore"]) == ("web.test", "1h", "10m")
    assert spec["usages"] == ["server auth", "client auth"]
    assert spec["privateKey"] == {"algorithm": "ECDSA", "size": 384, "rotationPolicy": "Never"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (ingress(TLS, issuer="a", cluster_issuer="b"), "may not be set"),
        (ingress(TLS, issuer=""), "failed to determine issuer name"),
        (ingress(TLS, issuer="a", duration="soon"), 'invalid annotation "cert-manager.io/duration"'),
        (ingress(TLS, issuer="a", private_key_size="big"), "private-key-size"),
        (
            ingress(TLS, TLS, issuer="a"),
            'spec.tls[0].secretName: Invalid value: "web-tls": this secret name must only appear in a single TLS entry '
            "but is also used in spec.tls[1].secretName",
        ),
    ],
)
def test_what_means_nothing(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadConfig) as raised:
        shim.certificates(given)
    assert said in str(raised.value)


def test_a_block_that_lacks_something_is_skipped() -> None:
    found, skipped = shim.certificates(ingress({"hosts": ["a.test"]}, {"secretName": "x"}, TLS, issuer="a"))
    assert [c["metadata"]["name"] for c in found] == ["web-tls"]
    assert skipped == ["spec.tls[0].secretName: Required value", "spec.tls[1].hosts: Required value"]


# --- solvers


def issuer(*solvers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"acme": {"solvers": list(solvers)}}}


def http(name: str, **selector: Any) -> dict[str, Any]:
    return {"http01": {"ingress": {"ingressClassName": name}}, **({"selector": selector} if selector else {})}


ANY, ZONE, DEEP = http("any"), http("zone", dnsZones=["shop.test"]), http("deep", dnsZones=["eu.shop.test"])
EXACT, LABEL = http("exact", dnsNames=["www.shop.test"]), http("label", matchLabels={"team": "web"})


@pytest.mark.parametrize(
    ("name", "labels", "chosen"),
    [
        ("other.test", {}, "any"),
        ("xshop.test", {}, "any"),
        ("shop.test", {}, "zone"),
        ("a.shop.test", {}, "zone"),
        ("a.eu.shop.test", {}, "deep"),
        ("www.shop.test", {}, "exact"),
        ("other.test", {"team": "web"}, "label"),
    ],
)
def test_the_solver_that_fits_best_is_taken(name: str, labels: dict[str, str], chosen: str) -> None:
    found = solver_for(issuer(ANY, ZONE, DEEP, EXACT, LABEL), name, labels)
    assert found is not None
    assert found["http01"]["ingress"]["ingressClassName"] == chosen


def test_no_solver_fits() -> None:
    assert solver_for(issuer(ZONE, {"dns01": {}}), "other.test", {}) is None


def challenge(**configured: Any) -> dict[str, Any]:
    spec = {"dnsName": "web.test", "token": "TOKEN", "key": "TOKEN.KEY", "solver": {"http01": {"ingress": configured}}}
    metadata = {"name": "web-1-2-3", "namespace": "shop", "uid": "u"}
    return {"apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge", "metadata": metadata, "spec": spec}


def test_the_solvers_objects_fit_together() -> None:
    asked = challenge(ingressClassName="nginx")
    pod, service, made = solver.pod(asked, "image"), solver.service(asked), solver.ingress(asked, "svc")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert service["spec"]["type"] == "NodePort"
    assert made["spec"]["ingressClassName"] == "nginx"
    path = made["spec"]["rules"][0]["http"]["paths"][0]
    assert made["spec"]["rules"][0]["host"] == "web.test"
    assert (path["path"], path["pathType"]) == ("/.well-known/acme-challenge/TOKEN", "Exact")
    assert path["backend"]["service"] == {"name": "svc", "port": {"number": 8089}}
    assert {o["metadata"]["ownerReferences"][0]["name"] for o in (pod, service, made)} == {"web-1-2-3"}
    assert {o["metadata"]["generateName"] for o in (pod, service, made)} == {"cm-acme-http-solver-"}


def test_the_class_may_be_said_the_old_way_and_the_service_be_another() -> None:
    asked = challenge(**{"class": "nginx", "serviceType": "ClusterIP"})
    made = solver.ingress(asked, "svc")
    assert "ingressClassName" not in made["spec"]
    assert made["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "nginx"
    assert solver.service(asked)["spec"]["type"] == "ClusterIP"


@pytest.mark.parametrize(
    ("host", "path", "status"),
    [
        ("web.test", "/.well-known/acme-challenge/TOKEN", 200),
        ("web.test:80", "/.well-known/acme-challenge/TOKEN", 200),
        ("other.test", "/.well-known/acme-challenge/TOKEN", 404),
        ("web.test", "/.well-known/acme-challenge/OTHER", 404),
        ("web.test", "/", 404),
        ("x", "/healthz", 200),
    ],
)
def test_the_solver_answers_for_its_name_and_token_only(host: str, path: str, status: int) -> None:
    args = solver.pod(challenge(), "image")["spec"]["containers"][0]["args"]
    flags = acmesolver.parse(args)
    said = acmesolver.answer(flags, Request("GET", path, "HTTP/1.1", {"Host": [host]}))
    assert said.status == status
    assert said.body == (b"TOKEN.KEY" if status == 200 and path != "/healthz" else b"")
