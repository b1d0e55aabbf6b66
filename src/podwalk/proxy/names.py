"""Names of kube-proxy's iptables chains.

Upstream: pkg/proxy/iptables/proxier.go (portProtoHash, servicePortEndpointChainName).
"""

from __future__ import annotations

import base64
import hashlib

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODEPORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
FIREWALL = "KUBE-FIREWALL"
CANARY = "KUBE-PROXY-CANARY"

# Chains of one Service port or one endpoint: made and removed as Services come and go.
SERVICE_PREFIX = "KUBE-SVC-"
LOCAL_PREFIX = "KUBE-SVL-"
EXTERNAL_PREFIX = "KUBE-EXT-"
FIREWALL_PREFIX = "KUBE-FW-"
ENDPOINT_PREFIX = "KUBE-SEP-"
PREFIXES = (ENDPOINT_PREFIX, SERVICE_PREFIX, LOCAL_PREFIX, EXTERNAL_PREFIX, FIREWALL_PREFIX)


def _hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest())[:16].decode()


def service_hash(service_port_name: str, protocol: str) -> str:
    """The 16 characters that a Service port's SVC, SVL, EXT and FW chains share.

    ``service_port_name`` is ``namespace/name`` or ``namespace/name:port``; ``protocol`` is in lower case.
    """
    return _hash(service_port_name + protocol)


def endpoint_chain(service_port_name: str, protocol: str, endpoint: str) -> str:
    """The KUBE-SEP chain of one endpoint (``ip:port``) of a Service port."""
    return ENDPOINT_PREFIX + _hash(service_port_name + protocol + endpoint)


# nftables mode: one table of its own, so that nothing in it needs a prefix.
NFT_TABLE = "kube-proxy"
# A base name is cut to what the kernel's limit for names leaves beside the longest prefix.
_NFT_BASE_LENGTH = 256 - 16


def _nft_base(name: str) -> str:
    """The name behind its own hash, so that names which differ only far to the right are told apart."""
    whole = f"{base64.b32encode(hashlib.sha256(name.encode()).digest())[:8].decode()}-{name}"
    return whole if len(whole) <= _NFT_BASE_LENGTH else whole[: _NFT_BASE_LENGTH - 3] + "..."


def nft_service(namespace: str, name: str, protocol: str, port_name: str) -> str:
    """What the service-, local-, external- and firewall- chains of a Service port share (nftables mode).

    Upstream: pkg/proxy/nftables/proxier.go, servicePortChainNameBase.
    """
    return _nft_base(f"{namespace}/{name}/{protocol}/{port_name}")


def nft_endpoint(namespace: str, name: str, protocol: str, port_name: str, ip: str, port: int) -> str:
    """What the endpoint- chain and the affinity- set of an endpoint share (nftables mode)."""
    return _nft_base(f"{namespace}/{name}/{protocol}/{port_name}__{ip}/{port}")
