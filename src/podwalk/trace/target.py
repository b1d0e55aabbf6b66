"""What a learner asks to be followed: from where, and to which URL."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

SCHEMES = ("http", "tcp", "udp", "ping")
_PING_BYTES = 56
_MOST_BYTES = 65000
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_POD = re.compile(rf"(?:({_DNS_LABEL})/)?({_DNS_LABEL}(?:\.{_DNS_LABEL})*)\Z")


class TraceError(Exception):
    """The walk cannot begin; one line with the cure."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a walk begins: ``kind`` is pod, node or outside."""

    kind: str
    name: str = ""
    namespace: str = ""

    @classmethod
    def parse(cls, words: str, namespace: str = "default") -> Source:
        """From ``POD``, ``NAMESPACE/POD``, ``node/NAME`` or ``outside``. Raises TraceError."""
        if words == "outside":
            return cls("outside")
        if words.startswith("node/") and len(words) > 5:
            return cls("node", words[5:])
        if words.startswith("pod/"):
            words = words[4:]
        found = _POD.match(words)
        if not found:
            raise TraceError(f"{words!r} is no place to begin; use POD, NAMESPACE/POD, node/NAME or outside")
        return cls("pod", found[2], found[1] or namespace)

    def __str__(self) -> str:
        if self.kind == "pod":
            return f"{self.namespace}/{self.name}"
        return f"node/{self.name}" if self.kind == "node" else "outside"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a walk leads; ``protocol`` is tcp, udp or icmp, ``port`` 0 for icmp."""

    url: str
    scheme: str
    host: str
    port: int
    path: str = "/"

    @classmethod
    def parse(cls, url: str) -> Target:
        """From a URL; ``HOST:PORT`` alone is tcp. Raises TraceError."""
        full = url if "://" in url else f"tcp://{url}"
        try:
            parts = urlsplit(full)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise TraceError(f"{url}: {error}; use e.g. http://web.shop:80/") from None
        if parts.scheme == "https":
            raise TraceError(f"{url}: trace speaks no TLS; follow its connection: tcp://{parts.netloc or 'HOST'}:443")
        if parts.scheme not in SCHEMES:
            raise TraceError(
                f"{url}: {parts.scheme}:// is unknown; use one of: " + ", ".join(f"{s}://" for s in SCHEMES)
            )
        if not host:
            raise TraceError(f"{url}: names no host; use e.g. {parts.scheme}://web.shop:80")
        if ":" in host:
            raise TraceError(f"{url}: podwalk's clusters are IPv4 only; use an IPv4 address or a name")
        if port is None and parts.scheme in ("tcp", "udp"):
            raise TraceError(f"{url}: names no port; use {parts.scheme}://{host}:PORT")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(full, parts.scheme, host, 0 if parts.scheme == "ping" else port or 80, path)

    @property
    def protocol(self) -> str:
        """The transport."""
        return {"udp": "udp", "ping": "icmp"}.get(self.scheme, "tcp")

    @property
    def address(self) -> str:
        """The host, where it is an address already; else empty."""
        try:
            return str(ipaddress.IPv4Address(self.host))
        except ValueError:
            return ""

    def order(self, address: str, timeout: float, size: int | None) -> dict[str, object]:
        """What the program on the node is told to send; ``size`` is the number of payload bytes."""
        if size is not None and not 0 <= size <= _MOST_BYTES:
            raise TraceError(f"--size {size}: use 0 to {_MOST_BYTES}")
        order: dict[str, object] = {
            "protocol": self.protocol, "address": address, "port": self.port, "timeout": timeout,
        }  # fmt: skip
        if self.protocol == "icmp":
            order["port"] = int.from_bytes(os.urandom(2), "big") | 1
            order["data"] = (b"podwalk trace " + os.urandom(8) + bytes(_MOST_BYTES))[
                : _PING_BYTES if size is None else size
            ].hex()
        elif self.protocol == "udp":
            data = _dns_question() if self.port == 53 else b"hostname"
            order["data"] = data.ljust(size or 0, b"\0").hex()
        elif self.scheme == "http":
            host = self.host if self.port == 80 else f"{self.host}:{self.port}"
            head = f"GET {self.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: podwalk-trace\r\nConnection: close\r\n"
            padding = f"X-Padding: {'x' * size}\r\n" if size else ""
            order["payload"] = f"{head}{padding}\r\n"
        elif size:
            order["payload"] = "x" * size
        return order


def _dns_question() -> bytes:
    """A question that every server answers: the address of the API's Service."""
    labels = b"".join(bytes([len(w)]) + w for w in (b"kubernetes", b"default", b"svc", b"cluster", b"local"))
    return os.urandom(2) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + labels + b"\0\x00\x01\x00\x01"
