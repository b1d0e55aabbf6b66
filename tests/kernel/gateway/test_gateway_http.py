"""Gateway API on a real Envoy: statuses as the specification has them, and real HTTP from outside."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from podwalk.backends.base import Cluster
from podwalk.cli.main import cli
from podwalk.gateway.proxy import EnvoyError, find

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(180)]

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
API = "gateway.networking.k8s.io/v1"
NS, OTHER = "gateway-test", "gateway-test-other"


def until(holds: Callable[[], Any], what: str) -> Any:
    """Wait until it holds. The controller gives Envoy its files first: statuses come after the answers they tell of."""
    deadline = time.monotonic() + 20
    while not (value := holds()):
        assert time.monotonic() < deadline, f"still not true: {what}"
        time.sleep(0.03)
    return value


@dataclass
class World:
    """Services ``blue`` and ``green`` in one namespace, ``red`` in another, and a Gateway ``edge``."""

    cluster: Cluster
    address: str = ""

    def apply(self, *objects: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        done = self.cluster.kubectl("apply", "-f", "-", input=text)
        assert done.ok, done.stderr

    def get(self, kind: str, name: str, namespace: str = NS) -> dict[str, Any]:
        done = self.cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def route(self, name: str, *rules: dict[str, Any], namespace: str = NS, parent: Any = None, **spec: Any) -> None:
        parents = [{"name": "edge", "namespace": NS, **(parent or {})}]
        metadata = {"name": name, "namespace": namespace}
        made = {"parentRefs": parents, "rules": list(rules), **spec}
        self.apply({"apiVersion": API, "kind": "HTTPRoute", "metadata": metadata, "spec": made})

    def attached(self, gateway: str) -> dict[str, int]:
        """How many routes each listener counts."""
        return {x["name"]: x["attachedRoutes"] for x in self.get("gateway", gateway)["status"]["listeners"]}

    def conditions(self, name: str, namespace: str = NS, kind: str = "httproute") -> dict[str, tuple[str, str]]:
        parents = (self.get(kind, name, namespace).get("status") or {}).get("parents") or []
        return {c["type"]: (c["status"], c["reason"]) for p in parents for c in p["conditions"]}

    def ask(
        self, host: str, path: str = "/hostname", *more: str, port: int = 80, scheme: str = "http"
    ) -> tuple[int, str]:
        url = f"{scheme}://{host}{'' if port in (80, 443) else f':{port}'}{path}"
        argv = ["curl", "-skm3", "--noproxy", "*", "-w", "\n%{http_code}", "--resolve", f"{host}:{port}:{self.address}"]
        done = self.cluster.outside([*argv, *more, url], timeout=10)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body.strip()

    def who(self, host: str, path: str = "/hostname", *more: str) -> str:
        """Which Service answers: the Pods are named after it."""
        status, body = self.ask(host, path, *more)
        return body.split("-")[0] if status == 200 else str(status)


def backend(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **more}


def listener(name: str, port: int, protocol: str = "HTTP", **more: Any) -> dict[str, Any]:
    return {"name": name, "port": port, "protocol": protocol, **more}


def gateway(name: str, *listeners: dict[str, Any]) -> dict[str, Any]:
    spec = {"gatewayClassName": "envoy", "listeners": list(listeners)}
    return {"apiVersion": API, "kind": "Gateway", "metadata": {"name": name, "namespace": NS}, "spec": spec}


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    try:
        find()
    except EnvoyError as error:
        pytest.skip(str(error))
    done = CliRunner().invoke(cli, ["addon", "install", "envoy-gateway", "--name", cluster.name])
    assert done.exit_code == 0, done.output
    made = World(cluster)
    for namespace, apps in ((NS, ("blue", "green")), (OTHER, ("red",))):
        assert cluster.kubectl("create", "namespace", namespace).ok
        for app in apps:
            argv = ["-n", namespace, "create", "deployment", app, f"--image={AGNHOST}"]
            assert cluster.kubectl(*argv, "--", "/agnhost", "netexec", "--http-port=8080").ok
            assert cluster.kubectl("-n", namespace, "expose", "deployment", app, "--port=80", "--target-port=8080").ok
            assert cluster.kubectl("-n", namespace, "rollout", "status", "deployment", app, "--timeout=30s").ok
    made.apply(gateway("edge", listener("web", 80), listener("shops", 8080, hostname="*.shops.test")))
    status = lambda: made.get("gateway", "edge").get("status") or {}  # noqa: E731
    made.address = until(lambda: (status().get("addresses") or [{}])[0].get("value"), "the Gateway has an address")
    yield made
    cluster.kubectl("delete", "namespace", NS, OTHER, "envoy-gateway-system")
    cluster.kubectl("delete", "gatewayclass", "envoy")


def test_the_gateway_says_that_it_is_programmed(world: World) -> None:
    def told() -> dict[str, tuple[str, str]]:
        found = world.get("gateway", "edge")["status"]["conditions"]
        return {c["type"]: (c["status"], c["reason"]) for c in found}

    until(lambda: told().get("Programmed") == ("True", "Programmed"), "Programmed is True")
    assert told()["Accepted"] == ("True", "Accepted")
    assert world.get("gatewayclass", "envoy")["status"]["conditions"][0]["reason"] == "Accepted"


def test_the_most_specific_match_wins(world: World) -> None:
    world.route(
        "matches",
        {"backendRefs": [backend("blue")]},
        {"matches": [{"path": {"type": "PathPrefix", "value": "/host"}}], "backendRefs": [backend("green")]},
        {"matches": [{"path": {"type": "Exact", "value": "/hostname"}}], "backendRefs": [backend("green")]},
        {"matches": [{"headers": [{"name": "x-env", "value": "dev"}]}], "backendRefs": [backend("green")]},
        hostnames=["matches.test"],
    )
    until(lambda: world.who("matches.test") == "green", "the exact path leads to green")
    wanted = {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
    until(lambda: world.conditions("matches") == wanted, f"the route has {wanted}")
    # /hostName is not below /host: prefixes match by elements.
    assert world.ask("matches.test", "/header?key=Host")[0] == 200
    assert world.ask("elsewhere.test")[0] == 404
    assert world.who("matches.test", "/hostname?x", "-H", "x-env: dev") == "green"


def test_weights_are_proportions(world: World) -> None:
    rules = {"backendRefs": [backend("blue", weight=3), backend("green", weight=1)]}
    world.route("weights", rules, hostnames=["weights.test"])
    until(lambda: world.ask("weights.test")[0] == 200, "weights.test is served")
    script = f"curl -s -H 'Host: weights.test' 'http://{world.address}/hostname?[1-200]' -w '\\n'"
    answers = world.cluster.outside(["sh", "-c", script]).stdout.split()
    count = Counter(a.split("-")[0] for a in answers)
    assert sum(count.values()) == 200
    assert 120 <= count["blue"] <= 178, count
    world.route(
        "weights", {"backendRefs": [backend("blue", weight=0), backend("green", weight=1)]}, hostnames=["weights.test"]
    )
    until(lambda: {world.who("weights.test") for _ in range(8)} == {"green"}, "weight 0 takes nothing")


def test_filters_redirect_rewrite_and_change_headers(world: World) -> None:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
    rewrite = {"type": "URLRewrite", "urlRewrite": {"path": path}}
    headers = {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-team", "value": "50%"}]}}
    back = {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [{"name": "x-by", "value": "envoy"}]}}
    world.route(
        "filters",
        {"matches": [{"path": {"type": "PathPrefix", "value": "/old"}}], "filters": [redirect]},
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/api"}}],
            "filters": [rewrite, headers, back],
            "backendRefs": [backend("blue")],
        },
        hostnames=["filters.test"],
    )
    until(lambda: world.who("filters.test", "/api/hostname") == "blue", "/api/hostname becomes /hostname")
    assert world.ask("filters.test", "/api/header?key=X-Team") == (200, "50%")
    assert "x-by: envoy" in world.ask("filters.test", "/api/hostname", "-D", "-")[1]
    status, head = world.ask("filters.test", "/old/x", "-D", "-")
    assert status == 301
    assert "location: https://filters.test/old/x" in head


def test_a_backend_elsewhere_needs_a_grant(world: World) -> None:
    world.route("across", {"backendRefs": [backend("red", namespace=OTHER)]}, hostnames=["across.test"])
    until(lambda: world.conditions("across").get("ResolvedRefs") == ("False", "RefNotPermitted"), "it is refused")
    until(lambda: world.ask("across.test")[0] == 500, "and requests end with 500")
    grant = {
        "apiVersion": API,
        "kind": "ReferenceGrant",
        "metadata": {"name": "from-edge", "namespace": OTHER},
        "spec": {
            "from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": NS}],
            "to": [{"group": "", "kind": "Service"}],
        },
    }
    world.apply(grant)
    until(lambda: world.who("across.test") == "red", "the grant lets it through")
    until(lambda: world.conditions("across")["ResolvedRefs"] == ("True", "ResolvedRefs"), "and its status says so")
    world.cluster.kubectl("delete", "referencegrant", "from-edge", "-n", OTHER)
    until(lambda: world.ask("across.test")[0] == 500, "and without it, it is refused again")


@pytest.mark.parametrize(
    ("name", "spec", "accepted", "resolved"),
    [
        (
            "strange-section",
            {"parent": {"sectionName": "nope"}},
            ("False", "NoMatchingParent"),
            ("True", "ResolvedRefs"),
        ),
        (
            "strange-host",
            {"parent": {"sectionName": "shops"}, "hostnames": ["x.test"]},
            ("False", "NoMatchingListenerHostname"),
            ("True", "ResolvedRefs"),
        ),
        ("from-afar", {"namespace": OTHER}, ("False", "NotAllowedByListeners"), ("False", "BackendNotFound")),
        ("nobody", {"service": "nobody", "hostnames": ["n.test"]}, ("True", "Accepted"), ("False", "BackendNotFound")),
    ],
)
def test_a_route_that_does_not_fit_says_why(
    world: World, name: str, spec: dict[str, Any], accepted: tuple[str, str], resolved: tuple[str, str]
) -> None:
    spec = dict(spec)
    namespace = spec.get("namespace", NS)
    world.route(name, {"backendRefs": [backend(spec.pop("service", "blue"))]}, **spec)
    wanted = {"Accepted": accepted, "ResolvedRefs": resolved}
    until(lambda: world.conditions(name, namespace) == wanted, f"{name} has {wanted}")


def test_listeners_keep_their_hosts_and_ports(world: World) -> None:
    world.route(
        "shop", {"backendRefs": [backend("green")]}, parent={"sectionName": "shops"}, hostnames=["a.shops.test"]
    )
    until(lambda: world.ask("a.shops.test", port=8080)[0] == 200, "the shop is served on its own port")
    assert world.ask("a.shops.test")[0] == 404
    assert world.ask("b.shops.test", port=8080)[0] == 404
    until(lambda: world.attached("edge")["shops"] == 1, "the listener counts its route")


def test_tls_ends_at_the_gateway(world: World, tmp_path: Path) -> None:
    def certificate() -> dict[str, tuple[str, str]]:
        found = (world.get("gateway", "secure").get("status") or {}).get("listeners") or [{"conditions": []}]
        return {c["type"]: (c["status"], c["reason"]) for c in found[0]["conditions"]}

    tls = {"certificateRefs": [{"name": "cert"}]}
    world.apply(gateway("secure", listener("https", 443, "HTTPS", hostname="tls.test", tls=tls)))
    until(lambda: certificate().get("ResolvedRefs") == ("False", "InvalidCertificateRef"), "there is no Secret yet")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = world.cluster.outside(
        [*argv, "-subj", "/CN=tls.test", "-keyout", "/tmp/gw-key.pem", "-out", "/tmp/gw-cert.pem"]
    )
    assert made.ok, made.stderr
    files = {}
    for part in ("cert", "key"):
        files[part] = tmp_path / part
        files[part].write_text(world.cluster.outside(["cat", f"/tmp/gw-{part}.pem"]).stdout)
    argv = ["-n", NS, "create", "secret", "tls", "cert", f"--cert={files['cert']}", f"--key={files['key']}"]
    assert world.cluster.kubectl(*argv).ok
    until(lambda: certificate().get("Programmed") == ("True", "Programmed"), "the listener is programmed")
    metadata = {"name": "secure", "namespace": NS}
    spec = {"parentRefs": [{"name": "secure"}], "rules": [{"backendRefs": [backend("blue")]}]}
    world.apply({"apiVersion": API, "kind": "HTTPRoute", "metadata": metadata, "spec": spec})
    status = lambda: world.get("gateway", "secure").get("status") or {}  # noqa: E731
    address = until(lambda: (status().get("addresses") or [{}])[0].get("value"), "it has an address of its own")
    secure = World(world.cluster, address)
    until(lambda: secure.ask("tls.test", port=443, scheme="https")[0] == 200, "HTTPS is served")
    world.cluster.kubectl("delete", "gateway", "secure", "-n", NS)
    gone = ("get", "svc", "-n", "envoy-gateway-system", "-o", "name")
    until(lambda: "secure" not in world.cluster.kubectl(*gone).stdout, "its Service goes with it")


def test_a_mirror_gets_copies_and_nobody_hears_its_answers(world: World) -> None:
    mirror = {"type": "RequestMirror", "requestMirror": {"backendRef": backend("green")}}
    world.route("mirror", {"filters": [mirror], "backendRefs": [backend("blue")]}, hostnames=["mirror.test"])
    until(lambda: world.who("mirror.test") == "blue", "blue answers")
    assert world.ask("mirror.test", "/echo?msg=copied") == (200, "copied")
    logs = lambda app: world.cluster.kubectl("-n", NS, "logs", f"deployment/{app}").stdout  # noqa: E731
    until(lambda: "msg=copied" in logs("green"), "green got a copy")
    assert "msg=copied" in logs("blue")
    world.route(
        "mirror",
        {
            "filters": [{"type": "RequestMirror", "requestMirror": {"backendRef": backend("nobody")}}],
            "backendRefs": [backend("blue")],
        },
        hostnames=["mirror.test"],
    )
    until(lambda: world.conditions("mirror").get("ResolvedRefs") == ("False", "BackendNotFound"), "a lost mirror shows")
    assert world.who("mirror.test") == "blue"


def test_filters_of_a_backend_are_its_own(world: World) -> None:
    def marked(name: str) -> dict[str, Any]:
        change = {"set": [{"name": "x-to", "value": name}]}
        return backend(name, filters=[{"type": "RequestHeaderModifier", "requestHeaderModifier": change}])

    world.route("marked", {"backendRefs": [marked("blue"), marked("green")]}, hostnames=["marked.test"])
    until(lambda: world.ask("marked.test")[0] == 200, "it is served")
    ask = lambda: world.ask("marked.test", "/header?key=X-To")[1]  # noqa: E731
    assert {ask() for _ in range(30)} == {"blue", "green"}


def test_a_filter_that_is_not_served_is_never_skipped(world: World) -> None:
    strange = {"group": "example.com", "kind": "Waf", "name": "w"}
    rule = {"filters": [{"type": "ExtensionRef", "extensionRef": strange}], "backendRefs": [backend("blue")]}
    world.route("extended", rule, hostnames=["extended.test"])
    until(lambda: world.conditions("extended").get("Accepted") == ("False", "UnsupportedValue"), "it is not accepted")
    assert world.ask("extended.test")[0] == 404


def tls_server(name: str) -> dict[str, Any]:
    files = ["--tls-cert-file=/localhost.crt", "--tls-private-key-file=/localhost.key"]
    container = {"name": "s", "image": AGNHOST, "args": ["netexec", "--http-port=8080", *files]}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def test_tls_passes_through_by_the_name_that_is_asked_for(world: World) -> None:
    listeners = (
        listener("pass", 443, "TLS", tls={"mode": "Passthrough"}),
        listener("ends", 8443, "TLS", hostname="ends.test", tls={"certificateRefs": [{"name": "pair"}]}),
    )
    pods = [tls_server(name) for name in ("lock", "bolt")]
    for pod in pods:
        pod["metadata"]["namespace"] = NS
    world.apply(*pods, gateway("streams", *listeners))
    for name in ("lock", "bolt"):
        assert world.cluster.kubectl("-n", NS, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=20s").ok
        argv = ("-n", NS, "expose", "pod", name, "--port=443", "--target-port=8080")
        assert world.cluster.kubectl(*argv).ok
    script = "cat /localhost.crt; cat /localhost.key"
    both = world.cluster.kubectl("-n", NS, "exec", "lock", "--", "sh", "-c", script).stdout
    cert, key = both[: both.index("-----BEGIN PRIV")], both[both.index("-----BEGIN PRIV") :]
    pair = {"tls.crt": cert, "tls.key": key}
    metadata = {"name": "pair", "namespace": NS}
    world.apply(
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "stringData": pair}
    )
    for name, host, service, port in (
        ("lock", "lock.test", "lock", 443),
        ("bolt", "*.bolt.test", "bolt", 443),
        ("ends", "ends.test", "blue", 80),
    ):
        spec = {
            "parentRefs": [{"name": "streams"}],
            "hostnames": [host],
            "rules": [{"backendRefs": [{"name": service, "port": port}]}],
        }
        world.apply({"apiVersion": API, "kind": "TLSRoute", "metadata": {"name": name, "namespace": NS}, "spec": spec})
    status = lambda: world.get("gateway", "streams").get("status") or {}  # noqa: E731
    address = until(lambda: (status().get("addresses") or [{}])[0].get("value"), "it has an address")
    asked = World(world.cluster, address)
    until(lambda: asked.ask("lock.test", port=443, scheme="https") == (200, "lock"), "lock.test leads to lock")
    until(lambda: asked.ask("a.bolt.test", port=443, scheme="https") == (200, "bolt"), "a.bolt.test leads to bolt")
    assert asked.ask("other.test", port=443, scheme="https")[0] == 0
    until(lambda: asked.ask("ends.test", port=8443, scheme="https")[1].startswith("blue-"), "TLS ends at the Gateway")
    until(lambda: world.attached("streams") == {"pass": 3, "ends": 1}, "the listeners count their routes")
    wanted = {"Accepted": ("True", "Accepted"), "ResolvedRefs": ("True", "ResolvedRefs")}
    until(lambda: world.conditions("lock", kind="tlsroute") == wanted, f"the route has {wanted}")
    world.cluster.kubectl("delete", "gateway", "streams", "-n", NS)
