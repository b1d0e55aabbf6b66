"""The images that every cluster has: each stands for a program of this machine or of podwalk."""

from __future__ import annotations

import functools
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from podwalk import programs

PATH_ENV = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PROGRAMS = Path(programs.__path__[0])
_E2E = "registry.k8s.io/e2e-test-images"


@dataclass(frozen=True, slots=True)
class Entry:
    """One image of the catalogue; ``root`` is the container root that netns builds ("default" or "minimal").

    ``make_files`` gives more files when a container starts: those that cost something to make.
    """

    ref: str
    summary: str
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    files: dict[str, bytes] = field(default_factory=dict)
    uid: int | None = None
    root: str = "default"
    programs: dict[str, bytes] = field(default_factory=dict)
    host_program: str = ""
    make_files: Callable[[], dict[str, bytes]] = dict


def _launcher(program: Path) -> bytes:
    """A file that runs a Python program as if it were the image's binary."""
    # Importing (rather than running) the program uses the byte code that is cached beside it.
    return (
        f"#!/bin/sh\n"
        f'exec "{sys.executable}" -I -S -c "import sys; sys.path.insert(0, {str(program.parent)!r}); '
        f'import {program.stem} as program; sys.exit(program.main(sys.argv[1:]))" "$@"\n'
    ).encode()


def _shell(ref: str, summary: str, *cmd: str, entrypoint: tuple[str, ...] = ()) -> Entry:
    return Entry(ref, summary, entrypoint=entrypoint, cmd=cmd)


def _busybox(ref: str) -> Entry:
    found = shutil.which("busybox", path=PATH_ENV)
    if found:
        return Entry(ref, "busybox, and nothing else", cmd=("sh",), root="minimal")
    return _shell(ref, "a shell with this machine's tools (busybox is not installed)", "sh")


def _nginx(ref: str) -> Entry:
    found = shutil.which("nginx", path=PATH_ENV)
    if found:
        files = {"/etc/nginx/nginx.conf": _NGINX_CONF, "/etc/nginx/conf.d/default.conf": _NGINX_DEFAULT}
        return Entry(ref, f"nginx ({found})", cmd=(found, "-g", "daemon off;"), files=files)
    # Not /usr/sbin/nginx: /usr is the machine's own, read-only.
    launcher = {"/nginx": _launcher(_PROGRAMS / "nginx.py")}
    return Entry(ref, "podwalk's stand-in for nginx (nginx is not installed)", cmd=("/nginx",), programs=launcher)


# As pid 1 a plain `sleep` would ignore SIGTERM; the original catches it.
_PAUSE = (
    "/bin/sh",
    "-c",
    "trap 'echo \"Shutting down, got signal: Terminated\" >&2; exit 0' TERM INT; sleep infinity & wait",
)


@functools.cache
def localhost_certificate() -> dict[str, bytes]:
    """The /localhost.crt and /localhost.key of agnhost's image, self-signed, made once in a process."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    begin, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2084, 1, 29, tzinfo=UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin, end)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("example.com")]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return {"/localhost.crt": certificate.public_bytes(pem), "/localhost.key": private}


def _agnhost() -> Entry:
    launcher = _launcher(_PROGRAMS / "agnhost.py")
    # The original brings CoreDNS along, which the specs of dnsConfig run.
    coredns = f'#!/bin/sh\nPYTHONPATH="{_source_path()}" exec "{sys.executable}" -m podwalk.dns "$@"\n'.encode()
    return Entry(
        f"{_E2E}/agnhost",
        "podwalk's agnhost",
        ("/agnhost",),
        ("pause",),
        programs={"/agnhost": launcher, "/agnhost-2": launcher, "/coredns": coredns},
        make_files=localhost_certificate,
    )


def builtin() -> list[Entry]:
    """The images that every cluster has."""
    echo = {"/http-echo": _launcher(_PROGRAMS / "http_echo.py")}
    dns = (sys.executable, "-m", "podwalk.dns")
    node_cache = (sys.executable, "-m", "podwalk.dns.nodecache")
    source = {"PYTHONPATH": _source_path()}
    return [
        _agnhost(),
        # What the end-to-end tests of sig-network run besides (test/utils/image/manifest.go).
        _shell(f"{_E2E}/jessie-dnsutils", "a shell with this machine's tools", "/bin/sh"),
        _nginx(f"{_E2E}/nginx"),
        _busybox(f"{_E2E}/busybox"),
        _nginx("docker.io/library/nginx"),
        _busybox("docker.io/library/busybox"),
        _shell("docker.io/nicolaka/netshoot", "a shell with this machine's tools", "bash"),
        _shell("docker.io/library/alpine", "a shell with this machine's tools", "/bin/sh"),
        _shell("docker.io/library/debian", "a shell with this machine's tools", "bash"),
        _shell("docker.io/library/ubuntu", "a shell with this machine's tools", "bash"),
        _shell("docker.io/curlimages/curl", "curl of this machine", entrypoint=("curl",)),
        Entry("registry.k8s.io/pause", "sleeps for ever", _PAUSE),
        Entry("registry.k8s.io/coredns/coredns", "podwalk's cluster DNS", dns, env=source),
        Entry("registry.k8s.io/dns/k8s-dns-node-cache", "podwalk's NodeLocal DNSCache", node_cache, env=source),
        *(_ingress(ref, proxy) for ref, proxy in _INGRESS.items()),
        Entry(
            "docker.io/envoyproxy/gateway",
            "podwalk's Gateway API controller with Envoy",
            (sys.executable, "-m", "podwalk.gateway"),
            env={"PYTHONPATH": _source_path()},
        ),
        Entry(
            "quay.io/jetstack/cert-manager-controller",
            "podwalk's cert-manager",
            (sys.executable, "-m", "podwalk.certificates"),
            env={"PYTHONPATH": _source_path()},
            uid=1000,
        ),
        Entry(
            "quay.io/jetstack/cert-manager-acmesolver",
            "podwalk's acmesolver of cert-manager",
            ("/acmesolver",),
            programs={"/acmesolver": _launcher(_PROGRAMS / "acmesolver.py")},
            uid=1000,
        ),
        Entry("docker.io/hashicorp/http-echo", "podwalk's http-echo", ("/http-echo",), programs=echo),
    ]


_INGRESS = {
    "registry.k8s.io/ingress-nginx/controller": "nginx",
    "quay.io/jcmoraisjr/haproxy-ingress": "haproxy",
}


def _ingress(ref: str, proxy: str) -> Entry:
    program = (sys.executable, "-m", "podwalk.ingress", proxy)
    return Entry(ref, f"podwalk's Ingress controller with {proxy}", program, env={"PYTHONPATH": _source_path()})


def _source_path() -> str:
    return str(_PROGRAMS.parent.parent)


_NGINX_CONF = b"""\
worker_processes 1;
error_log stderr notice;
pid /tmp/nginx.pid;
events { worker_connections 256; }
http {
    types {
        text/html html htm;
        text/css css;
        application/javascript js;
        application/json json;
        text/plain txt;
    }
    default_type application/octet-stream;
    log_format main '$remote_addr - $remote_user [$time_local] "$request" '
                    '$status $body_bytes_sent "$http_referer" '
                    '"$http_user_agent" "$http_x_forwarded_for"';
    access_log /dev/stdout main;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
"""
_NGINX_DEFAULT = b"""\
server {
    listen 80;
    server_name localhost;
    location / {
        root /usr/share/nginx/html;
        index index.html index.htm;
    }
}
"""
