"""What a learner made beside a lab is named when the lab goes, and stays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_cluster import FakeCluster

from podwalk.api import meta
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course
from podwalk.course.leftovers import since

BEGAN = datetime(2026, 11, 1, 12, 0, 0, 700_000, UTC)


def made(
    kind: str, name: str, space: str = "", *, by: str = "kubectl-create", after: float = 1.0, **metadata: Any
) -> dict[str, Any]:
    """An object that somebody made so many seconds after the lab began."""
    about = {
        "name": name,
        "creationTimestamp": meta.format_time(BEGAN + timedelta(seconds=after)),
        "managedFields": [{"manager": by, "operation": "Update"}],
        **({"namespace": space} if space else {}),
        **metadata,
    }
    return {"apiVersion": "v1", "kind": kind, "metadata": about}


@pytest.mark.parametrize(
    ("obj", "command"),
    [
        (made("Pod", "tmp", "default"), "kubectl delete -n default pod tmp"),
        (made("Pod", "tmp", "default", by="kubectl-client-side-apply"), "kubectl delete -n default pod tmp"),
        # Kubernetes' times have no fractions: what is younger may look older by up to a second.
        (made("ClusterRole", "mine", after=0), "kubectl delete clusterrole mine"),
        (made("ClusterNetworkPolicy", "all"), "kubectl delete clusternetworkpolicy all"),
        (made("ClusterRole", "mine", after=-5), None),
        (made("Pod", "tmp", "default", by="kube-controller-manager"), None),
        (made("Pod", "tmp", "default", ownerReferences=[{"kind": "ReplicaSet"}]), None),
        (made("Pod", "tmp", "default", deletionTimestamp="2026-11-01T12:00:02Z"), None),
        (made("Pod", "tmp", "shop"), None),
    ],
)
def test_what_counts_as_left(obj: dict[str, Any], command: str | None) -> None:
    cluster = FakeCluster([obj])
    found = since(cluster.client(), BEGAN.isoformat(), ["shop"])
    assert [one.delete for one in found] == ([command] if command else [])


def test_what_is_in_a_namespace_of_the_learner_goes_with_it() -> None:
    cluster = FakeCluster(
        [made("Namespace", "mine"), made("ConfigMap", "notes", "mine"), made("Secret", "key", "other")]
    )
    found = since(cluster.client(), BEGAN.isoformat(), [])
    assert [str(one) for one in found] == ["namespace/mine", "secret/key in other"]


def test_stop_names_it_and_leaves_it(course: Course, fake: FakeCluster, lab: LabSpec) -> None:
    course.start(lab)
    now = meta.format_time(datetime.now(UTC))
    fake.add(made("Pod", "tmp", "default", creationTimestamp=now))
    fake.add(made("Pod", "helper", "shop", creationTimestamp=now))
    assert [one.delete for one in course.stop(lab)] == ["kubectl delete -n default pod tmp"]
    assert ("Pod", "default/tmp") in fake.objects
