"""The ACME client against a small server of the test's own, and failures in Go's words."""

from __future__ import annotations

import base64
import errno
import hashlib
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.client_reqrep import ConnectionKey
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from podwalk.certificates import challenges
from podwalk.certificates.acme import Acme, AcmeError
from podwalk.certificates.web import request_failed
from podwalk.ingress import nginx
from podwalk.ingress.model import Site

KEY = rsa.generate_private_key(65537, 2048)


def unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Server:
    """Checks every signature, wants each nonce once, and keeps what it was told."""

    def __init__(self) -> None:
        self.url = ""
        self.nonces: set[str] = set()
        self.told: list[tuple[str, dict[str, Any], Any]] = []
        self.refuse = 0
        self.account_exists = False

    def nonce(self) -> dict[str, str]:
        fresh = f"n{len(self.nonces)}-{len(self.told)}"
        self.nonces.add(fresh)
        return {"Replay-Nonce": fresh}

    async def directory(self, _: web.Request) -> web.Response:
        names = {"newNonce": "nonce", "newAccount": "account", "newOrder": "order"}
        return web.json_response({k: f"{self.url}/{v}" for k, v in names.items()})

    async def new_nonce(self, _: web.Request) -> web.Response:
        return web.Response(headers=self.nonce())

    async def signed(self, request: web.Request) -> web.Response:
        body = await request.json()
        head = json.loads(unbase64(body["protected"]))
        text = f"{body['protected']}.{body['payload']}".encode()
        KEY.public_key().verify(unbase64(body["signature"]), text, padding.PKCS1v15(), hashes.SHA256())
        assert request.content_type == "application/jose+json"
        assert head["url"] == f"{self.url}{request.path}"
        if head["nonce"] not in self.nonces or self.refuse:
            self.refuse = max(self.refuse - 1, 0)
            problem = {"type": "urn:ietf:params:acme:error:badNonce", "detail": "bad nonce", "status": 400}
            return web.json_response(problem, status=400, headers=self.nonce())
        self.nonces.discard(head["nonce"])
        payload = json.loads(unbase64(body["payload"])) if body["payload"] else None
        self.told.append((request.path, head, payload))
        return self.answer(request.path)

    def answer(self, path: str) -> web.Response:
        if path == "/account":
            headers = {**self.nonce(), "Location": f"{self.url}/me"}
            return web.json_response({"status": "valid"}, status=201, headers=headers)
        if path == "/order":
            headers = {**self.nonce(), "Location": f"{self.url}/order/1"}
            return web.json_response({"status": "pending"}, status=201, headers=headers)
        problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}
        return web.json_response(problem, status=429, headers=self.nonce())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made, app = Server(), web.Application()
    app.router.add_get("/dir", made.directory)
    app.router.add_get("/nonce", made.new_nonce)
    app.router.add_post("/{rest:.*}", made.signed)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    made.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    yield made
    await runner.cleanup()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Acme]:
    made = Acme(f"{server.url}/dir", KEY, ssl.create_default_context())
    yield made
    await made.close()


async def test_the_key_signs_until_there_is_an_account(server: Server, client: Acme) -> None:
    assert await client.register("ops@web.test") == f"{server.url}/me"
    order = await client.new_order(["web.test"], "2027-01-01T00:00:00Z")
    assert order == {"status": "pending", "url": f"{server.url}/order/1"}
    (_, first, account), (_, second, ordered) = server.told
    assert account == {"termsOfServiceAgreed": True, "contact": ["mailto:ops@web.test"]}
    assert "jwk" in first
    assert "kid" not in first
    assert second["kid"] == f"{server.url}/me"
    assert ordered == {"identifiers": [{"type": "dns", "value": "web.test"}], "notAfter": "2027-01-01T00:00:00Z"}


async def test_a_refused_nonce_is_tried_again_but_not_for_ever(server: Server, client: Acme) -> None:
    server.refuse = 3
    await client.register("")
    assert len(server.told) == 1
    server.refuse = 4
    with pytest.raises(AcmeError, match="badNonce"):
        await client.register("")


async def test_what_the_server_says_is_told(server: Server, client: Acme) -> None:
    with pytest.raises(AcmeError) as raised:
        await client.get(f"{server.url}/authz/1")
    assert str(raised.value) == "429 urn:ietf:params:acme:error:rateLimited: too many"
    assert raised.value.status == 429


def test_the_key_authorization_holds_the_keys_thumbprint() -> None:
    numbers = KEY.public_key().public_numbers()
    n = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).rstrip(b"=").decode()
    digest = hashlib.sha256(f'{{"e":"AQAB","kty":"RSA","n":"{n}"}}'.encode()).digest()
    expected = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    assert Acme("", KEY, ssl.create_default_context()).key_authorization("T") == f"T.{expected}"


async def test_a_server_that_is_not_there() -> None:
    gone = socket.create_server(("127.0.0.1", 0))
    port = gone.getsockname()[1]
    gone.close()
    client = Acme(f"http://127.0.0.1:{port}/dir", KEY, ssl.create_default_context())
    with pytest.raises(AcmeError) as raised:
        await client.register("")
    await client.close()
    url = f"http://127.0.0.1:{port}/dir"
    assert str(raised.value) == f'Get "{url}": dial tcp 127.0.0.1:{port}: connect: connection refused'


async def test_a_page_that_is_no_directory(server: Server) -> None:
    client = Acme(f"{server.url}/nonce", KEY, ssl.create_default_context())
    with pytest.raises(AcmeError, match="not an ACME directory"):
        await client.register("")
    await client.close()


async def test_the_self_check_says_what_it_found(server: Server) -> None:
    host = server.url.removeprefix("http://")
    assert await challenges.reachable(host, "T", "T.K") == "wrong status code '405', expected '200'"
    with socket.create_server(("127.0.0.1", 0)) as gone:
        where = f"127.0.0.1:{gone.getsockname()[1]}"
    failed = await challenges.reachable(where, "T", "T.K")
    url = f"http://{where}/.well-known/acme-challenge/T"
    said = f"failed to perform self check GET request '{url}': Get \"{url}\": dial tcp {where}: connect: "
    assert failed == f"{said}connection refused"


def _key(host: str, port: int, tls: bool = False) -> ConnectionKey:
    return ConnectionKey(host, port, tls, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            aiohttp.ClientConnectorDNSError(_key("web.test", 80), socket.gaierror(socket.EAI_NONAME, "Name unknown")),
            ":53: no such host",
        ),
        (
            aiohttp.ClientConnectorDNSError(_key("web.test", 80), socket.gaierror(socket.EAI_AGAIN, "Temporary")),
            ":53: server misbehaving",
        ),
        (
            aiohttp.ClientConnectorError(
                _key("web.test", 80), OSError(errno.EHOSTUNREACH, "Connect call failed ('10.0.0.1', 80)")
            ),
            "dial tcp 10.0.0.1:80: connect: no route to host",
        ),
        (aiohttp.ConnectionTimeoutError("x"), "dial tcp: i/o timeout"),
        (TimeoutError(), "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"),
        (aiohttp.ServerDisconnectedError(), "EOF"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset"), "read tcp: read: connection reset by peer"),
        (
            aiohttp.ClientConnectorCertificateError(
                _key("web.test", 443, tls=True), ssl.SSLCertVerificationError("unable to get local issuer certificate")
            ),
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        ),
    ],
)
def test_failures_are_told_as_go_does(error: Exception, said: str) -> None:
    text = request_failed("GET", "https://web.test/x", error)
    assert text.startswith('Get "https://web.test/x": ')
    assert text.endswith(said)


def test_a_redirect_that_leads_to_a_closed_port_is_seen() -> None:
    refused = OSError(errno.ECONNREFUSED, "Connect call failed ('10.0.0.1', 443)")
    text = request_failed("GET", "http://web.test/x", aiohttp.ClientConnectorError(_key("web.test", 443), refused))
    assert text == 'Get "https://web.test/x": dial tcp 10.0.0.1:443: connect: connection refused'


async def test_the_self_check_compares_what_it_got() -> None:
    text = "T.K\n"

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text)

    app = web.Application()
    app.router.add_get("/.well-known/acme-challenge/T", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    listening = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listening).start()
    host = f"127.0.0.1:{listening.getsockname()[1]}"
    assert await challenges.reachable(host, "T", "T.K") == ""
    text = "x" * 200
    wrong = await challenges.reachable(host, "T", "T.K")
    await runner.cleanup()
    said = 'did not get expected response when querying endpoint, expected "T.K" but got: '
    assert wrong == f"{said}{'x' * 100}... (truncated)"


async def test_one_wrong_look_in_five_is_enough_to_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that takes up a new configuration may answer with the old one after it has answered with the new."""
    looks = iter(["", "", "wrong status code '503', expected '200'", "", "", "", "", ""])

    async def look(*_: str) -> str:
        return next(looks)

    monkeypatch.setattr(challenges, "reachable", look)
    monkeypatch.setattr(challenges, "_PASS_SECONDS", 0)
    assert await challenges.propagated("web.test", "T", "T.K") == "wrong status code '503', expected '200'"
    assert await challenges.propagated("web.test", "T", "T.K") == ""
    assert not list(looks)


def test_an_ingress_controller_gives_up_before_the_look_at_an_answer_does() -> None:
    text = nginx.render(Site(()), run="/run", certificates="/certificates", http=80, https=443)
    (seconds,) = re.findall(r"proxy_connect_timeout (\d+)s;", text)
    assert challenges._TIMEOUT.total is not None
    # Its 504 says what is wrong; a moment more, for it counts from when the request has come.
    assert challenges._TIMEOUT.total >= int(seconds) + 3
