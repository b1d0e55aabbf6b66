"""The resources of gateway.networking.k8s.io/v1 that the controller reads."""

from __future__ import annotations

from podwalk.api.added import GATEWAY, GATEWAY_CLASS, GRPC_ROUTE, HTTP_ROUTE, REFERENCE_GRANT, TLS_ROUTE
from podwalk.api.added import GATEWAY_GROUP as GROUP

__all__ = [
    "CORE",
    "CUSTOM",
    "GATEWAY",
    "GATEWAY_CLASS",
    "GROUP",
    "GRPC_ROUTE",
    "HTTP_ROUTE",
    "REFERENCE_GRANT",
    "ROUTES",
    "TLS_ROUTE",
]

ROUTES = (HTTP_ROUTE, GRPC_ROUTE, TLS_ROUTE)
CUSTOM = (GATEWAY_CLASS, GATEWAY, *ROUTES, REFERENCE_GRANT)
CORE = ("Namespace", "Service", "EndpointSlice", "Secret")
