from __future__ import annotations

import pytest
from controllers_fake import FakeClient
from objects import service

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import endpointslice_mirroring as mirroring


def hand_made() -> Object:
    subset = {
        "addresses": [{"ip": "10.244.1.6"}],
        "notReadyAddresses": [{"ip": "10.244.1.7"}],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }
    metadata = {"name": "web", "namespace": "default", "uid": "uid-ep"}
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": [subset]}


def test_addresses_become_endpoints_with_readiness_alone() -> None:
    (made,) = mirroring.plan(hand_made(), []).create
    assert made["endpoints"] == [
        {"addresses": ["10.244.1.6"], "conditions": {"ready": True}},
        {"addresses": ["10.244.1.7"], "conditions": {"ready": False}},
    ]
    assert made["metadata"]["labels"] == {
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
        "kubernetes.io/service-name": "web",
    }
    assert (made["metadata"]["ownerReferences"][0]["kind"], made["metadata"]["generateName"]) == ("Endpoints", "web-")


@pytest.mark.parametrize(
    ("labels", "spec", "expected"),
    [
        ({}, {"selector": None}, True),
        ({}, {}, False),
        ({mirroring.SKIP: "true"}, {"selector": None}, False),
        ({mirroring.SKIP: "false"}, {"selector": None}, True),
    ],
)
def test_what_is_mirrored(labels: dict[str, str], spec: Object, expected: bool) -> None:
    endpoints = hand_made()
    endpoints["metadata"]["labels"] = labels
    assert mirroring.should_mirror(endpoints, service(**spec)) == expected
    assert not mirroring.should_mirror(endpoints, None)


async def test_the_mirror_follows_and_goes(fake: FakeClient) -> None:
    def addresses() -> list[str]:
        found = [s for s in fake.all("EndpointSlice") if meta.name(s) != "kubernetes"]
        return [a for s in found for e in s["endpoints"] or () for a in e["addresses"]]

    await fake.create(service(selector=None))
    made = await fake.create(hand_made())
    await fake.until(lambda: addresses() == ["10.244.1.6", "10.244.1.7"])
    made["subsets"] = [{"addresses": [{"ip": "10.244.1.8"}], "ports": made["subsets"][0]["ports"]}]
    await fake.update(made)
    await fake.until(lambda: addresses() == ["10.244.1.8"])
    await fake.delete("Endpoints", "web", "default")
    await fake.until(lambda: addresses() == [])
