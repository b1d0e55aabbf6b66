"""Objects and keys that the tests of this folder share."""

from __future__ import annotations

import base64
import datetime
from functools import cache
from typing import Any

from podwalk.certificates import keys, objects, policies, signing
from podwalk.certificates.keys import PrivateKey
from podwalk.certificates.signing import Authority

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
EC = {"algorithm": "ECDSA"}


@cache
def key(number: int = 0) -> PrivateKey:
    """A key; the same one for the same number."""
    return keys.generate({"privateKey": EC})


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def certificate(**spec: Any) -> dict[str, Any]:
    """A Certificate ``web`` for web.test, by the Issuer ``ca``."""
    spec = {
        "secretName": "web-tls",
        "dnsNames": ["web.test"],
        "issuerRef": {"name": "ca"},
        "privateKey": EC,
        **spec,
    }
    metadata = {"name": "web", "namespace": "shop", "uid": "u1", "generation": 1}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec}


def issued(crt: dict[str, Any], signer: PrivateKey | None = None, now: datetime.datetime = NOW) -> dict[str, Any]:
    """The Secret of a Certificate, signed by its own key."""
    own = signer or key()
    leaf = signing.sign(signing.read_request(signing.request(crt["spec"], own)), crt["spec"], Authority(None, own), now)
    data = {"tls.crt": signing.dump_chain([leaf]), "tls.key": keys.dump(own)}
    return objects.tls_secret(crt, data, "kubernetes.io/tls")


def requested(crt: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """The CertificateRequest of a Certificate."""
    crt = {**crt, "status": {"nextPrivateKeySecretName": "web-next"}}
    return objects.certificate_request(crt, signing.request(crt["spec"], key()), number)


def given(crt: dict[str, Any], secret: Any, request: Any = None, now: datetime.datetime = NOW) -> policies.Input:
    return policies.Input(crt, secret, request, now)
