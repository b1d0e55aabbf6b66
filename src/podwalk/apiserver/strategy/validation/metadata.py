"""Names, labels, annotations, selectors.

Upstream: k8s.io/apimachinery/pkg/api/validation/objectmeta.go and pkg/apis/meta/v1/validation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from podwalk.api.meta import Object
from podwalk.api.selectors import label_selector
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause

_ANNOTATION_BYTES = 256 * 1024
_STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")


def strings(value: Any) -> dict[str, str]:
    """A map of strings, whatever was sent."""
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def objects(value: Any) -> list[Object]:
    """A list of objects, whatever was sent."""
    return [v if isinstance(v, dict) else {} for v in value] if isinstance(value, list) else []


def items(value: Any) -> list[Any]:
    """A list, whatever was sent."""
    return value if isinstance(value, list) else []


def mapping(value: Any) -> Object:
    """An object, whatever was sent."""
    return value if isinstance(value, dict) else {}


def validate_labels(labels: Any, field: str) -> list[Cause]:
    """Keys and values of a label map."""
    causes: list[Cause] = []
    for key, value in strings(labels).items():
        causes += fields.each(field, key, fields.qualified_name(key))
        causes += fields.each(field, value, fields.label_value(value))
    return causes


def validate_annotations(annotations: Any, field: str) -> list[Cause]:
    """Keys and size of an annotation map."""
    causes: list[Cause] = []
    for key in strings(annotations):
        causes += fields.each(field, key, fields.qualified_name(key.lower()))
    if sum(len(k.encode()) + len(v.encode()) for k, v in strings(annotations).items()) > _ANNOTATION_BYTES:
        causes.append(fields.too_long(field, _ANNOTATION_BYTES))
    return causes


def _finalizers(finalizers: Any) -> list[Cause]:
    causes: list[Cause] = []
    for index, name in enumerate(items(finalizers)):
        field = f"metadata.finalizers[{index}]"
        causes += fields.each(field, name, fields.qualified_name(str(name)))
        if "/" not in str(name) and name not in _STANDARD_FINALIZERS:
            text = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(fields.invalid(field, name, text))
    return causes


def _owners(owners: Any) -> list[Cause]:
    causes: list[Cause] = []
    controller = ""
    for index, owner in enumerate(objects(owners)):
        field = f"metadata.ownerReferences[{index}]"
        if not owner.get("apiVersion"):
            causes.append(fields.invalid(f"{field}.apiVersion", "", "version must not be empty"))
        for name in ("kind", "name", "uid"):
            if not owner.get(name):
                causes.append(fields.invalid(f"{field}.{name}", owner.get(name) or "", "must not be empty"))
        if not owner.get("controller"):
            continue
        named = f"{owner.get('kind', '')}/{owner.get('name', '')}"
        if controller:
            text = (
                'Only one reference can have Controller set to true. Found "true" in references for '
                f"{controller} and {named}"
            )
            causes.append(fields.invalid("metadata.ownerReferences", owners, text))
        controller = controller or named
    return causes


def validate_metadata(obj: Object, name_rule: Callable[[str], list[str]]) -> list[Cause]:
    """The metadata of any object; ``name_rule`` says what is wrong with a name of this kind."""
    metadata = mapping(obj.get("metadata"))
    name, prefix = str(metadata.get("name") or ""), str(metadata.get("generateName") or "")
    causes: list[Cause] = []
    if prefix:
        # What follows the prefix is made of letters and digits: a trailing dash is masked, as upstream does.
        masked = f"{prefix[:-1]}a" if prefix.endswith("-") and len(prefix) > 1 else prefix
        causes += fields.each("metadata.generateName", prefix, name_rule(masked))
    if name:
        causes += fields.each("metadata.name", name, name_rule(name))
    elif not prefix:
        causes.append(fields.required("metadata.name", "name or generateName is required"))
    causes += validate_labels(metadata.get("labels"), "metadata.labels")
    causes += validate_annotations(metadata.get("annotations"), "metadata.annotations")
    causes += _owners(metadata.get("ownerReferences"))
    causes += _finalizers(metadata.get("finalizers"))
    return causes


def validate_selector(selector: Any, field: str) -> list[Cause]:
    """A metav1.LabelSelector."""
    causes = validate_labels(mapping(selector).get("matchLabels"), f"{field}.matchLabels")
    for index, expression in enumerate(objects(mapping(selector).get("matchExpressions"))):
        at, operator = f"{field}.matchExpressions[{index}]", expression.get("operator")
        values = items(expression.get("values"))
        if operator in ("In", "NotIn"):
            if not values:
                text = "must be specified when `operator` is 'In' or 'NotIn'"
                causes.append(fields.required(f"{at}.values", text))
        elif operator in ("Exists", "DoesNotExist"):
            if values:
                text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(fields.forbidden(f"{at}.values", text))
        else:
            causes.append(fields.invalid(f"{at}.operator", operator or "", "not a valid selector operator"))
        key = str(expression.get("key") or "")
        causes += fields.each(f"{at}.key", key, fields.qualified_name(key))
        for number, value in enumerate(values):
            causes += fields.each(f"{at}.values[{number}]", value, fields.label_value(str(value)))
    return causes


def selects(selector: Any, labels: Any) -> bool:
    """Whether a LabelSelector matches; a broken one matches nothing."""
    try:
        return label_selector(selector if isinstance(selector, dict) else None)(strings(labels))
    except (KeyError, TypeError, ValueError):
        return False


def immutable(field: str, new: Any, old: Any) -> list[Cause]:
    """A complaint where a field that may not change has changed."""
    return [] if new == old else [fields.invalid(field, new, fields.IMMUTABLE)]
