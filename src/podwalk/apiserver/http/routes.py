"""From a URL to the resource and the verb it means (k8s.io/apiserver/pkg/endpoints/request/requestinfo.go)."""

from __future__ import annotations

from dataclasses import dataclass

from podwalk.api import resources
from podwalk.api.errors import ApiError, method_not_allowed
from podwalk.api.resources import Resource
from podwalk.apiserver import metrics
from podwalk.apiserver.crd.kinds import Catalog


@dataclass(frozen=True, slots=True)
class Target:
    """What a URL points at. An empty ``name`` is the collection; ``tail`` is what follows the subresource."""

    resource: Resource
    namespace: str
    name: str
    subresource: str
    tail: str = ""


def no_such_resource() -> ApiError:
    """The 404 of a path below a group that is served."""
    return ApiError(404, "NotFound", "the server could not find the requested resource", {})


def split(path: str) -> tuple[str, str, list[str]] | None:
    """A path as (group, version, the rest), or None where it is below neither /api nor /apis."""
    parts = [part for part in path.split("/") if part]
    if len(parts) >= 2 and parts[0] == "api":
        return "", parts[1], parts[2:]
    if len(parts) >= 3 and parts[0] == "apis":
        return parts[1], parts[2], parts[3:]
    return None


def resolve(path: str, catalog: Catalog) -> Target:
    """The target of a resource URL. Raises ApiError (404) where nothing is served there."""
    found = split(path)
    if found is None:
        raise no_such_resource()
    group, version, rest = found
    if rest and rest[0] == "watch":
        rest = rest[1:]
    namespace = ""
    if len(rest) >= 3 and rest[0] == "namespaces" and rest[2] not in ("status", "finalize"):
        namespace, rest = rest[1], rest[2:]
    if not rest:
        raise no_such_resource()
    resource = resources.by_path(group, version, rest[0]) or catalog.by_path(group, version, rest[0])
    resource = resource or metrics.by_path(group, version, rest[0])
    if resource is None or (namespace and not resource.namespaced):
        raise no_such_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource and subresource not in resource.subresources:
        raise no_such_resource()
    if name and resource.namespaced and not namespace:
        raise no_such_resource()
    return Target(resource, namespace, name, subresource, "/".join(rest[3:]))


def verb(method: str, target: Target, watching: bool) -> str:
    """The API verb of a request. Raises ApiError (405)."""
    if target.name:
        verbs = {"GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete", "POST": "create"}
    else:
        verbs = {"GET": "watch" if watching else "list", "POST": "create", "DELETE": "deletecollection"}
        verbs["HEAD"] = verbs["GET"]
    found = verbs.get(method)
    if found is None:
        raise method_not_allowed()
    return found
