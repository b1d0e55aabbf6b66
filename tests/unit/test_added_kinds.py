"""The kinds of the add-ons stand in two places: in the table that clients read, and in the definitions."""

from __future__ import annotations

import pytest

from podwalk.api import added, resources
from podwalk.cluster import bundles

DEFINED = {
    crd["spec"]["names"]["kind"]: crd["spec"]
    for name in ("gateway-api", "cluster-network-policy", "egress-gateway", "cert-manager")
    for crd in bundles.definitions(name)
}


@pytest.mark.parametrize("kind", sorted(DEFINED))
def test_every_defined_kind_is_in_the_table_as_it_is_defined(kind: str) -> None:
    spec, found = DEFINED[kind], added.by_kind(kind)
    assert (found.group, found.plural, found.namespaced) == (
        spec["group"], spec["names"]["plural"], spec["scope"] == "Namespaced",
    )  # fmt: skip
    assert found.version in [v["name"] for v in spec["versions"] if v["served"]]


def test_the_table_hides_no_kind_of_kubernetes() -> None:
    assert not {r.kind for r in added.ADDED} & {r.kind for r in resources.RESOURCES}


def test_an_object_of_another_version_is_unknown() -> None:
    assert added.of({"apiVersion": "v1", "kind": "Pod"}) is resources.by_kind("Pod")
    with pytest.raises(KeyError, match="HTTPRoute"):
        added.of({"apiVersion": "gateway.networking.k8s.io/v1alpha2", "kind": "HTTPRoute"})
