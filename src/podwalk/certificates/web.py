"""HTTP as a client: bodies of bounded size, and failures in the words of Go, which users of cert-manager look up.

Upstream: net/http (client.go, transport.go), net (net.go, dnsclient.go), crypto/x509 (verify.go) of Go.
"""

from __future__ import annotations

import errno
import re
import socket
from pathlib import Path

import aiohttp

_ADDRESS = re.compile(r"\('([0-9a-fA-F.:]+)', (\d+)")
_SYSTEM = {
    errno.ECONNREFUSED: "connection refused",
    errno.EHOSTUNREACH: "no route to host",
    errno.ENETUNREACH: "network is unreachable",
    errno.ECONNRESET: "connection reset by peer",
}


async def read(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of an answer, cut off at a limit. Raises ClientError, OSError."""
    body = bytearray()
    async for chunk in answer.content.iter_chunked(65536):
        body += chunk
        if len(body) >= limit:
            break
    return bytes(body[:limit])


def request_failed(method: str, url: str, error: Exception) -> str:
    """What Go's client says of a request that got no answer: ``Get "http://…": dial tcp …``."""
    if isinstance(error, aiohttp.ClientConnectorError) and error.port == 443 and url.startswith("http://"):
        url = "https://" + url.removeprefix("http://")  # it was redirected
    return f'{method.capitalize()} "{url}": {_reason(error)}'


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"tls: failed to verify certificate: x509: {_certificate(error.certificate_error)}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"remote error: tls: {error.os_error.strerror or 'handshake failure'}"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"dial tcp: lookup {error.host} on {_name_server()}: {_lookup(error.os_error)}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return _dial(error)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "EOF"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "dial tcp: i/o timeout"
    if isinstance(error, TimeoutError):
        return "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
    if isinstance(error, aiohttp.ClientOSError | OSError) and error.errno in _SYSTEM:
        return f"read tcp: read: {_SYSTEM[error.errno]}"
    return str(error) or type(error).__name__


def _dial(error: aiohttp.ClientConnectorError) -> str:
    found = _ADDRESS.search(str(error.os_error))
    where = f"{found[1]}:{found[2]}" if found else f"{error.host}:{error.port}"
    number = error.os_error.errno or 0
    if number == errno.ETIMEDOUT:
        return f"dial tcp {where}: i/o timeout"
    return f"dial tcp {where}: connect: {_SYSTEM.get(number) or error.os_error.strerror or 'failed'}"


def _lookup(error: OSError) -> str:
    return "no such host" if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA) else "server misbehaving"


def _name_server() -> str:
    try:
        lines = Path("/etc/resolv.conf").read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    return next((f"{w[1]}:53" for line in lines if len(w := line.split()) > 1 and w[0] == "nameserver"), "127.0.0.1:53")


def _certificate(error: Exception) -> str:
    text = str(error)
    if "unable to get local issuer" in text or "self-signed" in text or "self signed" in text:
        return "certificate signed by unknown authority"
    return "certificate has expired or is not yet valid" if "expired" in text else text
