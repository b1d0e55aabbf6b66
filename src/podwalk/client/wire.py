"""What the asyncio client and the blocking one say alike on the wire."""

from __future__ import annotations

import socket

from podwalk.api import added
from podwalk.api.resources import Resource

# The content types of PATCH.
PATCH_TYPES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
    "apply": "application/apply-patch+yaml",
}
# How soon a silent connection is asked whether it is still one: after seconds, every so often, how many times.
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 3, "TCP_KEEPCNT": 3}


def keep_alive(connection: socket.socket) -> None:
    """Let the kernel notice that the other end is gone, although nobody sends anything.

    Who watches only listens: a server that forgot the connection would never be heard of again. client-go sends TCP
    keepalives for that too (net.Dialer's, every 30 s), and pings of HTTP/2.
    """
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if hasattr(socket, name):  # named otherwise, or not there, on other systems
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def resource_of(kind: str | Resource) -> Resource:
    """The resource of a kind's name, or the resource itself. Raises KeyError where the cluster serves none."""
    return kind if isinstance(kind, Resource) else added.by_kind(kind)


def selector_params(label_selector: str | None, field_selector: str | None) -> dict[str, str]:
    """The query parameters of the selectors that are given."""
    params = {}
    if label_selector:
        params["labelSelector"] = label_selector
    if field_selector:
        params["fieldSelector"] = field_selector
    return params
