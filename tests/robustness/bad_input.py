"""Input that nobody should send: documents made from the served schemas and then spoiled, patches, bytes.

Everything comes from one random.Random, so that a seed tells a failure completely.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

import orjson
from good_input import GOOD

NAMES = ("a", "b", "web", "default", "fuzz", "kube-system")
_STRINGS = (
    "", "a", "A", "-", ".", "..", "/", "a/b", "a.b.c", "a" * 64, "a" * 300, "\x00", "\ud7ff", "é", "😀", "%s",
    "{}", "$(X)", "true", "null", "0", "-1", "80", "99999", "1e9", "10.0.0.1", "10.96.0.1", "10.244.0.0/16", "::1",
    "fd00::/8", "1.2.3.4/33", "300.1.1.1", "TCP", "UDP", "tcp", "ClusterIP", "NodePort", "LoadBalancer", "ExternalName",
    "None", "Always", "Never", "OnFailure", "RollingUpdate", "Recreate", "In", "NotIn", "Exists", "DoesNotExist",
    "IPv4", "IPv6", "100m", "1Gi", "1e400", "-5", "1.5.", "50%", "200%", "-1%", "2026-01-01T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "v1", "apps/v1", "Pod", "Foo", "foregroundDeletion", "kubernetes",
    "f:spec", "k:{}", "v:1", ".", "*", "* * * * *", "61 * * * *", "[", "(", "\\", "\n", "metadata.name", "=", "a=b,c",
)  # fmt: skip
_NUMBERS: tuple[Any, ...] = (
    0, 1, -1, 2, 80, 65535, 65536, 2**31 - 1, 2**31, -(2**31) - 1, 2**53, 2**63 - 1, -(2**63), 2**64 - 1, 0.5,
    -0.0, 1e308,
)  # fmt: skip
_DEPTH = 7


def text(random: Random) -> str:
    """A string that is likely to hurt."""
    if random.random() < 0.85:
        return random.choice(_STRINGS)
    return "".join(chr(random.choice((random.randrange(32, 127), random.randrange(0x100, 0x500)))) for _ in range(9))


def anything(random: Random, depth: int = 0) -> Any:
    """Any JSON value."""
    kind = random.randrange(8 if depth < 3 else 5)
    if kind == 0:
        return random.choice((None, True, False))
    if kind == 1:
        return random.choice(_NUMBERS)
    if kind < 5:
        return text(random)
    if kind < 6:
        return [anything(random, depth + 1) for _ in range(random.randrange(3))]
    return {text(random): anything(random, depth + 1) for _ in range(random.randrange(3))}


def spoil_a_place(random: Random, obj: Any) -> None:
    """Change one value, or take it out, or double it, anywhere in an object."""
    while obj:
        key: Any = random.choice(list(obj)) if isinstance(obj, dict) else random.randrange(len(obj))
        if isinstance(obj[key], dict | list) and obj[key] and random.random() < 0.85:
            obj = obj[key]
            continue
        match random.randrange(5):
            case 0:
                del obj[key]
            case 1 if isinstance(obj, list):
                obj.append(obj[key])
            case 2 if isinstance(obj, dict):
                obj[text(random)] = obj[key]
            case _:
                obj[key] = anything(random)
        return


class Documents:
    """Objects by the schemas of the served OpenAPI documents."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas

    def of_kind(self, random: Random, group: str, version: str, kind: str, spoil: float) -> Any:
        """An object of a kind; each value is spoiled with the probability ``spoil``."""
        if kind in GOOD and random.random() < 0.6:
            obj: Any = orjson.loads(orjson.dumps(GOOD[kind]))
            obj["metadata"].setdefault("name", random.choice(NAMES))
            for _ in range(random.choice((0, 1, 1, 2, 3))):
                spoil_a_place(random, obj)
            return obj
        for schema in self.schemas.values():
            for gvk in schema.get("x-kubernetes-group-version-kind") or ():
                if (gvk.get("group", ""), gvk["version"], gvk["kind"]) == (group, version, kind):
                    obj = self.value(random, schema, spoil, required=True)
                    return self._headed(random, obj, f"{group}/{version}" if group else version, kind, spoil)
        return anything(random)

    def _headed(self, random: Random, obj: Any, api_version: str, kind: str, spoil: float) -> Any:
        if not isinstance(obj, dict):
            return obj
        if random.random() > spoil:
            obj["kind"], obj["apiVersion"] = kind, api_version
        metadata = obj.get("metadata")
        if not isinstance(metadata, dict):
            if random.random() < spoil:
                return obj
            metadata = obj["metadata"] = {}
        # What is random here stops nearly every request at the door; the rest of the object is what is tried.
        for field in ("resourceVersion", "uid", "deletionTimestamp", "namespace", "managedFields", "generateName"):
            if random.random() > 0.05:
                metadata.pop(field, None)
        if random.random() > spoil:
            metadata["name"] = random.choice(NAMES)
        return obj

    def value(
        self, random: Random, schema: dict[str, Any], spoil: float, depth: int = 0, required: bool = False
    ) -> Any:
        """A value by a schema, or none by any."""
        if random.random() < spoil and not (required and depth == 0):
            return anything(random)
        while "$ref" in schema or "allOf" in schema:
            ref = schema.get("$ref") or schema["allOf"][0].get("$ref")
            if ref is None:
                schema = schema["allOf"][0]
                continue
            schema = self.schemas[ref.rpartition("/")[2]]
        match schema.get("type"):
            case "object":
                return self._object(random, schema, spoil, depth)
            case "array":
                count = 0 if depth > _DEPTH else random.choice((0, 1, 1, 2))
                return [self.value(random, schema.get("items") or {}, spoil, depth + 1) for _ in range(count)]
            case "integer" | "number":
                return random.choice(_NUMBERS[:9])
            case "boolean":
                return random.choice((True, False))
            case "string":
                if schema.get("format") == "date-time" and random.random() < 0.9:
                    return "2026-01-01T00:00:00Z"
                if schema.get("format") == "byte" and random.random() < 0.9:
                    return "YQ=="
                return random.choice(schema["enum"]) if schema.get("enum") else text(random)
        if "oneOf" in schema or "anyOf" in schema:
            return random.choice((1, 80, "80", "http", "25%", "100m"))
        return anything(random)

    def _object(self, random: Random, schema: dict[str, Any], spoil: float, depth: int) -> Any:
        if "properties" not in schema:
            below = schema.get("additionalProperties")
            below = below if isinstance(below, dict) else {"type": "string"}
            return {text(random): self.value(random, below, spoil, depth + 1) for _ in range(random.randrange(3))}
        needed = schema.get("required") or ()
        out = {}
        for name, below in schema["properties"].items():
            likely = 0.95 if name in needed else (0.5 if depth < 2 else 0.25)
            if random.random() < likely and (depth < _DEPTH or name in needed) and depth < 3 * _DEPTH:
                out[name] = self.value(random, below, spoil, depth + 1)
        if random.random() < spoil:
            out[text(random)] = anything(random)
        return out


def _pointer(random: Random, obj: Any) -> str:
    path = ""
    while random.random() < 0.85:
        if isinstance(obj, dict) and obj:
            key = random.choice(list(obj))
            path, obj = f"{path}/{key.replace('~', '~0').replace('/', '~1')}", obj[key]
        elif isinstance(obj, list) and obj:
            at = random.randrange(len(obj))
            path, obj = f"{path}/{at}", obj[at]
        else:
            break
    return path + random.choice(("", "", "", "/-", "/0", "/x", "/", "/~2", "//"))


def json_patch(random: Random, obj: Any) -> Any:
    """Operations on places that are mostly there."""
    operations = []
    for _ in range(random.randrange(1, 4)):
        operation: dict[str, Any] = {
            "op": random.choice(("add", "remove", "replace", "move", "copy", "test", "x", "")),
            "path": _pointer(random, obj),
        }
        if random.random() < 0.8:
            operation["value"] = anything(random)
        if random.random() < 0.5:
            operation["from"] = _pointer(random, obj)
        operations.append(operation if random.random() < 0.95 else anything(random))
    return operations if random.random() < 0.95 else anything(random)


_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def merge_patch(random: Random, obj: Any, strategic: bool, depth: int = 0) -> Any:
    """A part of the object with some values changed, and directives where they mean something."""
    if random.random() < 0.12:
        return anything(random)
    if isinstance(obj, dict):
        keys = [key for key in obj if random.random() < (0.5 if depth else 0.9)]
        out = {key: merge_patch(random, obj[key], strategic, depth + 1) for key in keys}
        if strategic and random.random() < 0.3:
            directive = random.choice(_DIRECTIVES)
            key = directive + (random.choice(list(obj)) if obj and directive.endswith("/") else "")
            known = [["a"], [], [{"name": "a"}], list(obj)[:2], "delete", "replace", "merge", anything(random)]
            out[key] = random.choice(known)
        return out
    if isinstance(obj, list):
        out_list = [merge_patch(random, item, strategic, depth + 1) for item in obj if random.random() < 0.7]
        if strategic and random.random() < 0.2:
            out_list.append({"$patch": random.choice(("replace", "delete", "x"))})
        return out_list
    return obj if random.random() < 0.5 else anything(random)


def spoiled_bytes(random: Random, raw: bytes) -> bytes:
    """Bytes with a few changed, cut off, doubled or put in."""
    data = bytearray(raw or b"x")
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(data) + 1)
        match random.randrange(5):
            case 0:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del data[at : at + random.randrange(1, 9)]
            case 2:
                data[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                data[at:at] = data[at : at + 40]
            case 4:
                data[at:at] = random.choice(
                    (b"{", b"[", b'"', b"&a ", b"*a", b"!!", b"---\n", b"\t", b"\xff", b"\x80" * 11)
                )
    return bytes(data)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def message(random: Random, depth: int = 0) -> bytes:
    """A protobuf message of whatever fields."""
    out = b""
    for _ in range(random.randrange(5 if depth < 6 else 2)):
        number, wire = random.randrange(1, 20), random.choice((0, 2, 2, 2, 2, 1, 5))
        out += _varint(number << 3 | wire)
        if wire == 0:
            out += _varint(random.choice((0, 1, 80, 2**31, 2**63, 2**64 - 1)))
        elif wire == 2:
            inner = message(random, depth + 1) if random.random() < 0.6 else text(random).encode()
            out += _varint(len(inner)) + inner
        else:
            out += struct.pack("<d", random.choice((0.0, 1e308, float("nan"), float("inf"))))[: 8 if wire == 1 else 4]
    return out


def protobuf(random: Random, api_version: str, kind: str) -> bytes:
    """Kubernetes' envelope around a message."""
    meta = b"".join(
        _varint(n << 3 | 2) + _varint(len(v)) + v for n, v in ((1, api_version.encode()), (2, kind.encode()))
    )
    # A name first, so that some of the objects get past the door.
    inner = b"\x0a\x03\x0a\x01a" + message(random)
    raw = b"k8s\x00" + _varint(10) + _varint(len(meta)) + meta + _varint(18) + _varint(len(inner)) + inner
    return raw if random.random() < 0.7 else spoiled_bytes(random, raw)


_QUERY: dict[str, Callable[[Random], str]] = {
    "limit": lambda r: str(r.choice(_NUMBERS)),
    "continue": text,
    "labelSelector": lambda r: r.choice(("a=b", "a in (b", "!a", "a>1", "a>x", ",", "a==b,", text(r))),
    "fieldSelector": lambda r: r.choice(("metadata.name=a", "spec.x=1", "metadata.name!=", "a", text(r))),
    "resourceVersion": lambda r: r.choice(("0", "1", "-1", "x", "99999999999999999999", text(r))),
    "resourceVersionMatch": lambda r: r.choice(("Exact", "NotOlderThan", "x")),
    "sendInitialEvents": lambda r: r.choice(("true", "false", "x")),
    "allowWatchBookmarks": lambda r: r.choice(("true", "x")),
    "dryRun": lambda r: r.choice(("All", "x", "")),
    "fieldManager": lambda r: r.choice(("m", "", "a" * 200, text(r))),
    "fieldValidation": lambda r: r.choice(("Strict", "Warn", "Ignore", "x")),
    "force": lambda r: r.choice(("true", "false", "x")),
    "gracePeriodSeconds": lambda r: r.choice(("0", "-1", "x", "9" * 30)),
    "propagationPolicy": lambda r: r.choice(("Foreground", "Background", "Orphan", "x")),
    "orphanDependents": lambda r: r.choice(("true", "x")),
    "includeObject": lambda r: r.choice(("None", "Object", "x")),
    "pretty": lambda r: r.choice(("true", "x")),
    "timeoutSeconds": lambda r: r.choice(("0", "1", "-1", "x", "9" * 30)),
    "container": text, "tailLines": lambda r: str(r.choice(_NUMBERS)), "command": text, "ports": text, "path": text,
}  # fmt: skip


def query(random: Random) -> str:
    """A query string, or none."""
    names = random.sample(sorted(_QUERY), random.choice((0, 0, 1, 2, 3)))
    pairs = [(name, _QUERY[name](random)) for name in names]
    return "?" + "&".join(f"{quote(n)}={quote(v.encode('utf-8', 'replace'))}" for n, v in pairs) if pairs else ""


ACCEPTS = (
    "application/json", "*/*", "application/yaml", "application/json;as=Table;v=v1;g=meta.k8s.io",
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", "application/vnd.kubernetes.protobuf",
    "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", "text/html", ";;,=", "application/json;as=x",
)  # fmt: skip


def accept(random: Random) -> str:
    """What to ask for."""
    return ACCEPTS[0] if random.random() < 0.6 else random.choice(ACCEPTS)


def shown(value: Any) -> str:
    """A body for the message of a failure."""
    raw = value if isinstance(value, bytes) else orjson.dumps(value)
    return repr(raw[:3000])
