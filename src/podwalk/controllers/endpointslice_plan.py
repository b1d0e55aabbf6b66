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


@dataclass(frozen=True, slots=True)
class Maker:
    """What all slices of one owner and one address family share."""

    owner: Object
    service_name: str
    labels: dict[str, str]
    address_type: str
    annotations: dict[str, str] = field(default_factory=dict)
    most: int = MAX_ENDPOINTS

    def new(self, ports: list[Object], contents: list[Object]) -> Object:
        """A slice to create."""
        metadata: Object = {
            "generateName": f"{self.service_name}-",
            "namespace": meta.namespace(self.owner),
            "labels": dict(self.labels),
            "ownerReferences": [meta.owner_reference(self.owner)],
        }
        if self.annotations:
            metadata["annotations"] = dict(self.annotations)
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata,
            "addressType": self.address_type,
            "endpoints": contents,
            "ports": ports,
        }

    def rewritten(self, old: Object, contents: list[Object]) -> Object:
        """A slice to update."""
        new = copy.deepcopy(old)
        new.update(apiVersion="discovery.k8s.io/v1", kind="EndpointSlice", endpoints=list(contents))
        new["metadata"]["labels"] = dict(self.labels)
        if self.annotations:
            new["metadata"]["annotations"] = dict(self.annotations)
        return new


@dataclass
class Group:
    """Endpoints that offer the same ports."""

    ports: list[Object]
    endpoints: list[Object] = field(default_factory=list)


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
    # Of another family, or of an older Service of the same name, whose slices the garbage collector has yet to take.
    strange = [s for s in all_slices if s["addressType"] not in families or not podutil.is_owned_by(s, service)]
    changes.delete += strange
    for address_type in families:
        mine = [s for s in all_slices if s["addressType"] == address_type and s not in strange]
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


def on_the_wire(written: Object) -> Object:
    """The slice as Go writes it: empty lists are null."""
    return {**written, "endpoints": written["endpoints"] or None, "ports": written["ports"] or None}


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
    groups = Groups()
    for pod in pods:
        if not endpoints.should_be_endpoint(pod, include_terminating=True):
            continue
        host = node(podutil.node_name(pod))
        if host is None and podutil.node_name(pod) and not service["spec"].get("publishNotReadyAddresses"):
            changes.skipped.append(meta.name(pod))
            continue
        endpoint = desired_endpoint(service, pod, host, address_type)
        if endpoint is not None:
            groups.add(endpoints.endpoint_ports(service, pod), endpoint)
    owner = {"apiVersion": "v1", "kind": "Service", **service}
    maker = Maker(owner, meta.name(service), slice_labels(service), address_type)
    planned = plan_groups(maker, groups, existing)
    if len(existing) == len(planned.delete) and not planned.create:
        _keep_placeholder(maker, planned)
    _reuse_deleted(maker, planned)
    changes.create += planned.create
    changes.update += planned.update
    changes.delete += planned.delete


class Groups:
    """Desired endpoints by their ports."""

    def __init__(self) -> None:
        self.by_ports: dict[bytes, Group] = {}

    def add(self, ports: list[Object], *contents: Object) -> None:
        """Put endpoints into the group of these ports."""
        self.by_ports.setdefault(_ports_key(ports), Group(ports)).endpoints.extend(contents)


def plan_groups(maker: Maker, groups: Groups, existing: Iterable[Object]) -> Changes:
    """The writes for one owner and one address family, ports by ports."""
    by_ports: dict[bytes, list[Object]] = {}
    for one in existing:
        by_ports.setdefault(_ports_key(one.get("ports") or []), []).append(one)
    changes = Changes()
    for key in sorted(set(groups.by_ports) | set(by_ports)):
        group = groups.by_ports.get(key, Group([]))
        made = _plan_ports(maker, group, by_ports.get(key, []))
        changes.create += made.create
        changes.update += made.update
        changes.delete += made.delete
    return changes


def _plan_ports(maker: Maker, group: Group, existing: list[Object]) -> Changes:
    """Endpoints of one port set: keep what is true, fill changed slices first, then unchanged ones, then new ones."""
    left = {_identity(e): e for e in group.endpoints}
    changes = Changes()
    unchanged: list[Object] = []
    for old in existing:
        kept, differs = [], False
        for endpoint in old.get("endpoints") or ():
            new = left.pop(_identity(endpoint), None)
            if new is not None:
                kept.append(new)
            differs = differs or new is None or not _same(new, endpoint)
        if not kept:
            changes.delete.append(old)
        elif differs or meta.labels(old) != maker.labels:
            changes.update.append(maker.rewritten(old, kept))
        else:
            unchanged.append(old)
    rest = list(left.values())
    for open_slice in changes.update:
        room = maker.most - len(open_slice["endpoints"])
        open_slice["endpoints"] += rest[:room]
        rest = rest[room:]
    while rest:
        fits = [s for s in unchanged if len(s["endpoints"]) + len(rest) <= maker.most]
        if fits:
            fullest = max(fits, key=lambda s: len(s["endpoints"]))
            changes.update.append(maker.rewritten(fullest, [*fullest["endpoints"], *rest]))
            break
        changes.create.append(maker.new(group.ports, rest[: maker.most]))
        rest = rest[maker.most :]
    return changes


def _keep_placeholder(maker: Maker, changes: Changes) -> None:
    """A Service without endpoints still has one slice, so that "no endpoints" can be told from "not looked yet"."""
    for index, old in enumerate(changes.delete):
        if not old.get("endpoints") and not old.get("ports") and meta.labels(old) == maker.labels:
            del changes.delete[index]
            return
    changes.create.append(maker.new([], []))


def _reuse_deleted(maker: Maker, changes: Changes) -> None:
    """One update instead of a create and a delete."""
    for old in list(changes.delete):
        if not changes.create:
            return
        if podutil.is_owned_by(old, maker.owner):
            new = changes.create.pop()
            changes.update.append({**maker.rewritten(old, new["endpoints"]), "ports": new["ports"]})
            changes.delete.remove(old)


def _ports_key(ports: list[Object]) -> bytes:
    told = [(p.get("name") or "", p.get("port"), p.get("protocol") or "TCP", p.get("appProtocol") or "") for p in ports]
    return orjson.dumps(sorted(told, key=orjson.dumps))


def _identity(endpoint: Object) -> bytes:
    target = endpoint.get("targetRef") or {}
    return orjson.dumps([sorted(endpoint["addresses"]), target.get("uid"), endpoint.get("nodeName")])


def _same(a: Object, b: Object) -> bool:
    return all(
        a.get(f) == b.get(f) for f in ("addresses", "conditions", "targetRef", "nodeName", "zone", "hostname", "hints")
    )
