"""X.509: requests from a Certificate's spec, signatures, and what a certificate says; pure.

Upstream: pkg/util/pki (csr.go, certificatetemplate.go, match.go, renewaltime.go, parse_certificate_chain.go).
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from podwalk.api.meta import Object
from podwalk.certificates import keys
from podwalk.certificates.keys import PrivateKey

DEFAULT_DURATION = datetime.timedelta(days=90)
# A loop of renewals faster than this is nobody's wish. cert-manager's own webhook asks for an hour.
SHORTEST = datetime.timedelta(seconds=10)
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_SUBJECT = {
    "organizations": NameOID.ORGANIZATION_NAME,
    "organizationalUnits": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "countries": NameOID.COUNTRY_NAME,
    "provinces": NameOID.STATE_OR_PROVINCE_NAME,
    "localities": NameOID.LOCALITY_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCodes": NameOID.POSTAL_CODE,
}
_KEY_USAGES = {
    "signing": "digital_signature",
    "digital signature": "digital_signature",
    "content commitment": "content_commitment",
    "key encipherment": "key_encipherment",
    "data encipherment": "data_encipherment",
    "key agreement": "key_agreement",
    "cert sign": "key_cert_sign",
    "crl sign": "crl_sign",
    "encipher only": "encipher_only",
    "decipher only": "decipher_only",
}
_EXTENDED = {
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp signing": ExtendedKeyUsageOID.OCSP_SIGNING,
}
DEFAULT_USAGES = ("digital signature", "key encipherment")


class SigningProblem(ValueError):
    """A request or certificate that cannot be read or made; the message says why."""


def duration(text: str) -> datetime.timedelta:
    """A Go duration (``2160h``, ``1h30m``). Raises SigningProblem."""
    found = _DURATION.findall(text)
    if not found or "".join(number + unit for number, unit in found) != text:
        raise SigningProblem(f'time: invalid duration "{text}"')
    return datetime.timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in found))


def lifetime(spec: Object) -> datetime.timedelta:
    """``spec.duration``, by default 90 days. Raises SigningProblem, also where it is too short to be watched."""
    wanted = duration(str(spec["duration"])) if spec.get("duration") else DEFAULT_DURATION
    if wanted < SHORTEST:
        raise SigningProblem(f"spec.duration: {spec['duration']} is shorter than 10s")
    return wanted


def renewal_time(begin: datetime.datetime, end: datetime.datetime, spec: Object) -> datetime.datetime:
    """When a certificate is renewed: ``renewBefore`` its end, else after two thirds of its life (RenewalTime)."""
    actual = end - begin
    before = actual / 3
    try:
        if spec.get("renewBefore"):
            wanted = duration(str(spec["renewBefore"]))
        elif spec.get("renewBeforePercentage"):
            wanted = actual * int(spec["renewBeforePercentage"]) / 100
        else:
            wanted = actual
    except SigningProblem:
        wanted = actual
    if datetime.timedelta() < wanted < actual:
        before = wanted
    return (end - before).replace(microsecond=0)


# --- requests


def request(spec: Object, key: PrivateKey) -> bytes:
    """The signing request (PEM) of a Certificate's spec. Raises SigningProblem."""
    names = _alternative_names(spec)
    common = str(spec.get("commonName") or "")
    if not names and not common and not spec.get("subject"):
        raise SigningProblem("no common name (from the commonName field or from a literal subject), DNS name, URI SAN, "
                             "Email SAN, IP or OtherName SAN specified on certificate")  # fmt: skip
    builder = x509.CertificateSigningRequestBuilder().subject_name(_subject(spec, common))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not common)
    usage, extended = _usages(spec)
    builder = builder.add_extension(usage, critical=True)
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    if spec.get("isCA"):
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, _digest(key)).public_bytes(serialization.Encoding.PEM)


def _digest(key: PrivateKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _subject(spec: Object, common: str) -> x509.Name:
    given = spec.get("subject") or {}
    try:
        parts = [x509.NameAttribute(oid, str(v)) for field, oid in _SUBJECT.items() for v in given.get(field) or ()]
        if given.get("serialNumber"):
            parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, str(given["serialNumber"])))
        if common:
            parts.append(x509.NameAttribute(NameOID.COMMON_NAME, common))
    except ValueError as error:
        raise SigningProblem(f"spec.subject: {error}") from None
    return x509.Name(parts)


def _alternative_names(spec: Object) -> list[x509.GeneralName]:
    try:
        return [
            *(x509.DNSName(str(n)) for n in spec.get("dnsNames") or ()),
            *(x509.IPAddress(ipaddress.ip_address(str(a))) for a in spec.get("ipAddresses") or ()),
            *(x509.UniformResourceIdentifier(str(u)) for u in spec.get("uris") or ()),
            *(x509.RFC822Name(str(m)) for m in spec.get("emailAddresses") or ()),
        ]
    except ValueError as error:
        raise SigningProblem(f"subject alternative names: {error}") from None


def _usages(spec: Object) -> tuple[x509.KeyUsage, list[x509.ObjectIdentifier]]:
    wanted = [str(u) for u in spec.get("usages") or DEFAULT_USAGES]
    flags = dict.fromkeys(_KEY_USAGES.values(), False)
    extended = []
    for usage in wanted:
        if usage in _KEY_USAGES:
            flags[_KEY_USAGES[usage]] = True
        elif usage in _EXTENDED:
            extended.append(_EXTENDED[usage])
        else:
            raise SigningProblem(f"unknown key usage {usage}")
    if spec.get("isCA"):
        flags["key_cert_sign"] = True
    if flags["encipher_only"] or flags["decipher_only"]:
        flags["key_agreement"] = True
    return x509.KeyUsage(**flags), extended


def read_request(pem: bytes) -> x509.CertificateSigningRequest:
    """A request from its PEM. Raises SigningProblem."""
    try:
        return x509.load_pem_x509_csr(pem)
    except ValueError:
        raise SigningProblem("error decoding certificate request PEM block") from None


# --- signatures


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs: its certificate (None: the key signs itself) and key."""

    certificate: x509.Certificate | None
    key: PrivateKey


def sign(
    csr: x509.CertificateSigningRequest, spec: Object, authority: Authority, now: datetime.datetime
) -> x509.Certificate:
    """Sign a request. ``spec`` is the CertificateRequest's (duration, isCA, usages). Raises SigningProblem."""
    begin = now.replace(microsecond=0)
    issuer = authority.certificate.subject if authority.certificate else csr.subject
    above = authority.certificate.public_key() if authority.certificate else csr.public_key()
    usage, extended = _usages(spec)
    builder = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(issuer)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + lifetime(spec))
        .add_extension(usage, critical=True)
        .add_extension(x509.BasicConstraints(ca=bool(spec.get("isCA")), path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(csr.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)  # type: ignore[arg-type]
    )
    if extended:
        builder = builder.add_extension(x509.ExtendedKeyUsage(extended), critical=False)
    for extension in csr.extensions:
        if extension.oid == ExtensionOID.SUBJECT_ALTERNATIVE_NAME:
            builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(authority.key, _digest(authority.key))


# --- certificates


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM text, the leaf first. Raises SigningProblem."""
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise SigningProblem("error decoding certificate PEM block") from None


def dump_chain(chain: Iterable[x509.Certificate]) -> bytes:
    """Certificates as one PEM text."""
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in chain)


def split_root(chain: Sequence[x509.Certificate]) -> tuple[bytes, bytes]:
    """(tls.crt, ca.crt) of a chain that begins with the leaf: the root goes to ca.crt alone, unless it is the leaf.

    Where there is no root in the chain, the last certificate counts as the authority (ParseSingleCertificateChain).
    """
    top = chain[-1]
    if len(chain) > 1 and top.subject == top.issuer:
        return dump_chain(chain[:-1]), dump_chain([top])
    if len(chain) == 1 and top.subject != top.issuer:
        return dump_chain(chain), b""
    return dump_chain(chain), dump_chain([top])


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether a certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


@dataclass(frozen=True, slots=True)
class Names:
    """Whom a certificate or a request is for."""

    common: str
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    uris: tuple[str, ...]


def names_of(subject: x509.Certificate | x509.CertificateSigningRequest) -> Names:
    """The names in a certificate or request."""
    common = [str(a.value) for a in subject.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        found = subject.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return Names(common[0] if common else "", (), (), ())
    return Names(
        common[0] if common else "",
        tuple(found.get_values_for_type(x509.DNSName)),
        tuple(str(a) for a in found.get_values_for_type(x509.IPAddress)),
        tuple(found.get_values_for_type(x509.UniformResourceIdentifier)),
    )


def name_violations(names: Names, spec: Object) -> list[str]:
    """The fields of a Certificate's spec in which names differ (RequestMatchesSpec)."""
    differ = (
        (names.common != (spec.get("commonName") or ""), "spec.commonName"),
        (set(names.dns) != set(spec.get("dnsNames") or ()), "spec.dnsNames"),
        (set(names.addresses) != {str(a) for a in spec.get("ipAddresses") or ()}, "spec.ipAddresses"),
        (set(names.uris) != set(spec.get("uris") or ()), "spec.uris"),
    )
    return [field for changed, field in differ if changed]


def matches(key: PrivateKey, subject: x509.Certificate | x509.CertificateSigningRequest) -> bool:
    """Whether a certificate or request is for this key."""
    return keys.same(key.public_key(), subject.public_key())


def matches_public(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether two certificates are for one key."""
    return keys.same(one.public_key(), other.public_key())
