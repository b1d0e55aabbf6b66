"""Private keys as a Certificate's ``spec.privateKey`` asks for them; pure.

Upstream: pkg/util/pki/generate.go and keyusage of cert-manager.
"""

from __future__ import annotations

from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from podwalk.api.meta import Object

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_CURVES: dict[int, ec.EllipticCurve] = {256: ec.SECP256R1(), 384: ec.SECP384R1(), 521: ec.SECP521R1()}
_RSA_SIZES = (2048, 8192)


class KeyProblem(ValueError):
    """A key that cannot be made or read; the message is upstream's."""


def _wanted(spec: Object) -> tuple[str, int]:
    wanted = spec.get("privateKey") or {}
    algorithm = str(wanted.get("algorithm") or "RSA")
    size = int(wanted.get("size") or 0) or {"RSA": 2048, "ECDSA": 256}.get(algorithm, 0)
    return algorithm, size


def generate(spec: Object) -> PrivateKey:
    """A fresh key for a Certificate's spec. Raises KeyProblem; RSA keys take some time."""
    algorithm, size = _wanted(spec)
    if algorithm == "RSA":
        if not _RSA_SIZES[0] <= size <= _RSA_SIZES[1]:
            kind = "weak" if size < _RSA_SIZES[0] else "big"
            bound = "minimum" if size < _RSA_SIZES[0] else "maximum"
            limit = _RSA_SIZES[0] if size < _RSA_SIZES[0] else _RSA_SIZES[1]
            raise KeyProblem(f"{kind} rsa key size specified: {size}. {bound} key size: {limit}")
        return rsa.generate_private_key(65537, size)
    if algorithm == "ECDSA":
        if size not in _CURVES:
            raise KeyProblem(f"unsupported ecdsa key size specified: {size}")
        return ec.generate_private_key(_CURVES[size])
    if algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    raise KeyProblem(f"unsupported private key algorithm specified: {algorithm}")


def load(pem: bytes) -> PrivateKey:
    """The key of a PEM text. Raises KeyProblem."""
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyProblem("error decoding private key PEM block") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise KeyProblem("unknown private key type")
    return key


def dump(key: PrivateKey, encoding: str = "PKCS1") -> bytes:
    """The key as PEM: PKCS1 (for an EC key: SEC 1) or PKCS8."""
    old = encoding != "PKCS8" and not isinstance(key, ed25519.Ed25519PrivateKey)
    style = serialization.PrivateFormat.TraditionalOpenSSL if old else serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, style, serialization.NoEncryption())


def violations(key: PrivateKey, spec: Object) -> list[str]:
    """The fields of a spec that a key does not follow (PrivateKeyMatchesSpec)."""
    algorithm, size = _wanted(spec)
    kinds: dict[str, Any] = {
        "RSA": rsa.RSAPrivateKey,
        "ECDSA": ec.EllipticCurvePrivateKey,
        "Ed25519": ed25519.Ed25519PrivateKey,
    }
    if algorithm in kinds and not isinstance(key, kinds[algorithm]):
        return ["spec.privateKey.algorithm"]
    has = key.key_size if isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) else size
    return [] if has == size else ["spec.privateKey.size"]


def same(one: PublicKeyTypes, other: PublicKeyTypes) -> bool:
    """Whether two public keys are one."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    encoding = serialization.Encoding.DER
    return one.public_bytes(encoding, form) == other.public_bytes(encoding, form)
