"""The API server: HTTPS with bearer tokens in front of the registry.

``serve`` is the entry point; ``build`` makes the aiohttp application alone. Stands in for kube-apiserver and etcd.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from podwalk.api import resources
from podwalk.apiserver.auth import Authenticator, UserInfo
from podwalk.apiserver.crd.controller import Controller
from podwalk.apiserver.http import bodies
from podwalk.apiserver.http.gateway import Gateway
from podwalk.apiserver.rbac import aggregation, policy
from podwalk.apiserver.registry import addresses, priority
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Store
from podwalk.apiserver.strategy import ServiceAllocator

log = logging.getLogger(__name__)

MAX_LINE = 1 << 20
"""Bytes in the first line of a request, as Go's default: a command for exec stands in the query, however long."""

_EVENT_SECONDS = 3600.0
_SWEEP_SECONDS = 60.0

__all__ = ["ApiServerConfig", "UserInfo", "build", "serve"]


@dataclass(frozen=True, slots=True)
class ApiServerConfig:
    """What an API server is started with. Certificates and keys are PEM; the sockets already listen."""

    tls_cert: bytes
    tls_key: bytes
    tokens: dict[str, UserInfo]
    kubelet_token: str
    ca_cert: bytes
    service_account_key: bytes
    sockets: list[socket.socket] = field(default_factory=list)
    service_cidr: str = "10.96.0.0/16"
    node_port_range: tuple[int, int] = (30000, 32767)
    version: str = "v1.36.2"


def build(config: ApiServerConfig, store: Store | None = None) -> web.Application:
    """The application: every path goes through one gateway, which knows the routes."""
    store = store or Store()
    registry = Registry(store, ServiceAllocator(config.service_cidr, config.node_port_range))
    priority.add_system_classes(store)
    addresses.add_default_range(store, config.service_cidr)

    def stored(kind: str, namespace: str, name: str) -> dict[str, object] | None:
        resource = resources.by_kind(kind)
        found = store.get(resource, namespace if resource.namespaced else "", name)
        return found.obj if found else None

    authenticator = Authenticator(
        config.tokens,
        config.service_account_key,
        lambda namespace, name: stored("ServiceAccount", namespace, name),
        lambda kind, namespace, name: stored(kind.capitalize(), namespace, name),
    )
    policy.install(store)
    aggregation.settle(store)
    gateway = Gateway(registry, authenticator, config.version, config.kubelet_token)
    app = web.Application(client_max_size=bodies.LIMIT)
    app.router.add_route("*", "/{path:.*}", gateway.handle)

    async def expire(_: web.Application) -> object:
        task = asyncio.create_task(_expire_events(store), name="event TTL")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def definitions(_: web.Application) -> object:
        task = asyncio.create_task(Controller(registry).run(), name="CustomResourceDefinitions")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def aggregated(_: web.Application) -> object:
        task = asyncio.create_task(aggregation.run(store), name="aggregated ClusterRoles")
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    app.cleanup_ctx.append(aggregated)  # type: ignore[arg-type]
    app.cleanup_ctx.append(expire)  # type: ignore[arg-type]
    app.cleanup_ctx.append(definitions)  # type: ignore[arg-type]
    return app


async def _expire_events(store: Store) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        store.expire(resources.by_kind("Event"), _EVENT_SECONDS)


def _tls(config: ApiServerConfig) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The ssl module reads certificates from files only; an anonymous one leaves nothing behind.
    with tempfile.TemporaryFile() as file:
        file.write(config.tls_cert.rstrip() + b"\n" + config.tls_key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
    return context


async def serve(
    config: ApiServerConfig, *, on_ready: Callable[[], None] | None = None, store: Store | None = None
) -> None:
    """Serve on the sockets of ``config`` until cancelled; ``on_ready`` is called once requests are answered.

    ``store`` may hold objects already; without it the server begins with an empty one.
    """
    # Without handler_cancellation, aiohttp leaves the handler of a watch running when its client goes away.
    runner = web.AppRunner(
        build(config, store),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=0.5,
        keepalive_timeout=3600,
        max_line_size=MAX_LINE,
    )
    await runner.setup()
    try:
        context = _tls(config)
        for listening in config.sockets:
            await web.SockSite(runner, listening, ssl_context=context).start()
        if on_ready is not None:
            on_ready()
        log.info("serving on %d sockets in process %d", len(config.sockets), os.getpid())
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()
