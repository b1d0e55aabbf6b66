"""Recorded answers of a real cluster, asked again of our API server.

Set PODWALK_RECORDINGS to a folder that holds ``api/`` with the folders errors, objects, lists, tables, discovery (one
JSON file a request) and watch (text). A recording is

    {"request": {"method", "path", "accept", "auth", "contentType", "body"},
     "response": {"status", "headers", "body"}}

``auth`` is the bearer token or null: "admintoken" belongs to system:masters, "plaintoken" to the user jane, who may do
nothing. ``body`` is the parsed JSON, or text where it is none. A watch is ``METHOD PATH accept=TYPE``, an empty line,
the headers, an empty line, one JSON event a line.

Each recording gets a server in this process, whose store is brought to the state that the recording presupposes
(``world.py``). Compared are status, warnings and body, without what differs from run to run (``compare.py``).
``known.py`` lists the differences that are meant.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml
import yarl
from aiohttp import web
from known import KNOWN, leave_out
from recording_compare import differences, mask
from recording_world import Harvest, Recording, World, load, load_stream

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo
from podwalk.apiserver.store import Store

_ROOT = os.environ.get("PODWALK_RECORDINGS", "")
_FOLDERS = ("errors", "objects", "lists", "tables", "discovery", "watch")
_TOKENS = {
    "admintoken": UserInfo("admin", ("system:masters", "system:authenticated")),
    "plaintoken": UserInfo("jane", ("system:authenticated",)),
}
_WATCH_SECONDS = 5.0


def _recordings() -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    for folder in _FOLDERS if _ROOT else ():
        for file in sorted((Path(_ROOT) / "api" / folder).glob("*.*")):
            name = f"{folder}/{file.stem}"
            found[name] = load_stream(file, name) if file.suffix == ".txt" else load(file, name)
    return found


RECORDINGS = _recordings()


@pytest.fixture(scope="module")
def world() -> World:
    harvest = Harvest()
    for recording in RECORDINGS.values():
        harvest.take(recording)
    return World(harvest)


@asynccontextmanager
async def _serving(store: Store) -> AsyncIterator[str]:
    config = ApiServerConfig(
        tls_cert=b"", tls_key=b"", ca_cert=b"", tokens=_TOKENS, kubelet_token="kubelet", service_account_key=b"key"
    )
    runner = web.AppRunner(server.build(config, store), handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


def _parsed(raw: bytes, content_type: str) -> Any:
    text = raw.decode()
    if "json" in content_type:
        return orjson.loads(text)
    return text


async def _send(base: str, recording: Recording) -> tuple[int, Any, Any]:
    headers = {"Accept": recording.accept, "User-Agent": ""}
    if recording.auth:
        headers["Authorization"] = f"Bearer {recording.auth}"
    data = None
    if recording.body is not None or recording.method == "POST":
        data = recording.body.encode() if isinstance(recording.body, str) else orjson.dumps(recording.body)
        headers["Content-Type"] = recording.content_type or "application/json"
    payload = io.BytesIO(data) if data is not None else None
    url = yarl.URL(base + recording.path, encoded=True)
    async with (
        aiohttp.ClientSession() as session,
        session.request(recording.method, url, data=payload, headers=headers) as response,
    ):
        if not isinstance(recording.answer, list):
            raw = await response.read()
            return response.status, response.headers, _parsed(raw, response.headers.get("Content-Type", ""))
        events: list[Any] = []
        try:
            async with asyncio.timeout(_WATCH_SECONDS):
                while len(events) < len(recording.answer) and (line := await response.content.readline()):
                    events.append(orjson.loads(line))
        except TimeoutError:
            pass  # the events that are missing are told by the comparison
        return response.status, response.headers, events


def _by_name(events: list[Any]) -> list[Any]:
    """The initial events in one order: upstream's is that of its storage, or of the history."""

    def key(event: Any) -> tuple[str, str]:
        obj = event["object"]
        if obj["kind"] == "Table":
            obj = (obj.get("rows") or [{}])[0].get("object") or {}
        return event["type"], (obj.get("metadata") or {}).get("name", "")

    bodies = sorted(events, key=key)
    columns = [e["object"].pop("columnDefinitions", None) for e in bodies if e["object"]["kind"] == "Table"]
    return [bodies, [c for c in columns if c]]


def _yaml_as_json(answer: Any, recording: Recording) -> Any:
    return yaml.safe_load(answer) if "yaml" in recording.accept and isinstance(answer, str) else answer


@pytest.mark.skipif(not RECORDINGS, reason="PODWALK_RECORDINGS names no folder with recorded answers")
@pytest.mark.parametrize("name", RECORDINGS or ["none"])
async def test_our_server_answers_as_the_recorded_one(name: str, world: World) -> None:
    recording = RECORDINGS[name]
    store = Store()
    async with _serving(store) as base:
        world.prepare(store, recording)
        status, headers, answer = await _send(base, recording)
    found = [] if status == recording.status else [f"HTTP {recording.status} is {status} here"]
    warnings = headers.getall("Warning", [])  # of several, the recording holds the last
    if recording.headers.get("Warning") != (warnings[-1] if warnings else None):
        found.append(f"Warning {recording.headers.get('Warning')} is {warnings} here")
    real, ours = (_yaml_as_json(a, recording) for a in (recording.answer, answer))
    if isinstance(real, list):
        real, ours = _by_name(real), _by_name(ours)
    real, ours = leave_out(name, real), leave_out(name, ours)
    found += differences(mask(real, recording.sent), mask(ours, recording.sent))
    if name in KNOWN:
        assert found, f"{name} no longer differs: take it out of known.py"
        return
    assert not found, "\n".join(found[:12])
