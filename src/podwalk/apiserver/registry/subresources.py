"""Subresources that are more than a part of their object: scale, binding, eviction, token.

Upstream: pkg/registry/{apps/deployment,core/pod,core/serviceaccount}/storage of kube-apiserver.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from podwalk.api import errors, meta, resources
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.api.selectors import format_label_selector
from podwalk.apiserver.auth import ISSUER, Authenticator
from podwalk.apiserver.crd import kinds
from podwalk.apiserver.options import DeleteOptions, WriteOptions
from podwalk.apiserver.registry import admission
from podwalk.apiserver.registry import eviction as budgets
from podwalk.apiserver.registry.core import Registry
from podwalk.apiserver.schema import checking
from podwalk.apiserver.store import Stored

_POD = resources.by_kind("Pod")
_TOKEN_SECONDS = 3600
_TOKEN_MINIMUM, _TOKEN_MAXIMUM = 600, 1 << 32
SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def scale_of(stored: Stored, resource: Resource) -> Object:
    """The autoscaling/v1 Scale of an object whose resource has one."""
    if resource.custom is not None:
        return kinds.scale_of(resource, stored)
    obj = stored.obj
    metadata = {
        k: obj["metadata"][k]
        for k in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if k in obj["metadata"]
    }
    replicas = (obj.get("spec") or {}).get("replicas")
    status: Object = {"replicas": (obj.get("status") or {}).get("replicas") or 0}
    selected = obj["spec"].get("selector")
    if resource.kind == "ReplicationController":
        selected = {"matchLabels": selected or {}}  # its selector is older than LabelSelectors
    selector = format_label_selector(selected)
    if selector != "<none>":
        status["selector"] = selector
    spec = {"replicas": replicas} if replicas else {}
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def update_scale(
    registry: Registry, resource: Resource, namespace: str, name: str, scale: Object, options: WriteOptions
) -> Object:
    """Set the replicas that a Scale asks for; the new Scale."""
    spec = scale.get("spec") or {}
    replicas = spec.get("replicas", 0) if isinstance(spec, dict) else None
    if replicas is None:
        replicas = 0
    if isinstance(replicas, bool) or not isinstance(replicas, int):
        raise errors.bad_request('Scale in version "v1" cannot be handled as a Scale: spec.replicas must be an integer')
    metadata = scale.get("metadata") or {}
    if metadata.get("name") not in (None, "", name):
        raise errors.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    if replicas < 0:
        why = f"Invalid value: {replicas}: must be greater than or equal to 0"
        causes = [errors.cause("FieldValueInvalid", why, "spec.replicas")]
        raise errors.invalid("Scale", name, causes, "autoscaling")

    def transform(obj: Object) -> Object:
        for field in ("resourceVersion", "uid"):
            if metadata.get(field):
                obj["metadata"][field] = metadata[field]
        if resource.custom is not None:
            kinds.set_replicas(resource, obj, replicas)
        else:
            obj["spec"]["replicas"] = replicas
        return obj

    stored, _ = registry.update(resource, namespace, name, transform, options)
    return scale_of(stored, resource)


def bind(registry: Registry, namespace: str, name: str, binding: Object, options: WriteOptions) -> Object:
    """Assign a Pod to a node; sets PodScheduled as the registry of Pods does."""
    target = binding.get("target") or {}
    if not isinstance(target, dict) or not target.get("name"):
        causes = [errors.cause("FieldValueRequired", "Required value", "target.name")]
        raise errors.invalid("Binding", name, causes)
    if target.get("kind") not in (None, "", "Node"):
        supported = 'supported values: "Node", "<empty>"'
        why = f'Unsupported value: "{target["kind"]}": {supported}'
        causes = [errors.cause("FieldValueNotSupported", why, "target.kind")]
        raise errors.invalid("Binding", name, causes)
    sent: Object = binding.get("metadata") or {}

    def refuse(why: str) -> ApiError:
        return errors.conflict("pods/binding", name, why)

    old = registry.get(_POD, namespace, name)
    pod = old.copy()
    if sent.get("uid") and sent["uid"] != meta.uid(pod):
        raise refuse(f"Precondition failed: UID in precondition: {sent['uid']}, UID in object meta: {meta.uid(pod)}")
    if meta.is_deleting(pod):
        raise refuse(f"pod {name} is being deleted, cannot be assigned to a host")
    if pod["spec"].get("nodeName"):
        raise refuse(f'pod {name} is already assigned to node "{pod["spec"]["nodeName"]}"')
    pod["spec"]["nodeName"] = str(target["name"])
    admission.add_topology_labels(registry.store, pod)
    for kind in ("labels", "annotations"):
        if sent.get(kind):
            pod["metadata"][kind] = {**(pod["metadata"].get(kind) or {}), **sent[kind]}
    conditions: list[Any] = pod.setdefault("status", {}).setdefault("conditions", [])
    meta.set_condition(conditions, "PodScheduled", "True")
    checking.check(pod, "Ignore")
    if not options.dry_run:
        registry.store.put(_POD, pod)
    return SUCCESS


def evict(registry: Registry, namespace: str, name: str, eviction: Object) -> Object:
    """Delete a Pod by eviction, where its disruption budget allows it."""
    raw = eviction.get("deleteOptions") or {}
    sent = (eviction.get("metadata") or {}).get("name")
    if sent not in (None, "", name):
        raise errors.bad_request("name in URL does not match name in Eviction object")
    preconditions = raw.get("preconditions") or {}
    options = DeleteOptions(
        grace_period=raw.get("gracePeriodSeconds"),
        propagation=raw.get("propagationPolicy") or "",
        uid=str(preconditions.get("uid") or ""),
        resource_version=str(preconditions.get("resourceVersion") or ""),
        dry_run=bool(raw.get("dryRun")),
    )
    budgets.evict(registry, namespace, name, options)
    return SUCCESS


def issue_token(registry: Registry, authenticator: Authenticator, namespace: str, name: str, request: Object) -> Object:
    """Answer a TokenRequest for a ServiceAccount."""
    account = registry.get(resources.by_kind("ServiceAccount"), namespace, name).obj
    spec = dict(request.get("spec") or {})
    seconds = spec.get("expirationSeconds")
    seconds = _TOKEN_SECONDS if seconds is None else int(seconds)
    if not _TOKEN_MINIMUM <= seconds <= _TOKEN_MAXIMUM:
        short = seconds < _TOKEN_MINIMUM
        limit = (
            "may not specify a duration less than 10 minutes"
            if short
            else "may not specify a duration larger than 2^32 seconds"
        )
        causes = [errors.cause("FieldValueInvalid", f"Invalid value: {seconds}: {limit}", "spec.expirationSeconds")]
        raise errors.invalid("TokenRequest", name, causes, "authentication.k8s.io")
    audiences = [str(a) for a in spec.get("audiences") or ()] or [ISSUER]
    bound = None
    if reference := spec.get("boundObjectRef"):
        kind = str(reference.get("kind"))
        if kind not in ("Pod", "Node", "Secret"):
            why = f"cannot bind token for serviceaccount {name!r} to object of kind {kind}"
            raise errors.bad_request(why)
        resource = resources.by_kind(kind)
        bound = registry.get(resource, namespace if resource.namespaced else "", str(reference.get("name"))).obj
        if reference.get("uid") not in (None, "", meta.uid(bound)):
            why = f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record."
            raise errors.conflict(resource.plural, meta.name(bound), why)
    token, expires = authenticator.issue(namespace, account, audiences, seconds, bound)
    spec |= {"audiences": audiences, "expirationSeconds": seconds}
    moment = meta.format_time(datetime.fromtimestamp(expires, UTC))
    return {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": meta.now()},
        "spec": spec,
        "status": {"token": token, "expirationTimestamp": moment},
    }
