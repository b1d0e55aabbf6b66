"""The front door: authentication, routing, errors as Status objects.

Every request that is not understood is answered with a 4xx; a fault of the server itself is logged and a 500.
"""

from __future__ import annotations

import logging

import orjson
from aiohttp import web

from podwalk.api import meta, resources
from podwalk.api.errors import ApiError, bad_request, internal, method_not_allowed, not_found
from podwalk.api.meta import Object
from podwalk.apiserver import auth, reviews, streams
from podwalk.apiserver.auth import Authenticator, UserInfo
from podwalk.apiserver.http import discovery, negotiate, objects, openapi, openapi2, proxying, routes, verbs
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.http.verbs import Call
from podwalk.apiserver.registry.core import Registry

log = logging.getLogger(__name__)

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_STREAMS = ("log", "exec", "attach", "portforward")
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_NODE = resources.by_kind("Node")


def _json(document: Object, status: int = 200) -> web.Response:
    response = web.Response(body=orjson.dumps(document) + b"\n", status=status, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache, private"
    return response


def error_response(error: ApiError) -> web.Response:
    """An ApiError as a response."""
    status = error.status()
    if not error.reason:
        del status["reason"]
    response = _json(status, error.code)
    seconds = (error.details or {}).get("retryAfterSeconds")
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


class Gateway:
    """Handles every request of the server."""

    def __init__(self, registry: Registry, authenticator: Authenticator, version: str, kubelet_token: str) -> None:
        self.registry = registry
        self.authenticator = authenticator
        self.version = version
        self.kubelet_token = kubelet_token

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            user = self.authenticator.identify(request.headers.get("Authorization"))
            return await self._route(request, user)
        except ApiError as error:
            return error_response(error)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path_qs)
            return error_response(internal(f"{type(error).__name__}: {error}"))

    async def _route(self, request: web.Request, user: UserInfo) -> web.StreamResponse:
        path = request.path
        if path.startswith(_PUBLIC):
            return self._public(request)
        found = routes.split(path)
        if found is None or not found[2]:
            if user is auth.ANONYMOUS:
                raise auth.refuse_anonymous_path("get" if request.method == "GET" else request.method, path)
            return self._documents(request, found)
        group, version, rest = found
        if path == _CRDS and request.method == "GET" and user is not auth.ANONYMOUS:
            # There are none, but kubectl looks here before it says that a kind does not exist.
            at = {"resourceVersion": str(self.registry.store.rv)}
            head = {"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1"}
            return _json({**head, "metadata": at, "items": []})
        review = reviews.by_path(group, version, rest[-1])
        if review is not None:
            return await self._review(request, user, review)
        return await self._resource(request, user)

    def _public(self, request: web.Request) -> web.Response:
        path = request.path.rstrip("/")
        if path == "/version":
            return _json(self._version())
        if path.split("/")[1] not in ("healthz", "livez", "readyz"):
            return web.Response(text="404 page not found\n", status=404)
        if "verbose" in request.query:
            return web.Response(text=f"[+]ping ok\n[+]log ok\n{path[1:]} check passed\n")
        return web.Response(text="ok")

    def _version(self) -> Object:
        major, minor, *_ = self.version.lstrip("v").split(".")
        return {
            "major": major,
            "minor": minor,
            "emulationMajor": major,
            "emulationMinor": minor,
            "minCompatibilityMajor": major,
            "minCompatibilityMinor": str(int(minor) - 1),
            "gitVersion": self.version,
            "gitCommit": "",
            "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "",
            "compiler": "gc",
            "platform": "linux/amd64",
        }

    def _documents(self, request: web.Request, found: tuple[str, str, list[str]] | None) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        parts = [part for part in request.path.split("/") if part]
        if parts in (["api"], ["apis"]):
            if discovery.wants_aggregated(request.headers.get("Accept", "")):
                return self._aggregated(request, parts == ["api"])
            address = request.host
            return _json(discovery.api_versions(address) if parts == ["api"] else discovery.api_groups())
        if parts == ["openapi", "v2"]:
            return web.Response(body=openapi2.document(), headers={"Content-Type": openapi2.MEDIA_TYPE})
        if parts[:2] == ["openapi", "v3"]:
            return self._openapi(request, "/".join(parts[2:]))
        document: Object | None = None
        if found is not None:
            document = discovery.api_resources(found[0], found[1])
        elif len(parts) == 2 and parts[0] == "apis":
            document = discovery.api_group(parts[1])
        elif not parts:
            return _json({"paths": self._paths()})
        if document is not None:
            return _json(document)
        if parts[0] in ("api", "apis") and len(parts) > 2:
            raise routes.no_such_resource()
        return web.Response(text="404 page not found\n", status=404)

    def _openapi(self, request: web.Request, path: str) -> web.Response:
        if not path:
            return web.Response(body=openapi.index(), content_type="application/json")
        body = openapi.document(path)
        if body is None:
            return web.Response(text="404 page not found\n", status=404)
        etag = f'"{openapi.etag(path)}"'
        headers = {"ETag": etag, "Vary": "Accept", "Cache-Control": "no-cache, private"}
        if "hash" in request.query:
            # The URL changes with the document, so that a client may keep it for good.
            headers["Cache-Control"] = "public, immutable"
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        response = web.Response(body=body, content_type="application/json", headers=headers)
        response.enable_compression()
        return response

    def _paths(self) -> list[str]:
        paths = ["/api", "/api/v1", "/apis", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
        for group, versions in discovery.groups().items():
            if group:
                paths += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)]
        return sorted(paths)

    def _aggregated(self, request: web.Request, core: bool) -> web.Response:
        body, etag = discovery.aggregated(core)
        headers = {"Content-Type": discovery.AGGREGATED, "ETag": etag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    async def _review(self, request: web.Request, user: UserInfo, review: resources.Resource) -> web.Response:
        if user is auth.ANONYMOUS:
            raise auth.refuse_anonymous("create", review.plural, review.group, "", "")
        if request.method != "POST":
            raise method_not_allowed()
        body, _ = await objects.read_for(request, review, "Ignore")
        document = reviews.answer(review, body, user, self.authenticator)
        form = negotiate.parse_accept(request.headers.get("Accept"))
        return negotiate.answer(orjson.dumps(document), form, 201)

    async def _resource(self, request: web.Request, user: UserInfo) -> web.StreamResponse:
        target = routes.resolve(request.path)
        old_watch = "/watch/" in request.path and request.path.split("/")[3:5][0:1] == ["watch"]
        watching = old_watch or request.query.get("watch", "false") in ("true", "1", "True")
        verb = "watch" if old_watch else routes.verb(request.method, target, watching)
        if user is auth.ANONYMOUS:
            resource, name = target.resource, target.name
            raise auth.refuse_anonymous(verb, resource.plural, resource.group, target.namespace, name)
        if target.subresource == "proxy" and target.resource.kind in ("Pod", "Service"):
            return await proxying.serve(request, self.registry, target)
        if target.subresource in _STREAMS:
            return await self._stream(request, target)
        return await verbs.HANDLERS[verb](Call(request, target, user, self.registry, self.authenticator))

    async def _stream(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self.registry.get(target.resource, target.namespace, target.name).obj
        node_name = (pod.get("spec") or {}).get("nodeName")
        if not node_name:
            raise bad_request(f"pod {meta.name(pod)} does not have a host assigned")
        node = self.registry.store.get(_NODE, "", node_name)
        if node is None:
            raise not_found("nodes", node_name)
        status = node.obj.get("status") or {}
        host = next((a["address"] for a in status.get("addresses") or () if a.get("type") == "InternalIP"), None)
        if host is None:
            raise internal(f"no preferred addresses found; known addresses: {status.get('addresses') or []}")
        port = ((status.get("daemonEndpoints") or {}).get("kubeletEndpoint") or {}).get("Port") or 10250
        kubelet = streams.KubeletEndpoint(host, int(port), self.kubelet_token)
        return await streams.serve_stream(request, pod, target.subresource, kubelet)
