from __future__ import annotations

import datetime
from typing import Any

import pytest
from certificates_objects import NOW, key
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from podwalk.certificates import keys, signing
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.signing import Authority, SigningProblem

HOUR = datetime.timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "seconds"), [("2160h", 7776000), ("1h30m", 5400), ("1.5h", 5400), ("90s", 90), ("250ms", 0.25)]
)
def test_durations_are_gos(text: str, seconds: float) -> None:
    assert signing.duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "90", "1d", "h", "1h ", "-1h", "1h-3m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(SigningProblem, match="invalid duration"):
        signing.duration(text)


@pytest.mark.parametrize(
    ("spec", "before_end"),
    [
        ({}, 1.0),
        ({"renewBefore": "30m"}, 0.5),
        ({"renewBefore": "3h"}, 1.0),
        ({"renewBefore": "4h"}, 1.0),
        ({"renewBefore": "what"}, 1.0),
        ({"renewBeforePercentage": 10}, 0.3),
    ],
)
def test_the_renewal_is_a_third_before_the_end_unless_told(spec: dict[str, Any], before_end: float) -> None:
    assert signing.renewal_time(NOW, NOW + 3 * HOUR, spec) == NOW + (3 - before_end) * HOUR


def ca() -> Authority:
    spec = {"commonName": "root", "isCA": True}
    csr = signing.read_request(signing.request(spec, key(9)))
    return Authority(signing.sign(csr, spec, Authority(None, key(9)), NOW - HOUR), key(9))


def test_a_certificate_of_an_authority_is_accepted_by_a_verifier() -> None:
    root = ca()
    spec = {"dnsNames": ["web.test"], "duration": "2h", "usages": ["server auth", "digital signature"]}
    csr = signing.read_request(signing.request(spec, key()))
    leaf = signing.sign(csr, spec, root, NOW)
    assert root.certificate is not None
    store = PolicyBuilder().store(Store([root.certificate])).time(NOW + HOUR)
    store.build_server_verifier(x509.DNSName("web.test")).verify(leaf, [])
    with pytest.raises(x509.verification.VerificationError):
        store.build_server_verifier(x509.DNSName("other.test")).verify(leaf, [])
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == 2 * HOUR
    assert signing.matches(key(), leaf)
    assert not signing.matches(key(1), leaf)


def test_the_root_stands_in_ca_crt_alone() -> None:
    root = ca()
    spec = {"dnsNames": ["web.test"]}
    leaf = signing.sign(signing.read_request(signing.request(spec, key())), spec, root, NOW)
    assert root.certificate is not None
    both = (signing.dump_chain([leaf]), signing.dump_chain([root.certificate]))
    assert signing.split_root([leaf, root.certificate]) == both
    assert signing.split_root([leaf]) == (both[0], b"")
    assert signing.split_root([root.certificate]) == (both[1], both[1])


def test_usages_names_and_subject_go_into_the_request() -> None:
    spec = {
        "commonName": "web",
        "dnsNames": ["web.test"],
        "ipAddresses": ["10.0.0.1"],
        "uris": ["spiffe://x/y"],
        "usages": ["server auth", "key encipherment"],
        "subject": {"organizations": ["Shop"]},
        "isCA": True,
    }
    csr = signing.read_request(signing.request(spec, key()))
    assert csr.is_signature_valid
    assert signing.names_of(csr) == signing.Names("web", ("web.test",), ("10.0.0.1",), ("spiffe://x/y",))
    assert signing.name_violations(signing.names_of(csr), spec) == []
    assert csr.subject.rfc4514_string() == "CN=web,O=Shop"
    usage = csr.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.key_encipherment, usage.key_cert_sign, usage.digital_signature) == (True, True, False)
    extended = csr.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(extended) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "no common name"),
        ({"dnsNames": ["web.test"], "usages": ["flying"]}, "unknown key usage flying"),
        ({"ipAddresses": ["10.0.0"]}, "subject alternative names"),
        ({"commonName": "x", "subject": {"countries": ["Switzerland"]}}, "spec.subject"),
    ],
)
def test_what_no_request_can_be_made_of(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(SigningProblem, match=said):
        signing.request(spec, key())


def test_a_lifetime_that_is_too_short_is_refused() -> None:
    csr = signing.read_request(signing.request({"commonName": "x"}, key()))
    with pytest.raises(SigningProblem, match="9s is shorter than 10s"):
        signing.sign(csr, {"duration": "9s"}, Authority(None, key()), NOW)


@pytest.mark.parametrize("algorithm", ["RSA", "ECDSA", "Ed25519"])
@pytest.mark.parametrize("encoding", ["PKCS1", "PKCS8"])
def test_keys_are_written_and_read(algorithm: str, encoding: str) -> None:
    spec = {"privateKey": {"algorithm": algorithm}}
    made = keys.generate(spec)
    again = keys.load(keys.dump(made, encoding))
    assert keys.same(made.public_key(), again.public_key())
    assert keys.violations(again, spec) == []
    assert keys.violations(again, {"privateKey": {"algorithm": "RSA", "size": 4096}}) != []


def test_the_default_key_is_pkcs1_of_2048_bits() -> None:
    text = keys.dump(keys.generate({}))
    assert text.startswith(b"-----BEGIN RSA PRIVATE KEY-----")
    assert keys.violations(keys.load(text), {"privateKey": {"size": 3072}}) == ["spec.privateKey.size"]
    assert keys.violations(keys.load(text), {"privateKey": {"algorithm": "ECDSA"}}) == ["spec.privateKey.algorithm"]


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"size": 1024}, "weak rsa key size specified: 1024. minimum key size: 2048"),
        ({"size": 16384}, "big rsa key size specified: 16384. maximum key size: 8192"),
        ({"algorithm": "ECDSA", "size": 100}, "unsupported ecdsa key size specified: 100"),
        ({"algorithm": "DSA"}, "unsupported private key algorithm specified: DSA"),
    ],
)
def test_keys_that_are_not_made(wanted: dict[str, Any], said: str) -> None:
    with pytest.raises(KeyProblem, match=said):
        keys.generate({"privateKey": wanted})
