"""CustomResourceDefinitions, their objects and the bundles of definitions, by kubectl."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest
import yaml

from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import bundles


def install(api_server: Any, bundle: str) -> None:
    loaded = yaml.safe_load(api_server.kubeconfig.read_text())
    cluster = loaded["clusters"][0]["cluster"]
    ca = base64.b64decode(cluster["certificate-authority-data"])
    config = ClientConfig(cluster["server"], loaded["users"][0]["user"]["token"], ca)

    async def run() -> None:
        async with Client(config) as client:
            await bundles.install(client, bundle)

    asyncio.run(run())


def widget_definition(group: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "description": "What is wanted.",
                "properties": {
                    "replicas": {"type": "integer", "minimum": 0, "description": "How many widgets."},
                    "color": {"type": "string", "default": "red"},
                },
            },
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
        },
        "additionalPrinterColumns": [
            {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
            {"name": "Color", "type": "string", "jsonPath": ".spec.color", "priority": 1},
        ],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [version],
        },
    }


def widget(group: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec}


def test_the_life_of_a_definition(kubectl: Any) -> None:
    group = f"{kubectl.namespace}.example.com"
    kubectl("apply", "-f", "-", stdin=widget_definition(group))
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=20s")
    assert f"widgets.{group}" in kubectl("get", "crds")
    assert "NAME" in kubectl("get", "crd", f"widgets.{group}").splitlines()[0]
    listed = kubectl("api-resources", f"--api-group={group}")
    assert listed.splitlines()[1].split() == ["widgets", "wd", f"{group}/v1", "true", "Widget"]
    kubectl("apply", "-f", "-", stdin=widget(group, replicas=2))
    lines = kubectl("get", f"widgets.{group}").splitlines()
    assert [lines[0].split(), lines[1].split()] == [["NAME", "REPLICAS"], ["w", "2"]]
    assert kubectl("get", f"widgets.{group}", "-o", "wide").splitlines()[1].split() == ["w", "2", "red"]
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=widget(group, replicas=2))
    assert kubectl.run("diff", "-f", "-", stdin=widget(group, replicas=2)).code == 0
    kubectl("apply", "-f", "-", stdin=widget(group, replicas=3))
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=widget(group, replicas=4))
    assert "scaled" in kubectl("scale", f"widgets.{group}/w", "--replicas=7")
    assert kubectl("get", f"widgets.{group}", "w", "-o", "jsonpath={.spec.replicas}") == "7"
    kubectl("patch", f"widgets.{group}", "w", "--type=merge", "-p", '{"spec":{"color":"blue"}}')
    refused = kubectl.fails("patch", f"widgets.{group}", "w", "-p", '{"spec":{"color":"blue"}}')
    assert "strategic" in refused or "unsupported" in refused.lower() or "unknown format" in refused
    explained = kubectl("explain", "widget.spec", f"--api-version={group}/v1")
    assert "How many widgets." in explained
    assert "Name:         w" in kubectl("describe", f"widgets.{group}", "w")
    kubectl("annotate", f"widgets.{group}", "w", "a=b")
    kubectl("delete", "crd", f"widgets.{group}", "--timeout=20s")
    assert "the server doesn't have a resource type" in kubectl.fails("get", f"widgets.{group}")


def test_wrong_objects_are_refused_in_words(kubectl: Any) -> None:
    group = f"{kubectl.namespace}.example.com"
    kubectl("apply", "-f", "-", stdin=widget_definition(group))
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{group}", "--timeout=20s")
    told = kubectl.fails("create", "-f", "-", stdin=widget(group, replicas=-1))
    assert (
        'The Widget "w" is invalid: spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or '
        "equal to 0" in told
    )
    told = kubectl.fails("create", "-f", "-", stdin=widget(group, size=1))
    assert 'strict decoding error: unknown field "spec.size"' in told
    kubectl("create", "-f", "-", "--validate=ignore", stdin=widget(group, size=1))
    assert kubectl("get", f"widgets.{group}", "w", "-o", "jsonpath={.spec}") == '{"color":"red"}'
    kubectl("delete", "crd", f"widgets.{group}", "--timeout=20s")


GATEWAY = """
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: course}
spec: {controllerName: example.com/course}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: web}
spec:
  gatewayClassName: course
  listeners:
  - {name: http, port: 80, protocol: HTTP}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: web}]
  hostnames: [web.example.com]
  rules:
  - matches: [{path: {value: /api}}]
    filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: x, value: 'y'}]}}]
    backendRefs: [{name: web, port: 80}]
"""


def test_gateway_api(kubectl: Any, api_server: Any) -> None:
    install(api_server, "gateway-api")
    kubectl("apply", "-f", "-", stdin=GATEWAY)
    lines = kubectl("get", "gateways").splitlines()
    assert lines[0].split() == ["NAME", "CLASS", "ADDRESS", "PROGRAMMED", "AGE"]
    assert lines[1].split()[:3] == ["web", "course", "Unknown"]
    gateway = kubectl.json("get", "gtw", "web")
    assert gateway["spec"]["listeners"][0]["allowedRoutes"] == {"namespaces": {"from": "Same"}}
    assert [c["type"] for c in gateway["status"]["conditions"]] == ["Accepted", "Programmed"]
    route = kubectl.json("get", "httproute", "web")
    assert route["spec"]["parentRefs"] == [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "web"}]
    assert route["spec"]["rules"][0]["matches"] == [{"path": {"type": "PathPrefix", "value": "/api"}}]
    assert route["spec"]["rules"][0]["backendRefs"][0]["weight"] == 1
    assert '["web.example.com"]' in kubectl("get", "httproutes")
    assert "listeners" in kubectl("explain", "gateway.spec")
    assert "-required-" in kubectl("explain", "gateway.spec.listeners")
    told = kubectl.fails("apply", "-f", "-", stdin=GATEWAY.replace("port: 80, protocol", "port: 0, protocol"))
    assert "spec.listeners[0].port in body should be greater than or equal to 1" in told
    kubectl("delete", "gatewayclass", "course")


@pytest.mark.parametrize(
    ("bundle", "kinds"),
    [
        ("cluster-network-policy", ["clusternetworkpolicies"]),
        ("cert-manager", ["certificaterequests", "certificates", "clusterissuers", "issuers"]),
    ],
)
def test_other_bundles(kubectl: Any, api_server: Any, bundle: str, kinds: list[str]) -> None:
    install(api_server, bundle)
    group = "policy.networking.k8s.io" if "policy" in bundle else "cert-manager.io"
    listed = kubectl("api-resources", f"--api-group={group}", "-o", "name").split()
    assert [name.split(".")[0] for name in listed] == kinds


def test_a_cluster_network_policy_is_checked(kubectl: Any, api_server: Any) -> None:
    install(api_server, "cluster-network-policy")
    policy = {
        "apiVersion": "policy.networking.k8s.io/v1alpha2",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "p"},
        "spec": {
            "tier": "Admin",
            "priority": 10,
            "subject": {"namespaces": {}},
            "ingress": [{"action": "Deny", "from": [{"namespaces": {}}]}],
        },
    }
    kubectl("apply", "-f", "-", stdin=policy)
    assert kubectl("get", "cnp").splitlines()[1].split()[:3] == ["p", "Admin", "10"]
    policy["spec"] = {**policy["spec"], "tier": "Top", "priority": 1001}
    told = kubectl.fails("apply", "-f", "-", stdin=policy)
    assert 'spec.tier: Unsupported value: "Top": supported values: "Admin", "Baseline"' in told
    assert "should be less than or equal to 1000" in told
    kubectl("delete", "cnp", "p")
