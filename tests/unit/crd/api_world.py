"""An API server in the test's own process, and a definition to try on it."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo

ADMIN, JANE, NODE = "admin-token", "jane-token", "node-token"


@dataclass
class Answer:
    status: int
    headers: Any
    raw: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.raw)


class Api:
    """Plain HTTP requests to the server under test."""

    def __init__(self, session: aiohttp.ClientSession, base: str, token: str | None = ADMIN) -> None:
        self.session, self.base, self.token = session, base, token

    def as_user(self, token: str | None) -> Api:
        return Api(self.session, self.base, token)

    async def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent = {"Accept": accept, "User-Agent": "test/1", **(headers or {})}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        data = body if isinstance(body, bytes | type(None)) else orjson.dumps(body)
        if data is not None:
            sent["Content-Type"] = content_type
        payload = io.BytesIO(data) if data is not None else None
        async with self.session.request(method, self.base + path, data=payload, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())

    async def ok(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self(method, path, body, **more)
        assert answer.status < 300, answer.raw
        return answer.json

    async def refused(self, method: str, path: str, body: Any = None, *, code: int, **more: Any) -> Any:
        answer = await self(method, path, body, **more)
        assert answer.status == code, answer.raw
        return answer.json


def config(sockets: list[socket.socket] | None = None) -> ApiServerConfig:
    return ApiServerConfig(
        tls_cert=b"",
        tls_key=b"",
        ca_cert=b"",
        tokens={
            ADMIN: UserInfo("kubernetes-admin", ("system:masters",)),
            JANE: UserInfo("jane", ("developers",)),
            NODE: UserInfo("system:node:one", ("system:nodes",)),
        },
        kubelet_token="kubelet-token",
        service_account_key=b"a key for service accounts",
        sockets=sockets or [],
    )


@asynccontextmanager
async def running() -> AsyncIterator[Api]:
    """A server with the namespace default."""
    runner = web.AppRunner(server.build(config()), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        made = Api(session, f"http://{host}:{port}")
        await made.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "default"}})
        yield made
    await runner.cleanup()


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9, "description": "How big it is."},
                "color": {"type": "string", "enum": ["red", "blue"], "default": "red"},
                "name": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5, "minLength": 2},
                "port": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True},
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {"name": {"type": "string"}, "n": {"type": "integer", "default": 1}},
                    },
                },
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "selector": {"type": "string"},
                "conditions": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                    },
                },
            },
        },
    },
}


def definition(group: str = "example.com", plural: str = "boxes", kind: str = "Box", **spec: Any) -> dict[str, Any]:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": SCHEMA},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.size",
                "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.selector",
            },
        },
        "additionalPrinterColumns": [
            {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
            {"name": "Ready", "type": "string", "jsonPath": '.status.conditions[?(@.type=="Ready")].status'},
            {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        ],
        "selectableFields": [{"jsonPath": ".spec.color"}],
    }
    names = {"plural": plural, "kind": kind, "shortNames": ["bx"], "categories": ["all"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version], **spec},
    }


CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def eventually(check: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds; the server answers between the tries."""
    async with asyncio.timeout(10):
        while True:
            if await check():
                return
            await asyncio.sleep(0)


async def established(api: Api, crd: dict[str, Any]) -> dict[str, Any]:
    """Create a definition and wait until it is established."""
    await api.ok("POST", CRDS, crd)
    async with asyncio.timeout(10):
        while True:
            found = await api.ok("GET", f"{CRDS}/{crd['metadata']['name']}")
            for condition in found["status"].get("conditions") or ():
                if condition["type"] == "Established" and condition["status"] == "True":
                    return dict(found)
            await asyncio.sleep(0)
