"""Whether a certificate and a key belong together; pure.

Envoy refuses a listener whose certificate it cannot use, and then goes on serving what it had before; so that is found
out here, as Envoy Gateway does (internal/gatewayapi/tls.go), and stands in the listener's status.
"""

from __future__ import annotations

import functools

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


@functools.lru_cache(maxsize=256)
def problem(cert: str, key: str) -> str | None:
    """Why the pair (PEM) cannot be used, or None."""
    try:
        chain = x509.load_pem_x509_certificates(cert.encode())
    except ValueError:
        return "tls.crt is no certificate"
    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "tls.key is no private key"
    shown = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if private.public_key().public_bytes(*shown) != chain[0].public_key().public_bytes(*shown):
        return "tls.key is not the key of tls.crt"
    return None
