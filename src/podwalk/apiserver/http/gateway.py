"""The front door: authentication, routing, errors as Status objects.

Every request that is not understood is answered with a 4xx; a fault of the server itself is logged and a 500.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import orjson
from aiohttp import web

from podwalk.api import resources
from podwalk.api.errors import ApiError, internal, method_not_allowed
from podwalk.api.meta import Object
from podwalk.apiserver import metrics, reviews, streams
from podwalk.apiserver.auth import Authenticator, UserInfo
from podwalk.apiserver.http import discovery, health, negotiate, objects, openapi, openapi2, proxying, routes, verbs
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.http.verbs import Call
from podwalk.apiserver.metrics.reader import Metrics
from podwalk.apiserver.rbac import attributes, escalation, impersonation
from podwalk.apiserver.registry.core import Registry

log = logging.getLogger(__name__)

_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")
_UPGRADED = ("attach", "exec", "portforward")
_STREAMS = ("log", "exec", "attach", "portforward")
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
        self._metrics = Metrics(registry, kubelet_token)
        self._documents3 = openapi.Documents(registry.catalog)

    @property
    def _custom(self) -> tuple[resources.Resource, ...]:
        return self.registry.catalog.resources

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        try:
            user = self.authenticator.identify(request.headers.get("Authorization"))
            if any(name.lower().startswith("impersonate-") for name in request.headers):
                user = impersonation.impersonate(user, request.headers, self.registry.authorizer)
            self._authorize(request, user)
            escalation.CALLER.set(user)
            return await self._route(request, user)
        except ApiError as error:
            return error_response(error)
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:
            log.exception("%s %s failed", request.method, request.path_qs)
            return error_response(internal(f"{type(error).__name__}: {error}"))

    def _authorize(self, request: web.Request, user: UserInfo) -> None:
        asked = attributes.of_request(request.method, request.path, request.query)
        wanted = [asked]
        if asked.resource == "pods" and asked.subresource in _UPGRADED and asked.verb == "get":
            # A WebSocket begins with a GET, yet what it does is no reading (KEP-4006).
            wanted.append(replace(asked, verb="create"))
        for each in wanted:
            decision = self.registry.authorizer.decide(user, each)
            if not decision.allowed:
                raise attributes.forbidden(user.name, each, decision.reason)

    async def _route(self, request: web.Request, user: UserInfo) -> web.StreamResponse:
        path = request.path
        if path.startswith(_PUBLIC):
            return self._public(request)
        found = routes.split(path)
        if found is None or not found[2]:
            return self._documents(request, found)
        group, version, rest = found
        review = reviews.by_path(group, version, rest[-1])
        if review is not None:
            return await self._review(request, user, review)
        return await self._resource(request, user)

    def _public(self, request: web.Request) -> web.Response:
        path = request.path.rstrip("/")
        if path == "/version":
            return _json(self._version())
        text = health.answer(path, verbose="verbose" in request.query, excluded=request.query.getall("exclude", []))
        if text is None:
            return web.Response(text="404 page not found\n", status=404)
        return web.Response(text=text)

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
            return _json(discovery.api_versions(address) if parts == ["api"] else discovery.api_groups(self._custom))
        if parts == ["openapi", "v2"]:
            return web.Response(body=openapi2.document(), headers={"Content-Type": openapi2.MEDIA_TYPE})
        if parts[:2] == ["openapi", "v3"]:
            return self._openapi(request, "/".join(parts[2:]))
        document: Object | None = None
        if found is not None:
            document = discovery.api_resources(found[0], found[1], self._custom)
        elif len(parts) == 2 and parts[0] == "apis":
            document = discovery.api_group(parts[1], self._custom)
        elif not parts:
            return _json({"paths": self._paths()})
        if document is not None:
            return _json(document)
        if parts[0] in ("api", "apis") and len(parts) > 2:
            raise routes.no_such_resource()
        return web.Response(text="404 page not found\n", status=404)

    def _openapi(self, request: web.Request, path: str) -> web.Response:
        if not path:
            return web.Response(body=self._documents3.index(), content_type="application/json")
        body = self._documents3.document(path)
        if body is None:
            return web.Response(text="404 page not found\n", status=404)
        etag = f'"{self._documents3.etag(path)}"'
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
        paths = ["/api", "/api/v1", "/apis", "/apis/", "/openapi/v2", "/openapi/v3", "/openapi/v3/", "/version"]
        paths += health.paths()
        for group, versions in discovery.groups(self._custom).items():
            if group:
                paths += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in versions)]
        return sorted(paths)

    def _aggregated(self, request: web.Request, core: bool) -> web.Response:
        body, etag = discovery.aggregated(core, self._custom)
        headers = {"Content-Type": discovery.AGGREGATED, "ETag": etag, "Vary": "Accept", "Cache-Control": "public"}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, headers=headers)

    async def _review(self, request: web.Request, user: UserInfo, review: resources.Resource) -> web.Response:
        if request.method != "POST":
            raise method_not_allowed()
        body, _ = await objects.read_for(request, review, "Ignore")
        namespace = found[2][1] if (found := routes.split(request.path)) and found[2][0] == "namespaces" else ""
        document = reviews.answer(review, body, user, self.authenticator, self.registry.authorizer, namespace)
        form = negotiate.parse_accept(request.headers.get("Accept"))
        return negotiate.answer(orjson.dumps(document), form, 201)

    async def _resource(self, request: web.Request, user: UserInfo) -> web.StreamResponse:
        target = routes.resolve(request.path, self.registry.catalog)
        if target.resource in metrics.RESOURCES:
            return await self._metrics.serve(request, target)
        if target.subresource == "proxy":
            return await proxying.serve(request, self.registry, target, self.kubelet_token)
        old_watch = "/watch/" in request.path and request.path.split("/")[3:5][0:1] == ["watch"]
        watching = old_watch or request.query.get("watch", "false") in ("true", "1", "True")
        verb = "watch" if old_watch else routes.verb(request.method, target, watching)
        if target.subresource in _STREAMS:
            return await self._stream(request, target)
        return await verbs.HANDLERS[verb](Call(request, target, user, self.registry, self.authenticator))

    async def _stream(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self.registry.get(target.resource, target.namespace, target.name).obj
        kubelet = proxying.endpoint_of(self.registry, pod, self.kubelet_token)
        return await streams.serve_stream(request, pod, target.subresource, kubelet)
