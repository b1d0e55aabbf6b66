"""What kubectl get prints of batch, policy, quota, RBAC and address kinds."""

import pytest
from stopped_clock import ago

from podwalk.api.resources import by_kind
from podwalk.apiserver.tables import render_table

TEMPLATE = {"spec": {"containers": [{"name": "a", "image": "x:1"}]}}


def row(kind, **obj):
    obj.setdefault("metadata", {}).setdefault("name", "x")
    obj["metadata"].setdefault("creationTimestamp", ago(minutes=5, seconds=1))
    table = render_table(by_kind(kind), [obj])
    return dict(zip((c["name"] for c in table["columnDefinitions"]), table["rows"][0]["cells"], strict=False))


@pytest.mark.parametrize(
    ("conditions", "deleted", "status"),
    [
        ((), False, "Running"),
        (("Complete", "SuccessCriteriaMet"), False, "Complete"),
        (("FailureTarget",), False, "FailureTarget"),
        (("Failed", "FailureTarget"), True, "Failed"),
        (("Suspended",), False, "Suspended"),
        (("Suspended",), True, "Terminating"),
    ],
)
def test_the_state_of_a_job(conditions, deleted, status):
    metadata = {"deletionTimestamp": ago(seconds=1)} if deleted else {}
    found = [{"type": c, "status": "True"} for c in conditions]
    assert row("Job", metadata=metadata, status={"conditions": found})["Status"] == status


@pytest.mark.parametrize(
    ("spec", "shown"),
    [({"completions": 3}, "1/3"), ({"parallelism": 2}, "1/1 of 2"), ({"parallelism": 1}, "1/1")],
)
def test_a_job_counts_what_is_done(spec, shown):
    times = {"startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:01:30Z"}
    cells = row("Job", spec={**spec, "template": TEMPLATE}, status={"succeeded": 1, **times})
    assert (cells["Completions"], cells["Duration"], cells["Images"]) == (shown, "90s", "x:1")
    assert row("Job")["Duration"] == ""


def test_a_cronjob_tells_when_it_last_ran():
    spec = {"schedule": "* * * * *", "suspend": False, "jobTemplate": {"spec": {"template": TEMPLATE}}}
    cells = row("CronJob", spec=spec, status={"active": [{}], "lastScheduleTime": ago(seconds=30)})
    assert [cells[c] for c in ("Schedule", "Timezone", "Suspend", "Active", "Containers")] == [
        "* * * * *", "<none>", "False", 1, "a",
    ]  # fmt: skip
    assert cells["Last Schedule"] == "30s"
    assert row("CronJob", spec={"timeZone": "UTC"})["Last Schedule"] == "<none>"


def test_a_budget_shows_the_limit_that_is_set():
    cells = row("PodDisruptionBudget", spec={"maxUnavailable": "50%"}, status={"disruptionsAllowed": 2})
    assert [cells[c] for c in ("Min Available", "Max Unavailable", "Allowed Disruptions")] == ["N/A", "50%", 2]


def test_a_quota_shows_requests_and_limits_apart():
    hard = {"requests.cpu": "2", "pods": "4", "limits.memory": "1Gi"}
    cells = row("ResourceQuota", status={"hard": hard, "used": {"pods": "1"}})
    assert cells["Request"] == "pods: 1/4, requests.cpu: 0/2"
    assert cells["Limit"] == "limits.memory: 0/1Gi"


def test_a_revision_names_its_controller():
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "controller": True}
    assert row("ControllerRevision", metadata={"ownerReferences": [owner]}, revision=3)["Controller"] == (
        "daemonset.apps/d"
    )
    assert row("ControllerRevision")["Controller"] == "<none>"


def test_a_binding_lists_whom_it_binds():
    subjects = [
        {"kind": "User", "name": "jane"},
        {"kind": "ServiceAccount", "namespace": "n", "name": "s"},
        {"kind": "Group", "name": "g"},
    ]
    cells = row("RoleBinding", roleRef={"kind": "ClusterRole", "name": "view"}, subjects=subjects)
    assert [cells[c] for c in ("Role", "Users", "Groups", "ServiceAccounts")] == [
        "ClusterRole/view",
        "jane",
        "g",
        "n/s",
    ]


def test_an_address_names_what_holds_it():
    parent = {"resource": "services", "namespace": "default", "name": "web"}
    assert row("IPAddress", spec={"parentRef": parent})["ParentRef"] == "services/default/web"
    gateway = {"group": "example.com", "resource": "gateways", "name": "g"}
    assert row("IPAddress", spec={"parentRef": gateway})["ParentRef"] == "gateways.example.com/g"
    assert row("ServiceCIDR", spec={"cidrs": ["10.96.0.0/16", "fd00::/108"]})["CIDRs"] == "10.96.0.0/16,fd00::/108"


def test_workloads_count_their_replicas():
    cells = row("StatefulSet", spec={"replicas": 3, "template": TEMPLATE}, status={"readyReplicas": 2})
    assert (cells["Ready"], cells["Containers"]) == ("2/3", "a")
    cells = row("ReplicationController", spec={"replicas": 3, "selector": {"app": "r"}}, status={"replicas": 1})
    assert [cells[c] for c in ("Desired", "Current", "Ready", "Selector")] == [3, 1, 0, "app=r"]


def test_a_priority_class_tells_its_value():
    cells = row("PriorityClass", value=7, preemptionPolicy="Never")
    assert [cells[c] for c in ("Value", "Global-Default", "PreemptionPolicy")] == [7, False, "Never"]


def test_the_generation_of_a_daemonsets_template_is_no_part_of_its_row():
    obj = {"metadata": {"name": "d", "annotations": {"deprecated.daemonset.template.generation": "1"}}}
    table = render_table(by_kind("DaemonSet"), [obj])
    assert table["rows"][0]["object"]["metadata"] == {"name": "d"}
