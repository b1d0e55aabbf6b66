"""Custom resources over HTTP: what a definition promises, its objects keep."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from api_world import CRDS, SCHEMA, Api, definition, established, eventually


def box(called: str = "b", /, **spec: Any) -> dict[str, Any]:
    sent = {"size": 3, **spec}
    return {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": called}, "spec": sent}


async def causes(api: Api, boxes: str, **spec: Any) -> list[tuple[str, str, str]]:
    found = await api.refused("POST", boxes, box(**spec), code=422)
    assert found["reason"] == "Invalid"
    assert found["details"]["kind"] == "Box"
    return [(c["field"], c["reason"], c["message"]) for c in found["details"]["causes"]]


async def test_definition_is_established_and_discovered(api: Api) -> None:
    crd = await established(api, definition())
    conditions = {c["type"]: (c["status"], c["reason"], c["message"]) for c in crd["status"]["conditions"]}
    assert conditions == {
        "NamesAccepted": ("True", "NoConflicts", "no conflicts found"),
        "Established": ("True", "InitialNamesAccepted", "the initial names have been accepted"),
    }
    assert crd["status"]["storedVersions"] == ["v1"]
    assert crd["status"]["acceptedNames"]["listKind"] == "BoxList"
    assert crd["spec"]["conversion"] == {"strategy": "None"}
    found = await api.ok("GET", "/apis/example.com/v1")
    assert [r["name"] for r in found["resources"]] == ["boxes", "boxes/scale", "boxes/status"]
    assert found["resources"][0]["shortNames"] == ["bx"]
    assert found["resources"][1]["kind"] == "Scale"
    aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    groups = await api.ok("GET", "/apis", accept=aggregated)
    assert "example.com" in [g["metadata"]["name"] for g in groups["items"]]
    assert "example.com" in [g["name"] for g in (await api.ok("GET", "/apis"))["groups"]]


async def test_openapi_document_follows_the_definition(api: Api, boxes: str) -> None:
    index = await api.ok("GET", "/openapi/v3")
    url = index["paths"]["apis/example.com/v1"]["serverRelativeURL"]
    document = await api.ok("GET", url)
    schema = document["components"]["schemas"]["com.example.v1.Box"]
    assert schema["properties"]["spec"]["properties"]["size"]["description"] == "How big it is."
    patch = document["paths"]["/apis/example.com/v1/namespaces/{namespace}/boxes/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    crd = await api.ok("GET", f"{CRDS}/boxes.example.com")
    spec = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["size"]["description"] = "Its size."
    await api.ok("PUT", f"{CRDS}/boxes.example.com", crd)

    async def paths() -> dict[str, Any]:
        return dict((await api.ok("GET", "/openapi/v3"))["paths"])

    async def changed() -> bool:
        return bool((await paths())["apis/example.com/v1"]["serverRelativeURL"] != url)

    async def gone() -> bool:
        return "apis/example.com/v1" not in await paths()

    await eventually(changed)
    await api.ok("DELETE", f"{CRDS}/boxes.example.com")
    await eventually(gone)


async def test_defaults_pruning_and_generation(api: Api, boxes: str) -> None:
    sent = box(extra=1, parts=[{"name": "a", "x": 2}], free={"any": [1]}, note=None)
    answer = await api("POST", f"{boxes}?fieldValidation=Warn", sent)
    assert answer.status == 201, answer.raw
    assert answer.headers.getall("Warning") == [
        '299 - "unknown field \\"spec.extra\\""',
        '299 - "unknown field \\"spec.parts[0].x\\""',
    ]
    made = answer.json
    assert made["spec"] == {
        "size": 3, "color": "red", "parts": [{"name": "a", "n": 1}], "free": {"any": [1]}, "note": None,
    }  # fmt: skip
    assert made["metadata"]["generation"] == 1
    merge = {"content_type": "application/merge-patch+json"}
    changed = await api.ok("PATCH", f"{boxes}/b", {"spec": {"size": 4}}, **merge)
    assert changed["metadata"]["generation"] == 2
    changed = await api.ok("PATCH", f"{boxes}/b/status", {"status": {"size": 4}, "spec": {"size": 7}}, **merge)
    assert (changed["metadata"]["generation"], changed["spec"]["size"], changed["status"]) == (2, 4, {"size": 4})
    refused = await api.refused("POST", f"{boxes}?fieldValidation=Strict", box("c", extra=1), code=400)
    assert refused["message"] == (
        'Box in version "v1" cannot be handled as a Box: strict decoding error: unknown field "spec.extra"'
    )


@pytest.mark.parametrize(
    ("spec", "field", "message"),
    [
        ({"size": "x"}, "spec.size", 'Invalid value: "string": spec.size in body must be of type integer: "string"'),
        ({"size": 0}, "spec.size", "Invalid value: 0: spec.size in body should be greater than or equal to 1"),
        ({"size": 10}, "spec.size", "Invalid value: 10: spec.size in body should be less than or equal to 9"),
        ({"color": "green"}, "spec.color", 'Unsupported value: "green": supported values: "red", "blue"'),
        ({"name": "AB"}, "spec.name", "Invalid value: \"AB\": spec.name in body should match '^[a-z]+$'"),
        ({"name": "abcdef"}, "spec.name", "Too long: may not be more than 5 bytes"),
        ({"name": "a"}, "spec.name", 'Invalid value: "a": spec.name in body should be at least 2 chars long'),
        (
            {"port": True},
            "spec.port",
            'Invalid value: "boolean": spec.port in body must be of type integer,string: "boolean"',
        ),
        ({"tags": ["a", "a"]}, "spec.tags[1]", 'Duplicate value: "a"'),
        ({"parts": [{"name": "a"}, {"name": "a", "n": 2}]}, "spec.parts[1]", 'Duplicate value: {"name":"a"}'),
        ({"parts": [{}]}, "spec.parts[0].name", "Required value"),
        (
            {"labels": {"a": 1}},
            "spec.labels.a",
            'Invalid value: "integer": spec.labels.a in body must be of type string: "integer"',
        ),
    ],
)
async def test_schema_is_enforced(api: Api, boxes: str, spec: dict[str, Any], field: str, message: str) -> None:
    found = await causes(api, boxes, **spec)
    assert [(at, text) for at, _, text in found] == [(field, message)]


async def test_missing_required_field(api: Api, boxes: str) -> None:
    sent = {**box(), "spec": {}}
    found = await api.refused("POST", boxes, sent, code=422)
    assert found["message"] == 'Box.example.com "b" is invalid: spec.size: Required value'


async def test_tables_lists_and_selectors(api: Api, boxes: str) -> None:
    await api.ok("POST", boxes, box("a"))
    await api.ok("POST", boxes, box("b", color="blue"))
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    await api.ok("PATCH", f"{boxes}/a/status", ready, content_type="application/merge-patch+json")
    table = await api.ok("GET", boxes, accept="application/json;as=Table;v=v1;g=meta.k8s.io")
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Size", "Ready", "Age"]
    assert [row["cells"][:3] for row in table["rows"]] == [["a", 3, "True"], ["b", 3, None]]
    found = await api.ok("GET", f"{boxes}?fieldSelector=spec.color%3Dblue")
    assert found["kind"] == "BoxList"
    assert [(i["kind"], i["apiVersion"], i["metadata"]["name"]) for i in found["items"]] == [
        ("Box", "example.com/v1", "b")
    ]
    refused = await api.refused("GET", f"{boxes}?fieldSelector=spec.size%3D3", code=400)
    assert refused["message"] == "field label not supported: spec.size"


async def test_scale(api: Api, boxes: str) -> None:
    await api.ok("POST", boxes, box())
    scale = await api.ok("GET", f"{boxes}/b/scale")
    assert (scale["kind"], scale["spec"], scale["status"]) == ("Scale", {"replicas": 3}, {"replicas": 0})
    scale["spec"]["replicas"] = 5
    assert (await api.ok("PUT", f"{boxes}/b/scale", scale))["spec"] == {"replicas": 5}
    assert (await api.ok("GET", f"{boxes}/b"))["spec"]["size"] == 5


async def test_patches(api: Api, boxes: str) -> None:
    await api.ok("POST", boxes, box())
    strategic = {"content_type": "application/strategic-merge-patch+json"}
    refused = await api.refused("PATCH", f"{boxes}/b", {"spec": {"size": 4}}, code=415, **strategic)
    assert refused["reason"] == "UnsupportedMediaType"
    assert "application/apply-patch+yaml" in refused["message"]
    operations = [{"op": "replace", "path": "/spec/size", "value": 6}]
    changed = await api.ok("PATCH", f"{boxes}/b", operations, content_type="application/json-patch+json")
    assert changed["spec"]["size"] == 6


async def test_apply_merges_lists_by_their_keys(api: Api, boxes: str) -> None:
    async def apply(manager: str, spec: dict[str, Any], **more: Any) -> Any:
        sent = {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": "s"}, "spec": spec}
        query = f"fieldManager={manager}"
        return await api.ok("PATCH", f"{boxes}/s?{query}", sent, content_type="application/apply-patch+yaml", **more)

    await apply("one", {"size": 2, "parts": [{"name": "a"}], "tags": ["x"]})
    made = await apply("two", {"size": 2, "parts": [{"name": "b", "n": 4}], "tags": ["y"]})
    assert [p["name"] for p in made["spec"]["parts"]] == ["a", "b"]
    assert made["spec"]["tags"] == ["x", "y"]
    made = await apply("one", {"size": 2})
    assert [p["name"] for p in made["spec"]["parts"]] == ["b"]
    sent = {"apiVersion": "example.com/v1", "kind": "Box", "metadata": {"name": "s"}, "spec": {"size": 5}}
    refused = await api.refused(
        "PATCH", f"{boxes}/s?fieldManager=three", sent, code=409, content_type="application/apply-patch+yaml"
    )
    assert {c["field"] for c in refused["details"]["causes"]} == {".spec.size"}


async def test_two_versions_show_one_object(api: Api) -> None:
    crd = definition()
    old = {"name": "v1alpha1", "served": True, "storage": False, "deprecated": True}
    crd["spec"]["versions"].append({**old, "schema": {"openAPIV3Schema": SCHEMA}})
    await established(api, crd)
    base = "/apis/example.com/v1/namespaces/default/boxes"
    other = base.replace("v1", "v1alpha1", 1)
    group = await api.ok("GET", "/apis/example.com")
    assert [v["version"] for v in group["versions"]] == ["v1", "v1alpha1"]
    await api.ok("POST", other, {**box(), "apiVersion": "example.com/v1alpha1"})
    assert (await api.ok("GET", f"{base}/b"))["apiVersion"] == "example.com/v1"
    answer = await api("GET", f"{other}/b")
    assert answer.json["apiVersion"] == "example.com/v1alpha1"
    assert answer.headers["Warning"] == '299 - "example.com/v1alpha1 Box is deprecated"'
    version = (await api.ok("GET", f"{base}/b"))["metadata"]["resourceVersion"]
    again = await api.ok("PUT", f"{base}/b", await api.ok("GET", f"{base}/b"))
    assert again["metadata"]["resourceVersion"] == version


async def test_deleting_a_definition_deletes_its_objects_and_ends_watches(api: Api, boxes: str) -> None:
    async def missing(path: str) -> bool:
        return (await api("GET", path)).status == 404

    held = box("held")
    held["metadata"]["finalizers"] = ["example.com/wait"]
    await api.ok("POST", boxes, held)
    await api.ok("POST", boxes, box())
    request = api.session.get(
        f"{api.base}{boxes}?watch=true", headers={"Authorization": f"Bearer {api.token}", "Accept": "application/json"}
    )
    async with request as watching:
        gone = await api.ok("DELETE", f"{CRDS}/boxes.example.com")
        assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
        await eventually(lambda: missing(f"{boxes}/b"))
        refused = await api("POST", boxes, box("late"))
        assert refused.status == 405
        apply = {"content_type": "application/apply-patch+yaml"}
        refused = await api("PATCH", f"{boxes}/late?fieldManager=x", box("late"), **apply)
        assert refused.status == 403
        assert (await api("GET", f"{CRDS}/boxes.example.com")).status == 200
        patch = {"metadata": {"finalizers": None}}
        await api.ok("PATCH", f"{boxes}/held", patch, content_type="application/merge-patch+json")
        await eventually(lambda: missing(f"{CRDS}/boxes.example.com"))
        async with asyncio.timeout(10):
            await watching.read()
    assert (await api("GET", boxes)).status == 404


async def test_names_that_are_taken_are_not_accepted(api: Api, boxes: str) -> None:
    other = definition(plural="crates", kind="Box")
    await api.ok("POST", CRDS, other)
    async with asyncio.timeout(10):
        while True:
            found = await api.ok("GET", f"{CRDS}/crates.example.com")
            conditions = {c["type"]: c for c in found["status"].get("conditions") or ()}
            if conditions:
                break
            await asyncio.sleep(0)
    assert conditions["NamesAccepted"]["status"] == "False"
    assert conditions["NamesAccepted"]["message"] == '"box" is already in use'
    assert conditions["Established"]["reason"] == "NotAccepted"
    assert (await api("GET", "/apis/example.com/v1/crates")).status == 404


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        (
            lambda c: c["metadata"].update(name="other.example.com"),
            "metadata.name",
            'Invalid value: "other.example.com": must be spec.names.plural+"."+spec.group',
        ),
        (
            lambda c: c["spec"].update(scope="World"),
            "spec.scope",
            'Unsupported value: "World": supported values: "Cluster", "Namespaced"',
        ),
        (
            lambda c: c["spec"]["versions"][0].pop("schema"),
            "spec.versions[0].schema.openAPIV3Schema",
            "Required value: schemas are required",
        ),
        (
            lambda c: c["spec"]["versions"][0].update(schema={"openAPIV3Schema": {"type": "string"}}),
            "spec.versions[0].schema.openAPIV3Schema.type",
            'Invalid value: "string": must be object at the root',
        ),
        (
            lambda c: c["spec"]["versions"][0].update(
                schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": {}}}}
            ),
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].type",
            "Required value: must not be empty for specified object fields",
        ),
    ],
)
async def test_definitions_are_validated(api: Api, change: Any, field: str, message: str) -> None:
    crd = definition()
    change(crd)
    found = await api.refused("POST", CRDS, crd, code=422)
    assert (field, message) in [(c["field"], c["message"]) for c in found["details"]["causes"]]


async def test_protected_groups_need_an_approval(api: Api) -> None:
    crd = definition(group="gateway.networking.k8s.io", plural="gateways", kind="Gateway")
    found = await api.refused("POST", CRDS, crd, code=422)
    assert "protected groups must have approval annotation" in found["message"]
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "https://example.com/pull/1"}
    await established(api, crd)


async def test_built_in_kinds_keep_their_names(api: Api) -> None:
    crd = definition(group="networking.k8s.io", plural="ingresses", kind="Ingress")
    crd["metadata"]["annotations"] = {"api-approved.kubernetes.io": "unapproved, a test"}
    await api.ok("POST", CRDS, crd)
    url = f"{CRDS}/ingresses.networking.k8s.io"

    async def judged() -> bool:
        return bool((await api.ok("GET", url))["status"]["conditions"])

    await eventually(judged)
    conditions = {c["type"]: c["status"] for c in (await api.ok("GET", url))["status"]["conditions"]}
    assert conditions["NamesAccepted"] == "False"
    ingress = {"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 1}}}}}
    ingresses = "/apis/networking.k8s.io/v1/namespaces/default/ingresses"
    await api.ok("POST", ingresses, ingress)
    await api.ok("DELETE", url)

    async def gone() -> bool:
        return (await api("GET", url)).status == 404

    await eventually(gone)
    assert (await api("GET", f"{ingresses}/i")).status == 200


async def test_versions_that_were_stored_are_remembered(api: Api, boxes: str) -> None:
    url = f"{CRDS}/boxes.example.com"
    crd = await api.ok("GET", url)
    old = crd["spec"]["versions"][0]
    crd["spec"]["versions"] = [{**old, "name": "v2"}, {**old, "storage": False}]
    await api.ok("PUT", url, crd)

    async def remembered() -> bool:
        return bool((await api.ok("GET", url))["status"]["storedVersions"] == ["v1", "v2"])

    await eventually(remembered)
    await api.ok("POST", boxes, box())
    assert (await api.ok("GET", f"{boxes.replace('v1', 'v2', 1)}/b"))["apiVersion"] == "example.com/v2"
    crd = await api.ok("GET", url)
    crd["spec"]["versions"] = [{**old, "name": "v2"}]
    told = await api.refused("PUT", url, crd, code=422)
    cause = told["details"]["causes"][0]
    assert cause["field"] == "status.storedVersions[0]"
    assert cause["message"].startswith('Invalid value: "v1": missing from spec.versions; v1 was previously a storage')


async def test_what_was_wrong_before_is_let_be(api: Api, boxes: str) -> None:
    await api.ok("POST", boxes, box(name="abc"))
    url = f"{CRDS}/boxes.example.com"
    crd = await api.ok("GET", url)
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["name"]["maxLength"] = 2
    await api.ok("PUT", url, crd)

    async def tightened() -> bool:
        return (await api("POST", f"{boxes}?dryRun=All", box("new", name="abc"))).status == 422

    await eventually(tightened)
    merge = {"content_type": "application/merge-patch+json"}
    await api.ok("PATCH", f"{boxes}/b", {"spec": {"size": 5}}, **merge)
    await api.refused("PATCH", f"{boxes}/b", {"spec": {"name": "abcd"}}, code=422, **merge)
    await api.ok("PATCH", f"{boxes}/b", {"spec": {"name": "ab"}}, **merge)
