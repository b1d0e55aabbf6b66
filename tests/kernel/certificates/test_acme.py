"""cert-manager and a real ACME server: from an Ingress' annotation to a certificate that a client outside accepts."""

from __future__ import annotations

import base64
import datetime
import json
import shutil
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from click.testing import CliRunner
from cryptography import x509

from podwalk.api import meta
from podwalk.backends.base import Cluster
from podwalk.cli.main import cli

pytestmark = [pytest.mark.kernel, pytest.mark.cluster, pytest.mark.timeout(180)]

AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
NS = "certificates-test"
SBIN = "/usr/sbin:/usr/bin:/sbin:/bin"
PATH = "/.well-known/acme-challenge/"
ACME = "https://acme.outside.test/dir"


def until(holds: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 30
    while not (value := holds()):
        assert time.monotonic() < deadline, f"still not true: {what}"
        time.sleep(0.05)
    return value


@dataclass
class World:
    """A site ``web`` behind ingress-nginx, and names outside that lead to it."""

    cluster: Cluster
    address: str = ""
    began: str = field(default_factory=lambda: meta.format_time(datetime.datetime.now(datetime.UTC)))
    names: list[str] = field(default_factory=list)

    def kubectl(self, *args: str, **more: Any) -> str:
        done = self.cluster.kubectl("-n", NS, *args, **more)
        assert done.ok, done.stderr
        return done.stdout

    def apply(
        self, kind: str, name: str, spec: dict[str, Any], *, group: str = "cert-manager.io", **annotations: str
    ) -> None:
        named = {k.replace("_", "/", 1).replace("_", "-"): v for k, v in annotations.items()}
        metadata = {"name": name, "annotations": named}
        self.kubectl(
            "apply",
            "-f",
            "-",
            input=json.dumps({"apiVersion": f"{group}/v1", "kind": kind, "metadata": metadata, "spec": spec}),
        )

    def get(self, kind: str, name: str = "") -> Any:
        done = self.cluster.kubectl("-n", NS, "get", kind, *([name] if name else []), "-o", "json")
        if not done.ok:
            return None
        found = json.loads(done.stdout)
        return found if name else found["items"]

    def outside(self, *argv: str) -> str:
        return self.cluster.outside(list(argv), timeout=20).stdout

    def name_leads_here(self, name: str) -> None:
        self.names.append(name)
        self.outside("sh", "-c", f"echo {self.address} {name} >> /etc/hosts")

    def issuer(self, name: str, class_name: str = "nginx") -> None:
        solver = {"http01": {"ingress": {"ingressClassName": class_name}}}
        acme = {"server": ACME, "privateKeySecretRef": {"name": f"{name}-account"}, "solvers": [solver]}
        self.apply("Issuer", name, {"acme": {**acme, "enableDurationFeature": True}})
        until(lambda: self.ready("issuer", name), f"issuer {name} is registered")

    def certificate(self, name: str, host: str, issuer: str = "outside", **spec: Any) -> None:
        key = {"algorithm": "ECDSA"}
        wanted = {"secretName": name, "dnsNames": [host], "issuerRef": {"name": issuer}, "privateKey": key, **spec}
        self.apply("Certificate", name, wanted)

    def ready(self, kind: str, name: str) -> bool:
        conditions = ((self.get(kind, name) or {}).get("status") or {}).get("conditions") or ()
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

    def leaf(self, secret: str) -> x509.Certificate:
        return x509.load_pem_x509_certificates(base64.b64decode(self.get("secret", secret)["data"]["tls.crt"]))[0]

    def challenge(self, host: str) -> dict[str, Any]:
        return next((c for c in self.get("challenge") if c["spec"]["dnsName"] == host), {})

    def waits_for(self, host: str, said: str) -> dict[str, Any]:
        """The challenge for a host that is pending for this reason."""

        def waiting() -> dict[str, Any] | None:
            found = self.challenge(host)
            status = found.get("status") or {}
            return found if status.get("state") == "pending" and said in status.get("reason", "") else None

        return until(waiting, f"the challenge for {host} is pending: {said}")  # type: ignore[no-any-return]

    def nothing_left(self, host: str) -> bool:
        label = f"acme.cert-manager.io/http-domain={zlib.adler32(host.encode())}"
        return not self.kubectl("get", "pod,svc,ingress", "-l", label, "-o", "name") and not self.challenge(host)


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    for program in ("nginx", "pebble"):
        if shutil.which(program, path=SBIN) is None:
            pytest.skip(f"{program} is not installed")
    for addon in ("ingress-nginx", "cert-manager"):
        done = CliRunner().invoke(cli, ["addon", "install", addon, "--name", cluster.name])
        assert done.exit_code == 0, done.output
    made = World(cluster)
    assert cluster.kubectl("create", "namespace", NS).ok
    made.kubectl("create", "deployment", "web", f"--image={AGNHOST}", "--", "/agnhost", "netexec", "--http-port=8080")
    made.kubectl("expose", "deployment", "web", "--port=80", "--target-port=8080")
    made.kubectl("rollout", "status", "deployment", "web", "--timeout=30s")
    argv = ("get", "svc", "-n", "ingress-nginx", "ingress-nginx-controller", "-o")
    field_ = "jsonpath={.status.loadBalancer.ingress[0].ip}"
    made.address = until(lambda: cluster.kubectl(*argv, field_).stdout, "the controller has an address")
    made.issuer("outside")
    yield made
    for name in made.names:
        made.outside("sh", "-c", f"grep -v ' {name}$' /etc/hosts > /run/hosts && cat /run/hosts > /etc/hosts")
    cluster.kubectl("delete", "namespace", NS, "ingress-nginx", "cert-manager", timeout=60)
    cluster.kubectl("delete", "ingressclass", "nginx")


def site(world: World, name: str, host: str, **annotations: str) -> None:
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}
    spec = {"ingressClassName": "nginx", "tls": [{"hosts": [host], "secretName": f"{name}-tls"}], "rules": [rule]}
    world.apply("Ingress", name, spec, group="networking.k8s.io", **annotations)


def test_from_an_annotation_to_a_certificate_that_a_client_outside_accepts(world: World) -> None:
    world.name_leads_here("web.acme-test.example")
    site(world, "web", "web.acme-test.example", **{"cert-manager.io_issuer": "outside"})
    until(lambda: world.ready("certificate", "web-tls"), "the certificate is issued")
    leaf = world.leaf("web-tls")
    assert "Pebble" in leaf.issuer.rfc4514_string()
    alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["web.acme-test.example"]
    fetch = "curl -s http://acme.outside.test/roots.pem > /run/roots.pem && curl -sm5 --cacert /run/roots.pem "
    pod = until(
        lambda: world.outside("sh", "-c", f"{fetch} https://web.acme-test.example/hostname"), "the site serves it"
    )
    assert pod.startswith("web-")
    refused = world.cluster.outside(["curl", "-sm5", "https://web.acme-test.example/hostname"], timeout=20)
    assert refused.returncode == 60
    (order,) = [o for o in world.get("order") if o["spec"]["dnsNames"] == ["web.acme-test.example"]]
    assert order["status"]["state"] == "valid"
    until(lambda: world.nothing_left("web.acme-test.example"), "what solved the challenge is gone")


def test_the_challenge_is_answered_by_http_where_the_site_redirects(world: World) -> None:
    world.name_leads_here("plain.acme-test.example")
    site(world, "plain", "plain.acme-test.example")
    world.issuer("nobody", class_name="of-nobody")
    world.certificate("plain-acme", "plain.acme-test.example", issuer="nobody")
    # Nobody serves the solver's Ingress: the site's own rule has the path, redirects, and the site itself answers.
    found = world.waits_for("plain.acme-test.example", "did not get expected response when querying endpoint")
    ask = ("curl", "-sm5", "-o", "/dev/null", "-w", "%{http_code}")
    assert world.outside(*ask, "http://plain.acme-test.example/") == "308"
    (ingress,) = [i for i in world.get("ingress") if i["metadata"]["name"].startswith("cm-acme-http-solver-")]
    assert ingress["spec"]["ingressClassName"] == "of-nobody"
    world.kubectl("patch", "ingress", ingress["metadata"]["name"], "-p", '{"spec":{"ingressClassName":"nginx"}}')
    until(lambda: world.ready("certificate", "plain-acme"), "the right class solves it")
    assert found["spec"]["key"].startswith(found["spec"]["token"] + ".")


def test_a_policy_holds_a_challenge_up_until_it_goes(world: World) -> None:
    world.name_leads_here("closed.acme-test.example")
    selector = {"matchLabels": {"acme.cert-manager.io/http01-solver": "true"}}
    spec = {"podSelector": selector, "policyTypes": ["Ingress"]}
    world.apply("NetworkPolicy", "closed", spec, group="networking.k8s.io")
    world.certificate("closed", "closed.acme-test.example")
    # The controller of the Ingress gives up (its proxy-connect-timeout) before cert-manager does.
    found = world.waits_for("closed.acme-test.example", "wrong status code '504', expected '200'")
    assert found["status"]["reason"].startswith("Waiting for HTTP-01 challenge propagation: ")
    assert not world.ready("certificate", "closed")
    world.kubectl("delete", "networkpolicy", "closed")
    until(lambda: world.ready("certificate", "closed"), "it is issued without the policy")


def test_a_name_that_nobody_knows_waits(world: World) -> None:
    world.certificate("unknown", "unknown.acme-test.example")
    world.waits_for("unknown.acme-test.example", "no such host")
    world.kubectl("delete", "certificate", "unknown")
    until(lambda: world.nothing_left("unknown.acme-test.example"), "nothing is left of it")


def test_a_name_that_leads_elsewhere_waits(world: World) -> None:
    world.certificate("elsewhere", "www.outside.test")
    world.waits_for("www.outside.test", "did not get expected response when querying endpoint")
    world.kubectl("delete", "certificate", "elsewhere")
    until(lambda: world.nothing_left("www.outside.test"), "nothing is left of it")


def test_of_two_orders_for_one_name_one_is_proved_after_the_other(world: World) -> None:
    world.name_leads_here("twice.acme-test.example")
    for name in ("twice-a", "twice-b"):
        world.certificate(name, "twice.acme-test.example")
    for name in ("twice-a", "twice-b"):
        until(lambda name=name: world.ready("certificate", name), f"{name} is issued")
    assert world.leaf("twice-a").serial_number != world.leaf("twice-b").serial_number
    until(lambda: world.nothing_left("twice.acme-test.example"), "what solved the challenges is gone")


def test_a_wildcard_is_not_to_be_had_by_http(world: World) -> None:
    world.certificate("wild", "*.acme-test.example")
    (request,) = until(
        lambda: [r for r in world.get("certificaterequest") if r["metadata"]["name"] == "wild-1"], "asked"
    )
    said = 'no configured challenge solvers can be used for this challenge: "*.acme-test.example"'
    failed = lambda: [  # noqa: E731
        c
        for c in (world.get("certificaterequest", request["metadata"]["name"]).get("status") or {}).get(
            "conditions", ()
        )
        if c["type"] == "Ready" and c["reason"] == "Failed" and said in c["message"]
    ]
    until(failed, "the request has failed, and says why")


def test_a_short_certificate_is_ordered_again_before_its_end(world: World) -> None:
    world.name_leads_here("short.acme-test.example")
    world.certificate("short", "short.acme-test.example", duration="60s", renewBefore="55s")
    until(lambda: world.ready("certificate", "short"), "the first one is there")
    first = world.leaf("short")
    assert (first.not_valid_after_utc - first.not_valid_before_utc).total_seconds() <= 61
    until(lambda: world.leaf("short").serial_number != first.serial_number, "the second one is there")
    until(lambda: world.get("certificate", "short")["status"].get("revision", 0) >= 2, "and its status counts it")
    world.kubectl("delete", "certificate", "short")


def test_the_controller_said_nothing_alarming(world: World) -> None:
    # Other tests may have used this cluster before.
    logs = ["logs", "-n", "cert-manager", "deploy/cert-manager", f"--since-time={world.began}"]
    said = world.cluster.kubectl(*logs).stdout
    assert [line for line in said.splitlines() if line.startswith(("W", "E")) or "Traceback" in line] == []
