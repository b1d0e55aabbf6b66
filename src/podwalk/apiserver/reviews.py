"""Reviews: objects that are answered and never stored.

Served: SelfSubjectReview, TokenReview (authentication.k8s.io/v1), SelfSubjectAccessReview, SubjectAccessReview,
LocalSubjectAccessReview, SelfSubjectRulesReview (authorization.k8s.io/v1).
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.auth import Authenticator, UserInfo, user_object

_CREATE = ("create",)


def _review(group: str, kind: str, *, namespaced: bool = False) -> Resource:
    plural = f"{kind.lower()}s"
    return Resource(f"{group}.k8s.io", "v1", kind, plural, kind.lower(), namespaced, verbs=_CREATE)


RESOURCES: tuple[Resource, ...] = (
    _review("authentication", "SelfSubjectReview"),
    _review("authentication", "TokenReview"),
    _review("authorization", "LocalSubjectAccessReview", namespaced=True),
    _review("authorization", "SelfSubjectAccessReview"),
    _review("authorization", "SelfSubjectRulesReview"),
    _review("authorization", "SubjectAccessReview"),
)
_BY_PATH = {(r.group, r.version, r.plural): r for r in RESOURCES}


def by_path(group: str, version: str, plural: str) -> Resource | None:
    """The review served at a URL, or None."""
    return _BY_PATH.get((group, version, plural))


def answer(resource: Resource, review: Object, user: UserInfo, authenticator: Authenticator) -> Object:
    """Fill in a review's status."""
    spec = review.get("spec") if isinstance(review.get("spec"), dict) else {}
    out: Object = {"kind": resource.kind, "apiVersion": resource.api_version}
    out["metadata"] = {"creationTimestamp": meta.now()} if resource.kind == "SelfSubjectReview" else {}
    if resource.kind == "SelfSubjectReview":
        out["status"] = {"userInfo": user_object(user)}
        return out
    out["spec"] = spec
    if resource.kind == "TokenReview":
        found = authenticator.by_token(str((spec or {}).get("token") or ""))
        out["status"] = {"authenticated": True, "user": user_object(found)} if found else {"user": {}}
    elif resource.kind == "SelfSubjectRulesReview":
        everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
        out["status"] = {
            "resourceRules": [everything],
            "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
            "incomplete": False,
        }
    else:
        out["status"] = {"allowed": True, "reason": "whoever has a token may do everything in this cluster"}
    return out
