"""Decoding as Go does it: types, unknown fields, empty fields; and protobuf bodies."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.api.errors import ApiError
from podwalk.apiserver.schema import protobuf
from podwalk.apiserver.schema.checking import check


def service(**spec: Any) -> dict:
    return {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "s"}, "spec": spec}


def refusal(obj: dict, validation: str = "Ignore") -> str:
    with pytest.raises(ApiError) as raised:
        check(obj, validation)
    assert raised.value.code == 400
    return raised.value.message.partition(": ")[2]


def test_unknown_fields_are_told_with_their_paths_and_dropped() -> None:
    obj = service(ports=[{"port": 80, "foo": 1}], bogus={"a": 1})
    obj["top"] = 1
    assert check(obj, "Warn") == [f'unknown field "{f}"' for f in ("spec.ports[0].foo", "spec.bogus", "top")]
    assert obj["spec"] == {"ports": [{"port": 80}]}
    assert "top" not in obj
    assert refusal(service(clusterip="x"), "Strict") == 'strict decoding error: unknown field "spec.clusterip"'
    assert check(service(clusterip="x"), "Ignore") == []


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            {"ports": [{"port": "a"}]},
            "string into Go struct field ServicePort.spec.ports.port of type int32",
        ),
        ({"ports": {}}, "cannot unmarshal object into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort"),
        (
            {"selector": {"a": 1}},
            "number into Go struct field ServiceSpec.spec.selector of type string",
        ),
        (
            {"selector": []},
            "array into Go struct field ServiceSpec.spec.selector of type map[string]string",
        ),
        ({"publishNotReadyAddresses": "x"}, "field ServiceSpec.spec.publishNotReadyAddresses of type bool"),
        ({"ports": [{"port": 1 << 40}]}, "cannot unmarshal number 1099511627776 into Go struct field"),
    ],
)
def test_wrong_types_are_told_in_the_words_of_go(spec: dict, wanted: str) -> None:
    assert wanted in refusal(service(**spec))


@pytest.mark.parametrize("name", ["kind-of", "metadata", "spec", "status"])
def test_a_part_that_is_no_object_is_refused(name: str) -> None:
    obj = service()
    obj[name] = 5
    if name == "kind-of":
        assert check(obj, "Warn") == ['unknown field "kind-of"']
    else:
        assert "cannot unmarshal number" in refusal(obj)


def test_what_omitempty_omits_is_dropped_and_what_it_keeps_stays() -> None:
    obj = service(ports=[], selector={}, clusterIP="", externalName=None, allocateLoadBalancerNodePorts=False)
    obj["metadata"]["annotations"] = {}
    obj["status"] = {"loadBalancer": {}}
    check(obj, "Strict")
    assert obj["spec"] == {"allocateLoadBalancerNodePorts": False}
    assert obj["metadata"] == {"name": "s"}
    assert obj["status"] == {"loadBalancer": {}}


def test_a_port_of_zero_is_sent_and_a_node_port_of_zero_is_not() -> None:
    obj = service(ports=[{"port": 0, "nodePort": 0}])
    check(obj, "Strict")
    assert obj["spec"]["ports"] == [{"port": 0}]


def test_times_quantities_and_bytes() -> None:
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {}}
    limits = {"containers": [{"name": "c", "resources": {"limits": {"cpu": 2, "memory": "1Gi"}}}]}
    obj = {**pod, "spec": limits}
    check(obj, "Strict")
    assert obj["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}
    wrong = {**pod, "spec": {"containers": [{"name": "c", "resources": {"limits": {"cpu": "lots"}}}]}}
    assert refusal(wrong).startswith("quantities must match the regular expression")
    secret = {"kind": "Secret", "apiVersion": "v1", "data": {"a": "not base64!"}}
    assert refusal(secret).startswith("illegal base64 data at input byte")
    timed = {"kind": "Pod", "apiVersion": "v1", "metadata": {"deletionTimestamp": "yesterday"}}
    assert 'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00"' in refusal(timed)


def test_times_that_go_cannot_omit_are_null() -> None:
    event = {"kind": "Event", "apiVersion": "v1", "metadata": {}, "involvedObject": {}}
    check(event, "Strict")
    assert event["eventTime"] is None
    assert event["firstTimestamp"] is None


def field(number: int, data: bytes | int) -> bytes:
    def varint(value: int) -> bytes:
        out = bytearray()
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        return bytes([*out, value])

    if isinstance(data, int):
        return varint(number << 3) + varint(data & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(data)) + data


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, api_version.encode()) + field(2, kind.encode())) + field(2, raw)


def test_protobuf_bodies() -> None:
    meta = field(1, b"web") + field(11, field(1, b"app") + field(2, b"web")) + field(8, b"")
    port = field(3, 80) + field(4, field(1, 1) + field(2, 0) + field(3, b"http"))
    spec = field(1, port) + field(2, field(1, b"app") + field(2, b"web")) + field(3, b"")
    obj = protobuf.decode_envelope(envelope("v1", "Service", field(1, meta) + field(2, spec)))
    check(obj, "Strict")
    assert obj == {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"ports": [{"port": 80, "targetPort": "http"}], "selector": {"app": "web"}},
    }


def test_embedded_structs_of_protobuf_are_flat_in_json() -> None:
    volume = field(1, b"v") + field(2, field(2, field(1, b"Memory")))
    obj = protobuf.decode_envelope(envelope("v1", "Pod", field(2, field(1, volume))))
    assert obj["spec"]["volumes"] == [{"name": "v", "emptyDir": {"medium": "Memory"}}]


def test_a_pointer_to_zero_survives_protobuf() -> None:
    obj = protobuf.decode_envelope(envelope("apps/v1", "Deployment", field(2, field(1, 0) + field(5, 0))))
    check(obj, "Strict")
    assert obj["spec"]["replicas"] == 0
    assert "minReadySeconds" not in obj["spec"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"k8s\x00",
        b"k8s\x00\xff\xff\xff",
        b"{}",
        envelope("v1", "Nonsense", b""),
        envelope("v1", "Pod", b"\x0a\xff"),
        envelope("v1", "Pod", b"\x08\x01"),
        envelope("v1", "Pod", b"\x0b"),
        envelope("v1", "Pod", field(1, field(1, b"\xff\xfe"))),
        envelope("v1", "Pod", field(2, field(4, b"xx"))),
    ],
)
def test_malformed_protobuf_is_a_bad_request(raw: bytes) -> None:
    with pytest.raises(ApiError) as raised:
        protobuf.decode_envelope(raw)
    assert raised.value.code == 400
