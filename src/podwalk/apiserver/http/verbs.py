"""The verbs on resources: what a request does, and how its answer is written.

Upstream: k8s.io/apiserver/pkg/endpoints/handlers/{get,create,update,patch,delete}.go.
"""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from aiohttp import web

from podwalk.api.errors import bad_request, method_not_allowed
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver import strategy
from podwalk.apiserver.auth import Authenticator, UserInfo
from podwalk.apiserver.crd.kinds import custom_of
from podwalk.apiserver.http import bodies, negotiate, objects, patching, views, watching
from podwalk.apiserver.http.negotiate import Form
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.options import delete_options, list_options, write_options
from podwalk.apiserver.registry import deletion, subresources, traits
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.store import Stored

_DEPRECATED = {"Endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}
_PARTS = ("status", "finalize", "ephemeralcontainers")


@dataclass(frozen=True, slots=True)
class Call:
    """One request on a resource, with all that its handler needs."""

    request: web.Request
    target: Target
    user: UserInfo
    registry: Registry
    authenticator: Authenticator

    @property
    def resource(self) -> Resource:
        """The resource that the URL names."""
        return self.target.resource

    @property
    def where(self) -> tuple[Resource, str, str]:
        """(resource, namespace, name)."""
        return self.target.resource, self.target.namespace, self.target.name

    @property
    def include(self) -> str:
        """What the rows of a Table carry. Raises ApiError (400)."""
        wanted = self.request.query.get("includeObject") or "Metadata"
        if wanted not in ("None", "Metadata", "Object"):
            raise bad_request(f"unrecognized includeObject value: {orjson.dumps(wanted).decode()}")
        return wanted

    @property
    def agent(self) -> str:
        """The client's User-Agent."""
        return self.request.headers.get("User-Agent", "")

    def form(self) -> Form:
        """The form of the answer. Raises ApiError (406)."""
        return negotiate.parse_accept(self.request.headers.get("Accept"))

    def warnings(self, *more: str) -> list[str]:
        """The warnings of the answer: the deprecation of the resource, if any, and ``more``."""
        deprecated = _DEPRECATED.get(self.resource.kind)
        custom = custom_of(self.resource)
        return [*([deprecated] if deprecated else []), *(custom.warnings if custom else ()), *more]

    def answer(self, stored: Stored, status: int = 200, warnings: list[str] | None = None) -> web.Response:
        """An answer of one object."""
        form = self.form()
        body = views.single(self.resource, stored, form, self.include)
        return negotiate.answer(body, form, status, self.warnings(*(warnings or ())))

    def document(self, document: Object, status: int = 200) -> web.Response:
        """An answer of one document that is no stored object."""
        return negotiate.answer(orjson.dumps(document), self.form(), status)


async def get(call: Call) -> web.StreamResponse:
    """GET of one object or subresource."""
    call.form()
    stored = call.registry.get(*call.where)
    if call.target.subresource == "scale":
        return call.document(subresources.scale_of(stored, call.resource))
    if call.target.subresource not in ("", *_PARTS):
        raise method_not_allowed()
    return call.answer(stored)


async def list_(call: Call) -> web.StreamResponse:
    """GET of a collection."""
    form = call.form()
    options = list_options(call.resource, call.request.query)
    found = call.registry.select(call.resource, call.target.namespace, options)
    return negotiate.answer(views.page(call.resource, found, form, call.include), form, 200, call.warnings())


async def watch(call: Call) -> web.StreamResponse:
    """GET with watch=true."""
    options = list_options(call.resource, call.request.query, call.target.name)
    return await watching.serve(
        call.request, call.registry, call.resource, call.target.namespace, options, call.form(), call.include
    )


async def create(call: Call) -> web.StreamResponse:
    """POST to a collection, or to a subresource."""
    resource, namespace, name = call.where
    options = write_options(call.request.query, "CreateOptions", call.agent)
    subresource = call.target.subresource
    if subresource == "binding":
        body, _ = await objects.read_object(call.request, "Binding", "v1")
        return call.document(subresources.bind(call.registry, namespace, name, body, options), 201)
    if subresource == "eviction":
        body, _ = await objects.read_object(call.request, "Eviction", "policy/v1")
        return call.document(subresources.evict(call.registry, namespace, name, body), 201)
    if subresource == "token":
        body, _ = await objects.read_object(call.request, "TokenRequest", "authentication.k8s.io/v1")
        token = subresources.issue_token(call.registry, call.authenticator, namespace, name, body)
        return call.document(token, 201)
    if name:
        raise method_not_allowed()
    call.form()
    obj, warnings = await objects.read_for(call.request, resource, options.field_validation)
    if resource.namespaced and not namespace:
        raise method_not_allowed()
    created = call.registry.create(resource, namespace, obj, options)
    return call.answer(created, 201, [*warnings, *strategy.warnings(created.obj)])


async def update(call: Call) -> web.StreamResponse:
    """PUT of an object or a subresource."""
    resource, namespace, name = call.where
    options = write_options(call.request.query, "UpdateOptions", call.agent)
    if call.target.subresource == "scale":
        scale, _ = await objects.read_object(call.request, "Scale", "autoscaling/v1", options.field_validation)
        return call.document(subresources.update_scale(call.registry, resource, namespace, name, scale, options))
    if call.target.subresource not in ("", *_PARTS):
        raise method_not_allowed()
    call.form()
    obj, warnings = await objects.read_for(call.request, resource, options.field_validation)
    stored, created = call.registry.update(
        resource, namespace, name, lambda _: obj, options, subresource=call.target.subresource, create=True
    )
    if not call.target.subresource:
        warnings = [*warnings, *strategy.warnings(stored.obj)]
    return call.answer(stored, 201 if created else 200, warnings)


async def patch(call: Call) -> web.StreamResponse:
    """PATCH of an object or a subresource."""
    if call.target.subresource not in ("", "scale", *_PARTS):
        raise method_not_allowed()
    call.form()
    raw = await bodies.read(call.request)
    options = write_options(call.request.query, "PatchOptions", call.agent)
    content_type = bodies.media_type(call.request)
    if call.target.subresource == "scale":
        return call.document(patching.patch_scale(call.registry, call.target, raw, content_type, options))
    given = "fieldManager" in call.request.query and bool(call.request.query["fieldManager"])
    done = patching.patch_object(call.registry, call.target, raw, content_type, options, named_manager=given)
    more = [] if call.target.subresource else strategy.warnings(done.stored.obj)
    return call.answer(done.stored, 201 if done.created else 200, [*done.warnings, *more])


async def _read_delete_options(call: Call) -> Object:
    raw = await bodies.read(call.request)
    if not raw.strip():
        return {}
    obj = bodies.decode(raw, bodies.media_type(call.request), "DeleteOptions")
    version = obj.get("apiVersion") if isinstance(obj.get("apiVersion"), str) else ""
    body, _ = objects.checked({**obj, "apiVersion": "v1"} if version else obj, "DeleteOptions", "v1", "Ignore")
    return body


async def delete(call: Call) -> web.StreamResponse:
    """DELETE of one object."""
    if call.target.subresource:
        raise method_not_allowed()
    resource, namespace, name = call.where
    call.form()
    options = delete_options(call.request.query, await _read_delete_options(call))
    done = deletion.delete(call.registry, resource, namespace, name, options)
    if not done.gone or traits.returns_deleted(resource):
        return call.answer(done.stored)
    details = {"name": name}
    if resource.group:
        details["group"] = resource.group
    details |= {"kind": resource.plural, "uid": done.stored.obj["metadata"]["uid"]}
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
    return negotiate.answer(orjson.dumps(status), call.form(), 200, call.warnings())


async def delete_collection(call: Call) -> web.StreamResponse:
    """DELETE of a collection."""
    resource, namespace, _ = call.where
    if "deletecollection" not in resource.verbs or (resource.namespaced and not namespace):
        raise method_not_allowed()
    form = call.form()
    selected = list_options(resource, call.request.query)
    options = delete_options(call.request.query, await _read_delete_options(call))
    deleted = deletion.delete_collection(call.registry, resource, namespace, selected, options)
    page = call.registry.page_of(deleted)
    return negotiate.answer(views.page(resource, page, form, call.include), form, 200, call.warnings())


HANDLERS = {
    "get": get,
    "list": list_,
    "watch": watch,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": delete_collection,
}
