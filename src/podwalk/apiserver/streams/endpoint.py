"""The kubelet behind a Pod: how to call it, and what its failures become for the client.

Upstream: pkg/registry/core/pod/rest/{log,subresources}.go and pkg/registry/core/pod/strategy.go (streamLocation).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import aiohttp

from podwalk.api import errors, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.client.dialing import connector

Query = list[tuple[str, str]]
_CONNECT_SECONDS = 10.0


@dataclass(frozen=True)
class KubeletEndpoint:
    """Where the kubelet of a Pod's node listens, and the token that it wants to see."""

    host: str
    port: int
    token: str

    def url(self, path: str, query: Query) -> str:
        """The address of a call."""
        return f"http://{self.host}:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")

    @property
    def headers(self) -> dict[str, str]:
        """What proves that the API server is calling."""
        return {"Authorization": f"Bearer {self.token}"}


@asynccontextmanager
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP session for one stream: it may last for hours, only connecting has a limit."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector()) as opened:
        yield opened


def dial_error(endpoint: KubeletEndpoint, error: Exception) -> str:
    """A failed connection as Go's net package words it."""
    why = "i/o timeout"
    if isinstance(error, OSError) and error.errno:
        why = f"connect: {os.strerror(error.errno).lower()}"
    return f"dial tcp {endpoint.host}:{endpoint.port}: {why}"


def require_node(pod: Object) -> None:
    """Raise 400 for a Pod that no node has: there is nobody to ask."""
    if not (pod.get("spec") or {}).get("nodeName"):
        raise errors.bad_request(f"pod {meta.name(pod)} does not have a host assigned")


def backend_error(endpoint: KubeletEndpoint, error: Exception) -> ApiError:
    """The answer to exec, attach and port-forward where the kubelet cannot be reached.

    The reason is empty, as upstream's: kubectl then prints ``Error from server: error dialing backend: …``.
    """
    return ApiError(500, "", f"error dialing backend: {dial_error(endpoint, error)}")
