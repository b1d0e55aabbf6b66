"""Issuers and ClusterIssuers: whether they can sign.

Upstream: pkg/controller/issuers, pkg/controller/clusterissuers and the Setup functions below pkg/issuer.
"""

from __future__ import annotations

import asyncio
import base64
import copy
import logging

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, policies, signing
from podwalk.certificates.accounts import Accounts, key_hash
from podwalk.certificates.acme import AcmeError
from podwalk.certificates.hub import Hub, set_condition
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.signing import Authority, SigningProblem
from podwalk.client.reconcile import Reconciler

log = logging.getLogger(__name__)

_FIRST_RETRY, _LAST_RETRY = 2.0, 60.0


class NoAuthority(Exception):
    """The Secret of a CA issuer holds nothing that can sign; ``reason`` is the condition's."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


async def authority(hub: Hub, issuer: Object) -> tuple[Authority, list[x509.Certificate]]:
    """Who signs for a CA issuer, and the chain above what it signs. Raises NoAuthority."""
    name, namespace = str(issuer["spec"]["ca"].get("secretName")), hub.secrets_of(issuer)
    secret = await hub.secret(namespace, name)
    if secret is None:
        raise NoAuthority("ErrGetKeyPair", f'secret "{name}" not found')
    try:
        chain = signing.read_chain(policies.value(secret, "tls.crt"))
        key = keys.load(policies.value(secret, "tls.key"))
    except (SigningProblem, KeyProblem) as error:
        raise NoAuthority("ErrInvalidKeyPair", str(error)) from None
    if not signing.matches(key, chain[0]):
        raise NoAuthority("ErrInvalidKeyPair", "private key does not match the certificate")
    if not signing.is_authority(chain[0]):
        raise NoAuthority("ErrInvalidKeyPair", "certificate is not a CA")
    return Authority(chain[0], key), chain


class Issuers(Reconciler):
    """The controller of Issuers, or of ClusterIssuers."""

    workers = 2

    def __init__(self, hub: Hub, accounts: Accounts, kind: str) -> None:
        super().__init__()
        self.name = f"{kind.lower()}s"
        self._hub, self._accounts, self._kind = hub, accounts, kind
        self._failures: dict[str, int] = {}

    def watch(self) -> None:
        """Be told of issuers, and of the Secrets that they name."""
        self._hub.informers[self._kind].on_change(self._changed)
        self._hub.informers["Secret"].on_change(lambda old, new: self._secret_changed(new or old or {}))

    def _changed(self, old: Object | None, new: Object | None) -> None:
        if new is not None:
            self.enqueue(meta.key(new))
        elif old is not None:
            task = asyncio.ensure_future(self._accounts.forget(meta.uid(old)))
            task.add_done_callback(lambda done: done.exception())

    def _secret_changed(self, secret: Object) -> None:
        for issuer in self._hub.informers[self._kind].all():
            spec = issuer.get("spec") or {}
            named = {
                (spec.get("ca") or {}).get("secretName"),
                ((spec.get("acme") or {}).get("privateKeySecretRef") or {}).get("name"),
            }
            if meta.name(secret) in named and self._hub.secrets_of(issuer) == meta.namespace(secret):
                self.enqueue(meta.key(issuer))

    async def reconcile(self, key: str) -> None:
        """Check one issuer and write its condition Ready. Raises ApiError."""
        found = self._hub.get(self._kind, key)
        if found is None or meta.is_deleting(found):
            return
        issuer = copy.deepcopy(found)
        spec = issuer.get("spec") or {}
        if spec.get("selfSigned") is not None:
            self._ready(issuer, "IsReady", "")
        elif spec.get("ca") is not None:
            await self._ca(issuer)
        elif spec.get("acme") is not None:
            await self._acme(issuer)
        else:
            other = next((name for name in ("vault", "venafi") if spec.get(name) is not None), "")
            lack = f"this cert-manager has no {other} issuer" if other else "no issuer specified for Issuer"
            self._broken(issuer, "ErrInitIssuer", f"Error initializing issuer: {lack}")
        if issuer.get("status") != found.get("status"):
            await self._hub.update(issuer)

    def _ready(self, issuer: Object, reason: str, message: str) -> None:
        self._failures.pop(meta.uid(issuer), None)
        changed = not meta.condition_is_true(issuer, "Ready")
        set_condition(issuer, "Ready", "True", reason, message)
        if changed and message and reason == "KeyPairVerified":
            self._hub.event(self.name, issuer, "Normal", reason, message)

    def _broken(self, issuer: Object, reason: str, message: str) -> None:
        before = (meta.condition(issuer, "Ready") or {}).get("message")
        set_condition(issuer, "Ready", "False", reason, message)
        if before != message:
            self._hub.event(self.name, issuer, "Warning", reason, message)

    async def _ca(self, issuer: Object) -> None:
        try:
            await authority(self._hub, issuer)
        except NoAuthority as error:
            self._broken(issuer, error.reason, f"Error getting keypair for CA issuer: {error}")
        else:
            self._ready(issuer, "KeyPairVerified", "Signing CA verified")

    async def _acme(self, issuer: Object) -> None:
        """Register the account where server, key or mail are not those that it was registered with."""
        acme, status = issuer["spec"]["acme"], issuer.setdefault("status", {}).setdefault("acme", {})
        try:
            key = await self._key(issuer)
            email = str(acme.get("email") or "")
            same = status.get("lastPrivateKeyHash") == key_hash(key) and status.get("lastRegisteredEmail", "") == email
            # A server that answers under another name is another server.
            host = str(acme["server"]).split("/")[2:3]
            if same and status.get("uri") and str(status["uri"]).split("/")[2:3] == host:
                self._ready(issuer, "ACMEAccountRegistered", _REGISTERED)
                return
            client = await self._accounts.client(issuer, key)
            uri = await client.register(email)
        except (AcmeError, KeyProblem) as error:
            await self._accounts.forget(meta.uid(issuer))
            status.clear()
            self._broken(issuer, "ErrRegisterACMEAccount", f"Failed to register ACME account: {error}")
            count = self._failures[meta.uid(issuer)] = self._failures.get(meta.uid(issuer), -1) + 1
            self.enqueue_after(meta.key(issuer), min(_FIRST_RETRY * 2 ** min(count, 10), _LAST_RETRY))
            return
        status["uri"], status["lastPrivateKeyHash"] = uri, key_hash(key)
        if email:
            status["lastRegisteredEmail"] = email
        self._ready(issuer, "ACMEAccountRegistered", _REGISTERED)

    async def _key(self, issuer: Object) -> rsa.RSAPrivateKey:
        """The account's key, made where there is none. Raises KeyProblem, ApiError."""
        found = await self._accounts.key(issuer)
        if found is not None:
            return found
        ref = issuer["spec"]["acme"].get("privateKeySecretRef") or {}
        key = await asyncio.to_thread(rsa.generate_private_key, 65537, 2048)
        data = {str(ref.get("key") or "tls.key"): base64.b64encode(keys.dump(key)).decode()}
        metadata = {"name": ref.get("name"), "namespace": self._hub.secrets_of(issuer)}
        await self._hub.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        )
        return key


_REGISTERED = "The ACME account was registered with the ACME server"
