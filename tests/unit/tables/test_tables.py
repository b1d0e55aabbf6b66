"""What kubectl get prints, cell by cell."""

import pytest
from stopped_clock import ago

from podwalk.api.resources import RESOURCES, by_kind
from podwalk.apiserver.tables import human_duration, render_table
from podwalk.apiserver.tables.durations import since


def row(kind, obj):
    obj.setdefault("metadata", {}).setdefault("name", "x")
    obj["metadata"].setdefault("creationTimestamp", ago(minutes=5, seconds=1))
    table = render_table(by_kind(kind), [obj])
    names = [c["name"] for c in table["columnDefinitions"]]
    return dict(zip(names, table["rows"][0]["cells"], strict=True))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"), (-0.5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (600, "10m"),
        (3 * 3600 - 1, "179m"), (3 * 3600, "3h"), (3 * 3600 + 60, "3h1m"), (9 * 3600 + 60, "9h"), (48 * 3600, "2d"),
        (50 * 3600, "2d2h"), (9 * 86400, "9d"), (730 * 86400, "2y"), (731 * 86400, "2y1d"), (3000 * 86400, "8y"),
    ],
)  # fmt: skip
def test_durations_read_as_kubectl_prints_them(seconds, text):
    assert human_duration(seconds) == text


def test_no_timestamp_is_unknown():
    assert since(None) == since("garbage") == "<unknown>"


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda r: r.kind)
def test_every_kind_has_columns_and_survives_an_empty_object(resource):
    table = render_table(resource, [{"metadata": {"name": "x"}}], metadata={"resourceVersion": "5"})
    assert table["metadata"] == {"resourceVersion": "5"}
    columns = table["columnDefinitions"]
    undeclared = 1 if resource.kind == "IPAddress" else 0  # upstream prints an age that no column stands for
    assert len(table["rows"][0]["cells"]) == len(columns) + undeclared
    without_printer = resource.kind in {"LimitRange", "Role", "ClusterRole", "CustomResourceDefinition"}
    assert without_printer == any(c["name"] == "Created At" for c in columns), f"{resource.kind} has no printer"
    for column in columns:
        assert " " in column["description"], f"{column['name']} names a field that has no documentation"


def test_the_name_column_is_marked_and_wide_columns_have_priority_one():
    columns = {c["name"]: c for c in render_table(by_kind("Pod"), [])["columnDefinitions"]}
    assert columns["Name"]["format"] == "name"
    assert [n for n, c in columns.items() if c["priority"]] == ["IP", "Node", "Nominated Node", "Readiness Gates"]


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("None", None),
        ("Metadata", {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "x"}}),
        ("Object", {"metadata": {"name": "x"}, "data": {"a": "b"}}),
    ],
)
def test_a_row_carries_what_was_asked_for(include, expected):
    obj = {"metadata": {"name": "x"}, "data": {"a": "b"}}
    table = render_table(by_kind("ConfigMap"), [obj], include_object=include)
    assert table["rows"][0]["object"] == expected


def test_a_single_object_gives_the_table_its_version():
    table = render_table(by_kind("ConfigMap"), [{"metadata": {"name": "x", "resourceVersion": "9"}}])
    assert table["metadata"] == {"resourceVersion": "9"}


def state(name="c", restarts=0, ready=False, last=None, **now):
    out = {"name": name, "restartCount": restarts, "ready": ready, "state": now}
    if last:
        out["lastState"] = {"terminated": {"finishedAt": last}}
    return out


RUN = {"startedAt": "2026-01-01T00:00:00Z"}


def pod(*statuses, phase="Running", init=(), spec=None, **status):
    spec = spec or {"containers": [{"name": s["name"]} for s in statuses] or [{"name": "c"}]}
    status = {"phase": phase, "containerStatuses": list(statuses), "initContainerStatuses": list(init), **status}
    return {"metadata": {}, "spec": spec, "status": status}


def init_pod(*statuses, policies=()):
    init = [{"name": s["name"]} for s in statuses]
    for container, policy in zip(init, policies, strict=False):
        container["restartPolicy"] = policy
    return pod(phase="Pending", init=statuses, spec={"containers": [{"name": "c"}], "initContainers": init})


READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("obj", "ready", "status"),
    [
        (pod(state(ready=True, running=RUN)), "1/1", "Running"),
        (pod(phase="Pending"), "0/1", "Pending"),
        (pod(state(waiting={"reason": "ContainerCreating"}), phase="Pending"), "0/1", "ContainerCreating"),
        (pod(state(waiting={"reason": "CrashLoopBackOff"})), "0/1", "CrashLoopBackOff"),
        (pod(state(terminated={"exitCode": 0, "reason": "Completed"}), phase="Succeeded"), "0/1", "Completed"),
        (pod(state(terminated={"exitCode": 3}), phase="Failed"), "0/1", "ExitCode:3"),
        (pod(state(terminated={"exitCode": 137, "signal": 9}), phase="Failed"), "0/1", "Signal:9"),
        (pod(phase="Failed", reason="Evicted"), "0/1", "Evicted"),
        (pod(state("a", terminated={"reason": "Completed"}), state("b", ready=True, running=RUN), conditions=READY),
         "1/2", "Running"),
        (pod(state("a", terminated={"reason": "Completed"}), state("b", ready=True, running=RUN)), "1/2", "NotReady"),
        (init_pod(state("i", running=RUN), state("j", waiting={"reason": "PodInitializing"})), "0/1", "Init:0/2"),
        (init_pod(state("i", terminated={"exitCode": 0}), state("j", running=RUN)), "0/1", "Init:1/2"),
        (init_pod(state("i", terminated={"exitCode": 1, "reason": "Error"})), "0/1", "Init:Error"),
        (init_pod(state("i", waiting={"reason": "CrashLoopBackOff"})), "0/1", "Init:CrashLoopBackOff"),
        (init_pod({**state("s", ready=True, running=RUN), "started": True}, policies=["Always"]), "1/2", "Pending"),
        (pod(phase="Pending", conditions=[{"type": "PodScheduled", "reason": "SchedulingGated"}]),
         "0/1", "SchedulingGated"),
    ],
)  # fmt: skip
def test_ready_and_status_of_a_pod(obj, ready, status):
    cells = row("Pod", obj)
    assert (cells["Ready"], cells["Status"]) == (ready, status)


def test_a_pod_that_is_being_deleted_is_terminating_unless_it_has_ended():
    deleted = pod(state(ready=True, running=RUN))
    deleted["metadata"]["deletionTimestamp"] = ago(seconds=1)
    assert row("Pod", deleted)["Status"] == "Terminating"
    deleted["status"]["phase"] = "Succeeded"
    assert row("Pod", deleted)["Status"] == "Succeeded"
    deleted["status"]["reason"] = "NodeLost"
    assert row("Pod", deleted)["Status"] == "Unknown"


def test_restarts_tell_when_the_last_one_was():
    cells = row(
        "Pod", pod(state("a", restarts=2, last=ago(hours=1)), state("b", restarts=1, last=ago(minutes=2, seconds=1)))
    )
    assert cells["Restarts"] == "3 (2m1s ago)"
    assert row("Pod", pod(state(restarts=1)))["Restarts"] == "1"
    assert row("Pod", pod())["Age"].startswith("5m")


def test_the_wide_cells_of_a_pod():
    obj = pod(state(), podIPs=[{"ip": "10.244.1.4"}], conditions=[{"type": "gate", "status": "True"}])
    obj["spec"] |= {"nodeName": "w1", "readinessGates": [{"conditionType": "gate"}, {"conditionType": "other"}]}
    cells = row("Pod", obj)
    assert [cells[c] for c in ("IP", "Node", "Nominated Node", "Readiness Gates")] == [
        "10.244.1.4",
        "w1",
        "<none>",
        "1/2",
    ]


def test_a_finished_pod_is_marked_completed():
    table = render_table(by_kind("Pod"), [pod(phase="Succeeded"), pod(), pod(phase="Failed")])
    assert [r.get("conditions", [{}])[0].get("reason") for r in table["rows"]] == ["Succeeded", None, "Failed"]


PORTS = [{"port": 80, "protocol": "TCP", "nodePort": 30080}, {"port": 53, "protocol": "UDP"}]


@pytest.mark.parametrize(
    ("spec", "status", "cluster", "external"),
    [
        ({"type": "ClusterIP", "clusterIPs": ["10.96.0.9"]}, {}, "10.96.0.9", "<none>"),
        ({"type": "ClusterIP", "clusterIPs": ["None"], "externalIPs": ["192.0.2.1"]}, {}, "None", "192.0.2.1"),
        ({"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"]}, {}, "10.96.0.9", "<pending>"),
        ({"type": "LoadBalancer", "clusterIPs": ["10.96.0.9"], "externalIPs": ["192.0.2.1"]},
         {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}]}}, "10.96.0.9", "203.0.113.1,192.0.2.1"),
        ({"type": "ExternalName", "externalName": "a.example"}, {}, "<none>", "a.example"),
    ],
)  # fmt: skip
def test_the_addresses_of_a_service(spec, status, cluster, external):
    cells = row("Service", {"spec": spec, "status": status})
    assert (cells["Cluster-IP"], cells["External-IP"]) == (cluster, external)


def test_the_ports_of_a_service():
    cells = row("Service", {"spec": {"type": "NodePort", "ports": PORTS, "selector": {"b": "2", "a": "1"}}})
    assert cells["Port(s)"] == "80:30080/TCP,53/UDP"
    assert cells["Selector"] == "a=1,b=2"
    assert row("Service", {"spec": {}})["Port(s)"] == "<none>"


def test_a_slice_shows_three_and_counts_the_rest():
    endpoints = [{"addresses": [f"10.0.0.{i}"]} for i in range(5)]
    ports = [{"name": "", "port": 80}, {"name": "x"}, {}]
    cells = row("EndpointSlice", {"addressType": "IPv4", "endpoints": endpoints, "ports": ports})
    assert cells["Endpoints"] == "10.0.0.0,10.0.0.1,10.0.0.2 + 2 more..."
    assert cells["Ports"] == "80,x,*"
    empty = row("EndpointSlice", {"addressType": "IPv4", "endpoints": None, "ports": None})
    assert (empty["Ports"], empty["Endpoints"]) == ("<unset>", "<unset>")


def test_endpoints_pair_addresses_with_ports():
    subsets = [{"addresses": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}], "ports": [{"port": 80}]}]
    assert row("Endpoints", {"subsets": subsets})["Endpoints"] == "10.0.0.1:80,[fd00::1]:80"
    assert row("Endpoints", {})["Endpoints"] == "<none>"


def test_a_node_tells_role_state_and_addresses():
    labels = {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "master"}
    status = {
        "conditions": [{"type": "Ready", "status": "False"}],
        "addresses": [{"type": "InternalIP", "address": "172.18.0.2"}],
        "nodeInfo": {"kubeletVersion": "v1.36.2", "kernelVersion": "6.1", "architecture": "amd64"},
    }
    cells = row("Node", {"metadata": {"labels": labels}, "spec": {"unschedulable": True}, "status": status})
    assert cells["Status"] == "NotReady,SchedulingDisabled"
    assert cells["Roles"] == "control-plane,master"
    assert (cells["Internal-IP"], cells["External-IP"]) == ("172.18.0.2", "<none>")
    assert (cells["Kernel-Version"], cells["OS-Image"]) == ("6.1 (amd64)", "<unknown>")
    assert row("Node", {})["Status"] == "Unknown"


def test_workloads_count_their_replicas():
    template = {"spec": {"containers": [{"name": "a", "image": "x:1"}, {"name": "b", "image": "y:2"}]}}
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "w"}}, "template": template}
    cells = row("Deployment", {"spec": spec, "status": {"readyReplicas": 2, "updatedReplicas": 3}})
    assert [cells[c] for c in ("Ready", "Up-to-date", "Available")] == ["2/3", 3, 0]
    assert [cells[c] for c in ("Containers", "Images", "Selector")] == ["a,b", "x:1,y:2", "app=w"]
    cells = row("ReplicaSet", {"spec": spec, "status": {"replicas": 3}})
    assert [cells[c] for c in ("Desired", "Current", "Ready")] == [3, 3, 0]
    cells = row("DaemonSet", {"spec": spec, "status": {"desiredNumberScheduled": 2, "numberReady": 1}})
    assert [cells[c] for c in ("Desired", "Ready", "Node Selector")] == [2, 1, "<none>"]


def test_an_ingress_lists_hosts_and_ports():
    spec = {"rules": [{"host": f"{c}.example"} for c in "abcd"], "tls": [{}], "ingressClassName": "nginx"}
    status = {"loadBalancer": {"ingress": [{"ip": "203.0.113.2"}]}}
    cells = row("Ingress", {"spec": spec, "status": status})
    assert cells["Hosts"] == "a.example,b.example,c.example + 1 more..."
    assert (cells["Class"], cells["Address"], cells["Ports"]) == ("nginx", "203.0.113.2", "80, 443")
    plain = row("Ingress", {"spec": {"defaultBackend": {}}})
    assert (plain["Class"], plain["Hosts"], plain["Ports"]) == ("<none>", "*", "80")


def test_the_default_ingress_class_is_marked():
    annotations = {"ingressclass.kubernetes.io/is-default-class": "true"}
    cells = row("IngressClass", {"metadata": {"annotations": annotations}, "spec": {"controller": "a.b/c"}})
    assert (cells["Name"], cells["Parameters"]) == ("x (default)", "<none>")


def test_a_policy_shows_whom_it_selects():
    assert row("NetworkPolicy", {"spec": {"podSelector": {}}})["Pod-Selector"] == "<none>"
    selector = {"matchLabels": {"app": "db"}, "matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    assert row("NetworkPolicy", {"spec": {"podSelector": selector}})["Pod-Selector"] == "app=db,tier"


def test_an_event_of_the_new_kind_counts_as_one():
    event = {
        "involvedObject": {"kind": "Pod", "name": "web-0"},
        "type": "Normal",
        "reason": "Scheduled",
        "message": " done\n",
        "eventTime": ago(seconds=30),
        "reportingComponent": "default-scheduler",
        "reportingInstance": "node-1",
    }
    cells = row("Event", event)
    assert cells["Object"] == "pod/web-0"
    assert (cells["Message"], cells["Count"], cells["Source"]) == ("done", 1, "default-scheduler, node-1")
    assert cells["Last Seen"] == cells["First Seen"] != "<unknown>"


def test_a_repeated_event_tells_its_last_time():
    event = {
        "firstTimestamp": ago(hours=9),
        "lastTimestamp": ago(minutes=11),
        "count": 4,
        "source": {"component": "kubelet"},
    }
    cells = row("Event", event)
    assert (cells["First Seen"], cells["Last Seen"], cells["Count"], cells["Source"]) == ("9h", "11m", 4, "kubelet")
