"""What a request asks for, read from its method and URL alone.

Upstream: k8s.io/apiserver/pkg/endpoints/request/requestinfo.go and pkg/authorization/authorizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from podwalk.api.errors import ApiError
from podwalk.api.selectors import parse_field_selector

_VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_TRUE = ("true", "1", "True")


@dataclass(frozen=True, slots=True)
class Attributes:
    """One thing to be allowed. A request that is for no resource has only ``verb`` and ``path``."""

    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def is_resource(self) -> bool:
        """Whether it is about a resource."""
        return bool(self.resource)

    @property
    def combined(self) -> str:
        """``resource`` or ``resource/subresource``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def of_request(method: str, path: str, query: Mapping[str, str]) -> Attributes:
    """The attributes of an HTTP request."""
    parts = [part for part in path.split("/") if part]
    plain = Attributes((method or "GET").lower(), path)
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return plain
    verb = _VERBS.get(method, "")
    if rest[0] in ("proxy", "watch"):
        if len(rest) < 2:
            return plain
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in ("status", "finalize"):
            rest = rest[2:]
    name, subresource = rest[1] if len(rest) > 1 else "", rest[2] if len(rest) > 2 else ""
    if not name and verb == "get":
        verb = "watch" if query.get("watch", "") in _TRUE else "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    if not name and verb in ("list", "watch", "deletecollection"):
        name = _selected_name(query.get("fieldSelector", ""))
    return Attributes(verb, path, group, version, rest[0], subresource, namespace, name)


def _selected_name(selector: str) -> str:
    """The one name that a field selector asks for, if it does."""
    try:
        found = [value for path, equal, value in parse_field_selector(selector) if path == "metadata.name" and equal]
    except ValueError:
        return ""
    return str(found[0]) if found else ""


def forbidden(user: str, asked: Attributes, reason: str = "") -> ApiError:
    """The 403 of an authorizer (responsewriters.Forbidden)."""
    more = f": {reason}" if reason else ""
    if not asked.is_resource:
        message = f'forbidden: User "{user}" cannot {asked.verb} path "{asked.path}"{more}'
        return ApiError(403, "Forbidden", message, {})
    label = f"{asked.resource}.{asked.group}" if asked.group else asked.resource
    named = f' "{asked.name}"' if asked.name else ""
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f'User "{user}" cannot {asked.verb} resource "{asked.combined}" in API group "{asked.group}" {where}'
    details = {"name": asked.name, "group": asked.group, "kind": asked.resource}
    return ApiError(
        403, "Forbidden", f"{label}{named} is forbidden: {why}{more}", {k: v for k, v in details.items() if v}
    )
