from __future__ import annotations

import copy

import pytest
from objects import node, pod, running, service

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import endpoints, endpointslice_plan
from podwalk.controllers.endpointslice_plan import Changes

NODES = {n: {**node(n), "metadata": {"name": n, "labels": {"topology.kubernetes.io/zone": f"zone-{n}"}}} for n in "ab"}
WEB = {"app": "web"}


def plan(svc: Object, pods: list[Object], existing: list[Object] | None = None) -> Changes:
    return endpointslice_plan.plan(svc, pods, existing or [], NODES.get)


def stored(changes: Changes, before: list[Object] | None = None) -> list[Object]:
    """What the API server holds after the changes."""
    out = {meta.name(s): s for s in before or []}
    for gone in changes.delete:
        del out[meta.name(gone)]
    for new in [*changes.create, *changes.update]:
        new = copy.deepcopy(new)
        new["metadata"].setdefault("name", f"web-{len(out)}")
        out[meta.name(new)] = new
    return list(out.values())


def backend(name: str, ip: str, on: str = "a", ready: bool = True, **spec: object) -> Object:
    return running(pod(name, WEB, nodeName=on, **spec), ip, ready)


def test_one_ready_pod() -> None:
    changes = plan(service(), [backend("p1", "10.244.0.5")])
    (made,) = changes.create
    assert (changes.update, changes.delete) == ([], [])
    assert made["metadata"] == {
        "generateName": "web-",
        "namespace": "default",
        "labels": {
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            "kubernetes.io/service-name": "web",
        },
        "ownerReferences": [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "name": "web",
                "uid": "uid-web",
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }
    assert (made["addressType"], made["ports"]) == ("IPv4", [{"name": "http", "port": 8080, "protocol": "TCP"}])
    assert made["endpoints"] == [
        {
            "addresses": ["10.244.0.5"],
            "conditions": {"ready": True, "serving": True, "terminating": False},
            "targetRef": {"kind": "Pod", "namespace": "default", "name": "p1", "uid": "uid-p1"},
            "nodeName": "a",
            "zone": "zone-a",
        }
    ]


@pytest.mark.parametrize(
    ("ready", "deleting", "publish", "expected"),
    [
        (True, False, False, (True, True, False)),
        (False, False, False, (False, False, False)),
        (True, True, False, (False, True, True)),
        (False, True, False, (False, False, True)),
        (False, False, True, (True, False, False)),
        (True, True, True, (True, True, True)),
    ],
)
def test_conditions(ready: bool, deleting: bool, publish: bool, expected: tuple[bool, bool, bool]) -> None:
    one = backend("p1", "10.244.0.5", ready=ready)
    if deleting:
        one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    (made,) = plan(service(publishNotReadyAddresses=publish), [one]).create
    conditions = made["endpoints"][0]["conditions"]
    assert (conditions["ready"], conditions["serving"], conditions["terminating"]) == expected


def test_named_target_ports_that_differ_make_two_slices() -> None:
    def named(port: int) -> list[Object]:
        return [{"name": "c", "ports": [{"name": "http", "containerPort": port}]}]

    pods = [
        backend("p1", "10.244.0.5", containers=named(8080)),
        backend("p2", "10.244.1.6", "b", containers=named(9090)),
    ]
    svc = service(ports=[{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}])
    made = plan(svc, pods).create
    assert {(s["ports"][0]["port"], s["endpoints"][0]["addresses"][0]) for s in made} == {
        (8080, "10.244.0.5"),
        (9090, "10.244.1.6"),
    }
    found = endpoints.desired_subsets(svc, pods)
    assert {(s["ports"][0]["port"], s["addresses"][0]["ip"]) for s in found} == {
        (8080, "10.244.0.5"),
        (9090, "10.244.1.6"),
    }


def test_a_named_port_needs_the_same_protocol() -> None:
    containers = [{"name": "c", "ports": [{"name": "dns", "containerPort": 53, "protocol": "UDP"}]}]
    svc = service(ports=[{"name": "dns", "port": 53, "targetPort": "dns", "protocol": "TCP"}])
    (made,) = plan(svc, [backend("p1", "10.244.0.5", containers=containers)]).create
    assert made["ports"] == []


@pytest.mark.parametrize(
    "one",
    [
        {**pod("p1", WEB, nodeName="a")},
        {**backend("p1", "10.244.0.5"), "status": {"phase": "Succeeded", "podIP": "10.244.0.5"}},
        {**backend("p1", "10.244.0.5"), "status": {"phase": "Failed", "podIP": "10.244.0.5"}},
    ],
    ids=["no IP", "Succeeded", "Failed"],
)
def test_pods_that_are_no_endpoints(one: Object) -> None:
    (made,) = plan(service(), [one]).create
    assert (made["endpoints"], made["ports"]) == ([], [])


def test_a_pod_of_a_missing_node_is_left_out_and_reported() -> None:
    changes = plan(service(), [backend("p1", "10.244.0.5", "gone")])
    assert changes.skipped == ["p1"]
    assert changes.create[0]["endpoints"] == []


def test_headless_with_a_hostname_and_without_ports() -> None:
    one = backend("p1", "10.244.0.5", hostname="db-0", subdomain="web")
    svc = service(clusterIP="None", ports=[])
    (made,) = plan(svc, [one]).create
    assert made["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert (made["endpoints"][0]["hostname"], made["ports"]) == ("db-0", [])
    (subset,) = endpoints.desired_subsets(svc, [one])
    assert (subset["addresses"][0]["hostname"], subset.get("ports")) == ("db-0", None)


def test_the_services_labels_are_copied_but_not_ours() -> None:
    svc = service()
    svc["metadata"]["labels"] = {"team": "shop", "kubernetes.io/service-name": "other"}
    (made,) = plan(svc, []).create
    assert made["metadata"]["labels"]["team"] == "shop"
    assert made["metadata"]["labels"]["kubernetes.io/service-name"] == "web"


def test_nothing_is_written_twice() -> None:
    pods = [backend(f"p{i}", f"10.244.0.{i}") for i in range(1, 6)]
    have = stored(plan(service(), pods))
    assert plan(service(), pods, have) == Changes()
    empty = stored(plan(service(), []))
    for fields in ({}, {"endpoints": None, "ports": None}):
        assert plan(service(), [], [{**empty[0], **fields}]) == Changes()


def test_the_last_pod_goes_and_the_slice_stays_empty() -> None:
    have = stored(plan(service(), [backend("p1", "10.244.0.5")]))
    changes = plan(service(), [], have)
    assert (changes.create, changes.delete) == ([], [])
    (changed,) = changes.update
    assert (changed["metadata"]["name"], changed["endpoints"], changed["ports"]) == ("web-0", [], [])


def test_a_replaced_pod_is_one_update() -> None:
    have = stored(plan(service(), [backend("p1", "10.244.0.5"), backend("p2", "10.244.0.6")]))
    changes = plan(service(), [backend("p1", "10.244.0.5"), backend("p3", "10.244.0.7")], have)
    assert (changes.create, changes.delete) == ([], [])
    (changed,) = changes.update
    assert [e["addresses"] for e in changed["endpoints"]] == [["10.244.0.5"], ["10.244.0.7"]]


def test_a_hundred_endpoints_a_slice() -> None:
    pods = [backend(f"p{i}", f"10.244.0.{i}") for i in range(1, 251)]
    changes = plan(service(), pods)
    assert sorted(len(s["endpoints"]) for s in changes.create) == [50, 100, 100]
    have = stored(changes)
    more = plan(service(), [*pods, backend("new", "10.244.1.1")], have)
    assert [len(s["endpoints"]) for s in more.update] == [51]
    assert (more.create, more.delete) == ([], [])


def test_slices_of_a_family_that_is_gone_are_deleted() -> None:
    dual = running(pod("p1", WEB, nodeName="a"), "10.244.0.5")
    dual["status"]["podIPs"] = [{"ip": "10.244.0.5"}, {"ip": "fd00::5"}]
    have = stored(plan(service(ipFamilies=["IPv4", "IPv6"]), [dual]))
    assert sorted(s["addressType"] for s in have) == ["IPv4", "IPv6"]
    changes = plan(service(), [dual], have)
    assert [s["addressType"] for s in changes.delete] == ["IPv6"]
    assert (changes.create, changes.update) == ([], [])


@pytest.mark.parametrize(
    ("wanted", "hints"),
    [
        ("PreferClose", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameZone", {"forZones": [{"name": "zone-a"}]}),
        ("PreferSameNode", {"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "a"}]}),
        (None, None),
    ],
)
def test_hints(wanted: str | None, hints: Object | None) -> None:
    pods = [backend("p1", "10.244.0.5")]
    (made,) = plan(service(trafficDistribution=wanted), pods).create
    assert made["endpoints"][0].get("hints") == hints
    made["metadata"]["name"] = "web-0"
    assert len(plan(service(), pods, [made]).update) == (hints is not None)


def test_endpoints_part_ready_from_not_ready_and_sort_by_address() -> None:
    pods = [
        backend("p1", "10.244.0.10"),
        backend("p2", "10.244.0.9"),
        backend("p3", "10.244.0.8", ready=False),
    ]
    (subset,) = endpoints.desired_subsets(service(), pods)
    assert [a["ip"] for a in subset["addresses"]] == ["10.244.0.9", "10.244.0.10"]
    assert [a["ip"] for a in subset["notReadyAddresses"]] == ["10.244.0.8"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    made = endpoints.desired(service(), pods, None, "2026-01-01T00:00:00Z")
    assert made is not None
    assert made["metadata"] == {
        "name": "web",
        "namespace": "default",
        "labels": {"endpoints.kubernetes.io/managed-by": "endpoint-controller"},
        "annotations": {"endpoints.kubernetes.io/last-change-trigger-time": "2026-01-01T00:00:00Z"},
    }
    assert endpoints.desired(service(), pods, made, None) is None


def test_endpoints_leave_terminating_pods_out() -> None:
    one = backend("p1", "10.244.0.5")
    one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert endpoints.desired_subsets(service(), [one]) == []


def test_slices_of_an_older_service_of_the_same_name_go() -> None:
    before = stored(plan(service(), [backend("p1", "10.244.0.5")]))
    young = service()
    young["metadata"]["uid"] = "another"
    changes = plan(young, [backend("p1", "10.244.0.5")], before)
    assert ([meta.name(s) for s in changes.delete], len(changes.create), changes.update) == (["web-0"], 1, [])
