"""Definitions and objects that nobody would write: refused with a 4xx, or served to the end."""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest
from api_world import CRDS, Api, definition, eventually

_JUNK: list[Any] = [
    None, True, 0, -1, 1.5, "", "x", "a.b", [], {}, [1], {"a": 1}, ["x"], [{}], {"type": "object"}, "(", "9" * 30,
]  # fmt: skip
_KEYS = [
    "items", "default", "enum", "properties", "required", "pattern", "allOf", "not", "anyOf", "oneOf", "maxItems",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "additionalProperties", "jsonPath", "nullable", "type",
]  # fmt: skip


def mutated(chance: random.Random, node: Any, share: float) -> Any:
    if chance.random() < share:
        return copy.deepcopy(chance.choice(_JUNK))
    if isinstance(node, dict):
        out = {key: mutated(chance, value, share) for key, value in node.items()}
        if chance.random() < share:
            out[chance.choice(_KEYS)] = copy.deepcopy(chance.choice(_JUNK))
        return out
    return [mutated(chance, item, share) for item in node] if isinstance(node, list) else node


@pytest.mark.parametrize("seed", range(3))
async def test_no_definition_and_no_object_breaks_the_server(api: Api, seed: int) -> None:
    chance = random.Random(seed)
    served = 0
    for _ in range(40):
        crd = mutated(chance, definition(), chance.choice([0.003, 0.01, 0.05]))
        if not isinstance(crd, dict) or not isinstance(crd.get("metadata"), dict):
            continue
        crd["metadata"].pop("resourceVersion", None)
        answer = await api("POST", CRDS, crd)
        assert answer.status < 500, answer.raw
        if answer.status != 201:
            continue
        served += 1
        url = f"{CRDS}/{crd['metadata']['name']}"
        spec = answer.json["spec"]
        boxes = f"/apis/{spec['group']}/v1/namespaces/default/{spec['names']['plural']}"
        box = {"apiVersion": f"{spec['group']}/v1", "kind": "Box", "metadata": {"name": "b"}}
        box["spec"] = {"size": 3, "parts": [{"name": "a"}], "tags": ["x"], "port": 1}
        for _ in range(3):
            sent = mutated(chance, box, 0.08)
            assert (await api("POST", boxes, sent)).status < 500
            apply = {"content_type": "application/apply-patch+yaml"}
            assert (await api("PATCH", f"{boxes}/b?fieldManager=x&force=true", sent, **apply)).status < 500
        table = "application/json;as=Table;v=v1;g=meta.k8s.io"
        assert (await api("GET", boxes, accept=table)).status < 500
        assert (await api("GET", "/openapi/v3")).status == 200
        await api("DELETE", url)

        async def gone(at: str = url) -> bool:
            return (await api("GET", at)).status == 404

        await eventually(gone)
    assert served
