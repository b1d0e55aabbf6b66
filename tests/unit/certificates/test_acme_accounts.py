"""Whom the clients of ACME issuers trust."""

from __future__ import annotations

import datetime
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
from aiohttp import web
from certificates_objects import certificate, key
from cryptography.hazmat.primitives.asymmetric import rsa

from podwalk.certificates import signing
from podwalk.certificates.accounts import Accounts
from podwalk.certificates.acme import AcmeError
from podwalk.certificates.hub import Hub
from podwalk.certificates.signing import Authority

KEY = rsa.generate_private_key(65537, 2048)


class Roots:
    """A server of authorities; ``pem`` is empty while it cannot say them."""

    def __init__(self) -> None:
        self.url, self.pem = "", b""

    async def get(self, _: web.Request) -> web.Response:
        return web.Response(body=self.pem, status=200 if self.pem else 503)


@pytest.fixture
async def roots() -> AsyncIterator[Roots]:
    made, app = Roots(), web.Application()
    app.router.add_get("/roots.pem", made.get)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    made.url = f"http://127.0.0.1:{listening.getsockname()[1]}/roots.pem"
    yield made
    await runner.cleanup()


@pytest.fixture
async def accounts(roots: Roots) -> AsyncIterator[Accounts]:
    made = Accounts(cast(Hub, None), roots.url)  # only keys are looked up in the cluster
    yield made
    await made.close()


def root() -> bytes:
    spec = certificate(isCA=True, commonName="Roots of the test")["spec"]
    request = signing.read_request(signing.request(spec, key()))
    now = datetime.datetime.now(datetime.UTC)
    return signing.dump_chain([signing.sign(request, spec, Authority(None, key()), now)])


def issuer(**acme: object) -> dict[str, object]:
    return {"metadata": {"uid": "u1"}, "spec": {"acme": {"server": "https://acme.test/dir", **acme}}}


async def test_no_client_is_kept_that_does_not_know_whom_to_trust(roots: Roots, accounts: Accounts) -> None:
    with pytest.raises(AcmeError, match="503"):
        await accounts.client(issuer(), KEY)
    roots.pem = root()
    made = await accounts.client(issuer(), KEY)
    roots.pem = b""
    assert await accounts.client(issuer(), KEY) is made, "asked once"


async def test_roots_that_are_none_are_told(roots: Roots, accounts: Accounts) -> None:
    roots.pem = b"no certificate"
    with pytest.raises(AcmeError, match=r"roots\.pem"):
        await accounts.client(issuer(), KEY)


async def test_a_bundle_of_the_issuers_own_asks_nobody(accounts: Accounts) -> None:
    with pytest.raises(AcmeError, match="caBundle"):
        await accounts.client(issuer(caBundle="bm9uZQ=="), KEY)
    await accounts.client(issuer(skipTLSVerify=True), KEY)
