"""Discovery, OpenAPI, the small documents, label selectors and content negotiation."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.apiserver import labelselector

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


async def test_legacy_discovery(api: Any) -> None:
    core = await api.ok("GET", "/api/v1")
    assert core["groupVersion"] == "v1"
    by_name = {r["name"]: r for r in core["resources"]}
    assert by_name["pods"]["shortNames"] == ["po"]
    assert by_name["pods/eviction"] == {
        "name": "pods/eviction", "singularName": "", "namespaced": True, "group": "policy", "version": "v1",
        "kind": "Eviction", "verbs": ["create"],
    }  # fmt: skip
    apps = await api.ok("GET", "/apis/apps/v1")
    scale = next(r for r in apps["resources"] if r["name"] == "deployments/scale")
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    groups = [g["name"] for g in (await api.ok("GET", "/apis"))["groups"]]
    assert {"apps", "networking.k8s.io", "discovery.k8s.io", "authorization.k8s.io"} <= set(groups)
    assert (await api("GET", "/apis/none")).status == 404
    assert (await api("GET", "/apis/apps/v9")).json["reason"] == "NotFound"


async def test_aggregated_discovery_names_what_the_legacy_form_names(api: Any) -> None:
    answer = await api("GET", "/apis", accept=f"{AGGREGATED},application/json")
    assert answer.headers["Content-Type"] == AGGREGATED
    for group in answer.json["items"]:
        for version in group["versions"]:
            path = f"/apis/{group['metadata']['name']}/{version['version']}"
            legacy = {r["name"] for r in (await api.ok("GET", path))["resources"]}
            aggregated = {r["resource"] for r in version["resources"]}
            aggregated |= {
                f"{r['resource']}/{s['subresource']}" for r in version["resources"] for s in r.get("subresources", ())
            }
            assert aggregated == legacy
    etag = answer.headers["ETag"]
    assert (await api("GET", "/apis", accept=AGGREGATED, headers={"If-None-Match": etag})).status == 304


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {r for item in node for r in references(item)}
    if not isinstance(node, dict):
        return set()
    found = {r for value in node.values() for r in references(value)}
    return found | ({node["$ref"]} if isinstance(node.get("$ref"), str) else set())


async def test_every_openapi_document_is_whole(api: Any) -> None:
    paths = (await api.ok("GET", "/openapi/v3"))["paths"]
    assert {"api/v1", "apis/apps/v1", "apis/networking.k8s.io/v1"} <= paths.keys()
    for place in paths.values():
        answer = await api("GET", place["serverRelativeURL"])
        assert answer.headers["Cache-Control"] == "public, immutable"
        document = answer.json
        schemas = document["components"]["schemas"]
        assert {r.rsplit("/", 1)[1] for r in references(document)} <= schemas.keys()
    assert (await api("GET", "/openapi/v3/apis/none/v1")).status == 404


async def test_openapi_tells_that_patches_are_validated(api: Any) -> None:
    document = await api.ok("GET", "/openapi/v3/api/v1")
    patch = document["paths"]["/api/v1/namespaces/{namespace}/services/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"] == {"group": "", "kind": "Service", "version": "v1"}
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in patch["parameters"]}
    ports = document["components"]["schemas"]["io.k8s.api.core.v1.ServiceSpec"]["properties"]["ports"]
    assert ports["x-kubernetes-list-map-keys"] == ["port", "protocol"]


async def test_partial_metadata_and_tables(api: Any) -> None:
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
    one = await api.ok("GET", "/api/v1/namespaces/default", accept=partial)
    assert (one["kind"], set(one)) == ("PartialObjectMetadata", {"kind", "apiVersion", "metadata"})
    several = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert (await api.ok("GET", "/api/v1/namespaces", accept=several))["kind"] == "PartialObjectMetadataList"
    table = "application/json;as=Table;g=meta.k8s.io;v=v1"
    bare = await api.ok("GET", "/api/v1/namespaces?includeObject=None", accept=table)
    assert bare["rows"][0]["cells"][:2] == ["default", "Active"]
    assert bare["rows"][0]["object"] is None


@pytest.mark.parametrize("text", ["", "a", "!a", "a=b", "a==b", "a!=b", "a in (b, c)", "a notin (b),c=", "x.io/a=b"])
def test_good_selectors(text: str) -> None:
    labelselector.check(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a b c", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        ("a=b,", "found '', expected: identifier after ','"),
        ("=b", "found '=', expected: !, identifier, or 'end of string'"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
    ],
)
def test_bad_selectors(text: str, why: str) -> None:
    with pytest.raises(ValueError) as raised:
        labelselector.check(text)
    assert str(raised.value) == why


def test_a_bad_key_and_a_bad_value_are_named() -> None:
    with pytest.raises(ValueError, match=r'requirement: key: Invalid value: "-a": name part must consist of'):
        labelselector.check("-a=b")
    with pytest.raises(
        ValueError, match=r'values\[0\]\[a\]: Invalid value: "-b": a valid label must be an empty string'
    ):
        labelselector.check("a=-b")
