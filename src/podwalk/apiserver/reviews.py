"""Reviews: objects that are answered and never stored.

Served: SelfSubjectReview, TokenReview (authentication.k8s.io/v1), SelfSubjectAccessReview, SubjectAccessReview,
LocalSubjectAccessReview, SelfSubjectRulesReview (authorization.k8s.io/v1).
"""

from __future__ import annotations

import orjson

from podwalk.api import meta
from podwalk.api.errors import bad_request, cause, invalid
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.auth import Authenticator, UserInfo, user_object
from podwalk.apiserver.rbac.attributes import Attributes
from podwalk.apiserver.rbac.authorizer import Authorizer

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


def answer(
    resource: Resource, review: Object, user: UserInfo, authenticator: Authenticator, authorizer: Authorizer,
    namespace: str = "",
) -> Object:  # fmt: skip
    """Fill in a review's status; ``namespace`` is that of the URL. Raises ApiError (400, 422)."""
    sent = review.get("spec")
    spec: Object = sent if isinstance(sent, dict) else {}
    out: Object = {"kind": resource.kind, "apiVersion": resource.api_version}
    out["metadata"] = {"creationTimestamp": meta.now()} if resource.kind == "SelfSubjectReview" else {}
    if resource.kind == "SelfSubjectReview":
        out["status"] = {"userInfo": user_object(user)}
        return out
    out["spec"] = spec
    if resource.kind == "TokenReview":
        found = authenticator.by_token(str(spec.get("token") or ""))
        out["status"] = {"authenticated": True, "user": user_object(found)} if found else {"user": {}}
    elif resource.kind == "SelfSubjectRulesReview":
        if not spec.get("namespace"):
            raise bad_request("no namespace on request")
        out["status"] = _rules(authorizer.rules(user, str(spec["namespace"])))
    else:
        _check(resource, spec, namespace)
        subject = user if resource.kind == "SelfSubjectAccessReview" else _subject(spec)
        decision = authorizer.decide(subject, _asked(spec))
        out["status"] = {"allowed": decision.allowed}
        if decision.reason:
            out["status"]["reason"] = decision.reason
    return out


def _rules(rules: list[Object]) -> Object:
    for_resources, for_urls = [], []
    for rule in rules:
        if rule.get("resources"):
            fields = ("verbs", "apiGroups", "resources", "resourceNames")
            for_resources.append({k: rule[k] for k in fields if rule.get(k)})
        if rule.get("nonResourceURLs"):
            for_urls.append({k: rule[k] for k in ("verbs", "nonResourceURLs")})
    return {"resourceRules": for_resources, "nonResourceRules": for_urls, "incomplete": False}


def _check(resource: Resource, spec: Object, namespace: str) -> None:
    asked, url = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    causes = []
    if (asked is None) == (url is None):
        shown = "null" if asked is None else orjson.dumps(asked).decode()
        text = f"Invalid value: {shown}: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        causes.append(cause("FieldValueInvalid", text, "spec.resourceAttributes"))
    if resource.kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        text = 'Invalid value: "": at least one of user or group must be specified'
        causes.append(cause("FieldValueInvalid", text, "spec.user"))
    if causes:
        raise invalid(resource.kind, "", causes, resource.group)
    if resource.namespaced and (asked or {}).get("namespace", "") != namespace:
        raise bad_request(f"spec.resourceAttributes.namespace: must match the namespace of the request ({namespace})")


def _subject(spec: Object) -> UserInfo:
    extra = {str(k): tuple(v) for k, v in (spec.get("extra") or {}).items()}
    groups = tuple(str(g) for g in spec.get("groups") or ())
    return UserInfo(str(spec.get("user") or ""), groups, str(spec.get("uid") or ""), tuple(extra.items()))


def _asked(spec: Object) -> Attributes:
    url = spec.get("nonResourceAttributes")
    if url is not None:
        return Attributes(str(url.get("verb") or ""), str(url.get("path") or ""))
    found: Object = spec["resourceAttributes"]
    names = ("verb", "group", "version", "resource", "subresource", "namespace", "name")
    return Attributes(**{n: str(found.get(n) or "") for n in names})
