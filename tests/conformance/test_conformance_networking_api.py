"""The API operations of ingress.go, ingressclass.go, service_cidrs.go and endpointslice.go in test/e2e/network"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from e2e_framework import Apis, Body, Namespace, await_event, code_of, watching
from kubernetes.client.exceptions import ApiException


def _discovered(apis: Apis, group: str, version: str, *resources: str) -> None:
    groups = {g["name"]: [v["version"] for v in g["versions"]] for g in apis.request("GET", "/apis")["groups"]}
    assert version in groups[group]
    assert version in [v["version"] for v in apis.request("GET", f"/apis/{group}")["versions"]]
    listed = {r["name"] for r in apis.request("GET", f"/apis/{group}/{version}")["resources"]}
    assert listed >= set(resources)


def _merge(apis: Apis, path: str, change: Body) -> Any:
    return apis.request("PATCH", path, change, "application/merge-patch+json")


def _lives(apis: Apis, path: str, everywhere: str, create: Callable[[], Any], read: Any, where: tuple[str, ...]) -> Any:
    """The middle of each spec: create three, get, list, watch, patch and update one. Gives that one."""
    for _ in range(2):
        create()
    made = create()
    name, first = made.metadata.name, int(made.metadata.resource_version)
    selector = "?labelSelector=" + ",".join(f"{k}%3D{v}" for k, v in made.metadata.labels.items())
    assert read(name, *where).metadata.uid == made.metadata.uid
    listed = apis.request("GET", path + selector)
    assert len(listed["items"]) == 3
    assert len(apis.request("GET", everywhere + selector)["items"]) == 3
    patched = _merge(apis, f"{path}/{name}", {"metadata": {"annotations": {"patched": "true"}}})
    assert patched["metadata"]["annotations"] == {"patched": "true"}
    assert int(patched["metadata"]["resourceVersion"]) > first
    patched["metadata"]["annotations"]["updated"] = "true"
    updated = apis.request("PUT", f"{path}/{name}", patched)
    assert updated["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
    return made, listed["metadata"]["resourceVersion"], selector


def _sees_both(method: Callable[..., Any], *args: str, since: str, selector: str) -> None:
    """A watch from before them shows the patch and the update, in this order."""
    labels = selector.removeprefix("?labelSelector=").replace("%3D", "=")
    with watching(method, *args, resource_version=since, label_selector=labels) as events:
        seen = await_event(events, "MODIFIED")["metadata"]["annotations"]
        assert seen == {"patched": "true"}
        seen = await_event(events, "MODIFIED")["metadata"]["annotations"]
        assert seen == {"patched": "true", "updated": "true"}


def _ends(apis: Apis, path: str, name: str, selector: str) -> None:
    apis.request("DELETE", f"{path}/{name}")
    assert code_of(apis.request, "GET", f"{path}/{name}") == 404
    assert len(apis.request("GET", path + selector)["items"]) == 2
    apis.request("DELETE", path + selector)
    assert apis.request("GET", path + selector)["items"] == []


def test_ingress_api(ns: Namespace) -> None:
    """[sig-network] Ingress API should support creating Ingress API operations [Conformance]"""
    _discovered(ns, "networking.k8s.io", "v1", "ingresses", "ingresses/status")
    hosts = iter(("host1.bar.com", "host2.bar.com", "host3.bar.com"))

    def backend(name: str) -> Body:
        return {"service": {"name": name, "port": {"number": 8080}}}

    def create() -> Any:
        path = {"path": "/", "pathType": "ImplementationSpecific", "backend": backend("test-backend")}
        spec = {
            "defaultBackend": backend("default-backend"),
            "rules": [{"host": next(hosts), "http": {"paths": [path]}}],
        }
        metadata = {"generateName": "e2e-example-ing", "labels": {"special-label": ns.name}}
        return ns.networking.create_namespaced_ingress(ns.name, {"metadata": metadata, "spec": spec})

    path = f"/apis/networking.k8s.io/v1/namespaces/{ns.name}/ingresses"
    everywhere = "/apis/networking.k8s.io/v1/ingresses"
    read = ns.networking.read_namespaced_ingress
    made, since, selector = _lives(ns, path, everywhere, create, read, (ns.name,))
    _sees_both(ns.networking.list_namespaced_ingress, ns.name, since=since, selector=selector)
    _sees_both(ns.networking.list_ingress_for_all_namespaces, since=since, selector=selector)
    own = f"{path}/{made.metadata.name}"
    status = {"loadBalancer": {"ingress": [{"ip": "169.1.1.1"}]}}
    change = {"metadata": {"annotations": {"patchedstatus": "true"}}, "status": status}
    patched = _merge(ns, f"{own}/status", change)
    assert patched["status"] == status
    assert patched["metadata"]["annotations"]["patchedstatus"] == "true"
    patched["status"]["loadBalancer"]["ingress"][0]["ip"] = "169.1.1.2"
    assert ns.request("PUT", f"{own}/status", patched)["status"] == patched["status"]
    assert ns.request("GET", f"{own}/status")["metadata"]["uid"] == made.metadata.uid
    _ends(ns, path, made.metadata.name, selector)


def test_ingress_class_api(ns: Namespace) -> None:
    """[sig-network] IngressClass API should support creating IngressClass API operations [Conformance]"""
    _discovered(ns, "networking.k8s.io", "v1", "ingressclasses")
    names = iter(f"{ns.name}-{number}" for number in (1, 2, 3))

    def create() -> Any:
        metadata = {"name": next(names), "labels": {"ingressclass": ns.name, "special-label": "generic"}}
        body = {"metadata": metadata, "spec": {"controller": "example.com/controller"}}
        return ns.networking.create_ingress_class(body)

    path = "/apis/networking.k8s.io/v1/ingressclasses"
    made, since, selector = _lives(ns, path, path, create, ns.networking.read_ingress_class, ())
    _sees_both(ns.networking.list_ingress_class, since=since, selector=selector)
    _ends(ns, path, made.metadata.name, selector)


def test_endpoint_slice_api(ns: Namespace) -> None:
    """[sig-network] EndpointSlice should support creating EndpointSlice API operations [Conformance]"""
    _discovered(ns, "discovery.k8s.io", "v1", "endpointslices")

    def create() -> Any:
        body = {
            "metadata": {"generateName": "e2e-example-ing", "labels": {"special-label": ns.name}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["1.2.3.4", "5.6.7.8"]}, {"addresses": ["2.2.3.4", "6.6.7.8"]}],
        }
        # By hand: the official Python client refuses to send a slice without ports.
        path = f"/apis/discovery.k8s.io/v1/namespaces/{ns.name}/endpointslices"
        return ns.discovery.read_namespaced_endpoint_slice(ns.request("POST", path, body)["metadata"]["name"], ns.name)

    path = f"/apis/discovery.k8s.io/v1/namespaces/{ns.name}/endpointslices"
    everywhere = "/apis/discovery.k8s.io/v1/endpointslices"
    read = ns.discovery.read_namespaced_endpoint_slice
    made, since, selector = _lives(ns, path, everywhere, create, read, (ns.name,))
    assert re.fullmatch("e2e-example-ing[a-z0-9]{5}", made.metadata.name)
    _sees_both(ns.discovery.list_namespaced_endpoint_slice, ns.name, since=since, selector=selector)
    _sees_both(ns.discovery.list_endpoint_slice_for_all_namespaces, since=since, selector=selector)
    _ends(ns, path, made.metadata.name, selector)


def test_network_policy_api(ns: Namespace) -> None:
    """[sig-network] Netpol API should support creating NetworkPolicy API operations (with endport field)"""
    _discovered(ns, "networking.k8s.io", "v1", "networkpolicies")
    ports = [{"port": 81, "endPort": 85, "protocol": "TCP"}]
    selectors = {
        "namespaceSelector": {"matchLabels": {"ns-name": "pod-b"}},
        "podSelector": {"matchLabels": {"pod": "b"}},
    }
    spec = {"podSelector": {"matchLabels": {"pod": "a"}}, "ingress": [{"from": [selectors], "ports": ports}]}

    def create() -> Any:
        metadata = {"generateName": "e2e-example-netpol", "labels": {"special-label": ns.name}}
        return ns.networking.create_namespaced_network_policy(ns.name, {"metadata": metadata, "spec": spec})

    path = f"/apis/networking.k8s.io/v1/namespaces/{ns.name}/networkpolicies"
    everywhere = "/apis/networking.k8s.io/v1/networkpolicies"
    read = ns.networking.read_namespaced_network_policy
    made, since, selector = _lives(ns, path, everywhere, create, read, (ns.name,))
    assert made.spec.policy_types == ["Ingress"]
    assert made.spec.ingress[0].ports[0].end_port == 85
    _sees_both(ns.networking.list_namespaced_network_policy, ns.name, since=since, selector=selector)
    _sees_both(ns.networking.list_network_policy_for_all_namespaces, since=since, selector=selector)
    _ends(ns, path, made.metadata.name, selector)


def test_service_cidr_api(apis: Apis) -> None:
    """[sig-network] ServiceCIDR and IPAddress API should support ServiceCIDR API operations [Conformance]"""
    _discovered(apis, "networking.k8s.io", "v1", "servicecidrs", "servicecidrs/status", "ipaddresses")
    default = apis.networking.read_service_cidr("kubernetes")
    status = apis.request("GET", "/apis/networking.k8s.io/v1/servicecidrs/kubernetes/status")
    assert (status["kind"], status["apiVersion"]) == ("ServiceCIDR", "networking.k8s.io/v1")
    assert status["metadata"]["uid"] == default.metadata.uid
    assert [(c.type, c.status) for c in default.status.conditions] == [("Ready", "True")]
    listed = apis.networking.list_service_cidr()
    assert "kubernetes" in [c.metadata.name for c in listed.items]
    with watching(apis.networking.list_service_cidr) as events:
        assert await_event(events, "ADDED")["kind"] == "ServiceCIDR"


def test_ip_address_api(apis: Apis) -> None:
    """[sig-network] ServiceCIDR and IPAddress API should support IPAddress API operations [Conformance]"""
    parent = {"group": "mygroup", "resource": "myresources", "namespace": "foo", "name": "bar"}

    def create(name: str, kind: str) -> Any:
        metadata = {"name": name, "labels": {"type": kind}}
        return apis.networking.create_ip_address({"metadata": metadata, "spec": {"parentRef": parent}})

    made = create("255.255.255.255", "broadcast")
    create("fe80::42:1dff:fe84:f9e2", "link-local")
    path = "/apis/networking.k8s.io/v1/ipaddresses"
    own = f"{path}/255.255.255.255"
    patched = _merge(apis, own, {"metadata": {"annotations": {"patched": "true"}}})
    assert int(patched["metadata"]["resourceVersion"]) > int(made.metadata.resource_version)
    patched["metadata"]["annotations"]["updated"] = "true"
    assert apis.request("PUT", own, patched)["metadata"]["annotations"] == {"patched": "true", "updated": "true"}
    assert apis.networking.read_ip_address("255.255.255.255").spec.parent_ref.resource == "myresources"
    label = {"label_selector": "type=broadcast"}
    assert len(apis.networking.list_ip_address(**label).items) == 1
    with watching(apis.networking.list_ip_address, **label) as events:
        assert await_event(events, "ADDED")["metadata"]["name"] == "255.255.255.255"
    apis.networking.delete_ip_address("255.255.255.255")
    apis.networking.delete_collection_ip_address(label_selector="type=link-local")
    assert apis.networking.list_ip_address(label_selector="type in (broadcast,link-local)").items == []


def _basic_ingress(ns: Namespace, name: str = "ingress1") -> Any:
    backend = {"service": {"name": "defaultbackend", "port": {"number": 80}}}
    return ns.networking.create_namespaced_ingress(
        ns.name, {"metadata": {"name": name}, "spec": {"defaultBackend": backend}}
    )


def test_default_ingress_class(ns: Namespace) -> None:
    """[sig-network] IngressClass [Feature:Ingress] should set default value on new IngressClass [Serial]"""
    annotation = {"ingressclass.kubernetes.io/is-default-class": "true"}
    spec = {"controller": "example.com/controller"}
    # With no default there is none; with one it is that; with two, the newest.
    assert _basic_ingress(ns, "before").spec.ingress_class_name is None
    names = [f"{ns.name}-1", f"{ns.name}-2"]
    try:
        for number, name in enumerate(names):
            ns.networking.create_ingress_class({"metadata": {"name": name, "annotations": annotation}, "spec": spec})
            if number == 0:
                assert _basic_ingress(ns).spec.ingress_class_name == name
        assert _basic_ingress(ns, "two").spec.ingress_class_name in names
    finally:
        for name in names:
            ns.networking.delete_ingress_class(name)


def test_ingress_class_with_parameters_in_a_namespace(ns: Namespace) -> None:
    """[sig-network] IngressClass [Feature:Ingress] should allow IngressClass to have Namespace-scoped parameters [Serial]"""  # noqa: E501
    parameters = {
        "scope": "Namespace",
        "namespace": "foo-ns",
        "kind": "fookind",
        "name": "fooname",
        "apiGroup": "example.com",
    }
    spec = {"controller": "example.com/controller", "parameters": parameters}
    ns.networking.create_ingress_class({"metadata": {"name": ns.name}, "spec": spec})
    stored = ns.networking.read_ingress_class(ns.name).spec.parameters
    ns.networking.delete_ingress_class(ns.name)
    assert stored.scope == "Namespace"
    wrong = {**spec, "parameters": {**parameters, "scope": "Cluster"}}
    with pytest.raises(ApiException, match=r"parameters.scope`? is set to 'Cluster'"):
        ns.networking.create_ingress_class({"metadata": {"name": ns.name}, "spec": wrong})
