"""Small things on the wire: health, root paths, twice-written fields, chunks, bookmarks."""

import asyncio
import json
from typing import Any

from podwalk.apiserver.http import duplicates

SERVICES = "/api/v1/namespaces/default/services"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"


async def test_health_lists_its_checks(api: Any) -> None:
    answer = await api("GET", "/readyz?verbose")
    lines = answer.raw.decode().splitlines()
    assert lines[0] == "[+]ping ok"
    assert lines[-1] == "readyz check passed"
    assert (await api("GET", "/livez/etcd")).raw == b"ok"
    assert (await api("GET", "/livez/nonsense")).status == 404
    assert b"[+]etcd excluded: ok" in (await api("GET", "/livez?verbose&exclude=etcd")).raw


async def test_the_root_lists_paths_that_answer(api: Any) -> None:
    paths = (await api.ok("GET", "/"))["paths"]
    assert paths == sorted(paths)
    for path in ("/api", "/apis/apps/v1", "/apis/events.k8s.io", "/livez/ping", "/openapi/v3", "/version"):
        assert path in paths
        assert (await api("GET", path)).status == 200


async def test_a_field_that_is_written_twice(api: Any) -> None:
    body = b'{"metadata":{"name":"a"},"data":{"k":"1","k":"2"}}'
    answer = await api("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", body)
    assert answer.status == 400
    assert answer.json["message"].endswith('strict decoding error: duplicate field "data.k"')
    answer = await api("POST", f"{CONFIG_MAPS}?fieldValidation=Warn", body)
    assert answer.headers["Warning"] == '299 - "duplicate field \\"data.k\\""'
    assert answer.json["data"] == {"k": "2"}
    assert "Warning" not in (await api("POST", f"{CONFIG_MAPS}?fieldValidation=Ignore&dryRun=All", body)).headers


async def test_a_yaml_key_that_is_written_twice(api: Any) -> None:
    body = b"metadata:\n  name: a\ndata:\n  k: '1'\n  k: '2'\n"
    answer = await api("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", body, content_type="application/yaml")
    assert answer.json["message"].endswith('yaml: unmarshal errors:\n  line 5: key "k" already set in map')


def test_twice_written_fields_are_named_by_their_paths() -> None:
    found = duplicates.in_json(b'{"spec":{"ports":[{"port":1,"port":2}]},"a":{"b":1,"b":1},"a":{"c":1}}')
    assert found == ['duplicate field "a"', 'duplicate field "spec.ports[0].port"']
    assert duplicates.in_json(b"{nonsense") == []


async def test_a_list_goes_on_where_it_ended(api: Any) -> None:
    for name in "abcde":
        await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": name}})
    names: list[str] = []
    token = ""
    while True:
        page = await api.ok("GET", f"{CONFIG_MAPS}?limit=2&continue={token}")
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == list("abcde")


async def test_a_list_of_all_namespaces_goes_on_where_it_ended(api: Any) -> None:
    await api.ok("POST", "/api/v1/namespaces", {"metadata": {"name": "other"}})
    for namespace in ("default", "other"):
        await api.ok("POST", f"/api/v1/namespaces/{namespace}/configmaps", {"metadata": {"name": "a"}})
    first = await api.ok("GET", "/api/v1/configmaps?limit=1")
    second = await api.ok("GET", f"/api/v1/configmaps?limit=1&continue={first['metadata']['continue']}")
    found = [p["items"][0]["metadata"]["namespace"] for p in (first, second)]
    assert found == ["default", "other"]
    assert "continue" not in second["metadata"]


async def test_a_bookmark_has_the_empty_parts_of_its_kind(api: Any) -> None:
    query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    headers = {"Authorization": "Bearer admin-token"}
    async with api.session.get(f"{api.base}{SERVICES}?{query}", headers=headers) as stream:
        async with asyncio.timeout(10):
            event = json.loads(await stream.content.readline())
    assert event["type"] == "BOOKMARK"
    assert (event["object"]["spec"], event["object"]["status"]) == ({}, {"loadBalancer": {}})


async def test_parts_of_a_list_say_what_they_are(api: Any) -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    (item,) = (await api.ok("GET", "/api/v1/namespaces", accept=accept))["items"]
    assert (item["kind"], item["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")


async def test_discovery_tells_how_objects_are_stored(api: Any) -> None:
    found = {r["name"]: r for r in (await api.ok("GET", "/api/v1"))["resources"]}
    assert len(found["pods"]["storageVersionHash"]) == 12
    assert "storageVersionHash" not in found["pods/log"]
    groups = [g["name"] for g in (await api.ok("GET", "/apis"))["groups"]]
    assert groups[:3] == ["apps", "events.k8s.io", "authentication.k8s.io"]
