"""Reading answers, comparing nodes, packing records, putting objects back."""

from __future__ import annotations

from typing import Any, cast

import pytest

from podwalk.api.errors import ApiError
from podwalk.client.sync import SyncClient
from podwalk.faults import asking, nodestate, objects, probes, record
from podwalk.faults.facts import Facts, PodFact
from podwalk.faults.record import Record

FACTS = Facts(
    "cp", "w1", "w2", {"cp": "172.18.0.2", "w1": "172.18.0.3", "w2": "172.18.0.4"},
    {"w1": "10.244.1.0/24", "w2": "10.244.2.0/24"},
    {"board": PodFact("board-1-abcde", "tramway", "10.244.1.5", "w1")}, {"trams": "10.96.0.7"}, {},
)  # fmt: skip


def said(body: str, status: int = 200, exit: int = 0) -> str:
    return f"{body}\n<<podwalk {status} {exit} 10.0.0.1 0.01 >>\n"


@pytest.mark.parametrize(
    ("read", "output", "seen"),
    [
        (asking.answers, said("trams-east-5f4b7c9d6-x2v4k"), "1 × HTTP 200 from trams-east"),
        (asking.answers, said("board-5f4b-x2v4k") + said("", 0, 28), "1 × HTTP 200, 1 × timeout from board"),
        (asking.answers, said("x" * 30000), "1 × HTTP 200 from 30 kB"),
        (asking.answers, said("", 0, 7), "1 × connection refused"),
        (asking.seen_as, said("10.244.1.5:4242"), "the caller's own address"),
        (asking.seen_as, said("somebody sees you as 172.18.0.3"), "the address of the caller's node"),
        (asking.seen_as, said("10.244.1.0:1"), "the address 10.244.1.0"),
        (asking.address, "10.96.0.7 STREAM trams\n10.96.0.7 DGRAM\n", "Service trams"),
        (asking.address, "192.0.2.77 STREAM x\n", "192.0.2.77"),
        (asking.address, "", "not found"),
        (asking.address, "late\n", "no answer in time"),
        (asking.clock, "answered by clock\n", "answered by clock"),
        (asking.clock, "Traceback\nTimeoutError: timed out\n", "timeout"),
        (asking.balance, said("trams-east-a-bcdfg") * 39 + said("trams-west-a-bcdfg"), "nearly all to trams-east"),
        (asking.balance, said("trams-east-a-bcdfg") * 21 + said("trams-west-a-bcdfg") * 19, "shared"),
        (asking.shares, said("office-a-bcdfg") * 30 + said("board-a-bcdfg") * 10, "most to office"),
        (asking.subject, "subject=CN = tickets.tram.example\n", "certificate of tickets.tram.example"),
        (asking.subject, "", "no certificate"),
        (asking.at_front, said("board"), "no address"),
    ],
)  # fmt: skip
def test_reading(read: asking.Read, output: str, seen: str) -> None:
    assert read(output, FACTS) == seen


def test_only_what_is_not_healthy_is_sick() -> None:
    seen = {"safe-board": "1 × timeout", "office": "1 × timeout", "clock": "answered by clock"}
    assert probes.sick(seen) == {"office": "1 × timeout"}


def test_nodes_are_compared_line_by_line() -> None:
    before, after = {"w1": ["a", "b"], "w2": ["c"]}, {"w1": ["a", "x"], "w2": ["c"]}
    assert nodestate.differences(before, after) == ["w1: + x", "w1: - b"]
    assert nodestate.differences(before, before) == []


class _Api:
    """Objects by path, with the errors that an API server has."""

    def __init__(self, *stored: dict[str, Any]) -> None:
        self.stored = {o["metadata"]["name"]: o for o in stored}
        self.immutable = False
        self.calls: list[str] = []

    def find(self, kind: Any, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        return self.stored.get(name)

    def request(self, method: str, path: str, *, body: dict[str, Any]) -> None:
        self.calls.append(method)
        if method == "PUT" and self.immutable:
            raise ApiError(422, "Invalid", "spec.x: field is immutable")
        self.stored[body["metadata"]["name"]] = {**body, "metadata": {**body["metadata"], "resourceVersion": "2"}}

    def create(self, obj: dict[str, Any]) -> None:
        self.stored[obj["metadata"]["name"]] = obj

    def delete(self, kind: Any, name: str, namespace: str | None = None) -> None:
        self.calls.append("DELETE")
        if self.stored.pop(name, None) is None:
            raise ApiError(404, "NotFound", name)

    def list(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
        return list(self.stored.values())


def service(selector: str) -> dict[str, Any]:
    metadata = {"name": "trams", "namespace": "tramway", "uid": "u", "resourceVersion": "1", "labels": {"a": "b"}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"line": selector}}}


def test_an_essence_shares_nothing_with_its_object() -> None:
    obj = service("7")
    kept = objects.essence(obj)
    del obj["metadata"]["labels"]["a"]
    obj["spec"]["selector"]["line"] = "8"
    assert kept["metadata"] == {"name": "trams", "namespace": "tramway", "labels": {"a": "b"}}
    assert kept["spec"] == {"selector": {"line": "7"}}


@pytest.mark.parametrize(
    ("there", "immutable", "calls"),
    [
        ([service("17")], False, ["PUT"]),
        ([service("7")], False, []),
        ([], False, ["POST"]),
        ([service("17")], True, ["PUT", "DELETE", "POST"]),
    ],
)
def test_an_object_is_put_back(there: list[dict[str, Any]], immutable: bool, calls: list[str]) -> None:
    api = _Api(*there)
    api.immutable = immutable
    objects.restore(cast(SyncClient, api), objects.essence(service("7")))
    assert api.calls == calls
    assert api.stored["trams"]["spec"] == {"selector": {"line": "7"}}


def test_records_are_packed_and_damaged_ones_left_out() -> None:
    api = _Api()
    saved = record.save(cast(SyncClient, api), Record("F18", {"before": []}, 1.0, 2.0, True, {"w1": ["a"]}))
    stored = api.stored[saved.name]
    assert "F18" not in str(stored)
    assert record.load(cast(SyncClient, api)) == [saved]
    stored["binaryData"]["record"] = "broken"
    assert record.load(cast(SyncClient, api)) == []
