"""Streams opened by hand and left as no client should leave them; and what a process holds."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

SECONDS = 60.0


class Door:
    """Opens connections to the API server of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        loaded = yaml.safe_load(kubeconfig.read_text())
        cluster = loaded["clusters"][0]["cluster"]
        where = urlsplit(cluster["server"])
        self.address = (where.hostname or "", where.port or 0)
        self.token = loaded["users"][0]["user"]["token"]
        self._context = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode()
        )

    def request(self, path: str, *headers: str, token: str | None = None) -> ssl.SSLSocket:
        """Send a GET and read the head of the answer (kept as ``status`` by the caller's first recv)."""
        plain = socket.create_connection(self.address, timeout=SECONDS)
        opened = self._context.wrap_socket(plain, server_hostname=self.address[0])
        bearer = [] if token == "" else [f"Authorization: Bearer {token or self.token}"]
        lines = [f"GET {path} HTTP/1.1", "Host: localhost", *bearer, *headers]
        opened.sendall("\r\n".join([*lines, "", ""]).encode())
        return opened

    def upgrade(self, path: str, protocol: str) -> ssl.SSLSocket:
        """A WebSocket."""
        key = base64.b64encode(os.urandom(16)).decode()
        return self.request(
            path, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
            f"Sec-WebSocket-Key: {key}", f"Sec-WebSocket-Protocol: {protocol}",
        )  # fmt: skip


def head(opened: ssl.SSLSocket) -> str:
    """The first line of the answer."""
    return opened.recv(4096).split(b"\r\n")[0].decode()


def shut(opened: ssl.SSLSocket) -> None:
    """Close as clients close."""
    opened.close()


def reset(opened: ssl.SSLSocket) -> None:
    """Close so that the kernel sends a RST, as that of a killed client."""
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    opened.close()


def half(opened: ssl.SSLSocket) -> None:
    """Say that nothing more will come, and go on listening until the end of the test."""
    opened.shutdown(socket.SHUT_WR)
    KEPT.append(opened)


KEPT: list[ssl.SSLSocket] = []
WAYS: dict[str, Callable[[ssl.SSLSocket], None]] = {"closed": shut, "reset": reset, "half closed": half}


def supervisor(kubeconfig: Path) -> int:
    """The process at the top of a cluster."""
    return int(json.loads(kubeconfig.with_name("state.json").read_text())["supervisor_pid"])


def family(pid: int) -> Iterator[int]:
    """A process and its descendants."""
    yield pid
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = tasks.read_text().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in below:
            yield from family(int(child))


def open_files(pid: int) -> int:
    """How many file descriptors a process has; none where it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def resident(pid: int) -> int:
    """MB in memory; none of a process that is over."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20


def await_true(holds: Callable[[], Any], what: Callable[[], str]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, what()
        time.sleep(0.05)
