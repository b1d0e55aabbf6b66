"""Certificates as a client sees them: whose name they carry, who signed them, until when."""

from __future__ import annotations

import base64
import binascii
import datetime
import re
import shlex
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from podwalk.checks import http
from podwalk.checks.patience import seconds
from podwalk.checks.probes import Means
from podwalk.checks.report import Finding
from podwalk.checks.shell import see_it
from podwalk.checks.signals import CouldNotTellError, NotYetError
from podwalk.checks.state import State, at_path, split_ref

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SLACK = 10.0


@dataclass(frozen=True, slots=True)
class Seen:
    """One certificate; ``names`` are its DNS names and addresses, ``subject`` and ``issuer`` their common names."""

    subject: str
    issuer: str
    names: frozenset[str]
    not_after: datetime.datetime
    serial: int

    @classmethod
    def parse(cls, pem: str) -> Seen:
        """From PEM; of a chain the first, which is the server's own. Raises ValueError."""
        found = _PEM.search(pem)
        if found is None:
            raise ValueError("no certificate in it")
        cert = x509.load_pem_x509_certificate(found[0].encode())
        return cls(
            _common_name(cert.subject),
            _common_name(cert.issuer),
            _names(cert),
            cert.not_valid_after_utc,
            cert.serial_number,
        )

    def covers(self, host: str) -> bool:
        """Whether it is for this host: by name, or by a wildcard for one label (RFC 9525, section 6.3)."""
        host = host.lower().rstrip(".")
        return host in self.names or f"*.{host.partition('.')[2]}" in self.names


class CertificateProbe:
    """What a TLS server shows; made by ``lab.certificate``."""

    def __init__(self, means: Means, place: str, target: str, sni: str | None, timeout: float) -> None:
        self._means, self._place, self._timeout = means, place, timeout
        self._host, _, self._port = target.rpartition(":")
        self._name = self._host if sni is None else sni

    def expect(
        self,
        *,
        covers: str | None = None,
        names: Collection[str] | None = None,
        subject: str | None = None,
        issuer: str | None = None,
        secret: str | None = None,
        valid_for: str | float | None = None,
        within: str | float = "5s",
    ) -> None:
        """It is for the host ``covers``, or for exactly these ``names``; ``subject`` and ``issuer`` are common names.

        ``secret``: it is the very certificate that this Secret ``ns/name`` holds now; ``valid_for``: at least so long.
        """
        self._means.expecting()

        def complaints(seen: Seen | str) -> list[tuple[str, str]]:
            if isinstance(seen, str):
                return [("a TLS server", seen)]
            left = (seen.not_after - datetime.datetime.now(datetime.UTC)).total_seconds()
            shown = _in_words(seen)
            told = [
                (f"a certificate for {covers}", shown, covers is None or seen.covers(covers)),
                (f"a certificate for {_joined(names or ())}", shown, names is None or seen.names == set(names)),
                (f"a certificate of {subject}", shown, subject is None or seen.subject == subject),
                (f"signed by {issuer}", f"signed by {seen.issuer}", issuer is None or seen.issuer == issuer),
                (f"valid for {valid_for} more", _until(seen), valid_for is None or left >= seconds(valid_for)),
                (f"the certificate in Secret {secret}", shown, secret is None or seen == self._in_secret(secret)),
            ]
            return [(expected, observed) for expected, observed, good in told if not good]

        seen = self._means.patience.until(self._look, lambda s: not complaints(s), seconds(within))
        for expected, observed in complaints(seen):
            raise NotYetError(Finding(expected, observed, self._see_it()))

    def _look(self) -> Seen | str:
        # The name goes into the URL, so that it is what the handshake asks for; the connection goes to the target.
        url = f"https://{self._name}:{self._port}/"
        argv = ["curl", "-q", "-s", "-k", "--noproxy", "*", "-m", f"{self._timeout:g}", "-o", "/dev/null"]
        argv += ["--connect-to", f"::{self._host}:{self._port}", "-w", f"\\n{http.MARK}\\n%{{certs}}", "-g", url]
        output = self._means.shell.run(self._place, f"{shlex.join(argv)}; true", self._timeout + _SLACK)
        if _PEM.search(output):
            return Seen.parse(output)
        answers = http.parse(output)
        if not answers:
            raise CouldNotTellError(f"curl in {self._place} said nothing that can be read: {http.shorten(output)!r}")
        return f"no certificate ({http.tally(answers)})"

    def _in_secret(self, ref: str) -> Seen | None:
        pem = _data(self._means.state, ref, "tls.crt")
        try:
            return Seen.parse(pem)
        except ValueError:
            return None

    def _see_it(self) -> str:
        to = [] if self._name == self._host else ["--connect-to", f"::{self._host}:{self._port}"]
        return see_it(self._place, "curl", "-kvsS", f"-m{self._timeout:g}", *to, f"https://{self._name}:{self._port}/")


def authority(state: State, ref: str) -> str:
    """The PEM of the authority that a Secret ``ns/name`` holds: its ca.crt, or else its tls.crt. Raises NotYetError."""
    pem = _data(state, ref, "ca.crt") or _data(state, ref, "tls.crt")
    if not _PEM.search(pem):
        namespace, name = split_ref(ref)
        observed = "no certificate in it" if state.find("Secret", ref) else "no such Secret"
        raise NotYetError(Finding(f"a CA in Secret {ref}", observed, f"kubectl -n {namespace} describe secret {name}"))
    return pem


def _data(state: State, ref: str, key: str) -> str:
    encoded = (at_path(state.find("Secret", ref) or {}, "data") or {}).get(key) or ""
    try:
        return base64.b64decode(encoded, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _names(cert: x509.Certificate) -> frozenset[str]:
    try:
        value = cert.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return frozenset()
    assert isinstance(value, x509.SubjectAlternativeName)
    addresses = {str(ip) for ip in value.get_values_for_type(x509.IPAddress)}
    return frozenset({n.lower() for n in value.get_values_for_type(x509.DNSName)} | addresses)


def _joined(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "no name"


def _in_words(seen: Seen) -> str:
    return f"one for {_joined(seen.names or {seen.subject})}, signed by {seen.issuer}, {_until(seen)}"


def _until(seen: Seen) -> str:
    return f"valid until {seen.not_after:%Y-%m-%d %H:%M} UTC"
