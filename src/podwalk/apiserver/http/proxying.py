"""The proxy subresource of Pods and Services: the API server asks the Pod on the client's behalf.

Upstream: pkg/registry/core/{pod,service}/strategy.go (ResourceLocation) and apimachinery/pkg/util/proxy.
"""

from __future__ import annotations

import ipaddress
import os
import random

import aiohttp
from aiohttp import web
from yarl import URL

from podwalk.api import resources
from podwalk.api.errors import bad_request, service_unavailable
from podwalk.api.meta import Object
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.registry.core import Registry

_SLICE = resources.by_kind("EndpointSlice")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding",
     "upgrade", "host", "content-length", "content-encoding", "authorization", "accept-encoding"}
)  # fmt: skip
_SECONDS = 60.0


def _split(name: str) -> tuple[str, str, str]:
    """``[scheme:]name[:port]`` as (scheme, name, port). Raises ApiError (400)."""
    parts = name.split(":")
    if len(parts) == 1:
        return "", parts[0], ""
    if len(parts) == 2:
        return "", parts[0], parts[1]
    if len(parts) == 3 and parts[0] in ("", "http", "https"):
        return parts[0], parts[1], parts[2]
    raise bad_request(f'invalid request "{name}"')


def check_address(address: str) -> None:
    """Refuse addresses that are the API server's own business. Raises ApiError (400)."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise bad_request("address not allowed") from None
    if ip.is_loopback or ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        raise bad_request("address not allowed")


def _pod(registry: Registry, target: Target, name: str, port: str) -> tuple[str, str]:
    pod = registry.get(target.resource, target.namespace, name).obj
    if not port:
        ports = [p for c in pod["spec"]["containers"] for p in c.get("ports") or ()]
        port = str(ports[0]["containerPort"]) if ports else "80"
    return (pod.get("status") or {}).get("podIP") or "", port


def _service(registry: Registry, target: Target, name: str, port: str) -> tuple[str, str]:
    service = registry.get(target.resource, target.namespace, name).obj
    wanted = service["spec"].get("ports") or []
    found = [p for p in wanted if not port or port in (p.get("name"), str(p["port"]))]
    if not found or (not port and len(wanted) > 1):
        raise service_unavailable(f'no service port "{port}" found for service "{name}"')
    port_name = found[0].get("name") or ""
    choices: list[tuple[str, str]] = []
    for _, stored in registry.store.scan(_SLICE, target.namespace):
        choices += _addresses(stored.obj, name, port_name)
    if not choices:
        raise service_unavailable(f'no endpoints available for service "{target.name}"')
    return random.choice(choices)


def _addresses(endpoint_slice: Object, service: str, port_name: str) -> list[tuple[str, str]]:
    if (endpoint_slice["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != service:
        return []
    ports = [p for p in endpoint_slice.get("ports") or () if (p.get("name") or "") == port_name and p.get("port")]
    ready = [e for e in endpoint_slice.get("endpoints") or () if (e.get("conditions") or {}).get("ready") is not False]
    return [(address, str(port["port"])) for port in ports for e in ready for address in e["addresses"]]


async def serve(request: web.Request, registry: Registry, target: Target) -> web.StreamResponse:
    """Pass the request on and stream the answer back. Raises ApiError: 400, 404, 503."""
    scheme, name, port = _split(target.name)
    locate = _pod if target.resource.kind == "Pod" else _service
    address, port = locate(registry, target, name, port)
    check_address(address)
    _, _, rest = request.rel_url.raw_path.partition("/proxy")
    url = URL.build(scheme=scheme or "http", host=address, port=int(port) if port.isdigit() else 80)
    url = URL(f"{url}{rest or '/'}", encoded=True).with_query(request.query)
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
    headers["X-Forwarded-For"] = request.remote or ""
    body = await request.read()
    timeout = aiohttp.ClientTimeout(total=None, connect=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(
                request.method, url, data=body or None, headers=headers, allow_redirects=False, ssl=False
            ) as upstream,
        ):
            response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
            for key, value in upstream.headers.items():
                if key.lower() not in _HOP_BY_HOP:
                    response.headers.add(key, value)
            await response.prepare(request)
            async for chunk in upstream.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        told = f"error trying to reach service: dial tcp {address}:{port}: connect: {why}"
        raise service_unavailable(told) from None
    except aiohttp.ClientError as error:
        raise service_unavailable(f"error trying to reach service: {error}") from None
