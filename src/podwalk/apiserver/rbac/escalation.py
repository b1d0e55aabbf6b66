"""Nobody may give away what he does not have.

Upstream: pkg/registry/rbac/{role,clusterrole,rolebinding,clusterrolebinding}/policybased and validation/rule.go.
"""

from __future__ import annotations

from contextvars import ContextVar

import orjson

from podwalk.api import errors, meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.auth import UserInfo
from podwalk.apiserver.rbac.attributes import Attributes
from podwalk.apiserver.rbac.authorizer import GROUP, MASTERS, Authorizer, resource_matches, url_matches

CALLER: ContextVar[UserInfo | None] = ContextVar("caller", default=None)
"""Who makes the present request; None where the server itself writes."""


def check(authorizer: Authorizer, resource: Resource, obj: Object, old: Object | None) -> None:
    """Refuse a write of a role or of a binding that gives more than its writer has. Raises ApiError (403)."""
    user = CALLER.get()
    if resource.group != GROUP or user is None or MASTERS in user.groups:
        return
    namespace, name = meta.namespace(obj), meta.name(obj)
    if resource.kind in ("Role", "ClusterRole"):
        if old is not None and old.get("rules") == obj.get("rules"):
            return
        asked = Attributes("escalate", "", GROUP, "v1", resource.plural, "", namespace, name)
        if authorizer.decide(user, asked).allowed:
            return
        wanted = obj.get("rules") or []
    else:
        if old is not None and (old.get("subjects"), old.get("roleRef")) == (obj.get("subjects"), obj.get("roleRef")):
            return
        reference = obj.get("roleRef") or {}
        plural = "clusterroles" if reference.get("kind") == "ClusterRole" else "roles"
        asked = Attributes("bind", "", GROUP, "v1", plural, "", namespace, str(reference.get("name") or ""))
        if authorizer.decide(user, asked).allowed:
            return
        role = authorizer.role(reference, namespace)
        if role is None:
            raise errors.not_found(plural, str(reference.get("name") or ""), GROUP)
        wanted = role.get("rules") or []
    missing = uncovered(authorizer.rules(user, namespace), wanted)
    if missing:
        groups = " ".join(orjson.dumps(g).decode() for g in user.groups)
        why = (
            f'user "{user.name}" (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n'
            + "\n".join(missing)
        )
        raise errors.forbidden(resource.plural, name, why, resource.group)


def uncovered(held: list[Object], wanted: list[Object]) -> list[str]:
    """What of the wanted rules is in none of those held, in the short form of upstream's messages."""
    missing: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for rule in wanted:
        for single in _singles(rule):
            if not any(_covers(have, single) for have in held):
                key = tuple((k, v) for k, v in single.items() if k != "verb")
                verbs = missing.setdefault(key, [])
                if single["verb"] not in verbs:
                    verbs.append(single["verb"])
    return sorted(_compact(dict(key), verbs) for key, verbs in missing.items())


def _singles(rule: Object) -> list[dict[str, str]]:
    out: list[dict[str, str]] = []
    names = rule.get("resourceNames") or [None]
    for verb in rule.get("verbs") or ():
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in names:
                    single = {"verb": verb, "group": group, "resource": resource}
                    out.append(single if name is None else {**single, "name": name})
        out += [{"verb": verb, "url": url} for url in rule.get("nonResourceURLs") or ()]
    return out


def _covers(rule: Object, single: dict[str, str]) -> bool:
    def has(field: str, value: str) -> bool:
        found = rule.get(field) or ()
        return "*" in found or value in found

    if not has("verbs", single["verb"]):
        return False
    if "url" in single:
        return any(url_matches(str(url), single["url"]) for url in rule.get("nonResourceURLs") or ())
    subresource = single["resource"].partition("/")[2]
    names = rule.get("resourceNames") or ()
    return (
        has("apiGroups", single["group"])
        and any(resource_matches(str(r), single["resource"], subresource) for r in rule.get("resources") or ())
        and (not names or single.get("name") in names)
    )


def _compact(single: dict[str, str], verbs: list[str]) -> str:
    parts = []
    for key, label in (("group", "APIGroups"), ("resource", "Resources"), ("url", "NonResourceURLs")):
        if key in single:
            parts.append(f"{label}:{_quoted([single[key]])}")
    if "name" in single:
        parts.append(f"ResourceNames:{_quoted([single['name']])}")
    return "{" + ", ".join([*parts, f"Verbs:{_quoted(verbs)}"]) + "}"


def _quoted(values: list[str]) -> str:
    return "[" + " ".join(orjson.dumps(v).decode() for v in values) + "]"
