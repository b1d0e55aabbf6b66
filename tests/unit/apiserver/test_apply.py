"""Patches by content type, server-side apply and managedFields, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

SERVICES = "/api/v1/namespaces/default/services"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


def service(**spec: Any) -> dict:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}


def entries(obj: dict) -> dict[str, Any]:
    return {e["manager"]: e for e in obj["metadata"]["managedFields"]}


async def apply(api: Any, obj: dict, manager: str, force: bool = False, path: str = f"{SERVICES}/s") -> Any:
    query = f"?fieldManager={manager}" + ("&force=true" if force else "")
    return await api("PATCH", path + query, obj, content_type=APPLY)


async def test_apply_creates_and_owns_what_it_names(api: Any) -> None:
    answer = await apply(api, service(ports=[{"port": 80}]), "me")
    assert answer.status == 201
    (entry,) = answer.json["metadata"]["managedFields"]
    port = 'k:{"port":80,"protocol":"TCP"}'
    assert entry["fieldsV1"] == {"f:spec": {"f:ports": {port: {".": {}, "f:port": {}}}}}
    assert (entry["manager"], entry["operation"], entry["apiVersion"]) == ("me", "Apply", "v1")
    again = await apply(api, service(ports=[{"port": 80}]), "me")
    assert again.status == 200
    assert again.json["metadata"]["resourceVersion"] == answer.json["metadata"]["resourceVersion"]


async def test_create_owns_the_defaults_but_not_what_was_allocated(api: Any) -> None:
    made = await api.ok("POST", SERVICES, service(ports=[{"port": 80}]))
    port = 'k:{"port":80,"protocol":"TCP"}'
    assert entries(made)["test"]["fieldsV1"]["f:spec"] == {
        "f:internalTrafficPolicy": {},
        "f:ports": {".": {}, port: {".": {}, "f:port": {}, "f:protocol": {}, "f:targetPort": {}}},
        "f:sessionAffinity": {},
        "f:type": {},
    }


async def test_conflicts_name_their_fields_and_force_settles_them(api: Any) -> None:
    await apply(api, service(ports=[{"port": 80, "targetPort": 1}], selector={"a": "1"}), "me")
    wanted = service(ports=[{"port": 80, "targetPort": 2}], selector={"a": "2"})
    answer = await apply(api, wanted, "you")
    assert answer.status == 409
    assert answer.json["reason"] == "Conflict"
    assert [(c["reason"], c["message"], c["field"]) for c in answer.json["details"]["causes"]] == [
        ("FieldManagerConflict", 'conflict with "me"', '.spec.ports[port=80,protocol="TCP"].targetPort'),
        ("FieldManagerConflict", 'conflict with "me"', ".spec.selector"),
    ]
    assert answer.json["message"].startswith('Apply failed with 2 conflicts: conflicts with "me":\n- .spec.ports[')
    forced = (await apply(api, wanted, "you", force=True)).json
    assert forced["spec"]["selector"] == {"a": "2"}
    assert "f:selector" not in entries(forced)["me"]["fieldsV1"]["f:spec"]


async def test_the_same_value_is_owned_together(api: Any) -> None:
    await apply(api, service(ports=[{"port": 80, "targetPort": 1}]), "me")
    shared = await apply(api, service(ports=[{"port": 80, "targetPort": 1}]), "you")
    assert shared.status == 200
    assert set(entries(shared.json)) == {"me", "you"}


async def test_what_is_no_longer_applied_goes_unless_another_owns_it(api: Any) -> None:
    both = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "1", "b": "2"}}
    await apply(api, both, "me", path=f"{CONFIG_MAPS}/c")
    await apply(api, {**both, "data": {"b": "2"}}, "you", path=f"{CONFIG_MAPS}/c")
    left = await apply(api, {**both, "data": {}}, "me", path=f"{CONFIG_MAPS}/c")
    assert left.json["data"] == {"b": "2"}


async def test_an_update_takes_the_fields_that_it_changes(api: Any) -> None:
    await apply(api, service(ports=[{"port": 80, "targetPort": 1}]), "me")
    patch = {"spec": {"ports": [{"port": 80, "targetPort": 9}]}}
    changed = await api.ok("PATCH", f"{SERVICES}/s", patch, content_type="application/strategic-merge-patch+json")
    port = 'k:{"port":80,"protocol":"TCP"}'
    assert entries(changed)["me"]["fieldsV1"]["f:spec"]["f:ports"][port] == {".": {}, "f:port": {}}
    assert entries(changed)["test"]["fieldsV1"] == {"f:spec": {"f:ports": {port: {"f:targetPort": {}}}}}
    refused = await apply(api, service(ports=[{"port": 80, "targetPort": 1}]), "me")
    assert 'conflict with "test" using v1 at ' in refused.json["message"]


async def test_kubectl_takes_over_what_it_applied_from_the_client(api: Any) -> None:
    last = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"},"data":{"a":"1"}}'
    metadata = {"name": "c", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": last}}
    await api.ok(
        "POST", f"{CONFIG_MAPS}?fieldManager=kubectl-client-side-apply", {"metadata": metadata, "data": {"a": "1"}}
    )
    wanted = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "2"}}
    assert (await apply(api, wanted, "other", path=f"{CONFIG_MAPS}/c")).status == 409
    assert (await apply(api, wanted, "kubectl", path=f"{CONFIG_MAPS}/c")).json["data"] == {"a": "2"}


async def test_a_status_has_its_own_entry(api: Any, pods: str) -> None:
    await api.ok("POST", pods, {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}})
    done = await api.ok(
        "PATCH", f"{pods}/p/status?fieldManager=kubelet", {"status": {"phase": "Running"}}, content_type=MERGE
    )
    entry = entries(done)["kubelet"]
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:phase": {}}}


@pytest.mark.parametrize(
    ("query", "body", "code", "told"),
    [
        ("", service(), 422, "fieldManager: Required value: is required for apply patch"),
        ("?fieldManager=me", b"{unclosed", 400, "error converting YAML to JSON"),
        ("?fieldManager=me", b"- a\n", 400, "not an object"),
        ("?fieldManager=me", b"metadata: {name: s}\n", 400, "Object 'Kind' is missing"),
        ("?fieldManager=me", service(nonsense=1), 400, 'unknown field "spec.nonsense"'),
    ],
)
async def test_malformed_applies(api: Any, query: str, body: Any, code: int, told: str) -> None:
    answer = await api("PATCH", f"{SERVICES}/s{query}", body, content_type=APPLY)
    assert answer.status == code
    assert told in answer.json["message"]


async def test_apply_reads_yaml(api: Any) -> None:
    text = b"apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n  ports:\n  - port: 80\n"
    assert (await api("PATCH", f"{SERVICES}/s?fieldManager=me", text, content_type=APPLY)).status == 201


async def test_json_patch(api: Any) -> None:
    await api.ok("POST", CONFIG_MAPS, {"metadata": {"name": "c"}, "data": {"a": "1"}})
    json_patch = "application/json-patch+json"
    good = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "replace", "path": "/data/a", "value": "2"}]
    assert (await api.ok("PATCH", f"{CONFIG_MAPS}/c", good, content_type=json_patch))["data"] == {"a": "2"}
    for bad in (good, [{"op": "remove", "path": "/data/none"}], [{"op": "nonsense", "path": "/"}], [{}]):
        answer = await api("PATCH", f"{CONFIG_MAPS}/c", bad, content_type=json_patch)
        assert answer.status == 422
        assert answer.json["message"] == "the server rejected our request due to an error in our request"
    assert (await api("PATCH", f"{CONFIG_MAPS}/c", {"op": "x"}, content_type=json_patch)).status == 400
    assert (await api("PATCH", f"{CONFIG_MAPS}/c", {}, content_type="application/json")).status == 415
    renamed = await api("PATCH", f"{CONFIG_MAPS}/c", {"metadata": {"name": "d"}}, content_type=MERGE)
    assert renamed.json["message"] == "the name of the object (d) does not match the name on the URL (c)"
