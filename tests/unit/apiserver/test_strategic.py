"""Strategic merge patches, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.api.errors import ApiError
from podwalk.apiserver.strategic import strategic_merge


def pod(*containers: Any, **spec: Any) -> dict:
    return {"spec": {"containers": list(containers), **spec}}


def c(name: str, **more: Any) -> dict:
    return {"name": name, **more}


CASES = [
    ("a new item is put where the patch's order wants it", pod(c("a")), pod(c("b")), pod(c("b"), c("a"))),
    (
        "an item merges by its key",
        pod(c("a", image="1", tty=True)),
        pod(c("a", image="2")),
        pod(c("a", image="2", tty=True)),
    ),
    ("an item is deleted", pod(c("a"), c("b")), pod({"$patch": "delete", "name": "a"}), pod(c("b"))),
    ("a list is replaced", pod(c("a"), c("b")), pod({"$patch": "replace"}, c("x")), pod(c("x"))),
    (
        "a map is replaced",
        {"spec": {"nodeSelector": {"a": "1"}}},
        {"spec": {"nodeSelector": {"$patch": "replace", "b": "2"}}},
        {"spec": {"nodeSelector": {"b": "2"}}},
    ),
    (
        "null deletes",
        {"metadata": {"labels": {"a": "1", "b": "2"}}},
        {"metadata": {"labels": {"a": None}}},
        {"metadata": {"labels": {"b": "2"}}},
    ),
    (
        "the order directive orders, the server's own items stay",
        pod(c("a"), c("s"), c("b")),
        {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}], "containers": [c("a", image="2")]}},
        pod(c("s"), c("b"), c("a", image="2")),
    ),
    (
        "an order directive alone reorders",
        pod(c("a"), c("b")),
        {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}},
        pod(c("b"), c("a")),
    ),
    (
        "a primitive list is a union",
        {"metadata": {"finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b", "a"]}},
        {"metadata": {"finalizers": ["b", "a"]}},
    ),
    (
        "primitives are deleted by directive",
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
    ),
    (
        "retainKeys drops the others",
        pod(c("a"), volumes=[{"name": "v", "emptyDir": {}}]),
        {"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]}},
        pod(c("a"), volumes=[{"name": "v", "hostPath": {"path": "/x"}}]),
    ),
    (
        "a list without a merge strategy is replaced",
        pod(c("a", args=["1", "2"])),
        pod(c("a", args=["3"])),
        pod(c("a", args=["3"])),
    ),
    (
        "directives do not stay behind in new parts",
        pod(),
        pod({"name": "n", "env": [{"$patch": "delete", "name": "X"}]}),
        pod({"name": "n", "env": []}),
    ),
]


@pytest.mark.parametrize(("live", "patch", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_patch(live: dict, patch: dict, wanted: dict) -> None:
    assert strategic_merge(live, patch, "v1", "Pod") == wanted


@pytest.mark.parametrize(
    "patch",
    [
        {"spec": {"$patch": "nonsense"}},
        {"spec": {"$retainKeys": "x"}},
        {"spec": {"$setElementOrder/containers": 5}},
        {"spec": {"containers": ["text", {"name": "a"}]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": 1}},
    ],
)
def test_a_malformed_patch_is_refused(patch: dict) -> None:
    with pytest.raises(ApiError) as raised:
        strategic_merge(pod(c("a")), patch, "v1", "Pod")
    assert raised.value.code == 400


def test_the_ports_of_a_service_merge_by_number() -> None:
    live = {"spec": {"ports": [{"port": 80, "targetPort": 1}, {"port": 81}]}}
    patched = strategic_merge(live, {"spec": {"ports": [{"port": 80, "targetPort": 2}]}}, "v1", "Service")
    assert patched == {"spec": {"ports": [{"port": 80, "targetPort": 2}, {"port": 81}]}}
