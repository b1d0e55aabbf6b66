"""What Ingresses say: classes, backends, precedence, certificates, complaints."""

from __future__ import annotations

import base64
import re
import shlex
from typing import Any

import pytest

from podwalk.api import endpoints
from podwalk.ingress import haproxy, model, nginx
from podwalk.ingress.model import Cluster, Site

CLASSES = [
    {"metadata": {"name": "nginx"}, "spec": {"controller": nginx.CONTROLLER}},
    {"metadata": {"name": "other"}, "spec": {"controller": "example.com/other"}},
]


def ingress(name: str = "site", *, cls: str | None = "nginx", created: str = "1", **more: Any) -> dict[str, Any]:
    annotations = more.pop("annotations", {})
    spec = {"ingressClassName": cls, **more} if cls else more
    metadata = {"name": name, "namespace": "shop", "creationTimestamp": created, "annotations": annotations}
    return {"metadata": metadata, "spec": spec}


def path(at: str, kind: str = "Prefix", service: str = "web", port: Any = 80) -> dict[str, Any]:
    wanted = {"number": port} if isinstance(port, int) else {"name": port}
    return {"path": at, "pathType": kind, "backend": {"service": {"name": service, "port": wanted}}}


def rule(host: str, *paths: dict[str, Any]) -> dict[str, Any]:
    return {"host": host, "http": {"paths": list(paths)}}


def service(name: str, **ports: int) -> dict[str, Any]:
    listed = [{"name": n, "port": p} for n, p in (ports or {"": 80}).items()]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": listed}}


def part(name: str, *addresses: str, port: int = 8080, label: str = "", ready: Any = None) -> dict[str, Any]:
    labels = {endpoints.SERVICE_NAME: name}
    conditions = {} if ready is None else {"ready": ready}
    return {
        "metadata": {"name": f"{name}-x", "namespace": "shop", "labels": labels},
        "addressType": "IPv4",
        "ports": [{"name": label, "port": port}],
        "endpoints": [{"addresses": [a], "conditions": conditions} for a in addresses],
    }


def secret(name: str, **data: str) -> dict[str, Any]:
    encoded = {k.replace("_", "."): base64.b64encode(v.encode()).decode() for k, v in data.items()}
    return {"metadata": {"name": name, "namespace": "shop"}, "data": encoded}


def site(*ingresses: dict[str, Any], services: Any = (), slices: Any = (), secrets: Any = ()) -> Site:
    keyed = lambda objects: {f"{o['metadata']['namespace']}/{o['metadata']['name']}": o for o in objects}  # noqa: E731
    cluster = Cluster(ingresses, CLASSES, keyed(services), slices, keyed(secrets))
    return model.build(cluster, controller=nginx.CONTROLLER, name="nginx", prefix=nginx.PREFIX, known=nginx.KNOWN)


@pytest.mark.parametrize(
    ("cls", "annotations", "mine"),
    [
        ("nginx", {}, True),
        ("other", {}, False),
        ("missing", {}, False),
        (None, {}, False),
        (None, {model.CLASS_ANNOTATION: "nginx"}, True),
        (None, {model.CLASS_ANNOTATION: "haproxy"}, False),
    ],
)
def test_the_class_says_whose_an_ingress_is(cls: str | None, annotations: dict[str, str], mine: bool) -> None:
    found = site(ingress(cls=cls, annotations=annotations, rules=[rule("a.test", path("/"))]))
    assert bool(found.ingresses) is mine
    assert bool(found.hosts) is mine


def test_paths_are_tried_longest_first_and_exact_before_prefix() -> None:
    paths = [path("/"), path("/api"), path("/api", "Exact"), path("/api/v1")]
    (host,) = site(ingress(rules=[rule("a.test", *paths)])).hosts
    assert [(p.path, p.type) for p in host.paths] == [
        ("/api/v1", "Prefix"),
        ("/api", "Exact"),
        ("/api", "Prefix"),
        ("/", "Prefix"),
    ]


def test_of_two_claims_to_a_path_the_older_one_holds() -> None:
    young = ingress("a-young", created="2", rules=[rule("a.test", path("/", service="young"))])
    old = ingress("z-old", created="1", rules=[rule("a.test", path("/", service="old"))])
    (host,) = site(young, old).hosts
    assert host.paths[0].backend.service == "old"


def test_a_backend_is_the_ready_addresses_of_the_port_that_is_named_or_numbered() -> None:
    services = [service("web", http=80, admin=81)]
    slices = [part("web", "10.0.0.2", label="http"), part("web", "10.0.0.3", port=9090, label="admin")]
    slices += [part("web", "10.0.0.4", label="http", ready=False), part("web", "10.0.0.1", label="http", ready=True)]
    paths = [path("/a", port=80), path("/b", port="admin")]
    (host,) = site(ingress(rules=[rule("a.test", *paths)]), services=services, slices=slices).hosts
    assert {p.path: p.backend.endpoints for p in host.paths} == {
        "/a": ("10.0.0.1:8080", "10.0.0.2:8080"),
        "/b": ("10.0.0.3:9090",),
    }


@pytest.mark.parametrize(
    ("services", "said"),
    [
        ([], 'service "shop/web" does not exist'),
        ([service("web", http=8080)], 'service "shop/web" has no port 80'),
    ],
)
def test_a_backend_that_is_not_there_is_told(services: list[Any], said: str) -> None:
    found = site(ingress(rules=[rule("a.test", path("/"))]), services=services)
    assert [c.message for c in found.complaints] == [said]
    assert found.hosts[0].paths[0].backend.missing


def test_an_annotation_that_does_not_exist_is_told_and_others_are_not() -> None:
    annotations = {f"{nginx.PREFIX}rate-limit": "5", f"{nginx.PREFIX}limit-rps": "5", "team": "web"}
    found = site(ingress(annotations=annotations))
    assert [c.reason for c in found.complaints] == ["UnknownAnnotation"]
    assert "rate-limit is unknown" in found.complaints[0].message


@pytest.mark.parametrize(
    ("secrets", "complaint", "ref"),
    [
        ([secret("s", tls_crt="C", tls_key="K")], None, "shop/s"),
        ([], 'secret "shop/s" does not exist; the default certificate is served', ""),
        (
            [secret("s", password="x")],
            'secret "shop/s" has no tls.crt and tls.key; the default certificate is served',
            "",
        ),
    ],
)
def test_certificates_come_from_secrets_of_the_same_namespace(secrets: Any, complaint: str | None, ref: str) -> None:
    tls = [{"hosts": ["a.test"], "secretName": "s"}]
    found = site(ingress(tls=tls, rules=[rule("a.test", path("/"))]), services=[service("web")], secrets=secrets)
    assert found.hosts[0].tls
    assert found.hosts[0].secret == ref
    assert [c.message for c in found.complaints] == ([complaint] if complaint else [])


def test_the_default_backend_takes_what_nobody_has() -> None:
    found = site(
        ingress(defaultBackend={"service": {"name": "web", "port": {"number": 80}}}),
        services=[service("web")],
        slices=[part("web", "10.0.0.1")],
    )
    assert found.default is not None
    assert found.default.endpoints == ("10.0.0.1:8080",)


NASTY = [
    '/a"; return 200;#',
    "/a\nserver {",
    "/a b",
    "/a;}",
    "/a{",
    "/$request_id",
    "/a\\",
    "/a'",
    '/a\\"; return 200;#',
]


def directives(text: str) -> list[list[str]]:
    """nginx's configuration as its parser reads it: words, with ``{`` and ``}`` as directives of their own."""
    found: list[list[str]] = [[]]
    for word in re.findall(r'"(?:\\.|[^"\\])*"|[{};]|[^\s{};"]+', text):
        if word in "{};":
            found += [[word], []] if word != ";" else [[]]
        else:
            found[-1].append(word)
    return [words for words in found if words]


@pytest.mark.parametrize("text", NASTY)
def test_a_path_never_leaves_its_word(text: str) -> None:
    def shape(at: str) -> list[str]:
        found = site(ingress(rules=[rule("a.test", path(at, "Exact"))]), services=[service("web")])
        return [words[0] for words in directives(nginx.render(found, run="/run", certificates="/c"))]

    assert shape(text) == shape("/plain")


@pytest.mark.parametrize("text", NASTY)
def test_a_path_is_one_word_for_haproxy(text: str) -> None:
    found = site(ingress(rules=[rule("a.test", path(text, "Exact"))]), services=[service("web")])
    lines = haproxy.render(found, run="/run", certificates="/c").splitlines()
    (line,) = [line for line in lines if "path -m str" in line]
    assert shlex.split(line.split("path -m str ")[1])[0] == text.replace("\n", "")


def test_nginx_waits_five_seconds_for_a_connection_unless_told_otherwise() -> None:
    def waits(**annotations: str) -> list[str]:
        options = {f"{nginx.PREFIX}{name.replace('_', '-')}": value for name, value in annotations.items()}
        one = ingress(rules=[rule("a.test", path("/", "Prefix"))])
        one["metadata"]["annotations"] = options
        found = site(one, services=[service("web")], slices=[part("web", "10.0.0.1")])
        read = directives(nginx.render(found, run="/run", certificates="/c"))
        return [words[1] for words in read if words[0] == "proxy_connect_timeout"]

    assert waits() == ["5s"]
    assert waits(proxy_connect_timeout="1") == ["5s", "1s"]
