"""Label and field selectors: the string form of URLs and the object form of specs.

Upstream: k8s.io/apimachinery/pkg/labels and pkg/fields. Raises ValueError on a selector that does not parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]

_SET_BASED = re.compile(r"^(?P<key>[^\s!=(),]+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)$")
_NAME = re.compile(r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")


def everything(_: Labels) -> bool:
    """The matcher of an empty selector."""
    return True


def nothing(_: Labels) -> bool:
    """The matcher of a nil LabelSelector."""
    return False


def match_labels(wanted: Labels, labels: Labels) -> bool:
    """Whether ``labels`` holds every pair of ``wanted`` (a Service's or a ReplicationController's selector)."""
    return all(labels.get(k) == v for k, v in wanted.items())


def _split_requirements(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [p.strip() for p in parts if p.strip()]


def _check_key(label: str, selector: str) -> str:
    if not _NAME.match(label):
        raise ValueError(f"unable to parse requirement: {label!r} is not a label key in selector {selector!r}")
    return label


def _requirement(text: str, selector: str) -> Matcher:
    if found := _SET_BASED.match(text):
        label = _check_key(found["key"], selector)
        values = {v.strip() for v in found["values"].split(",")}
        if found["op"] == "in":
            return lambda labels: label in labels and labels[label] in values
        return lambda labels: labels.get(label) not in values if label in labels else True
    for operator in ("!=", "==", "="):
        if operator in text:
            left, _, right = text.partition(operator)
            label, value = _check_key(left.strip(), selector), right.strip()
            if operator == "!=":
                return lambda labels: labels.get(label) != value
            return lambda labels: labels.get(label) == value
    if text.startswith("!"):
        label = _check_key(text[1:].strip(), selector)
        return lambda labels: label not in labels
    label = _check_key(text, selector)
    return lambda labels: label in labels


def parse_label_selector(text: str | None) -> Matcher:
    """A matcher for the string form: ``a=b,c!=d,e in (x,y),!f``."""
    requirements = [_requirement(part, text or "") for part in _split_requirements(text or "")]
    if not requirements:
        return everything
    return lambda labels: all(r(labels) for r in requirements)


def label_selector(selector: Mapping[str, Any] | None) -> Matcher:
    """A matcher for a metav1.LabelSelector. None selects nothing, an empty one selects everything."""
    if selector is None:
        return nothing
    wanted = dict(selector.get("matchLabels") or {})
    expressions = list(selector.get("matchExpressions") or ())

    def matches(labels: Labels) -> bool:
        return match_labels(wanted, labels) and all(_expression(e, labels) for e in expressions)

    return matches


def _expression(expression: Mapping[str, Any], labels: Labels) -> bool:
    label, operator = expression["key"], expression["operator"]
    values = expression.get("values") or ()
    match operator:
        case "In":
            return label in labels and labels[label] in values
        case "NotIn":
            return label not in labels or labels[label] not in values
        case "Exists":
            return label in labels
        case "DoesNotExist":
            return label not in labels
    raise ValueError(f"{operator!r} is not a valid label selector operator")


def format_label_selector(selector: Mapping[str, Any] | None) -> str:
    """The string form of a LabelSelector (metav1.FormatLabelSelector): ``<none>`` where it is empty."""
    if not selector:
        return "<none>"
    parts = [f"{k}={v}" for k, v in sorted((selector.get("matchLabels") or {}).items())]
    for e in selector.get("matchExpressions") or ():
        values = ",".join(sorted(e.get("values") or ()))
        match e["operator"]:
            case "In":
                parts.append(f"{e['key']} in ({values})")
            case "NotIn":
                parts.append(f"{e['key']} notin ({values})")
            case "Exists":
                parts.append(e["key"])
            case _:
                parts.append(f"!{e['key']}")
    return ",".join(parts) or "<none>"


def parse_field_selector(text: str | None) -> list[tuple[str, bool, str]]:
    """Parse ``a.b=c,d!=e`` to [(path, equal, value)]."""
    out: list[tuple[str, bool, str]] = []
    for part in _split_requirements(text or ""):
        for operator in ("!=", "==", "="):
            if operator in part:
                left, _, right = part.partition(operator)
                out.append((left.strip(), operator != "!=", right.strip()))
                break
        else:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    return out


def field_value(obj: Mapping[str, Any], path: str) -> str:
    """The value at a dotted path as a field selector sees it: text, empty where it is absent."""
    at: Any = obj
    for part in path.split("."):
        at = at.get(part) if isinstance(at, Mapping) else None
    if at is None:
        return ""
    return str(at).lower() if isinstance(at, bool) else str(at)


def field_matcher(text: str | None) -> Callable[[Mapping[str, Any]], bool]:
    """A matcher for objects by field selector."""
    requirements = parse_field_selector(text)
    return lambda obj: all((field_value(obj, path) == value) == equal for path, equal, value in requirements)
