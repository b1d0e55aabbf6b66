"""Requests with headers, methods and TLS, the answer's headers, and the certificate that a server shows."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_cluster import FakeCluster, pod
from test_probes import lab_on, step

from podwalk.backends.base import Completed
from podwalk.checks import http
from podwalk.checks.lab import Lab
from podwalk.checks.report import StepResult, Verdict
from podwalk.cluster import pki


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """What was asked, as JSON; /old leads elsewhere."""
        body = json.dumps({"method": self.command, "host": self.headers["Host"], "x": self.headers["X-Who"]}).encode()
        self.send_response(302 if self.path.startswith("/old") else 200)
        self.send_header("Content-Length", str(len(body)))
        if self.path.startswith("/old"):
            self.send_header("Location", f"/new{self.path[4:]}")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


class Site:
    """A server with a certificate for shop.test, and a cluster whose Pod shop/client has this machine's shell."""

    def __init__(self, folder: Path) -> None:
        made = pki.make(["shop.test", "*.wild.test"], [], authority="Shop CA", subject_name="shop.test")
        other = pki.make(["other.test"], [], authority="Other CA", subject_name="other.test")
        self.plain, self.tls = (ThreadingHTTPServer(("127.0.0.1", 0), _Site) for _ in range(2))
        context = self._context(folder / "shop.pem", made)
        others = self._context(folder / "other.pem", other)

        def choose(connection: ssl.SSLObject, name: str, _: ssl.SSLContext) -> None:
            if name == "other.test":
                connection.context = others

        context.sni_callback = choose  # type: ignore[assignment]
        self.tls.socket = context.wrap_socket(self.tls.socket, server_side=True)
        self.threads = [threading.Thread(target=s.serve_forever, args=(0.01,)) for s in (self.plain, self.tls)]
        for thread in self.threads:
            thread.start()
        self.cluster = FakeCluster([pod("shop/client"), secret("shop/cert", made), secret("shop/other", other)])
        self.cluster.exec = lambda _ns, _pod, script: real(script)

    @staticmethod
    def _context(path: Path, made: pki.Pki) -> ssl.SSLContext:
        path.write_bytes(made.server_cert + made.server_key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    @property
    def lab(self) -> Lab:
        return lab_on(self.cluster)

    def url(self, path: str, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{(self.plain if scheme == 'http' else self.tls).server_port}{path}"

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.tls.server_port}"

    def close(self) -> None:
        for server, thread in zip((self.plain, self.tls), self.threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def secret(ref: str, made: pki.Pki) -> dict[str, object]:
    namespace, name = ref.split("/")
    data = {"ca.crt": made.ca_cert, "tls.crt": made.server_cert, "tls.key": made.server_key}
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": encoded}


def real(script: str) -> Completed:
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    return Completed(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    served = Site(tmp_path_factory.mktemp("certs"))
    yield served
    served.close()


def seen(result: StepResult) -> tuple[str, str, str]:
    assert result.finding is not None, result
    return result.finding.expected, result.finding.observed, result.finding.see_it


def test_headers_and_method_reach_the_server(site: Site) -> None:
    said = '{"method": "POST", "host": "shop.test", "x": "it\'s me"}'
    asked = {"Host": "shop.test", "X-Who": "it's me"}
    lab = site.lab
    assert step(
        lab, lambda: lab.http("shop/client", site.url("/"), headers=asked, method="POST").expect(body=said)
    ).passed
    lab = site.lab
    wrong = step(lab, lambda: lab.http("shop/client", site.url("/"), headers=asked, method="HEAD").expect(status=404))
    assert seen(wrong)[2].endswith(f"curl -sSm2 -I -H 'Host: shop.test' -H 'X-Who: it'\"'\"'s me' {site.url('/')}")


def test_an_answers_headers_are_compared_by_name_whatever_its_case(site: Site) -> None:
    def asked(path: str, **headers: str | None) -> StepResult:
        lab = site.lab
        probe = lambda: lab.many("shop/client", site.url(path), 4)  # noqa: E731
        status = 302 if path.startswith("/old") else 200
        return step(lab, lambda: probe().expect(status=status, headers=headers))

    assert asked("/new", Location=None).passed
    assert asked("/new", location=None).passed
    one = site.lab
    assert step(
        one, lambda: one.http("shop/client", site.url("/old/x")).expect(status=302, headers={"LOCATION": "/new/x"})
    ).passed
    expected, observed, show = seen(asked("/old", Location="/elsewhere"))
    assert expected == "4 × HTTP 302 within 1 s, location: /elsewhere"
    assert observed == ", ".join(["4 × HTTP 302", *(f"location: /new?probe={n}" for n in range(1, 5))])
    assert "curl -sSm1 -i http" in show
    assert seen(asked("/new", Location="/elsewhere"))[1] == "4 × HTTP 200, location: (none)"


def test_many_answers_with_headers_are_told_apart_even_where_a_body_begins_with_a_brace(site: Site) -> None:
    done = real(http.script(site.url("/"), 7, 2, http.Asked(see_headers=True)))
    answers = http.parse(done.stdout)
    assert len(answers) == 7
    assert {a.body[:17] for a in answers} == {'{"method": "GET",'}
    assert {a.headers["content-length"] for a in answers} == {str(len(answers[0].body))}
    assert [a.headers for a in http.parse(real(http.script(site.url("/"), 3, 2)).stdout)] == [{}, {}, {}]
    refused = http.parse(real(http.script("http://127.0.0.1:1/", 1, 2, http.Asked(see_headers=True))).stdout)
    assert [(a.outcome, a.headers) for a in refused] == [("connection refused", {})]


def test_https_trusts_the_authority_of_a_secret_and_no_other(site: Site) -> None:
    def fate(url: str, **how: object) -> str:
        lab = site.lab
        probe = lambda: lab.http("shop/client", url, headers={"X-Who": "me"}, **how)  # type: ignore[arg-type]  # noqa: E731
        result = step(lab, lambda: probe().expect(status=299, within="0s"))
        return result.finding.observed if result.finding else result.reason

    address = site.url("/", "https")
    assert fate(address, insecure=True) == "HTTP 200"
    assert fate(address) == "the certificate is not trusted"
    assert fate(address, ca="shop/cert") == "a certificate for other names"
    assert fate(address, ca="shop/other") == "the certificate is not trusted"
    assert fate(address, ca="shop/gone") == "no such Secret"


def test_a_trusted_name_answers(site: Site) -> None:
    asked = http.Asked(ca=pki_of(site), headers={"X-Who": "me"})
    resolve = f"--resolve shop.test:{site.tls.server_port}:127.0.0.1"
    script = http.script(site.url("/", "https", "shop.test"), 4, 2, asked, resolve)
    assert [a.outcome for a in http.parse(real(script).stdout)] == ["HTTP 200"] * 4


def pki_of(site: Site) -> str:
    data: dict[str, str] = site.cluster.objects["Secret", "shop/cert"]["data"]
    return base64.b64decode(data["ca.crt"]).decode()


@pytest.mark.parametrize(
    ("sni", "wanted", "observed"),
    [
        ("shop.test", {"covers": "shop.test", "issuer": "Shop CA", "secret": "shop/cert", "valid_for": "60m"}, None),
        ("shop.test", {"names": {"shop.test", "*.wild.test"}, "subject": "shop.test"}, None),
        (None, {"covers": "x.wild.test"}, None),
        (None, {"covers": "a.b.wild.test"}, "one for *.wild.test, shop.test, signed by Shop CA, valid until"),
        ("other.test", {"covers": "shop.test"}, "one for other.test, signed by Other CA, valid until"),
        ("other.test", {"issuer": "Shop CA"}, "signed by Other CA"),
        ("other.test", {"secret": "shop/cert"}, "one for other.test, signed by Other CA"),
        ("other.test", {"names": set()}, "one for other.test"),
        ("shop.test", {"secret": "shop/gone"}, "one for *.wild.test"),
        ("shop.test", {"valid_for": 400 * 86400}, "valid until "),
    ],
)
def test_what_a_server_shows(site: Site, sni: str | None, wanted: dict[str, object], observed: str | None) -> None:
    lab = site.lab
    result = step(lab, lambda: lab.certificate("shop/client", site.target, sni=sni).expect(**wanted, within="0s"))  # type: ignore[arg-type]
    if observed is None:
        assert result.passed, result
        return
    expected, said, show = seen(result)
    assert said.startswith(observed)
    assert expected
    to = f" --connect-to ::{site.target}" if sni else ""
    assert show.endswith(f"curl -kvsS -m2{to} https://{sni or '127.0.0.1'}:{site.tls.server_port}/")


def test_a_server_without_tls_shows_no_certificate(site: Site) -> None:
    lab = site.lab
    plain = f"127.0.0.1:{site.plain.server_port}"
    result = step(lab, lambda: lab.certificate("shop/client", plain).expect(covers="shop.test", within="0s"))
    assert seen(result)[:2] == ("a TLS server", "no certificate (no TLS handshake)")
    mute = FakeCluster([pod("shop/client")])
    mute.exec = lambda *_: Completed(0, "sh: curl: not found\n")
    silent = lab_on(mute)
    result = step(silent, lambda: silent.certificate("shop/client", plain).expect(covers="shop.test"))
    assert result.verdict is Verdict.COULD_NOT_TELL
