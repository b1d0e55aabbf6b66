"""ACME accounts of issuers: their keys, whom they trust, and the clients that use them.

Upstream: pkg/acme/accounts of cert-manager (registry.go, client.go).
"""

from __future__ import annotations

import base64
import hashlib
import ssl

import aiohttp
from cryptography.hazmat.primitives.asymmetric import rsa

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, policies, web
from podwalk.certificates.acme import Acme, AcmeError
from podwalk.certificates.hub import Hub
from podwalk.certificates.keys import KeyProblem
from podwalk.client.dialing import connector

_ROOTS_TIMEOUT = aiohttp.ClientTimeout(total=3)
_ROOTS_LIMIT = 1 << 20


class Accounts:
    """The clients of all ACME issuers. ``roots_url`` holds authorities that are trusted beside the system's own."""

    def __init__(self, hub: Hub, roots_url: str = "") -> None:
        self._hub, self._roots_url = hub, roots_url
        self._clients: dict[str, tuple[tuple[object, ...], Acme]] = {}

    async def client(self, issuer: Object, key: rsa.RSAPrivateKey, account: str = "") -> Acme:
        """The client of an issuer with this key; made anew when server, key or trust change.

        Raises AcmeError where it cannot be known whom to trust.
        """
        acme = issuer["spec"]["acme"]
        digest = key_hash(key)
        state = (acme["server"], digest, acme.get("skipTLSVerify"), acme.get("caBundle"))
        known = self._clients.get(meta.uid(issuer))
        if known is not None and known[0] == state:
            return known[1]
        if known is not None:
            await self.forget(meta.uid(issuer))
        client = Acme(acme["server"], key, await self._trust(acme), account)
        self._clients[meta.uid(issuer)] = state, client
        return client

    async def of(self, issuer: Object) -> Acme:
        """The client of an issuer that is registered. Raises AcmeError where it is not (any more)."""
        account = str(((issuer.get("status") or {}).get("acme") or {}).get("uri") or "")
        key = await self.key(issuer)
        if key is None or not account:
            raise AcmeError(f'ACME client for issuer not initialised/available: "{meta.name(issuer)}"')
        client = await self.client(issuer, key, account)
        client.account = account
        return client

    async def key(self, issuer: Object) -> rsa.RSAPrivateKey | None:
        """The account's key in its Secret, or None where there is none. Raises KeyProblem."""
        ref = issuer["spec"]["acme"].get("privateKeySecretRef") or {}
        secret = await self._hub.secret(self._hub.secrets_of(issuer), str(ref.get("name")))
        data = policies.value(secret, str(ref.get("key") or "tls.key"))
        if not data:
            return None
        found = keys.load(data)
        if not isinstance(found, rsa.RSAPrivateKey):
            raise KeyProblem(f'ACME private key in "{ref.get("name")}" is not of type RSA')
        return found

    async def forget(self, uid: str) -> None:
        """An issuer is gone."""
        known = self._clients.pop(uid, None)
        if known is not None:
            await known[1].close()

    async def close(self) -> None:
        """Close all connections."""
        for uid in list(self._clients):
            await self.forget(uid)

    async def _trust(self, acme: Object) -> ssl.SSLContext:
        bundle = acme.get("caBundle")
        if bundle:
            try:
                return ssl.create_default_context(cadata=base64.b64decode(bundle).decode())
            except (ValueError, ssl.SSLError) as error:
                raise AcmeError(f"caBundle: {error}") from None
        context = ssl.create_default_context()
        if acme.get("skipTLSVerify"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif self._roots_url:
            await self._add_roots(context)
        return context

    async def _add_roots(self, context: ssl.SSLContext) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=_ROOTS_TIMEOUT, connector=connector()) as session,
                session.get(self._roots_url, raise_for_status=True) as answer,
            ):
                context.load_verify_locations(cadata=(await web.read(answer, _ROOTS_LIMIT)).decode())
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            # A client without them would be kept, and would trust no server of ours for ever.
            raise AcmeError(web.request_failed("GET", self._roots_url, error)) from error


def key_hash(key: rsa.RSAPrivateKey) -> str:
    """The hash of a key that an issuer's status holds (lastPrivateKeyHash)."""
    return base64.b64encode(hashlib.sha256(keys.dump(key)).digest()).decode()
