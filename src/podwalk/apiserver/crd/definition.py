"""The rules of CustomResourceDefinition objects: defaults and validation.

Upstream: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/{v1/defaults.go,validation/validation.go} and
pkg/apiserver/schema (structural schemas).
"""

from __future__ import annotations

import re
from typing import Any

from podwalk.api import meta
from podwalk.api.errors import bad_request
from podwalk.api.meta import Object
from podwalk.apiserver.crd import jsonpath, structural, values
from podwalk.apiserver.schema import checking
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import validate_metadata

APPROVED = "api-approved.kubernetes.io"
_KIND = re.compile(r"^[A-Za-z]([-A-Za-z0-9]*[A-Za-z0-9])?$")
_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_SCHEMA = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
_PREFIX = 'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition'
_PULL = "https://github.com/kubernetes/enhancements/pull/1111"


def default(crd: Object) -> None:
    """Fill in what a definition may leave out."""
    spec = crd.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names.setdefault("singular", str(names["kind"]).lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})


def decode_schemas(crd: Object, field_validation: str) -> list[str]:
    """Check the schemas inside schemas, which the definition of JSONSchemaProps leaves open; warnings about them.

    Raises ApiError (400).
    """
    unknown: list[str] = []
    for index, version in enumerate((crd.get("spec") or {}).get("versions") or ()):
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is not None:
            unknown += _decode(schema, f"spec.versions[{index}].schema.openAPIV3Schema")
    errors = [f'unknown field "{path}"' for path in unknown]
    if errors and field_validation == "Strict":
        raise bad_request(f"{_PREFIX}: strict decoding error: {', '.join(errors)}")
    return errors if field_validation == "Warn" else []


def _decode(schema: Object, at: str) -> list[str]:
    unknown: list[str] = []
    for name in ("items", "additionalProperties", "additionalItems"):
        below, where = schema.get(name), f"{at}.{name}"
        if isinstance(below, bool) and name != "items":
            continue
        for part in below if isinstance(below, list) else [below] if below is not None else []:
            unknown += checking.check_part(part, _SCHEMA, where, _PREFIX) + _decode(part, where)
    for name in ("properties", "patternProperties", "definitions"):
        for key, part in (schema.get(name) or {}).items():
            unknown += _decode(part, f"{at}.{name}[{key}]")
    for name in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(schema.get(name) or ()):
            unknown += _decode(part, f"{at}.{name}[{index}]")
    if isinstance(schema.get("not"), dict):
        unknown += _decode(schema["not"], f"{at}.not")
    return unknown


def initial_status(crd: Object) -> Object:
    """The status of a new definition."""
    stored = [v.get("name", "") for v in crd["spec"].get("versions") or () if v.get("storage")]
    return {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": stored}


def validate(crd: Object, old: Object | None, subresource: str = "") -> list[Cause]:
    """What is wrong with a definition; its status is judged by nobody."""
    if subresource:
        return []
    spec = crd.get("spec") or {}
    causes = validate_metadata(crd, fields.dns_subdomain)
    names = spec.get("names") or {}
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if meta.name(crd) != wanted:
        causes.append(fields.invalid("metadata.name", meta.name(crd), 'must be spec.names.plural+"."+spec.group'))
    causes += _approval(crd, old) + _group(spec) + _names(names) + _versions(spec)
    if old is not None:
        causes += _immutable(spec, old)
    return causes


def _approval(crd: Object, old: Object | None) -> list[Cause]:
    group = str(crd["spec"].get("group") or "")
    protected = group.endswith((".k8s.io", ".kubernetes.io")) or group in ("k8s.io", "kubernetes.io")
    if not protected or old is not None:
        return []
    at, value = f"metadata.annotations[{APPROVED}]", meta.annotations(crd).get(APPROVED)
    if not value:
        text = f'protected groups must have approval annotation "{APPROVED}", see {_PULL}'
        return [fields.required(at, text)]
    if value.startswith("unapproved") or "://" in value:
        return []
    text = f'protected groups must have approval annotation "{APPROVED}" with either a URL or a reason starting with "unapproved", see {_PULL}'  # noqa: E501
    return [fields.invalid(at, value, text)]


def _group(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    group, scope = str(spec.get("group") or ""), spec.get("scope")
    if not group:
        causes.append(fields.required("spec.group"))
    elif wrong := fields.dns_subdomain(group):
        causes += fields.each("spec.group", group, wrong)
    elif "." not in group:
        causes.append(fields.invalid("spec.group", group, "should be a domain with at least one dot"))
    if not scope:
        causes.append(fields.required("spec.scope"))
    elif scope not in ("Cluster", "Namespaced"):
        causes.append(fields.not_supported("spec.scope", scope, ("Cluster", "Namespaced")))
    conversion = spec.get("conversion") or {}
    if conversion.get("strategy") not in ("None", "Webhook"):
        causes.append(
            fields.not_supported("spec.conversion.strategy", conversion.get("strategy") or "", ("None", "Webhook"))
        )
    elif conversion["strategy"] == "Webhook":
        causes.append(fields.forbidden("spec.conversion.strategy", "this cluster converts by strategy None only"))
    return causes


def _names(names: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("plural", "singular", "kind", "listKind"):
        at, value = f"spec.names.{name}", str(names.get(name) or "")
        if not value:
            if name in ("plural", "kind", "singular", "listKind"):
                causes.append(fields.required(at))
        elif name in ("plural", "singular"):
            causes += fields.each(at, value, fields.dns_label(value))
        elif _KIND.match(value) is None:
            text = "may have mixed case, but should otherwise match: "
            causes += fields.each(at, value, [text + wrong for wrong in fields.dns_label(value.lower())])
    for index, short in enumerate(names.get("shortNames") or ()):
        causes += fields.each(f"spec.names.shortNames[{index}]", short, fields.dns_label(str(short)))
    for index, category in enumerate(names.get("categories") or ()):
        causes += fields.each(f"spec.names.categories[{index}]", category, fields.dns_label(str(category)))
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        causes.append(fields.invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same"))
    return causes


def _versions(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    versions = spec.get("versions") or []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        at, name = f"spec.versions[{index}]", str(version.get("name") or "")
        causes += fields.each(f"{at}.name", name, fields.dns_label(name))
        if name in seen:
            causes.append(
                fields.invalid("spec.versions", versions_shown(versions), "must contain unique version names")
            )
        seen.add(name)
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            causes.append(fields.required(f"{at}.schema.openAPIV3Schema", "schemas are required"))
        else:
            causes += validate_schema(schema, f"{at}.schema.openAPIV3Schema", root=True)
        causes += _columns(version, at)
    if sum(bool(v.get("storage")) for v in versions) != 1:
        text = "must have exactly one version marked as storage version"
        causes.append(fields.invalid("spec.versions", versions_shown(versions), text))
    return causes


def versions_shown(versions: list[Any]) -> list[Any]:
    """The versions as an error prints them: without their schemas, which fill pages."""
    return [{k: v for k, v in version.items() if k != "schema"} for version in versions]


def _columns(version: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        where = f"{at}.additionalPrinterColumns[{index}]"
        if not column.get("name"):
            causes.append(fields.required(f"{where}.name"))
        if column.get("type") not in _COLUMN_TYPES:
            text = f"must be one of {','.join(_COLUMN_TYPES)}"
            causes.append(fields.invalid(f"{where}.type", column.get("type") or "", text))
        causes += _path(column.get("jsonPath"), f"{where}.jsonPath")
    scale = (version.get("subresources") or {}).get("scale") or {}
    for name, prefix in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        path = scale.get(name)
        if scale and (not path or not str(path).startswith(prefix)):
            where = f"{at}.subresources.scale.{name}"
            text = f"should be a json path under {prefix[:-1]}"
            causes.append(fields.invalid(where, path, text) if path else fields.required(where))
    for index, field in enumerate(version.get("selectableFields") or ()):
        causes += _path(field.get("jsonPath"), f"{at}.selectableFields[{index}].jsonPath")
    return causes


def _path(path: Any, at: str) -> list[Cause]:
    if not path:
        return [fields.required(at)]
    try:
        jsonpath.compiled(str(path))
    except jsonpath.BadPath as error:
        return [fields.invalid(at, path, f"is an invalid JSON path: {error}")]
    return []


def validate_schema(schema: Any, at: str, *, root: bool = False) -> list[Cause]:
    """What keeps a schema from being structural, and what else is wrong with it."""
    if not isinstance(schema, dict):
        return [fields.invalid(at, schema, "must be a schema")]
    causes: list[Cause] = []
    kind = schema.get("type")
    if root and kind != "object":
        causes.append(
            fields.invalid(f"{at}.type", kind, "must be object at the root")
            if kind
            else fields.required(f"{at}.type", "must not be empty at the root")
        )
    if kind and kind not in _TYPES:
        causes.append(fields.not_supported(f"{at}.type", kind, _TYPES))
    causes += _keywords(schema, at)
    for name, below in (schema.get("properties") or {}).items():
        where = f"{at}.properties[{name}]"
        causes += _typed(below, where, "must not be empty for specified object fields")
        causes += validate_schema(below, where)
    items, more = schema.get("items"), schema.get("additionalProperties")
    if kind == "array" and items is None:
        causes.append(fields.required(f"{at}.items", "must be specified"))
    if isinstance(items, list):
        causes.append(fields.forbidden(f"{at}.items", "items must be a schema object and not an array"))
    elif items is not None:
        causes += _typed(items, f"{at}.items", "must not be empty for specified array items")
        causes += validate_schema(items, f"{at}.items")
    if isinstance(more, dict):
        where = f"{at}.additionalProperties"
        if schema.get("properties"):
            causes.append(fields.forbidden(where, "additionalProperties and properties are mutual exclusive"))
        causes += _typed(more, where, "must not be empty for specified object fields")
        causes += validate_schema(more, where)
    return causes


def _typed(schema: Any, at: str, text: str) -> list[Cause]:
    if not isinstance(schema, dict) or schema.get("type"):
        return []
    if schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields"):
        return []
    return [fields.required(f"{at}.type", text)]


def _keywords(schema: Object, at: str) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("$ref", "definitions", "dependencies", "id", "patternProperties", "additionalItems"):
        if schema.get(name):
            causes.append(fields.forbidden(f"{at}.{name}", f"{name} is not supported"))
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        causes.append(fields.forbidden(f"{at}.uniqueItems", text))
    if schema.get("additionalProperties") is False:
        causes.append(fields.forbidden(f"{at}.additionalProperties", "additionalProperties cannot be set to false"))
    list_type, keys = schema.get("x-kubernetes-list-type"), schema.get("x-kubernetes-list-map-keys")
    if list_type not in (None, "atomic", "set", "map"):
        causes.append(fields.not_supported(f"{at}.x-kubernetes-list-type", list_type, ("atomic", "map", "set")))
    if list_type == "map" and not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        causes.append(fields.required(f"{at}.x-kubernetes-list-map-keys", text))
    if "default" in schema:
        wrong = values.validate(schema["default"], {**schema, "nullable": schema.get("nullable", False)}, "")
        unknown = structural.prune(_copy(schema["default"]), schema)
        if unknown:
            causes.append(fields.invalid(f"{at}.default", schema["default"], "must not have unknown fields"))
        causes += [{**c, "field": f"{at}.default{'.' if c['field'] else ''}{c['field']}"} for c in wrong]
    return causes


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    return [_copy(v) for v in value] if isinstance(value, list) else value


def _immutable(spec: Object, old: Object) -> list[Cause]:
    causes: list[Cause] = []
    was = old["spec"]
    established = meta.condition_is_true(old, "Established")
    pairs = [("spec.group", spec.get("group"), was.get("group"))]
    pairs.append(("spec.names.plural", (spec.get("names") or {}).get("plural"), was["names"].get("plural")))
    if established:
        pairs.append(("spec.scope", spec.get("scope"), was.get("scope")))
        pairs.append(("spec.names.kind", (spec.get("names") or {}).get("kind"), was["names"].get("kind")))
    for at, new, before in pairs:
        if new != before:
            causes.append(fields.invalid(at, new, fields.IMMUTABLE))
    known = {v.get("name") for v in spec.get("versions") or ()}
    for index, name in enumerate((old.get("status") or {}).get("storedVersions") or ()):
        if name not in known:
            text = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions"
            )
            causes.append(fields.invalid(f"status.storedVersions[{index}]", name, text))
    return causes
