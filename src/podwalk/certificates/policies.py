"""Why a Certificate is issued anew, and whether it is ready: chains of checks over what is there; pure.

Upstream: internal/controller/certificates/policies (checks.go, policies.go, constants.go).
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.certificates import keys, signing
from podwalk.certificates.keys import KeyProblem
from podwalk.certificates.signing import SigningProblem

GROUP = "cert-manager.io"
ISSUER_NAME = f"{GROUP}/issuer-name"
ISSUER_KIND = f"{GROUP}/issuer-kind"
ISSUER_GROUP = f"{GROUP}/issuer-group"
CERTIFICATE_NAME = f"{GROUP}/certificate-name"


@dataclass(frozen=True, slots=True)
class Input:
    """What the checks look at. ``request`` is the CertificateRequest of the current revision."""

    certificate: Object
    secret: Object | None
    request: Object | None
    now: datetime.datetime

    @property
    def spec(self) -> Object:
        """The Certificate's spec."""
        return self.certificate.get("spec") or {}

    def data(self, name: str) -> bytes:
        """A value of the Secret, decoded; empty where there is none."""
        return value(self.secret, name)


Verdict = tuple[str, str]
Check = Callable[[Input], Verdict | None]


def value(secret: Object | None, name: str) -> bytes:
    """A value of a Secret, decoded; empty where there is none or it is not base64."""
    try:
        return base64.b64decode(((secret or {}).get("data") or {}).get(name) or "", validate=True)
    except ValueError:
        return b""


def _does_not_exist(given: Input) -> Verdict | None:
    return ("DoesNotExist", "Issuing certificate as Secret does not exist") if given.secret is None else None


def _missing_data(given: Input) -> Verdict | None:
    if not (given.secret or {}).get("data"):
        return "MissingData", "Issuing certificate as Secret does not contain any data"
    if not given.data("tls.key"):
        return "MissingData", "Issuing certificate as Secret does not contain a private key"
    if not given.data("tls.crt"):
        return "MissingData", "Issuing certificate as Secret does not contain a certificate"
    return None


def _keys_differ(given: Input) -> Verdict | None:
    try:
        key = keys.load(given.data("tls.key"))
    except KeyProblem as error:
        return "InvalidKeyPair", f"Issuing certificate as Secret contains invalid private key data: {error}"
    try:
        leaf = signing.read_chain(given.data("tls.crt"))[0]
    except SigningProblem as error:
        return "InvalidCertificate", f"Issuing certificate as Secret contains an invalid certificate: {error}"
    if not signing.matches(key, leaf):
        said = "Issuing certificate as Secret contains a private key that does not match the certificate"
        return "InvalidKeyPair", said
    return None


def _key_mismatches_spec(given: Input) -> Verdict | None:
    found = keys.violations(keys.load(given.data("tls.key")), given.spec)
    return ("SecretMismatch", f"Existing private key is not up to date for spec: {_list(found)}") if found else None


def _issuer_differs(given: Input) -> Verdict | None:
    said = meta.annotations(given.secret or {"metadata": {}})
    if not any(name in said for name in (ISSUER_NAME, ISSUER_KIND, ISSUER_GROUP)):
        return None
    then = (said.get(ISSUER_NAME, ""), said.get(ISSUER_KIND) or "Issuer", said.get(ISSUER_GROUP) or GROUP)
    ref = given.spec.get("issuerRef") or {}
    if then == (ref.get("name"), ref.get("kind") or "Issuer", ref.get("group") or GROUP):
        return None
    return "IncorrectIssuer", f'Issuing certificate as Secret was previously issued by "{then[1]}.{then[2]}/{then[0]}"'


def _another_certificate(given: Input) -> Verdict | None:
    name = meta.annotations(given.secret or {"metadata": {}}).get(CERTIFICATE_NAME)
    if name is None or name == meta.name(given.certificate):
        return None
    said = f'Secret was issued for "{name}". If this message is not transient, you might have two conflicting '
    return "IncorrectCertificate", said + "Certificates pointing to the same secret."


def _key_of_another_request(given: Input) -> Verdict | None:
    if given.request is None:
        return None
    try:
        csr = signing.read_request(request_pem(given.request))
    except SigningProblem as error:
        return "InvalidCertificateRequest", f"Failed to decode current CertificateRequest: {error}"
    if not signing.matches(keys.load(given.data("tls.key")), csr):
        said = "Secret contains a private key that does not match the current CertificateRequest"
        return "SecretMismatch", said
    return None


def _spec_changed(given: Input) -> Verdict | None:
    if given.request is not None:
        found = request_violations(given.request, given.spec)
        said = f"Fields on existing CertificateRequest resource not up to date: {_list(found)}"
        return ("RequestChanged", said) if found else None
    found = signing.name_violations(signing.names_of(signing.read_chain(given.data("tls.crt"))[0]), given.spec)
    # A signer may leave the common name out, or make one of the names the common name.
    found = [field for field in found if field != "spec.commonName"]
    said = f"Issuing certificate as Existing issued Secret is not up to date for spec: {_list(found)}"
    return ("SecretMismatch", said) if found else None


def _nearing_expiry(given: Input) -> Verdict | None:
    leaf = signing.read_chain(given.data("tls.crt"))[0]
    when = signing.renewal_time(leaf.not_valid_before_utc, leaf.not_valid_after_utc, given.spec)
    if when > given.now:
        return None
    planned = (given.certificate.get("status") or {}).get("renewalTime") or meta.format_time(when)
    said = f"{meta.parse_time(planned):%Y-%m-%d %H:%M:%S} +0000 UTC"
    return "Renewing", f"Renewing certificate as renewal was scheduled at {said}"


def _expired(given: Input) -> Verdict | None:
    end = signing.read_chain(given.data("tls.crt"))[0].not_valid_after_utc
    return ("Expired", f"Certificate expired on {end:%a, %d %b %Y %H:%M:%S} UTC") if given.now > end else None


_TRIGGERS: tuple[Check, ...] = (
    _does_not_exist,
    _missing_data,
    _keys_differ,
    _issuer_differs,
    _another_certificate,
    _key_mismatches_spec,
    _key_of_another_request,
    _spec_changed,
    _nearing_expiry,
)
_READINESS: tuple[Check, ...] = (
    _does_not_exist,
    _missing_data,
    _keys_differ,
    _issuer_differs,
    _another_certificate,
    _key_of_another_request,
    _spec_changed,
    _expired,
)


def reissue(given: Input) -> Verdict | None:
    """Reason and message where the certificate must be issued anew (NewTriggerPolicyChain)."""
    return _first(_TRIGGERS, given)


def not_ready(given: Input) -> Verdict | None:
    """Reason and message where the certificate is not ready (NewReadinessPolicyChain)."""
    return _first(_READINESS, given)


def _first(checks: Sequence[Check], given: Input) -> Verdict | None:
    return next((found for check in checks if (found := check(given)) is not None), None)


def request_pem(request: Object) -> bytes:
    """The signing request in a CertificateRequest or Order. Raises SigningProblem where it is not base64."""
    try:
        return base64.b64decode(str((request.get("spec") or {}).get("request") or ""), validate=True)
    except ValueError:
        raise SigningProblem("error decoding certificate request PEM block") from None


def request_violations(request: Object, spec: Object) -> list[str]:
    """The fields of a Certificate's spec that a CertificateRequest does not follow. An unreadable one: none."""
    asked = request.get("spec") or {}
    try:
        names = signing.names_of(signing.read_request(request_pem(request)))
    except SigningProblem:
        return []
    found = signing.name_violations(names, spec)
    if bool(asked.get("isCA")) != bool(spec.get("isCA")):
        found.append("spec.isCA")
    if list(asked.get("usages") or ()) != list(spec.get("usages") or ()):
        found.append("spec.usages")
    if asked.get("duration") != spec.get("duration"):
        found.append("spec.duration")
    if asked.get("issuerRef") != spec.get("issuerRef"):
        found.append("spec.issuerRef")
    return found


def _list(fields: Sequence[str]) -> str:
    """As Go prints a slice of strings."""
    return f"[{' '.join(fields)}]"
