"""Watch streams."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson

from podwalk.api import resources
from podwalk.apiserver import store as store_module
from podwalk.apiserver.http import watching as watch_module

CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


class Stream:
    def __init__(self, response: Any) -> None:
        self.response = response
        self.status = response.status

    async def next(self) -> tuple[str, dict]:
        async with asyncio.timeout(5):
            line = await self.response.content.readline()
        assert line, "the stream ended"
        event = orjson.loads(line)
        return event["type"], event["object"]

    async def ended(self) -> bool:
        async with asyncio.timeout(5):
            return await self.response.content.readline() == b""


@contextlib.asynccontextmanager
async def watching(api: Any, query: str = "", accept: str = "application/json") -> AsyncIterator[Stream]:
    headers = {"Authorization": "Bearer admin-token", "Accept": accept}
    async with api.session.get(f"{api.base}{CONFIG_MAPS}?watch=true&{query}", headers=headers) as response:
        yield Stream(response)


async def put(api: Any, name: str, **labels: str) -> Any:
    path = f"{CONFIG_MAPS}/{name}"
    obj = {"metadata": {"name": name, "labels": labels}}
    if (await api("GET", path)).status == 404:
        return await api.ok("POST", CONFIG_MAPS, obj)
    return await api.ok("PUT", path, obj)


async def test_a_watch_starts_with_what_there_is(api: Any) -> None:
    await put(api, "a")
    async with watching(api) as stream:
        assert (await stream.next())[0] == "ADDED"
        await put(api, "a", x="1")
        kind, obj = await stream.next()
        assert (kind, obj["metadata"]["labels"], obj["kind"]) == ("MODIFIED", {"x": "1"}, "ConfigMap")
        await api.ok("DELETE", f"{CONFIG_MAPS}/a")
        kind, gone = await stream.next()
        assert kind == "DELETED"
        assert int(gone["metadata"]["resourceVersion"]) > int(obj["metadata"]["resourceVersion"])


async def test_a_watch_continues_a_list_without_a_gap(api: Any) -> None:
    await put(api, "a")
    version = (await api.ok("GET", CONFIG_MAPS))["metadata"]["resourceVersion"]
    await put(api, "b")
    async with watching(api, f"resourceVersion={version}") as stream:
        assert (await stream.next())[1]["metadata"]["name"] == "b"


async def test_selectors_turn_changes_into_additions_and_deletions(api: Any) -> None:
    await put(api, "a", app="x")
    async with watching(api, "labelSelector=app%3Dx") as stream:
        assert (await stream.next())[0] == "ADDED"
        await put(api, "a", app="y")
        kind, obj = await stream.next()
        assert (kind, obj["metadata"]["labels"]) == ("DELETED", {"app": "x"})
        await put(api, "a", app="z")
        await put(api, "a", app="x")
        assert (await stream.next())[0] == "ADDED"
        await put(api, "a", app="x", more="1")
        assert (await stream.next())[0] == "MODIFIED"


async def test_initial_events_end_with_a_bookmark(api: Any) -> None:
    await put(api, "a")
    query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    async with watching(api, query) as stream:
        assert (await stream.next())[0] == "ADDED"
        kind, mark = await stream.next()
        assert kind == "BOOKMARK"
        assert mark["kind"] == "ConfigMap"
        assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
        await put(api, "b")
        assert (await stream.next())[1]["metadata"]["name"] == "b"
    wrong = await api("GET", f"{CONFIG_MAPS}?watch=true&sendInitialEvents=true")
    assert wrong.status == 422


async def test_too_old_a_version_is_gone(api: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(store_module, "HISTORY", 1)
    first = await put(api, "a")
    for i in range(3):
        await put(api, f"b{i}")
    async with watching(api, f"resourceVersion={first['metadata']['resourceVersion']}") as stream:
        kind, status = await stream.next()
        assert (kind, status["code"], status["reason"]) == ("ERROR", 410, "Expired")
        assert stream.status == 200
        assert await stream.ended()


async def test_a_watch_ends_after_its_timeout(api: Any) -> None:
    async with watching(api, "timeoutSeconds=1") as stream:
        assert await stream.ended()


async def test_tables_carry_their_columns_once(api: Any) -> None:
    await put(api, "a")
    await put(api, "b")
    async with watching(api, accept="application/json;as=Table;v=v1;g=meta.k8s.io") as stream:
        _, first = await stream.next()
        _, second = await stream.next()
    assert first["kind"] == "Table"
    assert first["columnDefinitions"]
    assert second["columnDefinitions"] is None
    assert second["rows"][0]["object"]["metadata"]["name"] == "b"


async def test_a_client_that_leaves_leaves_no_watcher(api: Any, monkeypatch: Any) -> None:
    closed = asyncio.Event()
    real = store_module.Store.unwatch

    def unwatch(self: Any, resource: Any, watcher: Any) -> None:
        real(self, resource, watcher)
        if resource == resources.by_kind("ConfigMap"):
            closed.set()

    monkeypatch.setattr(store_module.Store, "unwatch", unwatch)
    async with watching(api) as stream:
        await put(api, "a")
        await stream.next()
        stream.response.close()
    async with asyncio.timeout(5):
        await closed.wait()


async def test_a_client_that_reads_no_more_is_cut_off(api, monkeypatch):
    cut, write = asyncio.Event(), watch_module._write

    async def observed(response: Any, data: bytes) -> None:
        try:
            await write(response, data)
        except watch_module._Stalled:
            cut.set()
            raise

    monkeypatch.setattr(watch_module, "_STALLED_SECONDS", 0.1)
    monkeypatch.setattr(watch_module, "_write", observed)
    host, port = api.base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1)
    request = f"GET {CONFIG_MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n"
    writer.write(request.encode())
    sent = 0
    while not cut.is_set():  # until the buffers of both ends are full
        await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": f"c{sent}"}, "data": {"a": "x" * 900_000}})
        sent += 1
        assert sent < 200
    received = 0
    with contextlib.suppress(ConnectionError):
        while chunk := await reader.read(1 << 20):
            received += len(chunk)
    assert received < sent * 900_000
    writer.close()
