"""Keys that a body writes twice, of which decoding keeps the last: strict decoding names them.

Upstream: sigs.k8s.io/json (UnmarshalStrict) for JSON, YAMLToJSONStrict of sigs.k8s.io/yaml for YAML.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import yaml


def _paths(value: Any, twice: dict[int, list[str]], path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key in twice.get(id(value), ()):
            yield f'duplicate field "{path}{key}"'
        for key, item in value.items():
            below = f"{path}{key}"
            yield from _paths(item, twice, f"{below}." if isinstance(item, dict) else below)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, twice, f"{path}[{index}].")


def in_json(raw: bytes) -> list[str]:
    """The duplicate fields of a JSON document that is known to be valid, by their paths."""
    twice: dict[int, list[str]] = {}
    kept: list[dict[str, Any]] = []  # so that no id is given out again

    def merge(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        merged = dict(pairs)
        if len(merged) != len(pairs):
            kept.append(merged)
            counted = Counter(key for key, _ in pairs)
            twice[id(merged)] = [key for key, number in counted.items() if number > 1]
        return merged

    try:
        document = json.loads(raw, object_pairs_hook=merge)
    except (ValueError, RecursionError):
        return []  # the decoder that comes next says what is wrong
    return list(_paths(document, twice, "")) if twice else []


def in_yaml(raw: bytes) -> list[str]:
    """The duplicate keys of a YAML document, in one complaint with their lines."""
    try:
        root = yaml.compose(raw, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    found: list[str] = []
    todo, done = [root], set[int]()
    while todo:
        node = todo.pop()
        if id(node) in done:
            continue  # an alias
        done.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(getattr(key, "value", ""))
                if name in seen:
                    found.append(f'  line {key.start_mark.line + 1}: key "{name}" already set in map')
                seen.add(name)
                todo.append(value)
        elif isinstance(node, yaml.SequenceNode):
            todo.extend(node.value)
    return ["\n".join(["yaml: unmarshal errors:", *sorted(found)])] if found else []
