"""events.k8s.io/v1 and v1: two ways to the same Events."""

from typing import Any

CORE = "/api/v1/namespaces/default/events"
NEW = "/apis/events.k8s.io/v1/namespaces/default/events"
EVENT = {
    "metadata": {"name": "e"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "reportingController": "example.com/c",
    "reportingInstance": "c-1",
    "action": "Binding",
    "reason": "Scheduled",
    "regarding": {"kind": "Pod", "namespace": "default", "name": "web"},
    "note": "it went well",
    "type": "Normal",
}


async def test_an_event_of_the_new_group_is_read_by_the_old_one(api: Any) -> None:
    made = await api.ok("POST", NEW, EVENT)
    assert made["apiVersion"] == "events.k8s.io/v1"
    assert made["note"] == "it went well"
    old = await api.ok("GET", f"{CORE}/e")
    assert (old["apiVersion"], old["message"], old["reportingComponent"]) == ("v1", "it went well", "example.com/c")
    assert old["involvedObject"]["name"] == "web"
    assert old["metadata"]["uid"] == made["metadata"]["uid"]


async def test_an_event_of_the_old_group_is_read_by_the_new_one(api: Any) -> None:
    body = {"metadata": {"name": "o"}, "involvedObject": {"kind": "Node", "name": "n"}, "reason": "Ready",
            "message": "up", "source": {"component": "kubelet"}, "count": 3}  # fmt: skip
    await api.ok("POST", CORE, body)
    (found,) = (await api.ok("GET", f"{NEW}?fieldSelector=regarding.kind%3DNode"))["items"]
    assert found["deprecatedCount"] == 3
    assert found["deprecatedSource"] == {"component": "kubelet"}
    assert found["note"] == "up"
    assert "involvedObject" not in found


async def test_a_patch_and_a_delete_by_the_new_group(api: Any) -> None:
    await api.ok("POST", NEW, EVENT)
    merge = "application/merge-patch+json"
    series = {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}
    patched = await api.ok("PATCH", f"{NEW}/e", {"series": series, "note": "again"}, content_type=merge)
    assert (patched["series"]["count"], patched["note"]) == (2, "again")
    assert (await api.ok("GET", f"{CORE}/e"))["message"] == "again"
    await api.ok("DELETE", f"{NEW}/e")
    assert (await api("GET", f"{CORE}/e")).status == 404


async def test_both_tables_show_an_event(api: Any) -> None:
    await api.ok("POST", NEW, EVENT)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    for path in (CORE, NEW):
        table = await api.ok("GET", path, accept=accept)
        assert "pod/web" in table["rows"][0]["cells"]
