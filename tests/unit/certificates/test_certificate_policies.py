"""Why a Certificate is issued anew and whether it is ready, as a table."""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable
from typing import Any

import pytest
from certificates_objects import NOW, b64, certificate, given, issued, key, requested

from podwalk.certificates import keys, policies

Change = Callable[[dict[str, Any], dict[str, Any]], Any]
DAY = datetime.timedelta(days=1)


def spec(**fields: Any) -> Change:
    return lambda crt, secret: crt["spec"].update(fields)


def data(**fields: str | None) -> Change:
    def change(crt: dict[str, Any], secret: dict[str, Any]) -> None:
        for name, text in fields.items():
            secret["data"][f"tls.{name}"] = text

    return change


def annotation(name: str, text: str) -> Change:
    return lambda crt, secret: secret["metadata"]["annotations"].update({f"cert-manager.io/{name}": text})


GARBAGE = b64(b"garbage")
CASES: dict[str, tuple[Change, str, str]] = {
    "no key": (data(key=None), "MissingData", "Issuing certificate as Secret does not contain a private key"),
    "no certificate": (data(crt=""), "MissingData", "Issuing certificate as Secret does not contain a certificate"),
    "no data": (
        lambda crt, secret: secret.pop("data"),
        "MissingData",
        "Issuing certificate as Secret does not contain any data",
    ),
    "bad key": (data(key=GARBAGE), "InvalidKeyPair", "Secret contains invalid private key data: error decoding"),
    "bad certificate": (data(crt=GARBAGE), "InvalidCertificate", "Secret contains an invalid certificate: error"),
    "not base64": (data(key="%%%"), "MissingData", "does not contain a private key"),
    "another key": (
        data(key=b64(keys.dump(key(1)))),
        "InvalidKeyPair",
        "Issuing certificate as Secret contains a private key that does not match the certificate",
    ),
    "another issuer": (
        annotation("issuer-name", "old"),
        "IncorrectIssuer",
        'Issuing certificate as Secret was previously issued by "Issuer.cert-manager.io/old"',
    ),
    "another kind": (spec(issuerRef={"name": "ca", "kind": "ClusterIssuer"}), "IncorrectIssuer", "Issuer.cert-manager"),
    "another Certificate's": (
        annotation("certificate-name", "other"),
        "IncorrectCertificate",
        'Secret was issued for "other". If this message is not transient',
    ),
    "another name": (
        spec(dnsNames=["web.test", "www.web.test"]),
        "SecretMismatch",
        "Issuing certificate as Existing issued Secret is not up to date for spec: [spec.dnsNames]",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_makes_a_certificate_due_and_not_ready(case: str) -> None:
    change, reason, said = CASES[case]
    crt = certificate()
    secret = copy.deepcopy(issued(crt))
    assert policies.reissue(given(crt, secret)) is None
    assert policies.not_ready(given(crt, secret)) is None
    change(crt, secret)
    for verdict in (policies.reissue(given(crt, secret)), policies.not_ready(given(crt, secret))):
        assert verdict is not None
        assert verdict[0] == reason
        assert said in verdict[1]


def test_a_missing_secret() -> None:
    verdict = ("DoesNotExist", "Issuing certificate as Secret does not exist")
    assert policies.reissue(given(certificate(), None)) == verdict
    assert policies.not_ready(given(certificate(), None)) == verdict


def test_a_key_that_is_no_longer_wanted_is_ready_and_due() -> None:
    crt = certificate()
    secret = issued(crt)
    crt["spec"]["privateKey"] = {"algorithm": "ECDSA", "size": 384}
    assert policies.not_ready(given(crt, secret)) is None
    said = "Existing private key is not up to date for spec: [spec.privateKey.size]"
    assert policies.reissue(given(crt, secret)) == ("SecretMismatch", said)


def test_a_certificate_is_due_a_third_before_its_end_and_expired_after_it() -> None:
    crt = certificate(duration="72h")
    secret = issued(crt)
    crt["status"] = {"renewalTime": "2026-11-23T12:00:00Z"}
    early, due, late = NOW + 2 * DAY - DAY / 24, NOW + 2 * DAY, NOW + 3 * DAY + DAY / 24
    assert policies.reissue(given(crt, secret, now=early)) is None
    said = "Renewing certificate as renewal was scheduled at 2026-11-23 12:00:00 +0000 UTC"
    assert policies.reissue(given(crt, secret, now=due)) == ("Renewing", said)
    assert policies.not_ready(given(crt, secret, now=due)) is None
    expired = ("Expired", "Certificate expired on Tue, 24 Nov 2026 12:00:00 UTC")
    assert policies.not_ready(given(crt, secret, now=late)) == expired


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"dnsNames": ["other.test"]}, "spec.dnsNames"),
        ({"commonName": "web.test"}, "spec.commonName"),
        ({"isCA": True}, "spec.isCA"),
        ({"usages": ["server auth"]}, "spec.usages"),
        ({"duration": "1h"}, "spec.duration"),
        ({"issuerRef": {"name": "other"}}, "spec.issuerRef"),
        ({"ipAddresses": ["10.0.0.1"]}, "spec.ipAddresses"),
        ({"uris": ["spiffe://a/b"]}, "spec.uris"),
    ],
)
def test_a_request_that_does_not_follow_the_spec(change: dict[str, Any], field: str) -> None:
    crt = certificate()
    request = requested(crt)
    assert policies.request_violations(request, crt["spec"]) == []
    assert policies.request_violations(request, {**crt["spec"], **change}) == [field]
    secret = issued(crt)
    if field != "spec.issuerRef":
        crt["spec"].update(change)
        said = f"Fields on existing CertificateRequest resource not up to date: [{field}]"
        assert policies.reissue(given(crt, secret, request)) == ("RequestChanged", said)


def test_a_key_that_the_current_request_is_not_for() -> None:
    crt = certificate()
    verdict = policies.reissue(given(crt, issued(crt, key(2)), requested(crt)))
    assert verdict == (
        "SecretMismatch",
        "Secret contains a private key that does not match the current CertificateRequest",
    )
