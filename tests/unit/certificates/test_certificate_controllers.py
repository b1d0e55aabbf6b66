"""The controllers on the real API server, in one process: self-signed and CA, renewal, keys, rivals, failures."""

from __future__ import annotations

import argparse
import asyncio
import base64
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from podwalk.api import added, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.apiserver import server
from podwalk.certificates import kinds, signing
from podwalk.certificates.__main__ import parser, run
from podwalk.client.informer import Informer
from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import bundles, pki

NS = "shop"
EC = {"algorithm": "ECDSA"}


class World:
    """The API server, and views of it that tests wait on."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.informers: dict[str, Informer] = {}
        self._changed = asyncio.Event()

    async def watch(self, group: asyncio.TaskGroup) -> None:
        for kind in (*(r.kind for r in kinds.CUSTOM), "Secret", "Event", "Ingress"):
            informer = self.informers[kind] = Informer(self.client, kind)
            informer.on_change(lambda old, new: self._changed.set())
            group.create_task(informer.run())
            await informer.synced.wait()

    async def until(self, what: Callable[[], Any], timeout: float = 10) -> Any:
        async with asyncio.timeout(timeout):
            while not (found := what()):
                self._changed.clear()
                await self._changed.wait()
            return found

    def get(self, kind: str, name: str, namespace: str = NS) -> Object | None:
        return self.informers[kind].get(meta.make_key(namespace, name))

    def all(self, kind: str) -> list[Object]:
        return list(self.informers[kind].in_namespace(NS))

    def events(self, about: str) -> list[tuple[str, str]]:
        mine = [e for e in self.all("Event") if e["involvedObject"]["name"] == about]
        return [(e["reason"], e["message"]) for e in sorted(mine, key=meta.name)]

    async def make(self, kind: str, name: str, spec: Object, **metadata: Any) -> Object:
        resource = added.by_kind(kind)
        obj = {
            "apiVersion": resource.api_version,
            "kind": kind,
            "metadata": {"name": name, **({"namespace": NS} if resource.namespaced else {}), **metadata},
            "spec": spec,
        }
        return await self.client.request("POST", resource.path(NS if resource.namespaced else None), body=obj)

    async def change(self, kind: str, name: str, spec: Object) -> None:
        await self.client.patch(kind, name, {"spec": spec}, NS)

    async def issuer(self, name: str = "self", **spec: Any) -> None:
        await self.make("Issuer", name, spec or {"selfSigned": {}})

    async def certificate(self, name: str, **spec: Any) -> None:
        wanted = {"secretName": f"{name}-tls", "dnsNames": [f"{name}.test"], "issuerRef": {"name": "self"}}
        await self.make("Certificate", name, {**wanted, "privateKey": EC, **spec})

    def condition(self, name: str, kind: str = "Ready", of: str = "Certificate") -> tuple[str, str]:
        found = meta.condition(self.get(of, name) or {}, kind) or {}
        return str(found.get("status")), str(found.get("reason"))

    def seen(self, name: str) -> int:
        """The generation of a Certificate that its condition Ready speaks of."""
        return int((meta.condition(self.get("Certificate", name) or {}, "Ready") or {}).get("observedGeneration") or 0)

    async def ready(self, name: str, of: str = "Certificate") -> Object:
        await self.until(lambda: meta.condition_is_true(self.get(of, name) or {}, "Ready"))
        return self.get(of, name) or {}

    def leaf(self, secret: str) -> Any:
        found = self.get("Secret", secret) or {}
        return signing.read_chain(base64.b64decode((found.get("data") or {})["tls.crt"]))[0]


@pytest.fixture
async def world(caplog: pytest.LogCaptureFixture) -> AsyncIterator[World]:
    made = pki.make(["localhost"], ["127.0.0.1"])
    listening = socket.create_server(("127.0.0.1", 0))
    config = server.ApiServerConfig(
        tls_cert=made.server_cert,
        tls_key=made.server_key,
        tokens={"token": server.UserInfo("admin", ("system:masters", "system:authenticated"))},
        kubelet_token="kubelet",
        ca_cert=made.ca_cert,
        service_account_key=made.service_account_key,
        sockets=[listening],
    )
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    serving, synced = asyncio.Event(), asyncio.Event()
    options: argparse.Namespace = parser().parse_args([])
    async with Client(ClientConfig(url, "token", made.ca_cert, "test")) as client:
        serve = asyncio.create_task(server.serve(config, on_ready=serving.set))
        await serving.wait()
        await bundles.install(client, "cert-manager")
        for name in (NS, "cert-manager"):
            await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        controllers = asyncio.create_task(run(client, options, synced))
        view = World(client)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(view.watch(group))
            await watching
            async with asyncio.timeout(10):
                await synced.wait()
            yield view
            for task in (controllers, *group._tasks):
                task.cancel()
            await asyncio.gather(controllers, return_exceptions=True)
        serve.cancel()
        await asyncio.gather(serve, return_exceptions=True)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def test_from_a_certificate_to_its_secret(world: World) -> None:
    await world.issuer()
    await world.certificate("web", commonName="web.test", duration="2h", renewBefore="30m")
    found = await world.ready("web")
    status = found["status"]
    leaf = world.leaf("web-tls")
    assert status["notAfter"] == meta.format_time(leaf.not_valid_after_utc)
    assert meta.parse_time(status["notAfter"]).timestamp() - meta.parse_time(status["renewalTime"]).timestamp() == 1800
    await world.until(lambda: "nextPrivateKeySecretName" not in (world.get("Certificate", "web") or {})["status"])
    assert (world.get("Certificate", "web") or {})["status"]["revision"] == 1
    await world.until(lambda: len(world.all("Secret")) == 1)
    secret = world.get("Secret", "web-tls") or {}
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["data"]["ca.crt"] == secret["data"]["tls.crt"]
    assert secret["metadata"]["annotations"]["cert-manager.io/alt-names"] == "web.test"
    assert secret["metadata"]["annotations"]["cert-manager.io/issuer-name"] == "self"
    await world.until(lambda: len(world.events("web")) == 4)
    assert [reason for reason, _ in world.events("web")] == ["Issuing", "Generated", "Requested", "Issuing"]
    assert ("Issuing", "The certificate has been successfully issued") in world.events("web")
    assert world.condition("web-1", "Approved", "CertificateRequest") == ("True", "cert-manager.io")
    assert world.condition("web-1", "Ready", "CertificateRequest") == ("True", "Issued")


async def test_a_ca_signs_what_its_secret_may(world: World) -> None:
    await world.issuer()
    await world.issuer("ca", ca={"secretName": "root-tls"})
    await world.until(lambda: world.condition("ca", of="Issuer") == ("False", "ErrGetKeyPair"))
    await world.certificate("web", issuerRef={"name": "ca", "kind": "Issuer"})
    await world.until(lambda: world.condition("web-1", of="CertificateRequest") == ("False", "Pending"))
    await world.certificate("root", isCA=True, commonName="root", dnsNames=[])
    await world.ready("ca", "Issuer")
    await world.ready("web")
    root = world.leaf("root-tls")
    world.leaf("web-tls").verify_directly_issued_by(root)
    secret = world.get("Secret", "web-tls") or {}
    assert signing.read_chain(base64.b64decode(secret["data"]["ca.crt"])) == [root]
    await world.certificate("leaf")
    await world.ready("leaf")
    await world.issuer("noca", ca={"secretName": "leaf-tls"})
    await world.until(lambda: world.condition("noca", of="Issuer") == ("False", "ErrInvalidKeyPair"))


async def test_a_cluster_issuer_has_its_secret_in_the_own_namespace(world: World) -> None:
    await world.make("ClusterIssuer", "root", {"ca": {"secretName": "root-tls"}})
    await world.issuer()
    await world.certificate("root", isCA=True, commonName="root", dnsNames=[])
    await world.ready("root")
    await world.certificate("web", issuerRef={"name": "root", "kind": "ClusterIssuer"})
    # The Secret is in the wrong namespace.
    await world.until(lambda: world.condition("web-1", of="CertificateRequest") == ("False", "Pending"))
    secret = world.get("Secret", "root-tls") or {}
    metadata = {"name": "root-tls", "namespace": "cert-manager"}
    copied = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": secret["type"]}
    await world.client.create({**copied, "data": secret["data"]})
    await world.ready("web")


async def test_a_short_certificate_is_renewed_with_a_fresh_key(world: World) -> None:
    await world.issuer()
    await world.certificate("web", duration="20s", renewBefore="18s")
    await world.ready("web")
    first = world.leaf("web-tls")
    await world.until(lambda: world.leaf("web-tls") != first)
    assert not signing.matches_public(first, world.leaf("web-tls"))
    await world.until(lambda: (world.get("Certificate", "web") or {})["status"]["revision"] >= 2)
    await world.until(lambda: world.get("CertificateRequest", "web-1") is None)
    assert any(m.startswith("Renewing certificate as renewal was scheduled at") for _, m in world.events("web"))


async def test_a_key_that_must_stay_stays(world: World) -> None:
    await world.issuer()
    never = {**EC, "rotationPolicy": "Never"}
    await world.certificate("web", privateKey=never)
    await world.ready("web")
    first = world.leaf("web-tls")
    await world.change("Certificate", "web", {"dnsNames": ["web.test", "www.web.test"]})
    await world.until(lambda: world.leaf("web-tls") != first)
    assert signing.matches_public(first, world.leaf("web-tls"))
    assert ("Reused", 'Reusing private key stored in existing Secret resource "web-tls"') in world.events("web")
    await world.until(lambda: not meta.condition(world.get("Certificate", "web") or {}, "Issuing"))
    # The request of the first revision goes when the second one is there.
    await world.until(lambda: [meta.name(r) for r in world.all("CertificateRequest")] == ["web-2"])
    await world.change("Certificate", "web", {"privateKey": {"size": 384}})
    said = 'User intervention required: existing private key in Secret "web-tls" does not match requirements on'
    await world.until(lambda: any(r == "CannotRegenerateKey" and said in m for r, m in world.events("web")))


async def test_a_secret_that_is_taken_away_or_broken_comes_back(world: World) -> None:
    await world.issuer()
    await world.certificate("web")
    await world.ready("web")
    first = world.leaf("web-tls")
    await world.client.delete("Secret", "web-tls", NS)
    await world.until(lambda: world.get("Secret", "web-tls") and world.leaf("web-tls") != first)
    await world.ready("web")
    second = world.leaf("web-tls")
    broken = {"data": {"tls.crt": base64.b64encode(b"broken").decode()}}
    await world.client.patch("Secret", "web-tls", broken, NS)
    await world.until(
        lambda: any(reason == "Issuing" and "invalid certificate" in m for reason, m in world.events("web"))
    )
    await world.until(lambda: b"broken" not in base64.b64decode(world.get("Secret", "web-tls")["data"]["tls.crt"]))
    assert world.leaf("web-tls") != second


async def test_of_two_certificates_with_one_secret_one_has_it(world: World) -> None:
    await world.issuer()
    await world.certificate("web")
    await world.ready("web")
    await world.certificate("rival", secretName="web-tls")
    await world.until(lambda: world.condition("rival") == ("False", "IncorrectCertificate"))
    for generation, duration in ((2, "3h"), (3, "4h")):
        # When the second change has been seen, the first one has been dealt with to the end.
        await world.change("Certificate", "rival", {"duration": duration})
        await world.until(lambda wanted=generation: world.seen("rival") == wanted)
    assert meta.condition(world.get("Certificate", "rival") or {}, "Issuing") is None
    assert [meta.name(r) for r in world.all("CertificateRequest")] == ["web-1"]
    assert (await world.ready("web"))["status"]["revision"] == 1


async def test_a_failure_waits_an_hour_unless_the_spec_changes(world: World) -> None:
    await world.issuer()
    await world.certificate("web", duration="1s")
    await world.until(lambda: world.condition("web", "Issuing") == ("False", "Failed"))
    found = (world.get("Certificate", "web") or {})["status"]
    assert found["failedIssuanceAttempts"] == 1
    said = "The certificate request has failed to complete and will be retried: Error generating certificate template: "
    assert ("Failed", f"{said}spec.duration: 1s is shorter than 10s") in await world.until(
        lambda: [e for e in world.events("web") if e[0] == "Failed"]
    )
    await world.change("Certificate", "web", {"duration": "1h"})
    status = (await world.ready("web"))["status"]
    await world.until(lambda: "lastFailureTime" not in (world.get("Certificate", "web") or {})["status"])
    assert status["notAfter"]


async def test_who_signs_must_be_there(world: World) -> None:
    await world.certificate("web")
    await world.until(lambda: world.condition("web-1", of="CertificateRequest") == ("False", "Pending"))
    said = 'Referenced "Issuer" not found: issuer.cert-manager.io "self" not found'
    await world.until(lambda: world.events("web-1")[-1:] == [("IssuerNotFound", said)])
    await world.issuer()
    await world.ready("web")


async def test_a_denied_request_is_not_signed(world: World) -> None:
    await world.certificate("web")
    request = await world.until(lambda: world.get("CertificateRequest", "web-1"))
    await world.until(lambda: meta.condition(world.get("CertificateRequest", "web-1") or {}, "Approved"))
    conditions = [{"type": "Denied", "status": "True", "reason": "policy", "message": "no"}]
    await world.client.patch(
        "CertificateRequest", meta.name(request), {"status": {"conditions": conditions}}, NS, subresource="status"
    )
    await world.until(lambda: world.condition("web-1", of="CertificateRequest") == ("False", "Denied"))


async def test_an_issuer_that_is_nothing(world: World) -> None:
    await world.issuer("vault", vault={"server": "https://vault"})
    await world.until(lambda: world.condition("vault", of="Issuer") == ("False", "ErrInitIssuer"))
    assert "has no vault issuer" in str((meta.condition(world.get("Issuer", "vault") or {}, "Ready") or {})["message"])


async def test_an_acme_server_that_is_not_there_is_said_and_tried_again(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    server_url = f"https://127.0.0.1:{port}/dir"
    await world.issuer("acme", acme={"server": server_url, "privateKeySecretRef": {"name": "account"}, "solvers": []})
    await world.until(lambda: world.condition("acme", of="Issuer") == ("False", "ErrRegisterACMEAccount"))
    said = (meta.condition(world.get("Issuer", "acme") or {}, "Ready") or {})["message"]
    why = f'Get "{server_url}": dial tcp 127.0.0.1:{port}: connect: connection refused'
    assert said == f"Failed to register ACME account: {why}"
    assert await world.until(lambda: world.get("Secret", "account"))


async def test_an_ingress_gets_changes_and_loses_its_certificate(world: World) -> None:
    await world.issuer()
    annotations = {"cert-manager.io/issuer": "self", "cert-manager.io/private-key-algorithm": "ECDSA"}
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    spec = {"tls": [{"hosts": ["a.test"], "secretName": "a-tls"}], "defaultBackend": backend}
    await world.make("Ingress", "shop", spec, annotations=annotations)
    await world.ready("a-tls")
    assert signing.names_of(world.leaf("a-tls")).dns == ("a.test",)
    first = world.leaf("a-tls")
    await world.change("Ingress", "shop", {"tls": [{"hosts": ["a.test", "b.test"], "secretName": "a-tls"}]})
    await world.until(lambda: world.leaf("a-tls") != first)
    await world.change("Ingress", "shop", {"tls": [{"hosts": ["a.test"], "secretName": "other"}]})
    await world.until(lambda: world.get("Certificate", "a-tls") is None)
    await world.ready("other")
    reasons = [reason for reason, _ in world.events("shop")]
    assert reasons == ["CreateCertificate", "UpdateCertificate", "CreateCertificate", "DeleteCertificate"]


async def test_a_certificate_of_somebody_else_is_not_touched(world: World) -> None:
    await world.issuer()
    await world.certificate("a-tls", secretName="a-tls")
    await world.ready("a-tls")
    backend = {"service": {"name": "web", "port": {"number": 80}}}
    tls = [{"hosts": ["x.test"], "secretName": "a-tls"}, {"hosts": ["y.test"], "secretName": "y-tls"}]
    annotations = {"cert-manager.io/issuer": "self", "cert-manager.io/private-key-algorithm": "ECDSA"}
    await world.make("Ingress", "shop", {"tls": tls, "defaultBackend": backend}, annotations=annotations)
    await world.ready("y-tls")
    assert (world.get("Certificate", "a-tls") or {})["spec"]["dnsNames"] == ["a-tls.test"]


async def test_what_is_deleted_while_it_is_issued_is_forgotten(world: World) -> None:
    await world.certificate("web")
    await world.until(lambda: world.get("CertificateRequest", "web-1"))
    await world.client.delete(kinds.CERTIFICATE, "web", NS)
    await world.until(lambda: world.get("Certificate", "web") is None)
    with pytest.raises(ApiError):
        await world.client.get(kinds.CERTIFICATE, "web", NS)
