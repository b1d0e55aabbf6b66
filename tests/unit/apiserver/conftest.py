"""An API server in the test's own process, without nodes or controllers."""

from __future__ import annotations

import datetime
import io
import ipaddress
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo

TOKEN = "admin-token"


def certificate() -> tuple[bytes, bytes]:
    """A self-signed certificate for loopback and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return built.public_bytes(serialization.Encoding.PEM), private


def make_config(sockets: list[socket.socket] | None = None) -> ApiServerConfig:
    cert, key = certificate()
    return ApiServerConfig(
        tls_cert=cert,
        tls_key=key,
        ca_cert=cert,
        tokens={TOKEN: UserInfo("kubernetes-admin", ("system:masters", "system:authenticated"))},
        kubelet_token="kubelet-token",
        service_account_key=b"a key for service accounts",
        sockets=sockets or [],
    )


@dataclass
class Answer:
    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)


class Api:
    """Plain HTTP requests to the server under test."""

    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session = session
        self.base = base

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        token: str | None = TOKEN,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": accept, "User-Agent": "test/1", **(headers or {})}
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        data = body if isinstance(body, bytes | type(None)) else orjson.dumps(body)
        if data is not None:
            sent["Content-Type"] = content_type
        payload = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.base + path, data=payload, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self(method, path, body, **more)
        assert answer.status < 300, answer.raw
        return answer.json


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    runner = web.AppRunner(server.build(make_config()), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        made = Api(session, f"http://{host}:{port}")
        await made.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        yield made
    await runner.cleanup()


@pytest.fixture
def pods() -> str:
    return "/api/v1/namespaces/default/pods"
