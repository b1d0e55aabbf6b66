"""The caches of the DNS server follow the API server through its failures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dns_world import endpoint, endpoint_slice, service

from podwalk.api.errors import expired
from podwalk.client.sync import SyncConfig
from podwalk.dns import store as store_module
from podwalk.dns.store import Store

Object = dict[str, Any]


class ApiServer:
    """Answers lists and watches from a script; one for all of the store's threads."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {"Service": [], "EndpointSlice": [], "Namespace": []}
        self.watches: dict[str, list[Any]] = {"Service": [], "EndpointSlice": [], "Namespace": []}
        self.exhausted = {kind: threading.Event() for kind in self.lists}
        self.over = threading.Event()
        self.stores: list[Store] = []

    def __call__(self, config: SyncConfig) -> ApiServer:
        return self

    def __enter__(self) -> ApiServer:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def list_with_version(self, kind: str) -> tuple[list[Object], str]:
        answer = self.lists[kind].pop(0) if self.lists[kind] else []
        if isinstance(answer, Exception):
            raise answer
        return answer, "1"

    def watch(self, kind: str, *, resource_version: str, timeout: float) -> Iterator[tuple[str, Object]]:
        if not self.watches[kind]:
            self.exhausted[kind].set()
            self.over.wait(10)
            return
        for event in self.watches[kind].pop(0):
            if isinstance(event, Exception):
                raise event
            yield event

    def settle(self) -> None:
        for event in self.exhausted.values():
            assert event.wait(5)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiServer]:
    server = ApiServer()
    monkeypatch.setattr(store_module, "SyncClient", server)
    monkeypatch.setattr(store_module, "_FIRST_RETRY", 0.001)
    yield server
    for known in server.stores:
        known.stop()
    server.over.set()


def started(api: ApiServer) -> Store:
    known = Store(lambda: SyncConfig("https://192.0.2.1"))
    api.stores.append(known)
    known.start()
    api.settle()
    return known


def versioned(obj: Object) -> Object:
    obj["metadata"]["resourceVersion"] = "7"
    return obj


def test_it_is_synced_when_every_kind_has_been_listed(api: ApiServer) -> None:
    assert not Store().synced
    api.lists["Service"] = [[service("web")]]
    known = started(api)
    assert known.synced
    assert known.service("shop", "web") is not None


def test_it_tries_again_until_the_api_server_answers(api: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    refused = ConnectionRefusedError("connection refused")
    api.lists["Service"] = [refused, refused, refused, [service("web")]]
    assert started(api).service("shop", "web") is not None
    assert [r.getMessage() for r in caplog.records] == ["Failed to watch Service: connection refused"]


def test_watches_add_change_and_remove(api: ApiServer) -> None:
    api.lists["EndpointSlice"] = [[endpoint_slice("web", endpoint("10.244.1.5"))]]
    api.watches["EndpointSlice"] = [
        [
            ("MODIFIED", versioned(endpoint_slice("web", endpoint("10.244.1.6")))),
            ("ADDED", versioned(endpoint_slice("db", endpoint("10.244.1.7")))),
            ("BOOKMARK", {"metadata": {"resourceVersion": "8"}}),
            ("DELETED", versioned(endpoint_slice("db", endpoint("10.244.1.7")))),
        ]
    ]
    known = started(api)
    (left,) = known.slices("shop", "web")
    assert left["endpoints"][0]["addresses"] == ["10.244.1.6"]
    assert list(known.slices("shop", "db")) == []


def test_what_was_deleted_while_nobody_watched_goes_with_the_next_list(api: ApiServer) -> None:
    api.lists["Service"] = [[service("web"), service("old")], [service("web")]]
    api.watches["Service"] = [[expired("too old resource version")]]
    known = started(api)
    assert known.service("shop", "web") is not None
    assert known.service("shop", "old") is None
