"""Which EndpointSlices a Service should have, and the fewest writes that get there. Pure.

Upstream: k8s.io/endpointslice (reconciler.go, utils.go, trafficdist). Endpoints with the same ports share slices of at
most a hundred; a slice that is no longer true is corrected where that costs fewer writes than a new one.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import orjson

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.controllers import endpoints_plan as endpoints
from podwalk.controllers import pods as podutil

MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
SERVICE_NAME = "kubernetes.io/service-name"
CONTROLLER = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100
_RESERVED = (endpoints.HEADLESS_LABEL, MANAGED_BY, SERVICE_NAME)
_ZONE = "topology.kubernetes.io/zone"

NodeGetter = Callable[[str], Object | None]


@dataclass
class Changes:
    """Slices to create, to update (with their resourceVersion) and to delete, and Pods left out for want of a node."""

    create: list[Object] = field(default_factory=list)
    update: list[Object] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


def plan(service: Object, pods: Iterable[Object], existing: Iterable[Object], node: NodeGetter) -> Changes:
    """The writes that make ``existing`` (this controller's slices of the Service) say what the Pods are."""
    changes = Changes()
    families = list(service["spec"].get("ipFamilies") or ("IPv4",))
    all_pods, all_slices = list(pods), list(existing)
    for stale in all_slices:
        if stale["addressType"] not in families:
            changes.delete.append(stale)
    for address_type in families:
        mine = [s for s in all_slices if s["addressType"] == address_type]
        _plan_family(service, address_type, all_pods, mine, node, changes)
    return changes


def desired_endpoint(service: Object, pod: Object, node: Object | None, address_type: str) -> Object | None:
    """One Pod as an endpoint, or None where it has no address of this family."""
    addresses = endpoints.pod_addresses(pod, address_type)
    if not addresses:
        return None
    serving, terminating = podutil.is_ready(pod), meta.is_deleting(pod)
    ready = bool(service["spec"].get("publishNotReadyAddresses")) or (serving and not terminating)
    endpoint: Object = {
        "addresses": addresses,
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "targetRef": endpoints.pod_reference(pod),
    }
    if podutil.node_name(pod):
        endpoint["nodeName"] = podutil.node_name(pod)
    zone = meta.labels(node).get(_ZONE) if node is not None else None
    if zone:
        endpoint["zone"] = zone
    if endpoints.should_set_hostname(service, pod):
        endpoint["hostname"] = pod["spec"]["hostname"]
    hints = _hints(service, endpoint)
    if hints:
        endpoint["hints"] = hints
    return endpoint


def _hints(service: Object, endpoint: Object) -> Object:
    wanted = service["spec"].get("trafficDistribution")
    if wanted not in ("PreferClose", "PreferSameZone", "PreferSameNode") or not endpoint["conditions"]["ready"]:
        return {}
    hints: Object = {}
    if "zone" in endpoint:
        hints["forZones"] = [{"name": endpoint["zone"]}]
    if wanted == "PreferSameNode" and "nodeName" in endpoint:
        hints["forNodes"] = [{"name": endpoint["nodeName"]}]
    return hints


def slice_labels(service: Object) -> dict[str, str]:
    """The labels of a Service's slices: the Service's own, the headless mark, and ours."""
    labels = {k: v for k, v in meta.labels(service).items() if k not in _RESERVED}
    if not endpoints.has_service_ip(service):
        labels[endpoints.HEADLESS_LABEL] = ""
    labels[SERVICE_NAME] = meta.name(service)
    labels[MANAGED_BY] = CONTROLLER
    return labels


def _plan_family(
    service: Object, address_type: str, pods: list[Object], existing: list[Object], node: NodeGetter, changes: Changes
) -> None:
    desired: dict[bytes, list[Object]] = {}
    ports_of: dict[bytes, list[Object]] = {}
    for pod in pods:
        if not endpoints.should_be_endpoint(pod, include_terminating=True):
            continue
        host = node(podutil.node_name(pod))
        if host is None and podutil.node_name(pod) and not service["spec"].get("publishNotReadyAddresses"):
            changes.skipped.append(meta.name(pod))
            continue
        endpoint = desired_endpoint(service, pod, host, address_type)
        if endpoint is not None:
            ports = endpoints.endpoint_ports(service, pod)
            desired.setdefault(_ports_key(ports), []).append(endpoint)
            ports_of[_ports_key(ports)] = ports
    by_ports: dict[bytes, list[Object]] = {}
    for one in existing:
        by_ports.setdefault(_ports_key(one.get("ports") or []), []).append(one)
    create: list[Object] = []
    update: list[Object] = []
    delete: list[Object] = []
    for key in sorted(set(desired) | set(by_ports)):
        wanted = desired.get(key, [])
        made = _plan_ports(service, address_type, ports_of.get(key, []), wanted, by_ports.get(key, []))
        create += made.create
        update += made.update
        delete += made.delete
    if len(existing) == len(delete) and not create:
        _keep_placeholder(service, address_type, create, delete)
    _reuse_deleted(service, create, update, delete)
    changes.create += create
    changes.update += update
    changes.delete += delete


def _plan_ports(
    service: Object, address_type: str, ports: list[Object], wanted: list[Object], existing: list[Object]
) -> Changes:
    """Endpoints of one port set: keep what is true, fill changed slices first, then unchanged ones, then new ones."""
    labels = slice_labels(service)
    left = {_identity(e): e for e in wanted}
    changes, unchanged = Changes(), []
    for old in existing:
        kept, differs = [], False
        for endpoint in old.get("endpoints") or ():
            new = left.pop(_identity(endpoint), None)
            if new is None:
                differs = True
                continue
            kept.append(new)
            differs = differs or not _same(new, endpoint)
        if not kept:
            changes.delete.append(old)
        elif differs or meta.labels(old) != labels:
            changes.update.append(_rewritten(old, labels, kept))
        else:
            unchanged.append(old)
    rest = list(left.values())
    for open_slice in changes.update:
        room = MAX_ENDPOINTS - len(open_slice["endpoints"])
        open_slice["endpoints"] += rest[:room]
        rest = rest[room:]
    while rest:
        fits = [s for s in unchanged if len(s["endpoints"]) + len(rest) <= MAX_ENDPOINTS]
        if fits:
            fullest = max(fits, key=lambda s: len(s["endpoints"]))
            changes.update.append(_rewritten(fullest, labels, [*fullest["endpoints"], *rest]))
            break
        changes.create.append(_new_slice(service, address_type, ports, rest[:MAX_ENDPOINTS]))
        rest = rest[MAX_ENDPOINTS:]
    return changes


def _keep_placeholder(service: Object, address_type: str, create: list[Object], delete: list[Object]) -> None:
    """A Service without endpoints still has one slice, so that "no endpoints" can be told from "not looked yet"."""
    placeholder = _new_slice(service, address_type, [], [])
    for index, old in enumerate(delete):
        if not old.get("endpoints") and not old.get("ports") and meta.labels(old) == meta.labels(placeholder):
            del delete[index]
            return
    create.append(placeholder)


def _reuse_deleted(service: Object, create: list[Object], update: list[Object], delete: list[Object]) -> None:
    """One update instead of a create and a delete."""
    for old in list(delete):
        if not create:
            return
        if podutil.is_owned_by(old, service):
            new = create.pop()
            changed = _rewritten(old, meta.labels(new), new["endpoints"])
            changed["ports"] = new["ports"]
            update.append(changed)
            delete.remove(old)


def _new_slice(service: Object, address_type: str, ports: list[Object], contents: list[Object]) -> Object:
    owner = {"apiVersion": "v1", "kind": "Service", **service}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{meta.name(service)}-",
            "namespace": meta.namespace(service),
            "labels": slice_labels(service),
            "ownerReferences": [meta.owner_reference(owner)],
        },
        "addressType": address_type,
        "endpoints": contents,
        "ports": ports,
    }


def _rewritten(old: Object, labels: dict[str, str], contents: list[Object]) -> Object:
    new = copy.deepcopy(old)
    new["metadata"]["labels"] = dict(labels)
    new["endpoints"] = list(contents)
    return new


def _ports_key(ports: list[Object]) -> bytes:
    return orjson.dumps(sorted(ports, key=orjson.dumps), option=orjson.OPT_SORT_KEYS)


def _identity(endpoint: Object) -> bytes:
    target = endpoint.get("targetRef") or {}
    return orjson.dumps([sorted(endpoint["addresses"]), target.get("uid"), endpoint.get("nodeName")])


def _same(a: Object, b: Object) -> bool:
    return all(
        a.get(f) == b.get(f) for f in ("addresses", "conditions", "targetRef", "nodeName", "zone", "hostname", "hints")
    )
