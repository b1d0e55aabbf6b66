"""The options of requests: ListOptions, those of writers and of deletions, from query and body.

Upstream: k8s.io/apimachinery/pkg/apis/meta/v1 (types.go, validation/validation.go). Everything here raises ApiError.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from podwalk.api import selectors
from podwalk.api.errors import ApiError, bad_request, cause, invalid
from podwalk.api.meta import Object
from podwalk.api.resources import EVENTS_V1, Resource
from podwalk.apiserver import events, labelselector

_META_GROUP = "meta.k8s.io"

_SELECTABLE: dict[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
        "reportingComponent", "source", "type",
    ),
    "Node": ("spec.unschedulable",),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "Service": ("spec.clusterIP", "spec.type"),
    "ReplicaSet": ("status.replicas",),
}  # fmt: skip
_FALSE_WHEN_ABSENT = ("spec.unschedulable", "spec.hostNetwork")

Query = Mapping[str, str]


def _option_error(kind: str, reason: str, message: str, field: str) -> ApiError:
    return invalid(kind, "", [cause(reason, message, field)], _META_GROUP)


def _boolean(query: Query, name: str) -> bool:
    value = query.get(name, "")
    return value not in ("", "0", "false", "False", "FALSE", "f", "F") or (name in query and value == "")


def _integer(query: Query, name: str) -> int | None:
    text = query.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def parse_resource_version(text: str) -> int:
    """A resourceVersion of a list or a watch as a number."""
    if wrong := unsigned(text):
        raise bad_request(f'invalid resource version: resourceVersion: Invalid value: "{text}": {wrong}')
    return int(text)


def unsigned(text: str) -> str:
    """What Go says of a text that is no uint64; empty where it is one."""
    if not text.isascii() or not text.isdigit():
        return f'strconv.ParseUint: parsing "{text}": invalid syntax'
    short = text.lstrip("0")
    if len(short) > 20 or int(short or "0") >= 1 << 64:
        return f'strconv.ParseUint: parsing "{text}": value out of range'
    return ""


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What a list or a watch asks for. ``resource_version`` is None where the request names none."""

    matches: Callable[[Object], bool]
    selective: bool
    limit: int
    start: tuple[str, str] | None
    start_rv: int
    resource_version: int | None
    resource_version_match: str
    watch: bool
    bookmarks: bool
    send_initial_events: bool | None
    timeout: float | None


def field_matcher(resource: Resource, text: str) -> Callable[[Object], bool]:
    """A matcher for a field selector on fields that this resource lets one select by."""
    try:
        requirements = selectors.parse_field_selector(text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    fields = _SELECTABLE.get(resource.kind, ()) if resource.custom is None else resource.custom.selectable
    allowed = ("metadata.name", "metadata.namespace", *fields)
    if resource == EVENTS_V1:
        requirements = [(events.core_field(path), equal, wanted) for path, equal, wanted in requirements]
    for path, _, _ in requirements:
        if path not in allowed:
            raise bad_request(f"field label not supported: {path}")

    def value(obj: Object, path: str) -> str:
        if path == "source":
            return selectors.field_value(obj, "source.component") or selectors.field_value(obj, "reportingComponent")
        found = selectors.field_value(obj, path)
        return found or ("false" if path in _FALSE_WHEN_ABSENT else "")

    return lambda obj: all((value(obj, path) == wanted) == equal for path, equal, wanted in requirements)


def _matcher(resource: Resource, query: Query, name: str) -> tuple[Callable[[Object], bool], bool]:
    label_text, field_text = query.get("labelSelector", ""), query.get("fieldSelector", "")
    try:
        labelselector.check(label_text)
        by_labels = selectors.parse_label_selector(label_text)
    except ValueError as error:
        raise bad_request(str(error)) from None
    by_fields = field_matcher(resource, field_text)

    def matches(obj: Object) -> bool:
        metadata = obj["metadata"]
        if name and metadata["name"] != name:
            return False
        return by_labels(metadata.get("labels") or {}) and by_fields(obj)

    return matches, bool(label_text or field_text or name)


def encode_continue(rv: int, last: tuple[str, str]) -> str:
    """The token by which the next chunk of a list starts behind ``last``: (namespace, or "" in a list of one; name).

    It names the first key that may follow, as k8s.io/apiserver/pkg/storage/continue.go does.
    """
    start = "/".join(("", *(part for part in last if part))) + "\0"
    token = orjson.dumps({"v": "meta.k8s.io/v1", "rv": rv, "start": start})
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def _decode_continue(token: str) -> tuple[int, tuple[str, str]]:
    raw = b""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        found = orjson.loads(raw)
        namespace, _, name = found["start"].removesuffix("\0").strip("/").rpartition("/")
        return int(found["rv"]), (namespace, name)
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError, OverflowError):
        first = raw[:1].decode("latin-1")
        why = f"continue key is not valid: invalid character '{first}' looking for beginning of value"
        raise bad_request(f"invalid continue token: {why}") from None


def list_options(resource: Resource, query: Query, name: str = "") -> ListOptions:
    """The options of a list or a watch; ``name`` narrows them to one object (the old watch path)."""
    matches, selective = _matcher(resource, query, name)
    rv_text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    watch = _boolean(query, "watch")
    initial = _boolean(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    if match and not rv_text and not watch:
        message = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise _option_error("ListOptions", "FieldValueForbidden", message, "resourceVersionMatch")
    if match and match not in ("Exact", "NotOlderThan"):
        message = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
        raise _option_error("ListOptions", "FieldValueNotSupported", message, "resourceVersionMatch")
    if initial is not None and not watch:
        message = "Forbidden: sendInitialEvents is forbidden for list"
        raise _option_error("ListOptions", "FieldValueForbidden", message, "sendInitialEvents")
    if initial is not None and match != "NotOlderThan":
        message = (
            "Forbidden: resourceVersionMatch is required when sendInitialEvents is provided"
            if not match
            else 'Unsupported value: "Exact": supported values: "NotOlderThan"'
        )
        raise _option_error("ListOptions", "FieldValueForbidden", message, "resourceVersionMatch")
    token = query.get("continue", "")
    start_rv, start = _decode_continue(token) if token else (0, None)
    seconds = _integer(query, "timeoutSeconds")
    return ListOptions(
        matches=matches,
        selective=selective,
        limit=max(0, _integer(query, "limit") or 0),
        start=start,
        start_rv=start_rv,
        resource_version=parse_resource_version(rv_text) if rv_text else None,
        resource_version_match=match,
        watch=watch,
        bookmarks=_boolean(query, "allowWatchBookmarks"),
        send_initial_events=initial,
        timeout=float(seconds) if seconds is not None and seconds > 0 else None,
    )


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """The options of a create, an update or a patch. ``manager`` is the name that goes to managedFields."""

    dry_run: bool = False
    manager: str = "unknown"
    field_validation: str = "Warn"
    force: bool = False


def default_manager(user_agent: str) -> str:
    """The field manager of a client that names none (fieldmanager.go: prefixFromUserAgent)."""
    return user_agent.split("/")[0].encode("ascii", "ignore").decode()[:128] or "unknown"


def write_options(query: Query, kind: str, user_agent: str) -> WriteOptions:
    """Read a writer's options; ``kind`` is the options' own kind, as errors name it (e.g. "CreateOptions")."""
    dry_runs = [v for k, v in getattr(query, "items", dict)() if k == "dryRun"]
    bad = [v for v in dry_runs if v not in ("All", "")]
    if bad:
        message = f'Unsupported value: {orjson.dumps(dry_runs).decode()}: supported values: "All"'
        raise _option_error(kind, "FieldValueNotSupported", message, "dryRun")
    validation = query.get("fieldValidation", "")
    if validation not in ("", "Strict", "Warn", "Ignore"):
        message = f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        raise _option_error(kind, "FieldValueNotSupported", message, "fieldValidation")
    manager = query.get("fieldManager", "")
    if len(manager) > 128:
        raise _option_error(kind, "FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager")
    return WriteOptions(
        dry_run="All" in dry_runs,
        manager=manager or default_manager(user_agent),
        field_validation=validation or "Warn",
        force=_boolean(query, "force"),
    )


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    """How to delete. ``propagation`` is "Foreground", "Background", "Orphan" or empty for the default."""

    grace_period: int | None = None
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def delete_options(query: Query, body: Object) -> DeleteOptions:
    """Read DeleteOptions; a body wins over the query, as in k8s.io/apiserver/pkg/endpoints/handlers/delete.go."""
    given: dict[str, Any] = dict(body)
    if not body:
        grace = _integer(query, "gracePeriodSeconds")
        given = {
            "gracePeriodSeconds": grace,
            "propagationPolicy": query.get("propagationPolicy"),
            "dryRun": [query["dryRun"]] if query.get("dryRun") else None,
        }
        if "orphanDependents" in query:
            given["orphanDependents"] = _boolean(query, "orphanDependents")
    propagation = given.get("propagationPolicy") or ""
    if propagation not in ("", "Foreground", "Background", "Orphan"):
        supported = '"Foreground", "Background", "Orphan", "nil"'
        message = f'Unsupported value: "{propagation}": supported values: {supported}'
        raise _option_error("DeleteOptions", "FieldValueNotSupported", message, "propagationPolicy")
    dry_run = given.get("dryRun") or []
    if any(v != "All" for v in dry_run):
        message = f'Unsupported value: {orjson.dumps(dry_run).decode()}: supported values: "All"'
        raise _option_error("DeleteOptions", "FieldValueNotSupported", message, "dryRun")
    if not propagation and given.get("orphanDependents") is not None:
        propagation = "Orphan" if given["orphanDependents"] else "Background"
    preconditions = given.get("preconditions") or {}
    grace_period = given.get("gracePeriodSeconds")
    return DeleteOptions(
        grace_period=grace_period if isinstance(grace_period, int) else None,
        propagation=propagation,
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=bool(dry_run),
    )
