"""The asyncio REST client of the cluster's own components (client-go's role).

Objects are parsed JSON. A failure raises :class:`podwalk.api.errors.ApiError`; a server that cannot be reached raises
:class:`aiohttp.ClientError` or :class:`OSError`, which informers and work queues retry.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import orjson

from podwalk.api import added, meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.client.dialing import connector
from podwalk.client.wire import PATCH_TYPES, keep_alive, resource_of, selector_params

PatchType = Literal["json", "merge", "strategic", "apply"]


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Where the API server is and who we are. ``ca_cert`` is PEM; ``server`` an https URL."""

    server: str
    token: str
    ca_cert: bytes
    user_agent: str = "podwalk"


class Client:
    """One identity's connection to the API server; use as ``async with Client(config) as client``."""

    def __init__(self, config: ClientConfig) -> None:
        self.config = config
        context = ssl.create_default_context(cadata=config.ca_cert.decode())
        # Nodes dial the server by its address on the fabric, the host by loopback; both are in the certificate.
        self._ssl = context
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Client:
        self._open()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=connector(ssl=self._ssl, limit=0, enable_cleanup_closed=False),
                headers={
                    "Authorization": f"Bearer {self.config.token}",
                    "User-Agent": self.config.user_agent,
                    "Accept": "application/json",
                },
                timeout=aiohttp.ClientTimeout(total=None, connect=10),
                auto_decompress=True,
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def as_user_agent(self, user_agent: str) -> Client:
        """A second client with the same credentials under another name (it shows in managedFields)."""
        config = self.config
        return Client(ClientConfig(config.server, config.token, config.ca_cert, user_agent))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: float = 30,
    ) -> Object:
        """One request; the parsed JSON answer. Raises ApiError."""
        data = orjson.dumps(body) if body is not None else None
        headers = {"Content-Type": content_type} if data is not None else {}
        async with self._open().request(
            method,
            self.config.server + path,
            params=params,
            data=data,
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout),
        ) as response:
            raw = await response.read()
            return _parse(raw, response.status)

    async def get(self, kind: str | Resource, name: str, namespace: str | None = None) -> Object:
        """One object. Raises ApiError (NotFound)."""
        return await self.request("GET", resource_of(kind).path(namespace, name))

    async def list(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Object:
        """The List object: ``metadata.resourceVersion`` and ``items`` (each with apiVersion and kind filled in)."""
        resource = resource_of(kind)
        params = selector_params(label_selector, field_selector)
        answer = await self.request("GET", resource.path(namespace), params=params)
        for item in answer.get("items") or ():
            item.setdefault("apiVersion", resource.api_version)
            item.setdefault("kind", resource.kind)
        answer["items"] = answer.get("items") or []
        return answer

    async def create(self, obj: Object, namespace: str | None = None) -> Object:
        """Create an object (its namespace defaults to the one it names)."""
        resource = added.of(obj)
        return await self.request("POST", resource.path(namespace or meta.namespace(obj) or None), body=obj)

    async def update(self, obj: Object, *, subresource: str | None = None) -> Object:
        """Replace an object, or its subresource ("status"); carries its resourceVersion, so it may conflict."""
        resource = added.of(obj)
        path = resource.path(meta.namespace(obj) or None, meta.name(obj), subresource)
        return await self.request("PUT", path, body=obj)

    async def update_status(self, obj: Object) -> Object:
        """Replace the status."""
        return await self.update(obj, subresource="status")

    async def patch(
        self,
        kind: str | Resource,
        name: str,
        patch: Any,
        namespace: str | None = None,
        *,
        type: PatchType = "merge",
        subresource: str | None = None,
        field_manager: str | None = None,
        force: bool = False,
    ) -> Object:
        """Patch an object or a subresource. ``apply`` needs a field manager."""
        params: dict[str, str] = {}
        if field_manager:
            params["fieldManager"] = field_manager
        if force:
            params["force"] = "true"
        path = resource_of(kind).path(namespace, name, subresource)
        return await self.request("PATCH", path, params=params, body=patch, content_type=PATCH_TYPES[type])

    async def delete(
        self,
        kind: str | Resource,
        name: str,
        namespace: str | None = None,
        *,
        grace_period: int | None = None,
        propagation: str | None = None,
        uid: str | None = None,
    ) -> Object:
        """Delete an object. ``uid`` makes it a precondition."""
        options: Object = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if grace_period is not None:
            options["gracePeriodSeconds"] = grace_period
        if propagation:
            options["propagationPolicy"] = propagation
        if uid:
            options["preconditions"] = {"uid": uid}
        return await self.request("DELETE", resource_of(kind).path(namespace, name), body=options)

    async def post(
        self, kind: str | Resource, name: str, subresource: str, body: Object, namespace: str | None = None
    ) -> Object:
        """POST to a subresource: ``binding``, ``eviction``, ``token``."""
        return await self.request("POST", resource_of(kind).path(namespace, name, subresource), body=body)

    async def watch(
        self,
        kind: str | Resource,
        namespace: str | None = None,
        *,
        resource_version: str,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> AsyncIterator[tuple[str, Object]]:
        """Yield (type, object) from a resourceVersion on: ADDED, MODIFIED, DELETED, BOOKMARK.

        Ends when the server ends the watch. Raises ApiError (Expired, 410) where the version is too old.
        """
        params = selector_params(label_selector, field_selector)
        params.update(watch="true", resourceVersion=resource_version, allowWatchBookmarks="true")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        url = self.config.server + resource_of(kind).path(namespace)
        async with self._open().get(url, params=params, timeout=timeout) as response:
            if response.status != 200:
                _parse(await response.read(), response.status)
            transport = response.connection.transport if response.connection else None
            if transport is not None:
                keep_alive(transport.get_extra_info("socket"))
            pending = b""
            async for chunk in response.content.iter_any():
                pending += chunk
                *lines, pending = pending.split(b"\n")
                for line in lines:
                    if not line:
                        continue
                    event = orjson.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError.from_status(event["object"], 410)
                    yield event["type"], event["object"]


def _parse(raw: bytes, status: int) -> Object:
    try:
        answer = orjson.loads(raw)
    except orjson.JSONDecodeError:
        text = raw[:200].decode(errors="replace").strip()
        if status < 300:
            return {"text": raw.decode(errors="replace")}
        raise ApiError(status, "Unknown", text or f"the server answered with HTTP {status}") from None
    if status >= 300:
        raise ApiError.from_status(answer if isinstance(answer, dict) else {}, status)
    return answer if isinstance(answer, dict) else {"items": answer}
