"""The store: versions, order, history, watchers."""

from __future__ import annotations

import orjson
import pytest

from podwalk.api import resources
from podwalk.apiserver import store as store_module
from podwalk.apiserver.store import FRESH_SECONDS, Expired, Store

CONFIG_MAP = resources.by_kind("ConfigMap")


def config_map(name: str, namespace: str = "default", **data: str) -> dict:
    metadata = {"name": name, "namespace": namespace}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data}


def test_every_write_takes_the_next_version_of_one_sequence() -> None:
    store = Store()
    first = store.put(CONFIG_MAP, config_map("a"))
    second = store.put(resources.by_kind("Secret"), config_map("b"))
    gone = store.remove(CONFIG_MAP, first)
    assert [second.rv - first.rv, gone.rv - second.rv] == [1, 1]
    assert gone.obj["metadata"]["resourceVersion"] == str(gone.rv) == str(store.rv)


def test_scan_is_ordered_by_namespace_and_name() -> None:
    store = Store()
    for namespace, name in [("b", "x"), ("a", "z"), ("a", "y")]:
        store.put(CONFIG_MAP, config_map(name, namespace))
    assert [key for key, _ in store.scan(CONFIG_MAP)] == [("a", "y"), ("a", "z"), ("b", "x")]
    assert [key for key, _ in store.scan(CONFIG_MAP, "b")] == [("b", "x")]


def test_list_items_have_neither_kind_nor_version() -> None:
    stored = Store().put(CONFIG_MAP, config_map("a", k="v"))
    item = orjson.loads(stored.item_json)
    assert {**item, "kind": "ConfigMap", "apiVersion": "v1"} == orjson.loads(stored.json)
    assert "kind" not in item
    assert "apiVersion" not in item


def test_a_watch_replays_what_came_after_its_version() -> None:
    store = Store()
    first = store.put(CONFIG_MAP, config_map("a"))
    store.put(CONFIG_MAP, config_map("b"))
    store.put(CONFIG_MAP, config_map("a", k="v"))
    store.put(CONFIG_MAP, config_map("other", "elsewhere"))
    watcher = store.watch(CONFIG_MAP, "default", first.rv)
    assert [(e.type, e.current.obj["metadata"]["name"]) for e in watcher.pending] == [("ADDED", "b"), ("MODIFIED", "a")]
    store.unwatch(CONFIG_MAP, watcher)
    store.put(CONFIG_MAP, config_map("c"))
    assert len(watcher.pending) == 2


def test_a_watch_from_before_the_history_is_expired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "HISTORY", 3)
    store = Store()
    versions = [store.put(CONFIG_MAP, config_map(f"m{i}")).rv for i in range(6)]
    with pytest.raises(Expired):
        store.watch(CONFIG_MAP, "", versions[0])
    assert len(store.watch(CONFIG_MAP, "", versions[2]).pending) == 3


def test_old_history_goes_when_new_events_come() -> None:
    store = Store()
    old = store.put(CONFIG_MAP, config_map("a"))
    old.written -= FRESH_SECONDS + 1
    young = store.put(CONFIG_MAP, config_map("b"))
    store.put(CONFIG_MAP, config_map("c"))
    with pytest.raises(Expired):
        store.watch(CONFIG_MAP, "", old.rv - 1)
    assert [e.current.obj["metadata"]["name"] for e in store.watch(CONFIG_MAP, "", old.rv).pending] == ["b", "c"]
    assert len(store.watch(CONFIG_MAP, "", young.rv).pending) == 1
    assert {key[1] for key, _ in store.scan(CONFIG_MAP)} == {"a", "b", "c"}, "the objects themselves stay"


def test_a_watcher_that_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BACKLOG", 2)
    store = Store()
    watcher = store.watch(CONFIG_MAP, "", None)
    for i in range(3):
        store.put(CONFIG_MAP, config_map(f"m{i}"))
    assert watcher.overflowed
    assert len(watcher.pending) == 2


def test_old_objects_expire() -> None:
    store = Store()
    store.put(CONFIG_MAP, config_map("old")).written -= 10
    store.put(CONFIG_MAP, config_map("new"))
    assert store.expire(CONFIG_MAP, 5) == 1
    assert [key[1] for key, _ in store.scan(CONFIG_MAP)] == ["new"]


def test_nobody_goes_on_watching_a_resource_that_was_dropped_and_came_back() -> None:
    store = Store()
    seen = store.put(CONFIG_MAP, config_map("a"))
    slow = store.watch(CONFIG_MAP, "", seen.rv)
    store.forget(CONFIG_MAP)
    assert slow.overflowed
    with pytest.raises(Expired):
        store.watch(CONFIG_MAP, "", seen.rv - 1)
    anew = store.put(CONFIG_MAP, config_map("b"))
    assert not store.watch(CONFIG_MAP, "", anew.rv).pending
