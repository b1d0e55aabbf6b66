"""Workloads by kubectl on a running cluster: what their loops make of them, with Pods that really run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster_cli import await_true

from podwalk.api.meta import Object
from podwalk.backends.base import Cluster, Completed

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(300)]

_PAUSE, _SHELL = "registry.k8s.io/pause:3.10", "busybox:1.36"


class Kubectl:
    """kubectl in a namespace of its own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def run(self, *args: str, stdin: Object | None = None) -> Completed:
        """Run a command, whatever comes of it."""
        text = json.dumps(stdin) if stdin is not None else None
        return self.cluster.kubectl("-n", self.namespace, *args, input=text, timeout=90)

    def __call__(self, *args: str, stdin: Object | None = None) -> str:
        """Run a command that must work; its output."""
        done = self.run(*args, stdin=stdin)
        assert done.ok, done.stderr
        return done.stdout

    def apply(self, *objects: Object) -> None:
        """Create or change objects."""
        self("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def get(self, what: str, *args: str) -> Any:
        """An object or a list, parsed."""
        return json.loads(self("get", what, *args, "-o", "json"))

    def items(self, what: str, *args: str) -> list[Object]:
        """The items of a list."""
        return list(self.get(what, *args)["items"])

    def until(self, what: str, holds: Callable[[Object], Any], *args: str) -> Any:
        """Wait until an object (or a list) is as wanted."""
        return await_true(lambda: holds(self.get(what, *args)), f"{what} {' '.join(args)}", 60)


@pytest.fixture
def kubectl(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Kubectl]:
    name = request.node.name.removeprefix("test_").replace("_", "-")[:50].strip("-")
    assert cluster.kubectl("create", "namespace", name).ok
    one = Kubectl(cluster, name)
    one.until("serviceaccounts", lambda found: found["items"])
    yield one
    assert cluster.kubectl("delete", "namespace", name, timeout=90).ok


def template(app: str, image: str = _PAUSE, **spec: Any) -> Object:
    container = {"name": "c", "image": image, **spec.pop("container", {})}
    return {
        "metadata": {"labels": {"app": app}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [container], **spec},
    }


def workload(kind: str, name: str, version: str = "apps/v1", **spec: Any) -> Object:
    base = {"selector": {"matchLabels": {"app": name}}, "template": template(name)}
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": {**base, **spec}}


def job(name: str, command: str, **spec: Any) -> Object:
    pod = template(name, _SHELL, restartPolicy="Never", container={"command": ["sh", "-c", command]})
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": pod, **spec}}


def conditions(obj: Object) -> dict[str, str]:
    found = (obj.get("status") or {}).get("conditions") or ()
    return {c["type"]: c.get("reason", "") for c in found if c["status"] == "True"}


def test_a_statefulset_rolls_and_its_members_have_names(kubectl: Kubectl) -> None:
    peers = {"clusterIP": "None", "selector": {"app": "db"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "peers"}, "spec": peers}
    kubectl.apply(service, workload("StatefulSet", "db", serviceName="peers", replicas=2))
    kubectl("rollout", "status", "sts/db", "--timeout=60s")
    pods = kubectl.items("pods")
    assert [(p["metadata"]["name"], p["spec"]["hostname"], p["spec"]["subdomain"]) for p in pods] == [
        ("db-0", "db-0", "peers"),
        ("db-1", "db-1", "peers"),
    ]
    kubectl.until(
        "endpointslices",
        lambda found: {e.get("hostname") for s in found["items"] for e in s["endpoints"] or ()} == {"db-0", "db-1"},
    )
    kubectl("set", "image", "sts/db", "c=registry.k8s.io/pause:3.9")
    kubectl("rollout", "status", "sts/db", "--timeout=60s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.items("pods")} == {"registry.k8s.io/pause:3.9"}
    kubectl("rollout", "undo", "sts/db")
    # It waits for the new generation to be seen; the revisions are equal as well before that.
    kubectl("rollout", "status", "sts/db", "--timeout=60s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.items("pods")} == {_PAUSE}
    kubectl("scale", "sts", "db", "--replicas=1")
    kubectl.until("pods", lambda found: [p["metadata"]["name"] for p in found["items"]] == ["db-0"])


def test_a_daemonset_goes_back(kubectl: Kubectl) -> None:
    kubectl.apply(workload("DaemonSet", "agent"))
    kubectl("rollout", "status", "ds/agent", "--timeout=60s")
    assert len(kubectl.items("pods")) == 2
    kubectl("set", "image", "ds/agent", "c=registry.k8s.io/pause:3.9")
    kubectl("rollout", "status", "ds/agent", "--timeout=60s")
    kubectl("rollout", "undo", "ds/agent")
    kubectl("rollout", "status", "ds/agent", "--timeout=60s")
    assert {p["spec"]["containers"][0]["image"] for p in kubectl.items("pods")} == {_PAUSE}
    told = kubectl("rollout", "history", "ds/agent").splitlines()
    assert [line.split()[0] for line in told if line[:1].isdigit()] == ["2", "3"]


def test_jobs_end_well_and_badly(kubectl: Kubectl) -> None:
    kubectl.apply(
        job("indexed", 'test "$JOB_COMPLETION_INDEX" -lt 4', completions=4, parallelism=2, completionMode="Indexed"),
        job("bad", "exit 3", backoffLimit=0),
        job("late", "sleep 1000", activeDeadlineSeconds=1),
    )
    kubectl("wait", "--for=condition=complete", "job/indexed", "--timeout=60s")
    status = kubectl.get("job", "indexed")["status"]
    assert (status["succeeded"], status["completedIndexes"]) == (4, "0-3")
    kubectl("wait", "--for=condition=failed", "job/bad", "job/late", "--timeout=60s")
    assert conditions(kubectl.get("job", "bad"))["Failed"] == "BackoffLimitExceeded"
    assert conditions(kubectl.get("job", "late"))["Failed"] == "DeadlineExceeded"
    assert all("finalizers" not in p["metadata"] for p in kubectl.items("pods"))
    kubectl("delete", "job", "indexed")
    kubectl.until("pods", lambda found: not found["items"], "-l", "app=indexed")


def test_a_cronjob_can_be_started_by_hand_and_owns_what_it_starts(kubectl: Kubectl) -> None:
    spec = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job("x", "true")["spec"]}, "successfulJobsHistoryLimit": 0}
    kubectl.apply({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "tick"}, "spec": spec})
    kubectl("create", "job", "now", "--from=cronjob/tick")
    # History of none: the Job goes as soon as it is done, and its Pods with it.
    kubectl.until("jobs", lambda found: not found["items"])
    kubectl.until("cronjob", lambda found: (found.get("status") or {}).get("lastSuccessfulTime"), "tick")


def test_a_budget_stands_between_an_eviction_and_a_pod(kubectl: Kubectl) -> None:
    old = workload("ReplicationController", "old", "v1", replicas=2, selector={"app": "old"})
    selector = {"matchLabels": {"app": "old"}}
    budget = {"minAvailable": 2, "selector": selector}
    kubectl.apply(
        old,
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "old"}, "spec": budget},
    )
    kubectl.until("pdb", lambda b: (b.get("status") or {}).get("currentHealthy") == 2, "old")
    name = kubectl.items("pods")[0]["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{name}/eviction"
    done = kubectl.run("create", "--raw", path, "-f", "-", stdin=eviction)
    assert not done.ok
    assert "Cannot evict pod as it would violate the pod's disruption budget." in done.stderr
    kubectl("scale", "rc", "old", "--replicas=3")
    kubectl.until("pdb", lambda b: b["status"]["disruptionsAllowed"] == 1, "old")
    kubectl("create", "--raw", path, "-f", "-", stdin=eviction)
    kubectl.until("pods", lambda found: name not in [p["metadata"]["name"] for p in found["items"]])
    kubectl.until("pdb", lambda b: b["status"]["disruptionsAllowed"] == 1, "old")


def test_the_scheduler_keeps_apart_spreads_and_pushes_out(kubectl: Kubectl) -> None:
    same = {"labelSelector": {"matchLabels": {"app": "apart"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [same]}}
    kubectl.apply(workload("Deployment", "apart", replicas=3, template=template("apart", affinity=affinity)))

    def waiting(found: Object) -> str:
        events = [e["message"] for e in found["items"] if e["reason"] == "FailedScheduling"]
        return next((m for m in events if "anti-affinity" in m), "")

    assert kubectl.until("events", waiting) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 node(s) didn't match pod anti-affinity rules. "
        "no new claims to deallocate, preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
        "2 No preemption victims found for incoming pod."
    )
    nodes = [p["spec"].get("nodeName") for p in kubectl.items("pods")]
    assert len({n for n in nodes if n}) == 2
    assert nodes.count(None) == 1


def test_a_quota_is_counted(kubectl: Kubectl) -> None:
    hard = {"pods": "5", "count/deployments.apps": "2"}
    kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}})
    kubectl.apply(workload("Deployment", "web", replicas=2))
    wanted = {"pods": "2", "count/deployments.apps": "1"}
    kubectl.until("quota", lambda q: (q.get("status") or {}).get("used") == wanted, "q")


def test_the_range_of_services_is_ready(kubectl: Kubectl) -> None:
    found = kubectl.until("servicecidr", lambda c: (c.get("status") or {}).get("conditions"), "kubernetes")
    assert [(c["type"], c["status"], c["message"]) for c in found] == [
        ("Ready", "True", "Kubernetes Service CIDR is ready")
    ]
    cidr = {"cidrs": ["10.201.0.0/24"]}
    kubectl.apply(
        {"apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR", "metadata": {"name": "extra"}, "spec": cidr}
    )
    kubectl("wait", "--for=condition=Ready", "servicecidr/extra", "--timeout=30s")
    assert kubectl.get("servicecidr", "extra")["metadata"]["finalizers"] == ["networking.k8s.io/service-cidr-finalizer"]
    kubectl("delete", "servicecidr", "extra", "--wait=false")
