"""The loop of an Ingress controller: watch, build the site, hand it to the proxy, write the status and Events."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time

import aiohttp
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.events import EventRecorder
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.ingress import model
from podwalk.ingress.model import Site
from podwalk.ingress.proxy import Proxy, ProxyError

log = logging.getLogger(__name__)

_KINDS = ("Ingress", "IngressClass", "Service", "EndpointSlice", "Secret")
# Changes come in flocks (a rollout touches slices many times), and a reload forks a worker.
_QUIET_SECONDS = 0.02
_API_ERRORS = (ApiError, TimeoutError, aiohttp.ClientError, OSError)


class Controller:
    """One controller. ``publish`` is the Service (``ns/name``) whose addresses Ingresses get as their status."""

    def __init__(self, client: Client, proxy: Proxy, publish: str, pod: str) -> None:
        self._client, self._proxy, self._publish = client, proxy, publish
        self._informers = {kind: Informer(client, kind) for kind in _KINDS}
        self._changed = asyncio.Event()
        self._recorder = EventRecorder(client, f"{proxy.kind.program}-ingress-controller", pod)
        self._told: set[model.Complaint | str] = set()
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Run until the proxy ends. Raises ProxyError where it cannot be started."""
        async with asyncio.TaskGroup() as group:
            for informer in self._informers.values():
                informer.on_change(lambda old, new: self._changed.set())
                group.create_task(informer.run())
            for informer in self._informers.values():
                await informer.synced.wait()
            group.create_task(self._loop())
            code = await self._proxy.wait()
            raise ProxyError(f"{self._proxy.kind.program} ended with {code}")

    async def _loop(self) -> None:
        self._changed.set()
        while True:
            await self._changed.wait()
            self._changed.clear()
            await asyncio.sleep(_QUIET_SECONDS)
            try:
                await self._sync()
            except _API_ERRORS as error:
                log.warning("sync: %s", error)
                await asyncio.sleep(1)
                self._changed.set()

    async def _sync(self) -> None:
        began, kind = time.monotonic(), self._proxy.kind
        site = model.build(
            self._cluster(), controller=kind.controller, name=kind.class_name, prefix=kind.prefix, known=kind.known
        )
        try:
            if await self._proxy.apply(site):
                log.info(
                    "Backend successfully reloaded, %d hosts, %.0f ms",
                    len(site.hosts),
                    1000 * (time.monotonic() - began),
                )
        except ProxyError as error:
            if not self.synced.is_set():
                raise
            # The proxy goes on with what it had; whoever wrote the last Ingress should see why.
            log.error("%s", error)
            self._tell_all(site, str(error))
        self.synced.set()
        self._tell(site)
        await self._publish_status(site)

    def _cluster(self) -> model.Cluster:
        cached = self._informers
        return model.Cluster(
            cached["Ingress"].all(),
            cached["IngressClass"].all(),
            {meta.key(o): o for o in cached["Service"].all()},
            cached["EndpointSlice"].all(),
            {meta.key(o): o for o in cached["Secret"].all()},
        )

    # --- what authors are told

    def _tell(self, site: Site) -> None:
        self._told &= {*site.complaints, *site.ingresses}
        for complaint in site.complaints:
            if complaint not in self._told:
                self._told.add(complaint)
                self._event(complaint.ingress, "Warning", complaint.reason, complaint.message)
        for key in site.ingresses:
            if key not in self._told:
                self._told.add(key)
                self._event(key, "Normal", "Sync", "Scheduled for sync")

    def _tell_all(self, site: Site, message: str) -> None:
        for key in site.ingresses:
            complaint = model.Complaint(key, "RejectedConfiguration", message)
            if complaint not in self._told:
                self._told.add(complaint)
                self._event(key, "Warning", complaint.reason, message)

    def _event(self, key: str, kind: str, reason: str, message: str) -> None:
        obj = self._informers["Ingress"].get(key)
        if obj is not None:
            self._recorder.event(
                {**obj, "apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}, kind, reason, message
            )

    async def _publish_status(self, site: Site) -> None:
        service = self._informers["Service"].get(self._publish) or {}
        wanted = [
            {k: v for k, v in entry.items() if k in ("ip", "hostname")}
            for entry in ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
        ]
        for key in site.ingresses:
            obj = self._informers["Ingress"].get(key)
            have = (((obj or {}).get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
            if obj is None or have == wanted:
                continue
            patch: Object = {"status": {"loadBalancer": {"ingress": wanted or None}}}
            try:
                await self._client.patch(
                    "Ingress", meta.name(obj), patch, meta.namespace(obj), type="merge", subresource="status"
                )
            except ApiError as error:
                if error.reason != "NotFound":
                    raise


def fake_certificate() -> str:
    """The certificate that is served where no Secret fits, with its key, PEM: self-signed, as ingress-nginx does."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Acme Co"),
            x509.NameAttribute(NameOID.COMMON_NAME, "Kubernetes Ingress Controller Fake Certificate"),
        ]
    )
    now = datetime.datetime.now(datetime.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("ingress.local")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return cert.public_bytes(serialization.Encoding.PEM).decode() + private.decode()
