"""Resolving a name as the resolver of glibc would, from a Pod's own resolv.conf, with each question on record.

Only A records are asked for; glibc asks for AAAA beside them, on the same way. See resolv.conf(5): ndots, search.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

_CODES = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN", 5: "REFUSED"}
_SECONDS = 1.0
_NSS_MAX = 3


def resolve(name: str, resolv_conf: str, hosts: str) -> dict[str, Any]:
    """The addresses of a name, and the questions that were asked for it; the current namespace's network is used."""
    for line in hosts.splitlines():
        words = line.partition("#")[0].split()
        if name in words[1:] and ":" not in words[0]:
            return {"addresses": [words[0]], "file": "/etc/hosts", "attempts": [], "servers": []}
    servers, search, ndots = _settings(resolv_conf)
    attempts: list[dict[str, Any]] = []
    for candidate in _candidates(name, search, ndots):
        found = _ask_all(candidate, servers, attempts)
        if found is None or found:
            return {"addresses": found or [], "attempts": attempts, "servers": servers, "search": search}
    return {"addresses": [], "attempts": attempts, "servers": servers, "search": search}


def _settings(resolv_conf: str) -> tuple[list[str], list[str], int]:
    servers: list[str] = []
    search: list[str] = []
    ndots = 1
    for line in resolv_conf.splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1 and ":" not in words[1]:
            servers.append(words[1])
        elif words[:1] in (["search"], ["domain"]):
            search = words[1:]
        elif words[:1] == ["options"]:
            for option in words[1:]:
                if option.startswith("ndots:") and option[6:].isdigit():
                    ndots = int(option[6:])
    return servers[:_NSS_MAX], search, ndots


def _candidates(name: str, search: list[str], ndots: int) -> list[str]:
    if name.endswith("."):
        return [name]
    searched = [f"{name}.{domain.rstrip('.')}." for domain in search if domain != "."]
    bare = f"{name}."
    return [bare, *searched] if name.count(".") >= ndots else [*searched, bare]


def _ask_all(name: str, servers: list[str], attempts: list[dict[str, Any]]) -> list[str] | None:
    """The addresses, an empty list where there are none, None where nobody answers at all."""
    for server in servers:
        began = time.monotonic()
        code, found = _ask(name, server)
        took = int((time.monotonic() - began) * 1e6)
        attempts.append({"name": name, "server": server, "answer": code, "addresses": found, "micros": took})
        if code in ("NOERROR", "NXDOMAIN"):
            return found
    return None


def _ask(name: str, server: str) -> tuple[str, list[str]]:
    ident = int.from_bytes(os.urandom(2), "big")
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.rstrip(".").split(".")) + b"\0"
    question = struct.pack(">6H", ident, 0x100, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(_SECONDS)
        try:
            link.connect((server, 53))
            link.send(question)
            while True:
                data = link.recv(4096)
                if data[:2] == question[:2]:
                    return _CODES.get(data[3] & 15, str(data[3] & 15)), _a_records(data)
        except TimeoutError:
            return "no answer", []
        except OSError as error:
            return (error.strerror or str(error)).lower(), []


def _a_records(data: bytes) -> list[str]:
    questions, answers = struct.unpack_from(">HH", data, 4)
    offset = 12
    for _ in range(questions):
        offset = _after_name(data, offset) + 4
    found = []
    for _ in range(answers):
        offset = _after_name(data, offset)
        kind, _, _, length = struct.unpack_from(">HHIH", data, offset)
        offset += 10
        if kind == 1:
            found.append(socket.inet_ntoa(data[offset : offset + 4]))
        offset += length
    return found


def _after_name(data: bytes, offset: int) -> int:
    while data[offset]:
        if data[offset] & 0xC0:
            return offset + 2
        offset += data[offset] + 1
    return offset + 1
