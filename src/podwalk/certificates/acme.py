"""A client of ACME servers (RFC 8555): accounts, orders, authorizations, challenges.

Upstream: third_party/forked/acme and pkg/acme/client of cert-manager.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import ssl
from typing import Any

import aiohttp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from podwalk.api.meta import Object
from podwalk.certificates import web
from podwalk.client.dialing import connector

_TIMEOUT = aiohttp.ClientTimeout(total=10, sock_connect=5)
_NONCE_TRIES = 4
_POLL_SECONDS, _POLLS = 0.1, 100
_BODY_LIMIT = 1 << 20
_PREFIX = "urn:ietf:params:acme:error:"


class AcmeError(Exception):
    """The server refuses (``status`` is HTTP's), or cannot be reached (0)."""

    def __init__(self, message: str, status: int = 0, kind: str = "") -> None:
        super().__init__(message)
        self.status, self.kind = status, kind


def problem(document: Object) -> str:
    """A problem document (RFC 7807) as upstream prints it: ``403 urn:…:unauthorized: detail``."""
    return f"{document.get('status', '')} {document.get('type', '')}: {document.get('detail', '')}".strip()


class Acme:
    """One account's connection to a server. ``account`` is its URL, empty until it is registered."""

    def __init__(self, directory: str, key: rsa.RSAPrivateKey, context: ssl.SSLContext, account: str = "") -> None:
        self._directory_url, self._key, self._ssl = directory, key, context
        self.account = account
        self._directory: Object = {}
        self._nonces: list[str] = []
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # --- RFC 8555, section 7

    async def register(self, email: str) -> str:
        """Make the account, or find the one that the key has; its URL. Raises AcmeError."""
        asked: Object = {"termsOfServiceAgreed": True}
        if email:
            asked["contact"] = [f"mailto:{email}"]
        self.account = ""
        _, headers = await self._post((await self._urls())["newAccount"], asked)
        self.account = headers.get("Location", "")
        return self.account

    async def new_order(self, names: list[str], not_after: str = "") -> Object:
        """Order a certificate for these names; the order with its ``url``. Raises AcmeError."""
        asked: Object = {"identifiers": [{"type": "dns", "value": name} for name in names]}
        if not_after:
            asked["notAfter"] = not_after
        order, headers = await self._post((await self._urls())["newOrder"], asked)
        return {**order, "url": headers.get("Location", "")}

    async def get(self, url: str) -> Object:
        """An order, authorization or challenge (POST-as-GET). Raises AcmeError."""
        found, _ = await self._post(url, None)
        return dict(found)

    async def accept(self, url: str) -> Object:
        """Tell the server to look at a challenge. Raises AcmeError."""
        found, _ = await self._post(url, {})
        return dict(found)

    async def wait(self, url: str) -> Object:
        """Ask for an order or authorization until it is no longer pending or processing. Raises AcmeError."""
        for _ in range(_POLLS):
            found = await self.get(url)
            if found.get("status") not in ("pending", "processing"):
                return found
            await asyncio.sleep(_POLL_SECONDS)
        raise AcmeError(f"{url} is still {found.get('status')}")

    async def finalize(self, url: str, order: str, csr: bytes) -> bytes:
        """Send the request (DER) of an order that is ready; the certificate's chain, PEM. Raises AcmeError."""
        await self._post(url, {"csr": _base64(csr)})
        done = await self.wait(order)
        if done.get("status") != "valid":
            raise AcmeError(f"order is {done.get('status')}: {problem(done.get('error') or {})}", 400)
        return await self.certificate(str(done["certificate"]))

    async def certificate(self, url: str) -> bytes:
        """A certificate's chain, PEM. Raises AcmeError."""
        pem, _ = await self._post(url, None)
        return str(pem).encode()

    def key_authorization(self, token: str) -> str:
        """What proves that the account's owner answers (section 8.1)."""
        digest = hashlib.sha256(json.dumps(self._jwk(), sort_keys=True, separators=(",", ":")).encode()).digest()
        return f"{token}.{_base64(digest)}"

    # --- signed requests, section 6

    def _jwk(self) -> dict[str, str]:
        numbers = self._key.public_key().public_numbers()
        parts = {"e": numbers.e, "n": numbers.n}
        return {"kty": "RSA", **{k: _base64(v.to_bytes((v.bit_length() + 7) // 8, "big")) for k, v in parts.items()}}

    def _signed(self, url: str, payload: Object | None, nonce: str) -> bytes:
        head: Object = {"alg": "RS256", "nonce": nonce, "url": url}
        head |= {"kid": self.account} if self.account else {"jwk": self._jwk()}
        protected = _base64(json.dumps(head).encode())
        body = "" if payload is None else _base64(json.dumps(payload).encode())
        signature = self._key.sign(f"{protected}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return json.dumps({"protected": protected, "payload": body, "signature": _base64(signature)}).encode()

    async def _urls(self) -> Object:
        if not self._directory:
            found, _ = await self._send("GET", self._directory_url)
            if not isinstance(found, dict) or "newOrder" not in found:
                raise AcmeError(f"{self._directory_url}: not an ACME directory", 404)
            self._directory = found
        return self._directory

    async def _nonce(self) -> str:
        if self._nonces:
            return self._nonces.pop()
        _, headers = await self._send("HEAD", (await self._urls())["newNonce"])
        self._nonces.clear()
        return str(headers.get("Replay-Nonce", ""))

    async def _post(self, url: str, payload: Object | None) -> tuple[Any, Any]:
        for left in reversed(range(_NONCE_TRIES)):
            try:
                return await self._send("POST", url, self._signed(url, payload, await self._nonce()))
            except AcmeError as error:
                if error.kind != f"{_PREFIX}badNonce" or not left:
                    raise
                self._nonces.clear()
        raise AssertionError("unreachable")

    async def _send(self, method: str, url: str, data: bytes | None = None) -> tuple[Any, Any]:
        if self._session is None:
            made = connector(ssl=self._ssl, limit=4, keepalive_timeout=5)
            self._session = aiohttp.ClientSession(connector=made, timeout=_TIMEOUT)
        headers = {"Content-Type": "application/jose+json", "User-Agent": "cert-manager"} if data else {}
        try:
            async with self._session.request(method, url, data=data, headers=headers) as answer:
                raw = await web.read(answer, _BODY_LIMIT)
                if nonce := answer.headers.get("Replay-Nonce"):
                    self._nonces = [nonce]
                found = _parsed(raw, answer.content_type)
                if answer.status >= 400:
                    document = found if isinstance(found, dict) else {"detail": str(found)[:200]}
                    document = {"status": answer.status, **document}
                    raise AcmeError(problem(document), answer.status, str(document.get("type", "")))
                return found, answer.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise AcmeError(web.request_failed(method, url, error)) from error


def _parsed(raw: bytes, kind: str) -> Any:
    if kind.endswith("json"):
        try:
            return json.loads(raw)
        except ValueError:
            pass
    return raw.decode(errors="replace")


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
