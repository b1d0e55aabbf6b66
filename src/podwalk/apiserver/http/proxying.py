"""The proxy subresource of Pods, Services and nodes: the API server asks on the client's behalf.

Upstream: pkg/registry/core/{pod,service,node} (ResourceLocation) and apimachinery/pkg/util/proxy.
"""

from __future__ import annotations

import ipaddress
import os
import posixpath
import random
import re
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from yarl import URL

from podwalk.api import meta, resources
from podwalk.api.errors import bad_request, internal, not_found, service_unavailable
from podwalk.api.meta import Object
from podwalk.apiserver.http import proxying_websocket
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.streams import KubeletEndpoint
from podwalk.client.dialing import connector

_SLICE = resources.by_kind("EndpointSlice")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailers", "transfer-encoding",
     "upgrade", "host", "authorization"}
)  # fmt: skip
_CORS = frozenset(f"access-control-allow-{name}" for name in ("credentials", "headers", "methods", "origin"))
_LINKS = re.compile(
    rb"""(<[a-zA-Z][^<>]*?\s(?:href|src|action|cite|codebase|data|formaction|longdesc|manifest|usemap)\s*=\s*)"""
    rb"""("[^"]*"|'[^']*')""",
    re.DOTALL,
)
_SECONDS = 60.0
_HTML_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Location:
    """Where a request goes, and what it needs there. ``prefix`` is the URL path up to and with ``/proxy``."""

    url: URL
    prefix: str
    headers: dict[str, str] = field(default_factory=dict)


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


def kubelet_of(registry: Registry, node_name: str, token: str) -> KubeletEndpoint:
    """The kubelet of a node. Raises ApiError (404, 500)."""
    node = registry.store.get(resources.by_kind("Node"), "", node_name)
    if node is None:
        raise not_found("nodes", node_name)
    status = node.obj.get("status") or {}
    host = next((a["address"] for a in status.get("addresses") or () if a.get("type") == "InternalIP"), None)
    if host is None:
        raise internal(f"no preferred addresses found; known addresses: {status.get('addresses') or []}")
    port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or 10250
    return KubeletEndpoint(host, int(port), token)


def locate(request: web.Request, registry: Registry, target: Target, kubelet_token: str) -> Location:
    """Where a request on a proxy subresource goes. Raises ApiError: 400, 404, 500, 503."""
    scheme, name, port = _split(target.name)
    headers: dict[str, str] = {}
    if target.resource.kind == "Node":
        kubelet = kubelet_of(registry, name, kubelet_token)
        address, scheme = kubelet.host, "http"
        if port in ("", str(kubelet.port)):
            headers, port = kubelet.headers, str(kubelet.port)
    else:
        address, port = (_pod if target.resource.kind == "Pod" else _service)(registry, target, name, port)
    check_address(address)
    if not port.isdigit():
        raise bad_request(f'invalid port "{port}" of "{target.name}"')
    # /api/v1/[namespaces/NS/]pods/NAME/proxy: what follows is the backend's.
    depth = 7 if target.namespace else 5
    parts = request.rel_url.raw_path.split("/")
    prefix, rest = "/".join(parts[: depth + 1]), parts[depth + 1 :]
    path = "".join(f"/{part}" for part in rest)
    base = URL.build(scheme=scheme or "http", host=address, port=int(port))
    query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
    return Location(URL(f"{str(base).rstrip('/')}{path or '/'}{query}", encoded=True), prefix, headers)


async def serve(request: web.Request, registry: Registry, target: Target, kubelet_token: str) -> web.StreamResponse:
    """Pass the request on and stream the answer back. Raises ApiError: 400, 404, 500, 503."""
    location = locate(request, registry, target, kubelet_token)
    headers = _request_headers(request, location)
    if proxying_websocket.is_upgrade(request):
        return await proxying_websocket.serve(request, location.url, headers)
    if request.rel_url.raw_path == location.prefix and request.method in ("GET", "HEAD"):
        # Relative links of a page without a closing slash would lead out of it.
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        return web.Response(status=301, headers={"Location": f"{location.prefix}/{query}"})
    timeout = aiohttp.ClientTimeout(total=None, connect=_SECONDS)
    body = request.content if request.body_exists else None
    try:
        async with (
            aiohttp.ClientSession(
                timeout=timeout, connector=connector(), auto_decompress=False, skip_auto_headers=_AUTOMATIC
            ) as session,
            session.request(
                request.method, location.url, data=body, headers=headers, allow_redirects=False, ssl=False
            ) as upstream,
        ):
            return await _answer(request, upstream, location)
    except aiohttp.ClientConnectorError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        told = f"error trying to reach service: dial tcp {location.url.host}:{location.url.port}: connect: {why}"
        raise service_unavailable(told) from None
    except aiohttp.ServerDisconnectedError:
        raise service_unavailable("error trying to reach service: EOF") from None
    except (aiohttp.ClientError, TimeoutError) as error:
        raise service_unavailable(f"error trying to reach service: {error}") from None


_AUTOMATIC = ("User-Agent", "Accept-Encoding", "Content-Type", "Accept")


def _request_headers(request: web.Request, location: Location) -> dict[str, str]:
    headers = {k: v for k, v in request.headers.items() if k.lower() not in _HOP_BY_HOP}
    headers = {k: v for k, v in headers.items() if not k.lower().startswith("impersonate-")}
    before = request.headers.get("X-Forwarded-For")
    headers["X-Forwarded-For"] = f"{before}, {request.remote}" if before else request.remote or ""
    headers["X-Forwarded-Uri"] = request.rel_url.raw_path
    headers["Host"] = request.host
    return headers | location.headers


async def _answer(request: web.Request, upstream: aiohttp.ClientResponse, location: Location) -> web.StreamResponse:
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    for key, value in upstream.headers.items():
        if key.lower() not in _HOP_BY_HOP | _CORS:
            response.headers.add(key, value)
    if "Location" in upstream.headers:
        response.headers["Location"] = rewrite(upstream.headers["Location"], location, request.host)
    page = upstream.headers.get("Content-Type", "").partition(";")[0].strip() == "text/html"
    if page and "Content-Encoding" not in upstream.headers and request.method != "HEAD":
        return await _page(request, upstream, location, response)
    await response.prepare(request)
    async for chunk in upstream.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


async def _page(
    request: web.Request, upstream: aiohttp.ClientResponse, location: Location, response: web.StreamResponse
) -> web.StreamResponse:
    """A page whose links lead through the proxy; one that is too long passes as it is."""
    body = bytearray()
    async for chunk in upstream.content.iter_any():
        body += chunk
        if len(body) > _HTML_BYTES:
            break
    else:
        body = bytearray(rewrite_links(bytes(body), location, request.host))
        response.headers["Content-Length"] = str(len(body))
    await response.prepare(request)
    await response.write(bytes(body))
    async for chunk in upstream.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def rewrite_links(page: bytes, location: Location, host: str) -> bytes:
    """A page of HTML whose links to its own host lead through the proxy."""

    def one(found: re.Match[bytes]) -> bytes:
        quoted = found.group(2)
        link = rewrite(quoted[1:-1].decode("utf-8", "surrogateescape"), location, host)
        return found.group(1) + quoted[:1] + link.encode("utf-8", "surrogateescape") + quoted[-1:]

    return _LINKS.sub(one, page)


def rewrite(link: str, location: Location, host: str) -> str:
    """A link of the backend as a client of the proxy must follow it: one to another host stays as it is."""
    try:
        url = URL(link, encoded=True)
        backend = f"{location.url.host}:{location.url.port}"
        authority = url.raw_authority
    except ValueError:
        return link
    elsewhere = bool(authority) and authority not in (backend, host, location.url.host)
    if elsewhere or not url.raw_path.startswith("/") or (not authority and not link.startswith("/")):
        return link
    if url.raw_path.startswith(location.prefix):
        return link
    path = posixpath.normpath(f"{location.prefix}/{url.raw_path.lstrip('/')}")
    if url.raw_path.endswith("/") and not path.endswith("/"):
        path += "/"
    query = f"?{url.raw_query_string}" if url.raw_query_string else ""
    fragment = f"#{url.raw_fragment}" if url.raw_fragment else ""
    return f"{path}{query}{fragment}"


def endpoint_of(registry: Registry, pod: Object, token: str) -> KubeletEndpoint:
    """The kubelet that runs a Pod. Raises ApiError: 400 where the Pod has no node, 404, 500."""
    node_name = (pod.get("spec") or {}).get("nodeName")
    if not node_name:
        raise bad_request(f"pod {meta.name(pod)} does not have a host assigned")
    return kubelet_of(registry, str(node_name), token)
