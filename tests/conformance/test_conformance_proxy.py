"""test/e2e/network/proxy.go: the API server as a proxy to Pods and Services"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import urllib3
from e2e_framework import AGNHOST, Namespace, container, eventually, pod_of, service_of
from kubernetes.client.exceptions import ApiException

_ATTEMPTS = 20
_METHODS = ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]
_SERVED = {
    "SERVE_PORT_80": '<a href="/rewriteme">test</a>',
    "SERVE_PORT_1080": '<a href="/rewriteme">test</a>',
    "SERVE_PORT_160": "foo",
    "SERVE_PORT_162": "bar",
    "SERVE_TLS_PORT_443": '<a href="/tlsrewriteme">test</a>',
    "SERVE_TLS_PORT_460": "tls baz",
    "SERVE_TLS_PORT_462": "tls qux",
}


def _request(ns: Namespace, method: str, path: str) -> tuple[int, str]:
    """(status, body) without following redirects."""
    (login,) = ns.api.configuration.auth_settings().values()
    pool: urllib3.PoolManager = ns.api.rest_client.pool_manager
    url, headers = ns.api.configuration.host + path, {login["key"]: login["value"]}
    done = pool.request(method, url, headers=headers, redirect=False, retries=False)
    return done.status, done.data.decode()


def _porter_with_a_service(ns: Namespace) -> tuple[str, str, dict[str, str]]:
    labels = {"proxy-service-target": "true"}
    ports = [
        ("portname1", 80, "dest1"),
        ("portname2", 81, 162),
        ("tlsportname1", 443, "tlsdest1"),
        ("tlsportname2", 444, 462),
    ]
    listed = [{"name": n, "port": p, "targetPort": t} for n, p, t in ports]
    service = ns.service(
        {"metadata": {"generateName": "proxy-service-"}, "spec": {"selector": labels, "ports": listed}}
    )
    name = service.metadata.name
    # Without a port, the proxy takes the first that the Pod declares.
    named = {"first": 80, "dest1": 160, "dest2": 162, "tlsdest1": 460, "tlsdest2": 462}
    server = container(
        name,
        command=["/agnhost", "porter"],
        env=[{"name": n, "value": v} for n, v in _SERVED.items()],
        ports=[{"name": n, "containerPort": p} for n, p in named.items()],
        readinessProbe={"httpGet": {"port": 80}, "timeoutSeconds": 5, "periodSeconds": 10},
    )
    template = {"metadata": {"labels": labels}, "spec": {"containers": [server], "terminationGracePeriodSeconds": 0}}
    body = {"metadata": {"name": name}, "spec": {"replicas": 1, "selector": labels, "template": template}}
    ns.core.create_namespaced_replication_controller(ns.name, body)
    eventually(lambda: ns.endpoints(name), lambda e: e and e.subsets and e.subsets[0].addresses, "the porter serves")
    # The proxy looks for it in the EndpointSlices, which another controller writes.
    eventually(
        lambda: [e for s in ns.slices(name) for e in s.endpoints or ()],
        lambda found: any(e.conditions.ready for e in found),
        "its EndpointSlice",
    )
    (pod,) = ns.core.list_namespaced_pod(ns.name, label_selector="proxy-service-target=true").items
    return name, pod.metadata.name, labels


def test_proxy_through_a_service_and_a_pod(ns: Namespace) -> None:
    """[sig-network] Proxy version v1 should proxy through a service and a pod [Conformance]"""
    service, pod, _ = _porter_with_a_service(ns)

    def url(kind: str, name: str, scheme: str, port: str) -> str:
        joined = ":".join([scheme, name, port] if scheme else [name, port] if port else [name])
        return f"/api/v1/namespaces/{ns.name}/{kind}/{joined}/proxy"

    expected = {}
    for scheme, port, body in (
        ("", "portname1", "foo"),
        ("http", "portname1", "foo"),
        ("", "portname2", "bar"),
        ("http", "portname2", "bar"),
        ("https", "tlsportname1", "tls baz"),
        ("https", "tlsportname2", "tls qux"),
    ):
        expected[url("services", service, scheme, port)] = body
    for scheme, port, body in (
        ("", "", '<a href="{}/rewriteme">test</a>'),
        ("", "1080", '<a href="{}/rewriteme">test</a>'),
        ("http", "1080", '<a href="{}/rewriteme">test</a>'),
        ("", "160", "foo"),
        ("http", "160", "foo"),
        ("", "162", "bar"),
        ("http", "162", "bar"),
        ("https", "443", '<a href="{}/tlsrewriteme">test</a>'),
        ("https", "460", "tls baz"),
        ("https", "462", "tls qux"),
    ):
        base = url("pods", pod, scheme, port)
        expected[base] = body.replace("{}", base)
    assert len(expected) == 16

    def wrong(base: str) -> Any:
        answer = _request(ns, "GET", base + "/")
        return None if answer == (200, expected[base]) else (base, answer)

    with ThreadPoolExecutor(8) as many:
        assert [w for w in many.map(wrong, list(expected) * _ATTEMPTS) if w] == []


@pytest.fixture
def responder(ns: Namespace) -> Namespace:
    """A porter that tells the method of a request, as the Pod agnhost and the Service test-service."""
    server = {
        "name": "agnhost",
        "image": AGNHOST,
        "command": ["/agnhost", "porter", "--json-response"],
        "env": [{"name": "SERVE_PORT_80", "value": "foo"}],
    }
    ns.pod(pod_of("agnhost", server, labels={"test": "response"}, restartPolicy="Never"), ready=False)
    ns.running("agnhost")
    port = {"port": 80, "targetPort": 80, "protocol": "TCP"}
    ns.service(service_of("test-service", port, selector={"test": "response"}))
    return ns


def _answers(ns: Namespace, method: str, path: str) -> None:
    def right() -> bool:
        status, body = _request(ns, method, path)
        if method == "HEAD" or status != 200:
            return status == 200
        told = json.loads(body)
        return (told["Method"], told["Body"]) == (method, "foo")

    eventually(right, what=f"{method} {path}")


def test_every_method_with_a_path(responder: Namespace) -> None:
    """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service ProxyWithPath [Conformance]"""  # noqa: E501
    for target in ("pods/agnhost", "services/test-service"):
        for method in _METHODS:
            path = f"/api/v1/namespaces/{responder.name}/{target}/proxy/some/path/with/{method}"
            _answers(responder, method, path)


def test_every_method_without_a_path(responder: Namespace) -> None:
    """[sig-network] Proxy version v1 A set of valid responses are returned for both pod and service Proxy [Conformance]"""  # noqa: E501
    for target in ("pods/agnhost", "services/test-service"):
        path = f"/api/v1/namespaces/{responder.name}/{target}/proxy?method="
        for method in _METHODS:
            if method in ("GET", "HEAD"):
                eventually(lambda m=method, p=path: _request(responder, m, p + m)[0], lambda code: code == 301)
            else:
                _answers(responder, method, path + method)


def test_proxy_tells_who_is_missing(ns: Namespace) -> None:
    """A Pod that does not exist is a 404, a Service without endpoints a 503: Status objects both."""
    with pytest.raises(ApiException) as refused:
        ns.core.connect_get_namespaced_pod_proxy("nobody", ns.name)
    assert json.loads(refused.value.body)["reason"] == "NotFound"
    ns.service(service_of("empty", {"port": 80}, selector={"nobody": "here"}))
    with pytest.raises(ApiException) as refused:
        ns.core.connect_get_namespaced_service_proxy("empty", ns.name)
    assert json.loads(refused.value.body)["reason"] == "ServiceUnavailable"
