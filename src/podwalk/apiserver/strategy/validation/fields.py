"""Errors of single fields, worded as k8s.io/apimachinery/pkg/util/validation/field and .../validation word them."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable
from typing import Any

from podwalk.api.errors import cause

Cause = dict[str, str]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_KEY = "[-._a-zA-Z0-9]+"
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"
_BAD_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_BAD_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
PORT_RANGE = "must be between 1 and 65535, inclusive"
NON_NEGATIVE = "must be greater than or equal to 0"
IMMUTABLE = "field is immutable"


def shown(value: Any) -> str:
    """A value as Go prints it in an error: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def required(field: str, detail: str = "") -> Cause:
    """A field that is missing."""
    return cause("FieldValueRequired", f"Required value: {detail}" if detail else "Required value", field)


def invalid(field: str, value: Any, detail: str) -> Cause:
    """A value that breaks a rule."""
    return cause("FieldValueInvalid", f"Invalid value: {shown(value)}: {detail}", field)


def invalid_only(field: str, detail: str) -> Cause:
    """A rule that is broken, where the value is not worth printing (field.OmitValueType)."""
    return cause("FieldValueInvalid", f"Invalid value: {detail}", field)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """A value outside an enumeration; ``supported`` in the order in which Kubernetes lists it."""
    allowed = ", ".join(f'"{s}"' for s in supported)
    return cause("FieldValueNotSupported", f"Unsupported value: {shown(value)}: supported values: {allowed}", field)


def duplicate(field: str, value: Any, detail: str = "") -> Cause:
    """A value that appeared before in a list of unique values."""
    told = f"Duplicate value: {shown(value)}"
    return cause("FieldValueDuplicate", f"{told}: {detail}" if detail else told, field)


def forbidden(field: str, detail: str) -> Cause:
    """A field that may not be set here."""
    return cause("FieldValueForbidden", f"Forbidden: {detail}", field)


def not_found(field: str, value: Any) -> Cause:
    """A reference to nothing."""
    return cause("FieldValueNotFound", f"Not found: {shown(value)}", field)


def too_long(field: str, limit: int) -> Cause:
    """More bytes than are allowed."""
    return cause("FieldValueTooLong", f"Too long: may not be more than {limit} bytes", field)


def too_many(field: str, actual: int, limit: int) -> Cause:
    """More items than are allowed."""
    return cause("FieldValueTooMany", f"Too many: {actual}: must have at most {limit} items", field)


def _matches(pattern: str, value: str) -> bool:
    return re.fullmatch(pattern, value) is not None


def _length(value: str, limit: int) -> list[str]:
    return [f"must be no more than {limit} characters"] if len(value) > limit else []


def _regex(text: str, pattern: str, *examples: str) -> str:
    quoted = [f"'{e}'" for e in examples]
    return f"{text} (e.g. {',  or '.join(quoted)}, regex used for validation is '{pattern}')"


def dns_label(value: str) -> list[str]:
    """What is wrong with an RFC 1123 label; empty where nothing is."""
    wrong = _length(value, 63)
    if _matches(_LABEL, value):
        return wrong
    if _matches(_SUBDOMAIN, value):
        return [*wrong, "must not contain dots"]
    text = (
        "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
        "with an alphanumeric character"
    )
    return [*wrong, _regex(text, _LABEL, "my-name", "123-abc")]


def dns_subdomain(value: str) -> list[str]:
    """What is wrong with an RFC 1123 subdomain."""
    wrong = _length(value, 253)
    if _matches(_SUBDOMAIN, value):
        return wrong
    text = (
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return [*wrong, _regex(text, _SUBDOMAIN, "example.com")]


def wildcard_subdomain(value: str) -> list[str]:
    """What is wrong with a DNS name that starts with ``*.``."""
    pattern = rf"\*\.{_SUBDOMAIN}"
    if _matches(pattern, value):
        return _length(value, 253)
    text = (
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of "
        "lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    )
    return [*_length(value, 253), _regex(text, pattern, "*.example.com")]


def qualified_name(value: str) -> list[str]:
    """What is wrong with a label key: a name with an optional DNS prefix and a slash."""
    prefix, slash, name = value.rpartition("/")
    text = (
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
        "character"
    )
    if "/" in prefix:
        whole = _regex(f"a qualified name {text}", _QUALIFIED, "MyName", "my.name", "123-abc")
        return [f"{whole} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    wrong: list[str] = []
    if slash:
        wrong += [f"prefix part {w}" for w in dns_subdomain(prefix)] if prefix else ["prefix part must be non-empty"]
    if not name:
        return [*wrong, "name part must be non-empty"]
    wrong += [f"name part {w}" for w in _length(name, 63)]
    if not _matches(_QUALIFIED, name):
        wrong.append(_regex(f"name part {text}", _QUALIFIED, "MyName", "my.name", "123-abc"))
    return wrong


def label_value(value: str) -> list[str]:
    """What is wrong with a label's value."""
    pattern = f"({_QUALIFIED})?"
    if _matches(pattern, value):
        return _length(value, 63)
    text = (
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
        "and end with an alphanumeric character"
    )
    return [*_length(value, 63), _regex(text, pattern, "MyValue", "my_value", "12345")]


def config_key(value: str) -> list[str]:
    """What is wrong with a key of a ConfigMap or a Secret."""
    if not _matches(_KEY, value):
        text = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
        return [*_length(value, 253), _regex(text, _KEY, "key.name", "KEY_NAME", "key-name")]
    if value in (".", ".."):
        return [f"must not be '{value}'"]
    if value.startswith(".."):
        return ["must not start with '..'"]
    return _length(value, 253)


def port_name(value: str) -> list[str]:
    """What is wrong with an IANA service name (a container port's name)."""
    wrong = _length(value, 15)
    if not _matches("[-a-z0-9]+", value):
        wrong.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search("[a-z]", value):
        wrong.append("must contain at least one letter (a-z)")
    if "--" in value:
        wrong.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        wrong.append("must not begin or end with a hyphen")
    return wrong


def port_number(value: Any) -> list[str]:
    """What is wrong with a port's number."""
    return [] if isinstance(value, int) and 1 <= value <= 65535 else [PORT_RANGE]


def port_number_or_name(value: Any) -> list[str]:
    """What is wrong with an IntOrString port."""
    return port_name(value) if isinstance(value, str) else port_number(value)


def ip(value: Any) -> list[str]:
    """What is wrong with an IP address; leading zeros are refused, as in Go."""
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return [_BAD_IP]
    return [_BAD_IP] if "%" in str(value) else []


def ordinary_ip(value: str) -> list[str]:
    """What is wrong with an address that packets should be sent to: no unspecified, loopback or link-local ones."""
    address = ipaddress.ip_address(value)
    if address.is_unspecified:
        return [f"may not be unspecified ({value})"]
    if address.is_loopback:
        return ["may not be in the loopback range (127.0.0.0/8, ::1/128)"]
    if address.is_link_local:
        return ["may not be in the link-local range (169.254.0.0/16, fe80::/10)"]
    networks = ("224.0.0.0/24", "ff02::/16")
    if any(address in ipaddress.ip_network(n) for n in networks if ipaddress.ip_network(n).version == address.version):
        return ["may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"]
    return []


def cidr(value: Any) -> list[str]:
    """What is wrong with a CIDR whose host bits must be zero."""
    if not isinstance(value, str) or "/" not in value or not value.rpartition("/")[2].isdigit():
        return [_BAD_CIDR]
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return [_BAD_CIDR]
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return ["must not have bits set beyond the prefix length"]
    return []


def each(field: str, value: Any, wrong: Iterable[str]) -> list[Cause]:
    """One Invalid per complaint."""
    return [invalid(field, value, w) for w in wrong]


def domain_prefixed_path(field: str, value: str) -> list[Cause]:
    """The complaints about a path such as ``acme.io/foo`` (IsDomainPrefixedPath)."""
    if not value:
        return [required(field)]
    host, _, path = value.partition("/")
    if not host or not path:
        return [invalid(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    causes = each(field, host, dns_subdomain(host))
    if not _matches(_HTTP_PATH, path):
        causes.append(invalid(field, path, f"Invalid path (regex used for validation is '{_HTTP_PATH}')"))
    return causes


def path_segment(value: str) -> list[str]:
    """What is wrong with a name that becomes one segment of a URL (path.IsValidPathSegmentName)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{bad}'" for bad in ("/", "%") if bad in value]


def one_of(field: str, value: Any, supported: Iterable[str]) -> list[Cause]:
    """A complaint where the value is none of ``supported``; a missing value is Required."""
    allowed = list(supported)
    if not value:
        return [required(field)]
    return [] if value in allowed else [not_supported(field, value, allowed)]
