"""The RBAC authorizer: which rules somebody has, and whether they allow a request.

Upstream: plugin/pkg/auth/authorizer/rbac/rbac.go and pkg/registry/rbac/validation/rule.go.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.apiserver.auth import UserInfo
from podwalk.apiserver.rbac.attributes import Attributes
from podwalk.apiserver.store import Store

GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
_ROLE, _CLUSTER_ROLE = resources.by_kind("Role"), resources.by_kind("ClusterRole")
_BINDING, _CLUSTER_BINDING = resources.by_kind("RoleBinding"), resources.by_kind("ClusterRoleBinding")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether something is allowed, and why (or what went wrong while looking)."""

    allowed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule that somebody has, and the binding it comes from; or the role that a binding misses."""

    rule: Object
    source: str
    missing: str = ""


class Authorizer:
    """Decides from the Roles and the bindings in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def decide(self, user: UserInfo, asked: Attributes) -> Decision:
        """Whether ``user`` may do what is asked."""
        if MASTERS in user.groups:
            return Decision(True)
        problems = []
        for grant in self.grants(user, asked.namespace):
            if grant.missing:
                problems.append(grant.missing)
            elif allows(grant.rule, asked):
                return Decision(True, f"RBAC: allowed by {grant.source}")
        return Decision(False, f"RBAC: {_listed(problems)}" if problems else "")

    def grants(self, user: UserInfo, namespace: str) -> Iterator[Grant]:
        """The rules that hold for a user in a namespace (an empty one: cluster-wide)."""
        for _, stored in self._store.scan(_CLUSTER_BINDING):
            yield from self._bound(stored.obj, user, "")
        if namespace:
            for _, stored in self._store.scan(_BINDING, namespace):
                yield from self._bound(stored.obj, user, namespace)

    def rules(self, user: UserInfo, namespace: str) -> list[Object]:
        """The rules alone."""
        if MASTERS in user.groups:
            everything: Object = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            return [everything, {"verbs": ["*"], "nonResourceURLs": ["*"]}]
        return [grant.rule for grant in self.grants(user, namespace) if not grant.missing]

    def _bound(self, binding: Object, user: UserInfo, namespace: str) -> Iterator[Grant]:
        subject = next((s for s in binding.get("subjects") or () if _is_subject(s, user, namespace)), None)
        if subject is None:
            return
        reference = binding["roleRef"]
        role = self.role(reference, namespace)
        if role is None:
            resource = f"{str(reference['kind']).lower()}.{GROUP}"
            yield Grant({}, "", f'{resource} "{reference["name"]}" not found')
            return
        kind = binding["kind"]
        where = f"{meta.name(binding)}/{namespace}" if namespace else meta.name(binding)
        source = f'{kind} "{where}" of {reference["kind"]} "{reference["name"]}" to {_shown(subject)}'
        for rule in role.get("rules") or ():
            yield Grant(rule, source)

    def role(self, reference: Object, namespace: str) -> Object | None:
        """The role of a roleRef, seen from a namespace; None where there is none."""
        if reference.get("kind") == "ClusterRole":
            stored = self._store.get(_CLUSTER_ROLE, "", str(reference.get("name")))
        else:
            stored = self._store.get(_ROLE, namespace, str(reference.get("name")))
        return stored.obj if stored else None


def _listed(problems: list[str]) -> str:
    unique = list(dict.fromkeys(problems))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


def _is_subject(subject: Object, user: UserInfo, namespace: str) -> bool:
    match subject.get("kind"):
        case "User":
            return bool(user.name == subject.get("name"))
        case "Group":
            return subject.get("name") in user.groups
        case "ServiceAccount":
            where = subject.get("namespace") or namespace
            return bool(where) and user.name == f"system:serviceaccount:{where}:{subject.get('name')}"
    return False


def _shown(subject: Object) -> str:
    if subject["kind"] == "ServiceAccount":
        return f'ServiceAccount "{subject["name"]}/{subject.get("namespace", "")}"'
    return f'{subject["kind"]} "{subject["name"]}"'


def allows(rule: Object, asked: Attributes) -> bool:
    """Whether one rule allows what is asked."""
    if not _has(rule.get("verbs"), asked.verb):
        return False
    if not asked.is_resource:
        return any(url_matches(str(url), asked.path) for url in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        _has(rule.get("apiGroups"), asked.group)
        and any(resource_matches(str(r), asked.combined, asked.subresource) for r in rule.get("resources") or ())
        and (not names or asked.name in names)
    )


def _has(allowed: list[str] | None, wanted: str) -> bool:
    return bool(allowed) and ("*" in (allowed or ()) or wanted in (allowed or ()))


def resource_matches(allowed: str, combined: str, subresource: str) -> bool:
    """Whether a rule's resource (``*``, ``pods``, ``pods/log``, ``*/scale``) covers one."""
    return allowed in ("*", combined) or (bool(subresource) and allowed == f"*/{subresource}")


def url_matches(allowed: str, path: str) -> bool:
    """Whether a rule's URL covers a path; a trailing star covers all that begins so."""
    return allowed in ("*", path) or (allowed.endswith("*") and path.startswith(allowed.rstrip("*")))
