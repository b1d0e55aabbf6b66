"""Add-ons: what counts as installed, and what an installation waits for."""

from __future__ import annotations

from typing import Any, cast

import pytest
from fake_cluster import FakeCluster, ready

from podwalk.api.meta import Object
from podwalk.backends.base import Cluster, Completed
from podwalk.cluster import bundles, workloads
from podwalk.course import addons, objects

NAME, SPACE = "ingress-nginx", "ingress-nginx"


class _Installable(FakeCluster):
    """Says yes to every kubectl, and notes whether the namespace was on its way out then."""

    def __init__(self) -> None:
        super().__init__([{"kind": "Namespace", "metadata": {"name": SPACE}}])
        metadata = {"name": f"{NAME}-controller", "namespace": SPACE}
        available = {**ready(), "type": "Available"}
        self.add({"kind": "Deployment", "metadata": metadata, "status": {"conditions": [available]}})
        self.asked: list[tuple[str, bool]] = []

    @property
    def ending(self) -> bool:
        return "deletionTimestamp" in self.objects.get(("Namespace", SPACE), {"metadata": {}})["metadata"]

    def end(self) -> None:
        self.objects["Namespace", SPACE]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"

    def kubectl(self, *args: str, **more: Any) -> Completed:
        self.asked.append((args[0], self.ending))
        return Completed(0, "", "")


@pytest.fixture
def cluster() -> _Installable:
    return _Installable()


def test_what_is_in_a_namespace_that_goes_is_not_installed(cluster: _Installable) -> None:
    assert addons.missing(cluster.client(), [NAME]) == []
    cluster.end()
    assert addons.missing(cluster.client(), [NAME]) == [NAME]
    cluster.remove("Namespace", SPACE)
    assert addons.missing(cluster.client(), [NAME]) == [NAME]


@pytest.mark.parametrize("name", [name for name, workload in workloads.WORKLOADS.items() if workload.bundle])
def test_a_program_whose_kinds_were_taken_away_is_not_installed(cluster: _Installable, name: str) -> None:
    workload = workloads.WORKLOADS[name]
    there: Object = {**ready(), "type": "Available"}
    cluster.add({"kind": "Namespace", "metadata": {"name": workload.namespace}})
    metadata = {"name": workload.name, "namespace": workload.namespace}
    cluster.add({"kind": "Deployment", "metadata": metadata, "status": {"conditions": [there]}})
    assert addons.missing(cluster.client(), [name]) == [name]
    for crd in bundles.definitions(workload.bundle):
        cluster.add({**crd, "status": {"conditions": [{**ready(), "type": "Established"}]}})
    assert addons.missing(cluster.client(), [name]) == []


def test_an_installation_waits_until_the_old_namespace_is_gone(
    cluster: _Installable, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.end()
    monkeypatch.setattr(objects.time, "sleep", lambda seconds: cluster.remove("Namespace", SPACE))
    addons.install(cast(Cluster, cluster), NAME)
    assert cluster.asked == [("apply", False), ("wait", False)]


def test_a_namespace_that_stays_is_named(cluster: _Installable, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster.end()
    monkeypatch.setattr(addons, "_WAIT_SECONDS", -1)
    with pytest.raises(addons.AddonError, match="addon ingress-nginx: namespace/ingress-nginx: is still Terminating"):
        addons.install(cast(Cluster, cluster), NAME)
    assert cluster.asked == []
