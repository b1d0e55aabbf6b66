"""Acting as somebody else: kubectl --as, --as-group, --as-uid.

Upstream: k8s.io/apiserver/pkg/endpoints/filters/impersonation.
"""

from __future__ import annotations

from urllib.parse import unquote

from multidict import CIMultiDictProxy

from podwalk.api.errors import internal
from podwalk.apiserver.auth import ANONYMOUS, UserInfo
from podwalk.apiserver.rbac.attributes import Attributes, forbidden
from podwalk.apiserver.rbac.authorizer import Authorizer

_AUTHENTICATED, _UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
_ACCOUNT = "system:serviceaccount:"
_EXTRA = "impersonate-extra-"


def impersonate(user: UserInfo, headers: CIMultiDictProxy[str], authorizer: Authorizer) -> UserInfo:
    """Whom the request acts as: ``user``, or the one that its headers name. Raises ApiError (403, 500)."""
    name = headers.get("Impersonate-User", "")
    groups = headers.getall("Impersonate-Group", [])
    uid = headers.get("Impersonate-Uid", "")
    extra = {unquote(k[len(_EXTRA) :]).lower(): v for k, v in headers.items() if k.lower().startswith(_EXTRA)}
    if not name:
        if groups or uid or extra:
            raise internal("requested impersonation without impersonating a user")
        return user
    for asked in _asked(name, groups, uid, extra):
        decision = authorizer.decide(user, asked)
        if not decision.allowed:
            raise forbidden(user.name, asked, decision.reason)
    return UserInfo(name, _groups(name, groups), uid, tuple((k, (v,)) for k, v in extra.items()))


def _asked(name: str, groups: list[str], uid: str, extra: dict[str, str]) -> list[Attributes]:
    def thing(resource: str, named: str, group: str = "", namespace: str = "", subresource: str = "") -> Attributes:
        return Attributes("impersonate", "", group, "v1", resource, subresource, namespace, named)

    if name.startswith(_ACCOUNT) and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        asked = [thing("serviceaccounts", account, namespace=namespace)]
    else:
        asked = [thing("users", name)]
    asked += [thing("groups", group) for group in groups]
    if uid:
        asked.append(thing("uids", uid, "authentication.k8s.io"))
    asked += [thing("userextras", value, "authentication.k8s.io", subresource=key) for key, value in extra.items()]
    return asked


def _groups(name: str, groups: list[str]) -> tuple[str, ...]:
    found = list(groups)
    if name.startswith(_ACCOUNT) and name.count(":") == 3 and not found:
        found = ["system:serviceaccounts", f"system:serviceaccounts:{name.split(':')[2]}"]
    known = _AUTHENTICATED in found or _UNAUTHENTICATED in found
    if name == ANONYMOUS.name:
        return tuple(found if _UNAUTHENTICATED in found else [*found, _UNAUTHENTICATED])
    return tuple(found if known else [*found, _AUTHENTICATED])
