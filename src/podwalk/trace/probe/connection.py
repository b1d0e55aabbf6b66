"""The one real connection of a walk: opened in the caller's namespace, waited for while the collectors read."""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

# Called while we wait: (socket, selector events, seconds at most).
Wait = Callable[[socket.socket, int, float], bool]

_IP_MTU_DISCOVER, _PMTUDISC_DO = 10, 2
_ANSWER_BYTES = 4096
# Programs are slower than kernels: how many times the timeout they get.
_PATIENCE = {"tcp": 4, "udp": 2}


def open_and_send(order: dict[str, Any], opened: socket.socket, wait: Wait) -> dict[str, Any]:
    """Carry the order out; ``error`` is an errno name or "timeout", and absent where an answer came."""
    began = time.monotonic()
    deadline = began + order["timeout"] * (_PATIENCE["udp"] if order["protocol"] == "udp" else 1)
    try:
        sent = {"tcp": _tcp, "udp": _udp, "icmp": _ping}[order["protocol"]](order, opened, wait, deadline)
    except TimeoutError:
        sent = {"error": "timeout"}
    except OSError as error:
        sent = {"error": errno.errorcode.get(error.errno or 0, str(error))}
    try:
        address, port = opened.getsockname()[:2]
        sent = {"local": [address, port], **sent}
    except OSError:
        pass
    return {**sent, "micros": int((time.monotonic() - began) * 1e6)}


def new_socket(protocol: str) -> socket.socket:
    """A socket of the current namespace. Raises OSError."""
    if protocol == "icmp":
        opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    else:
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
    opened.setblocking(False)
    return opened


def _ready(opened: socket.socket, events: int, wait: Wait, deadline: float) -> None:
    while not wait(opened, events, deadline - time.monotonic()):
        if time.monotonic() >= deadline:
            raise TimeoutError


def _tcp(order: dict[str, Any], opened: socket.socket, wait: Wait, deadline: float) -> dict[str, Any]:
    began = time.monotonic()
    code = opened.connect_ex((order["address"], order["port"]))
    if code not in (0, errno.EINPROGRESS):
        raise OSError(code, os.strerror(code))
    _ready(opened, selectors.EVENT_WRITE, wait, deadline)
    code = opened.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
    found: dict[str, Any] = {"connected": int((time.monotonic() - began) * 1e6), "local": opened.getsockname()}
    deadline = time.monotonic() + order["timeout"] * _PATIENCE["tcp"]
    payload = order.get("payload", "").encode()
    if not payload:
        return found
    try:
        _send(opened, payload, wait, deadline)
        return {**found, "answer": _receive(opened, wait, deadline).decode("utf-8", "replace")}
    except TimeoutError:
        return {**found, "error": "timeout"}
    except OSError as error:
        return {**found, "error": errno.errorcode.get(error.errno or 0, str(error))}


def _send(opened: socket.socket, data: bytes, wait: Wait, deadline: float) -> None:
    while data:
        _ready(opened, selectors.EVENT_WRITE, wait, deadline)
        data = data[opened.send(data) :]


def _receive(opened: socket.socket, wait: Wait, deadline: float) -> bytes:
    """What comes until the other side closes, or has said enough."""
    answer = b""
    while len(answer) < _ANSWER_BYTES:
        _ready(opened, selectors.EVENT_READ, wait, deadline)
        data = opened.recv(_ANSWER_BYTES)
        if not data:
            break
        answer += data
    return answer


def _udp(order: dict[str, Any], opened: socket.socket, wait: Wait, deadline: float) -> dict[str, Any]:
    opened.connect((order["address"], order["port"]))
    opened.send(bytes.fromhex(order["data"]))
    _ready(opened, selectors.EVENT_READ, wait, deadline)
    return {"answer": opened.recv(_ANSWER_BYTES).decode("utf-8", "replace")}


def _ping(order: dict[str, Any], opened: socket.socket, wait: Wait, deadline: float) -> dict[str, Any]:
    """One echo request with "do not fragment", so that a path too narrow for it says so."""
    opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DO)
    opened.connect((order["address"], 0))
    ident = order["port"]
    body = bytes.fromhex(order["data"])
    head = struct.pack(">BBHHH", 8, 0, 0, ident, 1)
    opened.send(struct.pack(">BBHHH", 8, 0, _checksum(head + body), ident, 1) + body)
    while True:
        _ready(opened, selectors.EVENT_READ, wait, deadline)
        data = opened.recv(_ANSWER_BYTES)
        start = (data[0] & 15) * 4
        kind, _, _, seen = struct.unpack_from(">BBHH", data, start)
        if kind == 0 and seen == ident:
            return {"answer": f"{len(data) - start} bytes"}


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
