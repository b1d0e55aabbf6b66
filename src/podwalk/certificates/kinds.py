"""The resources that the controllers read and write."""

from __future__ import annotations

from podwalk.api.added import CERTIFICATE, CERTIFICATE_REQUEST, CHALLENGE, CLUSTER_ISSUER, ISSUER, ORDER

__all__ = ["CERTIFICATE", "CERTIFICATE_REQUEST", "CHALLENGE", "CLUSTER_ISSUER", "CORE", "CUSTOM", "ISSUER", "ORDER"]

CUSTOM = (ISSUER, CLUSTER_ISSUER, CERTIFICATE, CERTIFICATE_REQUEST, ORDER, CHALLENGE)
CORE = ("Secret", "Ingress", "Service", "Pod")
