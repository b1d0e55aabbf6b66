"""Build the API server's vendored schemas: src/podwalk/apiserver/data/schema.json.gz.

Run by hand when the served resources or the Kubernetes version change:

    python tools/generate_schema.py GOCODE

GOCODE is the src/ folder of an unpacked golang-k8s-api-dev and golang-k8s-apimachinery-dev (Debian packages); the
Python package kubernetes-validate must be installed. The file holds two tables, keyed by definition
(``io.k8s.api.core.v1.ServicePort``), of everything that the served kinds reach:

``definitions``: OpenAPI v3 schemas, from kubernetes-validate, with descriptions and patch and list-map metadata.
``fields``: how Go declares each field, from types.go and generated.proto:
    JSON name -> [protobuf number, wire type, definition or "", flags, Go type]
    wire type: s string, y bytes, i integer, t bool, d double, m message
    flags: p pointer, r repeated, k map with string keys, o omitempty, z omitzero, e embedded
"""

from __future__ import annotations

import gzip
import importlib.resources
import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from podwalk.api.resources import RESOURCES  # noqa: E402

VERSION = "v1.36.0-local"
OUTPUT = ROOT / "src/podwalk/apiserver/data/schema.json.gz"

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"
APIEXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1"
EXTRA_ROOTS = (
    "io.k8s.api.events.v1.Event",
    "io.k8s.api.core.v1.Binding",
    "io.k8s.api.policy.v1.Eviction",
    "io.k8s.api.autoscaling.v1.Scale",
    "io.k8s.api.authentication.v1.TokenRequest",
    "io.k8s.api.authentication.v1.TokenReview",
    "io.k8s.api.authentication.v1.SelfSubjectReview",
    "io.k8s.api.authorization.v1.LocalSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectAccessReview",
    "io.k8s.api.authorization.v1.SelfSubjectRulesReview",
    "io.k8s.api.authorization.v1.SubjectAccessReview",
    f"{META}.DeleteOptions",
    f"{META}.Status",
)
WIRE = {
    "string": "s",
    "bytes": "y",
    "bool": "t",
    "double": "d",
    "int32": "i",
    "int64": "i",
    "uint32": "i",
    "uint64": "i",
}


def package_of(group: str) -> str:
    """The Go package of an API group: "networking.k8s.io" lives in k8s.io/api/networking."""
    if group == "apiextensions.k8s.io":
        return APIEXTENSIONS.removesuffix(".v1")
    return f"io.k8s.api.{group.split('.')[0] or 'core'}"


def roots() -> list[str]:
    """The definitions of everything that may be sent to the server."""
    served = [f"{package_of(r.group)}.{r.version}.{r.kind}" for r in RESOURCES]
    return [*served, *EXTRA_ROOTS]


# The OpenAPI definitions.


def load_definitions() -> dict[str, Any]:
    """All the definitions of kubernetes-validate for VERSION."""
    folder = importlib.resources.files("kubernetes_validate") / "kubernetes-json-schema" / VERSION
    found: dict[str, Any] = json.loads((folder / "_definitions.json").read_text())["$defs"]
    return found


def clean(node: Any) -> Any:
    """Undo what kubernetes-validate did for JSON Schema, and write references as OpenAPI v3 does."""
    if isinstance(node, list):
        return [clean(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: clean(value) for key, value in node.items() if key != "enum"}
    if isinstance(out.get("type"), list):
        kinds = [kind for kind in out["type"] if kind != "null"]
        out["type"] = kinds[0]
    return out


def clean_definition(node: dict[str, Any]) -> dict[str, Any]:
    """One definition; only ``properties`` may hold keys of any name."""
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "properties":
            out[key] = {name: clean_property(prop) for name, prop in value.items()}
        elif key == "oneOf":
            out.update(special(value))
        else:
            out[key] = clean(value)
    if isinstance(out.get("type"), list):
        out["type"] = next(kind for kind in out["type"] if kind != "null")
    out.pop("enum", None)
    out.pop("additionalProperties", None) if out.get("additionalProperties") is False else None
    return out


def special(one_of: list[dict[str, Any]]) -> dict[str, Any]:
    """IntOrString and Quantity, as upstream's v3 document describes them."""
    kinds = {kind for option in one_of for kind in option["type"] if kind != "null"}
    if "integer" in kinds:
        return {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
    return {"oneOf": [{"type": "string"}, {"type": "number"}]}


def clean_property(node: dict[str, Any]) -> dict[str, Any]:
    """One property; a reference beside other keys becomes allOf, as OpenAPI 3.0 wants it."""
    out = clean_definition(node)
    if "items" in out:
        out["items"] = clean_property(node["items"])
    if isinstance(out.get("additionalProperties"), dict):
        out["additionalProperties"] = clean_property(node["additionalProperties"])
    if "$ref" in out:
        reference = {"$ref": "#/components/schemas/" + out.pop("$ref").rsplit("/", 1)[1]}
        return {"allOf": [reference], **out} if out else reference
    return out


def references(node: Any) -> set[str]:
    """The definitions that a cleaned schema names."""
    if isinstance(node, list):
        return {name for item in node for name in references(item)}
    if not isinstance(node, dict):
        return set()
    found = {name for value in node.values() for name in references(value)}
    if isinstance(node.get("$ref"), str):
        found.add(node["$ref"].rsplit("/", 1)[1])
    return found


def reach(definitions: dict[str, Any]) -> dict[str, Any]:
    """The cleaned definitions that the roots reach."""
    out: dict[str, Any] = {}
    todo = [name for name in roots() if name in definitions]
    missing = [name for name in roots() if name not in definitions]
    if missing:
        raise SystemExit(f"no definition of {', '.join(missing)}")
    while todo:
        name = todo.pop()
        if name in out:
            continue
        out[name] = clean_definition(definitions[name])
        todo.extend(references(out[name]))
    return dict(sorted(out.items()))


# How Go declares the fields.

STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
FIELD = re.compile(r"^\t(?:(\w+)\s+)?([\w.*\[\]]+)\s+`([^`]*)`", re.M)
MESSAGE = re.compile(r"^message (\w+) \{\n(.*?)^\}", re.M | re.S)
PROTO_FIELD = re.compile(r"^  (?:(optional|repeated|required) )?(map<string, ([\w.]+)>|[\w.]+) (\w+) = (\d+);", re.M)
COMMENT = re.compile(r"^\s*//.*\n", re.M)


def definition_name(package: str, message: str) -> str:
    """``k8s.io.api.core.v1`` + ``Pod`` -> ``io.k8s.api.core.v1.Pod``."""
    return f"io.{package.removeprefix('k8s.io.')}.{message}".replace("io.", "io.k8s.", 1)


def proto_types(text: str, package: str) -> dict[str, dict[int, tuple[str, str]]]:
    """message -> field number -> (wire type, definition)."""
    out: dict[str, dict[int, tuple[str, str]]] = {}
    for message, body in MESSAGE.findall(COMMENT.sub("", text)):
        fields = out[message] = {}
        for _, kind, value_kind, _, number in PROTO_FIELD.findall(body):
            kind = value_kind or kind
            if kind in WIRE:
                fields[int(number)] = (WIRE[kind], "")
            elif kind.startswith("."):
                owner, _, name = kind[1:].rpartition(".")
                fields[int(number)] = ("m", definition_name(owner, name))
            else:
                fields[int(number)] = ("m", definition_name(package, kind))
    return out


def go_type(text: str) -> str:
    """A Go type as reflection prints it in this package: local names get their package's last element."""
    text = (
        text.replace("metav1.", "v1.").replace("*", "", 1) if text.startswith("*") else text.replace("metav1.", "v1.")
    )
    basic = r"(?<![\w.])([A-Z]\w*)"
    return re.sub(basic, r"v1.\1", text)


def parse_package(folder: Path, package: str) -> dict[str, dict[str, list[Any]]]:
    """definition -> JSON name -> the row of the table, for one Go package."""
    protos = proto_types((folder / "generated.proto").read_text(), package)
    text = "".join(COMMENT.sub("", path.read_text()) for path in sorted(folder.glob("*types.go")))
    out: dict[str, dict[str, list[Any]]] = {}
    for struct, body in STRUCT.findall(text):
        if struct not in protos:
            continue
        rows: dict[str, list[Any]] = {}
        for field, kind, tags in FIELD.findall(body):
            proto = re.search(r'protobuf:"\w+,(\d+),', tags)
            tag = re.search(r'json:"([^"]*)"', tags)
            if proto is None or tag is None:
                continue
            name, *options = tag.group(1).split(",")
            wire, reference = protos[struct][int(proto.group(1))]
            flags = "p" if kind.startswith("*") else ""
            flags += "r" if kind.startswith("[]") and wire != "y" else "k" if kind.startswith("map[") else ""
            repeated = re.search(r'protobuf:"\w+,\d+,rep', tags)
            flags += (
                "k" if repeated and not set(flags) & set("rk") and kind in ("ResourceList", "v1.ResourceList") else ""
            )
            flags += "o" if "omitempty" in options else ""
            flags += "z" if "omitzero" in options else ""
            embedded = "inline" in options or (not name and not field)
            flags += "e" if embedded else ""
            label = name or f",{kind}"
            rows[label] = [int(proto.group(1)), wire, reference, flags, go_type(kind)]
        out[definition_name(package, struct)] = rows
    return out


# Definitions of apiextensions, whose Go sources are in neither package: no field number, since kubectl sends them as
# JSON, and the other columns as the OpenAPI definition tells them. JSON and the JSONSchemaPropsOr types hold anything.


def derive(definition: dict[str, Any]) -> dict[str, list[Any]]:
    """The rows of a definition without Go source."""
    needed = definition.get("required") or ()
    rows: dict[str, list[Any]] = {}
    for name, node in (definition.get("properties") or {}).items():
        if name in ("kind", "apiVersion") and "metadata" in definition["properties"]:
            continue
        wire, reference, flags, kind = derived_type(node)
        if name not in needed:
            flags += "o"
        rows[name] = [0, wire, reference, flags, kind]
    return rows


def derived_type(node: dict[str, Any]) -> tuple[str, str, str, str]:
    """Wire type, definition, flags and Go type of a property."""
    if "additionalProperties" in node:
        wire, reference, _, kind = derived_type(node["additionalProperties"])
        return wire, reference, "k", f"map[string]{kind}"
    if node.get("type") == "array":
        wire, reference, _, kind = derived_type(node["items"])
        return wire, reference, "r", f"[]{kind}"
    found = sorted(references(node))
    if found:
        label = found[0].rpartition(".")[2]
        anything = label == "JSON" or label.startswith("JSONSchemaPropsOr")
        return "m", RAW if anything else found[0], "p" if anything else "", f"v1.{label}"
    match node.get("type"):
        case "integer":
            return "i", "", "p", "int64" if node.get("format") == "int64" else "int32"
        case "number":
            return "d", "", "p", "float64"
        case "boolean":
            return "t", "", "", "bool"
    if node.get("format") == "byte":
        return "y", "", "", "[]uint8"
    return "s", "", "", "string"


def parse_go(gocode: Path, wanted: dict[str, Any]) -> dict[str, dict[str, list[Any]]]:
    """The rows of every definition that is wanted, and of what those embed."""
    everything: dict[str, dict[str, list[Any]]] = {}
    for proto in sorted((gocode / "k8s.io").glob("**/generated.proto")):
        package = str(proto.parent.relative_to(gocode)).replace("/", ".")
        everything.update(parse_package(proto.parent, package))
    everything |= {name: derive(found) for name, found in wanted.items() if name.startswith(APIEXTENSIONS)}
    out: dict[str, dict[str, list[Any]]] = {}
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in out or name not in everything:
            continue
        out[name] = everything[name]
        todo.extend(row[2] for row in out[name].values() if row[2])
    return dict(sorted(out.items()))


def check(definitions: dict[str, Any], fields: dict[str, dict[str, list[Any]]]) -> None:
    """Report where the two sources do not tell of the same fields."""
    for name, definition in definitions.items():
        told = set(definition.get("properties") or ()) - {"kind", "apiVersion"}
        declared: set[str] = set()
        for label, row in fields.get(name, {}).items():
            declared |= set(fields.get(row[2], {})) if "e" in row[3] else {label}
        declared = {label for label in declared if not label.startswith(",")}
        if told and told != declared and name in fields:
            print(f"{name}: only in the schema {sorted(told - declared)}, only in Go {sorted(declared - told)}")
        if told and name not in fields:
            print(f"{name}: not in Go")


def main() -> None:
    """Write the file."""
    definitions = reach(load_definitions())
    fields = parse_go(Path(sys.argv[1]), definitions)
    check(definitions, fields)
    document = json.dumps({"definitions": definitions, "fields": fields}, separators=(",", ":"), sort_keys=True)
    # No time and no file name in the gzip header: the same input gives the same bytes.
    OUTPUT.write_bytes(gzip.compress(document.encode(), 9, mtime=0))
    print(f"{len(definitions)} definitions, {len(fields)} messages, {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
