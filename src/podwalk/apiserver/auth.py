"""Who is asking: bearer tokens, service-account tokens, and the reviews that tell a client so.

What somebody may do is the business of rbac. Upstream: k8s.io/apiserver/pkg/authentication, pkg/serviceaccount of
kube-apiserver (its tokens are signed with RSA; ours with an HMAC, which nobody but this server has to check).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from podwalk.api import meta
from podwalk.api.errors import unauthorized
from podwalk.api.meta import Object

ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An identity: its name and its groups."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


ANONYMOUS = UserInfo("system:anonymous", ("system:unauthenticated",))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Authenticator:
    """Turns tokens into identities; ``service_account`` finds the ServiceAccount of (namespace, name), or None."""

    def __init__(
        self,
        tokens: Mapping[str, UserInfo],
        key: bytes,
        service_account: Callable[[str, str], Object | None],
        bound_object: Callable[[str, str, str], Object | None],
    ) -> None:
        self._tokens = dict(tokens)
        self._key = key
        self._service_account = service_account
        self._bound_object = bound_object

    def identify(self, header: str | None) -> UserInfo:
        """The identity behind an Authorization header. Raises ApiError (401) where its token is not valid."""
        if not header:
            return ANONYMOUS
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return ANONYMOUS
        user = self.by_token(token.strip())
        if user is None:
            raise unauthorized()
        return user

    def by_token(self, token: str) -> UserInfo | None:
        """The identity of a token, or None."""
        for known, user in self._tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                groups = tuple(dict.fromkeys((*user.groups, "system:authenticated")))
                return UserInfo(user.name, groups, user.uid, user.extra)
        return self._by_jwt(token)

    def _sign(self, signed: str) -> str:
        return _encode(hmac.new(self._key, signed.encode(), hashlib.sha256).digest())

    def issue(
        self, namespace: str, account: Object, audiences: list[str], seconds: int, bound: Object | None = None
    ) -> tuple[str, float]:
        """A token for a ServiceAccount, and when it expires (seconds since the epoch)."""
        now = int(time.time())
        private: Object = {
            "namespace": namespace,
            "serviceaccount": {"name": meta.name(account), "uid": meta.uid(account)},
        }
        if bound is not None:
            private[bound["kind"].lower()] = {"name": meta.name(bound), "uid": meta.uid(bound)}
        name = f"system:serviceaccount:{namespace}:{meta.name(account)}"
        claims = {"aud": audiences, "exp": now + seconds, "iat": now, "iss": ISSUER, "jti": meta.new_uid()}
        claims |= {"kubernetes.io": private, "nbf": now, "sub": name}
        signed = _encode(orjson.dumps({"alg": "HS256", "typ": "JWT"})) + "." + _encode(orjson.dumps(claims))
        return f"{signed}.{self._sign(signed)}", float(now + seconds)

    def _by_jwt(self, token: str) -> UserInfo | None:
        signed, _, signature = token.rpartition(".")
        if signed.count(".") != 1 or not hmac.compare_digest(self._sign(signed).encode(), signature.encode()):
            return None
        try:
            claims = orjson.loads(_decode(signed.split(".")[1]))
        except (binascii.Error, ValueError):
            return None
        private = claims["kubernetes.io"]
        namespace, sent = private["namespace"], private["serviceaccount"]
        account = self._service_account(namespace, sent["name"])
        if claims["exp"] < time.time() or account is None or meta.uid(account) != sent["uid"]:
            return None
        for kind in ("pod", "node", "secret"):
            if (bound := private.get(kind)) is not None:
                found = self._bound_object(kind, namespace, bound["name"])
                if found is None or meta.uid(found) != bound["uid"]:
                    return None
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        extra = [("authentication.kubernetes.io/credential-id", (f"JTI={claims['jti']}",))]
        if "pod" in private:
            extra.append(("authentication.kubernetes.io/pod-name", (private["pod"]["name"],)))
            extra.append(("authentication.kubernetes.io/pod-uid", (private["pod"]["uid"],)))
        return UserInfo(claims["sub"], groups, sent["uid"], tuple(extra))


def user_object(user: UserInfo) -> Object:
    """A UserInfo as the reviews print it."""
    out: Object = {"username": user.name}
    if user.uid:
        out["uid"] = user.uid
    out["groups"] = list(user.groups)
    if user.extra:
        out["extra"] = {key: list(values) for key, values in user.extra}
    return out
