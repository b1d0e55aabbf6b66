"""Whatever a client sends, the answer is a Status of 4xx: never a 500, never silence."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"

DEEP = b'{"metadata":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}"
BOMB = b"a: &a [1,1,1,1,1,1,1,1,1,1]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(ord("b"), ord("j"))
)
YAML, PROTOBUF = "application/yaml", "application/vnd.kubernetes.protobuf"
BODIES = [
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[]", "application/json"),
    (b"5", "application/json"),
    (b'"x"', "application/json"),
    (b"\xff\xfe", "application/json"),
    (b'{"metadata":5}', "application/json"),
    (b'{"metadata":{"name":5}}', "application/json"),
    (b'{"metadata":{"name":"a","labels":[]}}', "application/json"),
    (b'{"metadata":{"name":"a","ownerReferences":[5]}}', "application/json"),
    (b'{"metadata":{"name":"a","managedFields":[5]}}', "application/json"),
    (b'{"metadata":{"name":"a","finalizers":{}}}', "application/json"),
    (b'{"kind":5,"metadata":{"name":"a"}}', "application/json"),
    (b'{"apiVersion":"v1","kind":[]}', "application/json"),
    (b'{"metadata":{"name":"a"},"data":{"k":{}}}', "application/json"),
    (DEEP, "application/json"),
    (b"[" * 5000, "application/json"),
    (BOMB, YAML),
    (b"a: &a {b: *a}", YAML),
    (b"[" * 5000, YAML),
    (b"a: !!binary x", YAML),
    (b"a: !!python/object:os.system x", YAML),
    (b"\x00", YAML),
    (b"k8s\x00\x0a", PROTOBUF),
    (b"nonsense", PROTOBUF),
    (b"x", "text/html"),
    (b"x", "application/cbor"),
]


@pytest.mark.parametrize(("body", "content_type"), BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CONFIG_MAPS),
        ("PUT", f"{CONFIG_MAPS}/a"),
        ("POST", "/api/v1/namespaces/default/pods/p/binding"),
        ("POST", "/apis/authentication.k8s.io/v1/tokenreviews/x"),
    ],
)
async def test_malformed_bodies(api: Any, method: str, path: str, body: bytes, content_type: str) -> None:
    answer = await api(method, path, body, content_type=content_type)
    assert 400 <= answer.status < 500, answer.raw
    assert answer.json["kind"] == "Status"


@pytest.mark.parametrize(
    "media", ["json-patch+json", "merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"]
)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"5",
        b"[5]",
        b'"x"',
        b"{",
        b"null",
        DEEP,
        b"[" * 5000,
        b'{"metadata":null}',
        b'{"metadata":5}',
        b'{"data":5}',
        b'{"metadata":{"labels":{"a":5}}}',
        b'[{"op":"add","path":"","value":5}]',
        b'[{"op":"add","path":"/metadata","value":5}]',
        b'[{"op":"move","from":"/data","path":"/data/x"}]',
        b'{"$patch":"delete"}',
        b'{"metadata":{"$patch":"replace"}}',
        b'{"metadata":{"managedFields":[5]}}',
        b'{"metadata":{"managedFields":[{"operation":"Apply","fieldsV1":{"f:a":5}}]}}',
    ],
)
async def test_malformed_patches(api: Any, media: str, body: bytes) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}, "data": {"k": "v"}})
    path = f"{CONFIG_MAPS}/a?fieldManager=me"
    answer = await api("PATCH", path, body, content_type=f"application/{media}")
    assert answer.status < 500, answer.raw
    if answer.status >= 400:
        assert answer.json["kind"] == "Status"
    assert (await api.ok("GET", f"{CONFIG_MAPS}/a"))["metadata"]["name"] == "a"


async def test_a_body_past_three_mebibytes_is_refused(api: Any) -> None:
    big = orjson.dumps({"metadata": {"name": "a"}, "data": {"k": "x" * (3 << 20)}})
    answer = await api("POST", CONFIG_MAPS, big)
    assert answer.status == 413
    assert answer.json["reason"] == "RequestEntityTooLarge"


async def test_delete_options_that_make_no_sense(api: Any) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "a"}})
    for body in (b"[]", b"{", b'{"gracePeriodSeconds":"x"}', b'{"propagationPolicy":"Maybe"}', b'{"preconditions":5}'):
        answer = await api("DELETE", f"{CONFIG_MAPS}/a", body)
        assert 400 <= answer.status < 500, (body, answer.raw)
    await api.ok("DELETE", f"{CONFIG_MAPS}/a", b'{"apiVersion":"apps/v1","kind":"DeleteOptions"}')


async def test_yaml_bodies(api: Any) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\ndata: {1: a, when: '2020-01-01'}\n"
    made = await api.ok("POST", CONFIG_MAPS, text, content_type=YAML)
    assert made["data"] == {"1": "a", "when": "2020-01-01"}
    shown = await api("GET", f"{CONFIG_MAPS}/y", accept=YAML)
    assert b"name: y" in shown.raw
    assert (await api("GET", f"{CONFIG_MAPS}/y", accept="text/plain")).status == 406


async def test_unknown_fields_warn(api: Any) -> None:
    obj = {"metadata": {"name": "a"}, "datum": {}}
    answer = await api("POST", CONFIG_MAPS, obj)
    assert answer.headers["Warning"] == '299 - "unknown field \\"datum\\""'
    strict = await api("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", obj)
    assert strict.json["message"] == (
        'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "datum"'
    )


@pytest.mark.parametrize("document", [b"[" * 100_000, b"{a: " * 100_000, b"- " * 100_000, b"&a [*a]"])
async def test_yaml_that_is_nested_without_end_is_refused(api: Any, document: bytes) -> None:
    answer = await api("POST", "/api/v1/namespaces", document, content_type="application/yaml")
    assert answer.status == 400
