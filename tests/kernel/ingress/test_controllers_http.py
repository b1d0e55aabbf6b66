"""Both Ingress controllers with real HTTP, from outside, through their load balancer's address."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from podwalk.backends.base import Cluster
from podwalk.cli.main import cli

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(180)]

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
PREFIX = {"nginx": "nginx.ingress.kubernetes.io/", "haproxy": "haproxy-ingress.github.io/"}


def until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 20
    while not (value := holds()):
        assert time.monotonic() < deadline, f"still not true: {what}"
        time.sleep(0.03)
    return value


@dataclass
class World:
    """A controller, two Services (``web`` of two Pods, ``api`` of one), and questions from outside."""

    cluster: Cluster
    kind: str
    namespace: str
    address: str = ""

    def apply(self, *objects: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        done = self.cluster.kubectl("apply", "-n", self.namespace, "-f", "-", input=text)
        assert done.ok, done.stderr

    def serve(self, name: str, *paths: tuple[str, str, str], host: str = "", **more: Any) -> None:
        """One Ingress; paths are (path, type, service)."""
        options = {f"{PREFIX[self.kind]}{k.replace('_', '-')}": v for k, v in more.pop("options", {}).items()}
        listed = [
            {"path": p, "pathType": t, "backend": {"service": {"name": s, "port": {"number": 80}}}} for p, t, s in paths
        ]
        rule = {"http": {"paths": listed}} | ({"host": host} if host else {})
        spec = {"ingressClassName": self.kind, "rules": [rule], **more}
        metadata = {"name": name, "annotations": options}
        self.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": spec})

    def ask(self, host: str, path: str, *more: str, scheme: str = "http") -> tuple[int, str]:
        """(status, body) of one request for a host, sent to the controller's address."""
        port = 443 if scheme == "https" else 80
        url = f"{scheme}://{host}{path}"
        argv = ["curl", "-skm3", "--noproxy", "*", "--path-as-is", "-w", "\n%{http_code}", *more]
        done = self.cluster.outside([*argv, "--resolve", f"{host}:{port}:{self.address}", url], timeout=10)
        body, _, status = done.stdout.rpartition("\n")
        return int(status or 0), body.strip()

    def pods(self, app: str) -> set[str]:
        got = self.cluster.kubectl(
            "get", "pod", "-n", self.namespace, "-l", f"app={app}", "-o", "jsonpath={.items[*].metadata.name}"
        )
        return set(got.stdout.split())


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def world(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[World]:
    if shutil.which(request.param, path=SBIN) is None:
        pytest.skip(f"{request.param} is not installed")
    done = CliRunner().invoke(cli, ["addon", "install", f"ingress-{request.param}", "--name", cluster.name])
    assert done.exit_code == 0, done.output
    made = World(cluster, request.param, f"ingress-test-{request.param}")
    assert cluster.kubectl("create", "namespace", made.namespace).ok
    for app, replicas in (("web", "2"), ("api", "1")):
        argv = ["-n", made.namespace, "create", "deployment", app, f"--image={AGNHOST}", f"--replicas={replicas}"]
        assert cluster.kubectl(*argv, "--", "/agnhost", "netexec", "--http-port=8080").ok
        assert cluster.kubectl("-n", made.namespace, "expose", "deployment", app, "--port=80", "--target-port=8080").ok
    for app in ("web", "api"):
        assert cluster.kubectl("-n", made.namespace, "rollout", "status", "deployment", app, "--timeout=30s").ok
    controller = {"nginx": "ingress-nginx", "haproxy": "haproxy-ingress"}[request.param]
    field = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    name = f"{controller}-controller"
    made.address = until(
        lambda: cluster.kubectl("get", "svc", "-n", controller, name, "-o", field).stdout,
        "the controller has an address",
    )
    yield made
    cluster.kubectl("delete", "namespace", made.namespace, controller)
    cluster.kubectl("delete", "ingressclass", made.kind)


def test_every_path_type_leads_where_the_api_says(world: World) -> None:
    paths = [
        ("/", "Prefix", "web"),
        ("/host", "Prefix", "nobody"),
        ("/hostname", "Exact", "api"),
        ("/echo/x", "Prefix", "api"),
    ]
    world.serve("types", *paths, host="types.test")
    until(lambda: world.ask("types.test", "/hostname")[1] in world.pods("api"), "the exact path leads to api")
    assert world.ask("types.test", "/hostname")[0] == 200
    assert world.ask("types.test", "/header")[0] == 200
    # A prefix matches whole elements, so /host is not the beginning of /hostname; and its Service has nobody.
    assert world.ask("types.test", "/host")[0] == 503
    assert world.ask("types.test", "/host/x")[0] == 503
    assert world.ask("types.test", "/hostnames")[0] != 503
    assert {world.ask("types.test", "/hostname?a=1")[1] for _ in range(3)} == world.pods("api")


def test_hosts_and_wildcards(world: World) -> None:
    world.serve("exact", ("/", "Prefix", "api"), host="a.wild.test")
    world.serve("wild", ("/", "Prefix", "web"), host="*.wild.test")
    until(lambda: world.ask("b.wild.test", "/hostname")[1] in world.pods("web"), "the wildcard leads to web")
    assert world.ask("a.wild.test", "/hostname")[1] in world.pods("api")
    assert world.ask("a.b.wild.test", "/hostname")[0] == 404
    assert world.ask("wild.test", "/hostname")[0] == 404
    assert {world.ask("b.wild.test", "/hostname")[1] for _ in range(12)} == world.pods("web")


def test_no_change_of_a_quick_row_is_lost(world: World) -> None:
    for number in range(8):
        world.serve("row", ("/", "Prefix", "web"), host=f"row-{number}.test")
    until(lambda: world.ask("row-7.test", "/hostname")[0] == 200, "the last of the row is served")
    assert world.ask("row-0.test", "/hostname")[0] == 404


def test_an_ingress_of_another_class_is_left_alone(world: World) -> None:
    world.serve("mine", ("/", "Prefix", "web"), host="mine.test")
    spec = {"ingressClassName": "elsewhere", "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}
    world.apply({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "theirs"}, "spec": spec})
    until(lambda: world.ask("mine.test", "/hostname")[0] == 200, "mine is served")
    assert world.ask("nobody.test", "/hostname")[0] == 404
    get = ("get", "ingress", "-n", world.namespace, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")
    assert until(lambda: world.cluster.kubectl(*get, "mine").stdout, "mine has an address") == world.address
    assert world.cluster.kubectl(*get, "theirs").stdout == ""


def test_tls_by_secret_and_sni_and_the_redirect(world: World, tmp_path: Any) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    made = world.cluster.outside([*argv, "-subj", "/CN=tls.test", "-keyout", "/tmp/key.pem", "-out", "/tmp/cert.pem"])
    assert made.ok, made.stderr
    for file in (cert, key):
        file.write_text(world.cluster.outside(["cat", f"/tmp/{file.name}"]).stdout)
    done = world.cluster.kubectl(
        "-n", world.namespace, "create", "secret", "tls", "tls", f"--cert={cert}", f"--key={key}"
    )
    assert done.ok, done.stderr
    world.serve("tls", ("/", "Prefix", "web"), host="tls.test", tls=[{"hosts": ["tls.test"], "secretName": "tls"}])
    until(lambda: world.ask("tls.test", "/")[0] == 308, "plain HTTP is redirected")
    until(lambda: "CN=tls.test" in subject(world, "tls.test"), "the Secret's certificate is served")
    assert world.ask("tls.test", "/hostname", scheme="https")[1] in world.pods("web")
    assert "Fake Certificate" in subject(world, "other.test")


def subject(world: World, name: str) -> str:
    client = f"openssl s_client -connect {world.address}:443 -servername {name} 2>/dev/null"
    script = f"echo | {client} | openssl x509 -noout -subject"
    return world.cluster.outside(["sh", "-c", script]).stdout.replace(" = ", "=")


def test_the_server_sees_whom_the_proxy_tells_of(world: World) -> None:
    world.serve("headers", ("/", "Prefix", "web"), host="headers.test")
    until(lambda: world.ask("headers.test", "/hostname")[0] == 200, "headers.test is served")
    assert world.ask("headers.test", "/header?key=X-Forwarded-Proto")[1] == "http"
    assert world.ask("headers.test", "/header?key=X-Forwarded-For")[1]
    assert world.ask("headers.test", "/header?key=Host")[1] in ("headers.test", "")


def test_rewriting_by_groups(world: World) -> None:
    if world.kind == "nginx":
        options, path = {"rewrite-target": "/$2"}, ("/api(/|$)(.*)", "ImplementationSpecific", "web")
    else:
        options, path = {"rewrite-target": "/"}, ("/api", "Prefix", "web")
    world.serve("rewrite", path, host="rewrite.test", options=options)
    until(lambda: world.ask("rewrite.test", "/api/hostname")[1] in world.pods("web"), "/api/hostname becomes /hostname")
    assert world.ask("rewrite.test", "/hostname")[0] == 404


def test_addresses_that_are_not_allowed_are_refused(world: World) -> None:
    world.serve(
        "closed", ("/", "Prefix", "web"), host="closed.test", options={"whitelist-source-range": "192.0.2.0/24"}
    )
    until(lambda: world.ask("closed.test", "/")[0] == 403, "strangers are refused")


def test_a_service_that_loses_its_pods_is_503_and_comes_back(world: World) -> None:
    world.serve("empty", ("/", "Prefix", "api"), host="empty.test")
    until(lambda: world.ask("empty.test", "/hostname")[0] == 200, "empty.test is served")
    world.cluster.kubectl("-n", world.namespace, "scale", "deployment", "api", "--replicas=0")
    until(lambda: world.ask("empty.test", "/hostname")[0] == 503, "nobody is left")
    world.cluster.kubectl("-n", world.namespace, "scale", "deployment", "api", "--replicas=1")
    until(lambda: world.ask("empty.test", "/hostname")[0] == 200, "somebody is back")


def test_a_change_drops_no_connection(world: World) -> None:
    """Requests that run while routes come and go all succeed: reloads hand the sockets over."""
    world.serve("steady", ("/", "Prefix", "web"), host="steady.test")
    until(lambda: world.ask("steady.test", "/hostname")[0] == 200, "steady.test is served")
    url = f"http://{world.address}/hostname"
    ask = f"curl -sm3 -o /dev/null -w '%{{http_code}} ' -H 'Host: steady.test' {url}"
    script = f"for i in $(seq 150); do {ask}; done"
    asking = world.cluster.start(None, ["sh", "-c", script])
    for turn in range(4):
        world.serve(f"turn-{turn}", ("/", "Prefix", "api"), host=f"turn-{turn}.test")
        until(lambda turn=turn: world.ask(f"turn-{turn}.test", "/hostname")[0] == 200, f"turn {turn} is served")
    output, _ = asking.communicate(timeout=60)
    answers = (output if isinstance(output, str) else output.decode()).split()
    assert set(answers) == {"200"}, answers
    assert len(answers) == 150


def test_an_annotation_that_does_nothing_is_told(world: World) -> None:
    world.serve("odd", ("/", "Prefix", "web"), host="odd.test", options={"rate-limit": "5"})

    def told() -> bool:
        args = ("get", "events", "-n", world.namespace, "--field-selector", "involvedObject.name=odd", "-o", "json")
        items = json.loads(world.cluster.kubectl(*args).stdout)["items"]
        return any(e["reason"] == "UnknownAnnotation" and e["type"] == "Warning" for e in items)

    until(told, "an Event names the annotation")
