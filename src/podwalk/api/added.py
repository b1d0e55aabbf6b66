"""Kinds that add-ons bring: where their objects are found once their definitions are installed.

Upstream: the CustomResourceDefinitions of Gateway API v1.4, network-policy-api, Cilium, cert-manager v1 and Multus.
"""

from __future__ import annotations

from podwalk.api import resources
from podwalk.api.meta import Object
from podwalk.api.resources import Resource

GATEWAY_GROUP = "gateway.networking.k8s.io"
GATEWAY_CLASS = Resource(GATEWAY_GROUP, "v1", "GatewayClass", "gatewayclasses", "gatewayclass", False)
GATEWAY = Resource(GATEWAY_GROUP, "v1", "Gateway", "gateways", "gateway")
HTTP_ROUTE = Resource(GATEWAY_GROUP, "v1", "HTTPRoute", "httproutes", "httproute")
GRPC_ROUTE = Resource(GATEWAY_GROUP, "v1", "GRPCRoute", "grpcroutes", "grpcroute")
TLS_ROUTE = Resource(GATEWAY_GROUP, "v1", "TLSRoute", "tlsroutes", "tlsroute")
REFERENCE_GRANT = Resource(GATEWAY_GROUP, "v1", "ReferenceGrant", "referencegrants", "referencegrant")
BACKEND_TLS_POLICY = Resource(GATEWAY_GROUP, "v1", "BackendTLSPolicy", "backendtlspolicies", "backendtlspolicy")

CLUSTER_NETWORK_POLICY = Resource(
    "policy.networking.k8s.io", "v1beta1", "ClusterNetworkPolicy", "clusternetworkpolicies", "clusternetworkpolicy",
    False,
)  # fmt: skip

CILIUM_EGRESS_GATEWAY_POLICY = Resource(
    "cilium.io", "v2", "CiliumEgressGatewayPolicy", "ciliumegressgatewaypolicies", "ciliumegressgatewaypolicy",
    False,
)  # fmt: skip

_CERT_MANAGER = "cert-manager.io"
_ACME = "acme.cert-manager.io"
ISSUER = Resource(_CERT_MANAGER, "v1", "Issuer", "issuers", "issuer")
CLUSTER_ISSUER = Resource(_CERT_MANAGER, "v1", "ClusterIssuer", "clusterissuers", "clusterissuer", False)
CERTIFICATE = Resource(_CERT_MANAGER, "v1", "Certificate", "certificates", "certificate")
CERTIFICATE_REQUEST = Resource(_CERT_MANAGER, "v1", "CertificateRequest", "certificaterequests", "certificaterequest")
ORDER = Resource(_ACME, "v1", "Order", "orders", "order")
CHALLENGE = Resource(_ACME, "v1", "Challenge", "challenges", "challenge")

ADDED: tuple[Resource, ...] = (
    GATEWAY_CLASS, GATEWAY, HTTP_ROUTE, GRPC_ROUTE, TLS_ROUTE, REFERENCE_GRANT, BACKEND_TLS_POLICY,
    CLUSTER_NETWORK_POLICY, CILIUM_EGRESS_GATEWAY_POLICY,
    ISSUER, CLUSTER_ISSUER, CERTIFICATE, CERTIFICATE_REQUEST, ORDER, CHALLENGE,
)  # fmt: skip

_BY_KIND = {r.kind: r for r in ADDED}


def by_kind(kind: str) -> Resource:
    """The resource of a kind, of Kubernetes itself or of an add-on. Raises KeyError for one that is neither."""
    return _BY_KIND.get(kind) or resources.by_kind(kind)


def of(obj: Object) -> Resource:
    """The resource of an object, by its apiVersion and kind. Raises KeyError where it is neither's."""
    resource = _BY_KIND.get(str(obj.get("kind")))
    if resource is None or resource.api_version != obj.get("apiVersion"):
        return resources.of(obj)
    return resource
