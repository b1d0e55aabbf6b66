"""The objects of one look at the cluster, and what references between them may do; pure.

Upstream: the Gateway API specification (ReferenceGrant, cross-namespace references), apis/v1 of
kubernetes-sigs/gateway-api.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from podwalk.api import endpoints, meta
from podwalk.api.meta import Object
from podwalk.gateway import certificates
from podwalk.gateway.kinds import GROUP


@dataclass(frozen=True, slots=True)
class World:
    """Objects by kind; ``namespaces``, ``services`` and ``secrets`` by their keys."""

    classes: Sequence[Object]
    gateways: Sequence[Object]
    http_routes: Sequence[Object]
    grpc_routes: Sequence[Object]
    grants: Sequence[Object]
    namespaces: Mapping[str, Object]
    services: Mapping[str, Object]
    slices: Sequence[Object]
    secrets: Mapping[str, Object]
    tls_routes: Sequence[Object] = ()

    def permits(self, kind: str, namespace: str, to_kind: str, to_namespace: str, name: str) -> bool:
        """Whether an object of ``kind`` in ``namespace`` may refer to a core object ``to_kind`` of that name.

        Within a namespace always; across, if a ReferenceGrant in the target's namespace says so.
        """
        if namespace == to_namespace:
            return True
        for grant in self.grants:
            spec = grant.get("spec") or {}
            trusted = any(
                f.get("group") == GROUP and f.get("kind") == kind and f.get("namespace") == namespace
                for f in spec.get("from") or ()
            )
            named = any(
                (t.get("group") or "") == "" and t.get("kind") == to_kind and t.get("name") in (None, "", name)
                for t in spec.get("to") or ()
            )
            if meta.namespace(grant) == to_namespace and trusted and named:
                return True
        return False

    def endpoints(self, namespace: str, name: str, port: Object) -> tuple[str, ...]:
        """The ready addresses (``ip:port``, IPv4) behind a Service's port."""
        key = meta.make_key(namespace, name)
        return endpoints.ready((s for s in self.slices if endpoints.service_of(s) == key), port)

    def certificate(self, namespace: str, name: str) -> tuple[str, str] | str:
        """Certificate and key of a TLS Secret, PEM; a text that says why there is none that could be used."""
        secret = self.secrets.get(meta.make_key(namespace, name))
        if secret is None:
            return "it does not exist"
        data = secret.get("data") or {}
        try:
            cert, key = (base64.b64decode(data[k], validate=True).decode() for k in ("tls.crt", "tls.key"))
        except (KeyError, ValueError):
            return "it holds no tls.crt with a tls.key"
        return certificates.problem(cert, key) or (cert, key)


def intersect(one: str, other: str) -> str | None:
    """The host names that two names have in common, or None. ``*.x`` stands for one or more labels before ``.x``; an
    empty name for every host (Gateway API, Hostname)."""
    if not one or not other:
        return one or other
    if one == other:
        return one
    for wild, name in ((one, other), (other, one)):
        if wild.startswith("*.") and name.removeprefix("*").endswith(wild[1:]) and len(name) > len(wild[1:]):
            return name
    return None
