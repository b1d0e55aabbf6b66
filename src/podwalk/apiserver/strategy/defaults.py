"""Server-side defaults by kind.

Upstream: the defaults.go of pkg/apis/{core,apps,discovery,networking}/v1, and the fields that Go writes although they
are empty (structs without omitempty), which kubectl and the controllers rely on.
"""

from __future__ import annotations

import base64
from collections.abc import Callable

from podwalk.api import quantity
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.batch_defaults import (
    default_cronjob,
    default_job,
    default_replicationcontroller,
    default_statefulset,
)
from podwalk.apiserver.strategy.cluster_defaults import default_binding, default_limitrange, default_priorityclass
from podwalk.apiserver.strategy.pod_defaults import default_pod, default_template
from podwalk.apiserver.strategy.zeroes import write_zeroes

_AFFINITY_SECONDS = 10800
_NODE_INFO = (
    "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
    "kubeProxyVersion", "operatingSystem", "architecture",
)  # fmt: skip


def _child(obj: Object, field: str) -> Object:
    """``obj[field]``, made an empty object where it is absent."""
    child: Object = obj.get(field) or {}
    obj[field] = child
    return child


def _protocols(ports: object) -> None:
    for port in ports if isinstance(ports, list) else ():
        port["protocol"] = port.get("protocol") or "TCP"


def _service(obj: Object) -> None:
    spec = _child(obj, "spec")
    spec["type"] = spec.get("type") or "ClusterIP"
    spec["sessionAffinity"] = spec.get("sessionAffinity") or "None"
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client_ip = (spec.get("sessionAffinityConfig") or {}).get("clientIP") or {}
        if client_ip.get("timeoutSeconds") is None:
            spec["sessionAffinityConfig"] = {"clientIP": {"timeoutSeconds": _AFFINITY_SECONDS}}
    _protocols(spec.get("ports"))
    for port in spec.get("ports") or ():
        port["targetPort"] = port.get("targetPort") or port.get("port")
    published = spec["type"] in ("NodePort", "LoadBalancer") or (
        spec["type"] == "ClusterIP" and spec.get("externalIPs")
    )
    if published and not spec.get("externalTrafficPolicy"):
        spec["externalTrafficPolicy"] = "Cluster"
    if spec["type"] in ("ClusterIP", "NodePort", "LoadBalancer") and not spec.get("internalTrafficPolicy"):
        spec["internalTrafficPolicy"] = "Cluster"
    if spec["type"] == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
        spec["allocateLoadBalancerNodePorts"] = True
    balancer = _child(_child(obj, "status"), "loadBalancer")
    for point in balancer.get("ingress") or ():
        if spec["type"] == "LoadBalancer" and point.get("ip") and not point.get("ipMode"):
            point["ipMode"] = "VIP"


def _endpoints(obj: Object) -> None:
    for subset in obj.get("subsets") or ():
        _protocols(subset.get("ports"))


def _endpointslice(obj: Object) -> None:
    obj.setdefault("endpoints", None)
    obj.setdefault("ports", None)
    for endpoint in obj["endpoints"] or ():
        endpoint["conditions"] = endpoint.get("conditions") or {}
    _protocols(obj["ports"])
    for port in obj["ports"] or ():
        port["name"] = port.get("name") or ""


def _namespace(obj: Object) -> None:
    if name := obj["metadata"].get("name"):
        _child(obj["metadata"], "labels")["kubernetes.io/metadata.name"] = name
    spec, status = _child(obj, "spec"), _child(obj, "status")
    status["phase"] = status.get("phase") or "Active"
    if not obj["metadata"].get("resourceVersion"):
        spec["finalizers"] = sorted({*(spec.get("finalizers") or ()), "kubernetes"})


def _node(obj: Object) -> None:
    spec, status = _child(obj, "spec"), _child(obj, "status")
    if spec.get("podCIDR") and not spec.get("podCIDRs"):
        spec["podCIDRs"] = [spec["podCIDR"]]
    elif spec.get("podCIDRs") and not spec.get("podCIDR"):
        spec["podCIDR"] = spec["podCIDRs"][0]
    if status.get("capacity") and not status.get("allocatable"):
        status["allocatable"] = dict(status["capacity"])
    for field in ("capacity", "allocatable"):
        for name, amount in (status.get(field) or {}).items():
            try:
                status[field][name] = quantity.canonical(amount)
            except ValueError:
                continue  # left as it is: the schema refuses it
    _child(_child(status, "daemonEndpoints"), "kubeletEndpoint").setdefault("Port", 0)
    info = _child(status, "nodeInfo")
    for field in _NODE_INFO:
        info.setdefault(field, "")


def _secret(obj: Object) -> None:
    obj["type"] = obj.get("type") or "Opaque"
    plain = obj.pop("stringData", None) or {}
    if plain:
        data = _child(obj, "data")
        data.update({k: base64.b64encode(str(v).encode()).decode() for k, v in plain.items()})


def _event(obj: Object) -> None:
    _child(obj, "involvedObject")
    _child(obj, "source")
    for field in ("firstTimestamp", "lastTimestamp", "eventTime"):
        obj.setdefault(field, None)
    for field in ("reportingComponent", "reportingInstance"):
        obj.setdefault(field, "")


def _template(obj: Object) -> Object:
    spec = _child(obj, "spec")
    default_template(_child(spec, "template"))
    return spec


def _rolling_update(strategy: Object, surge: object, unavailable: object) -> None:
    strategy["type"] = strategy.get("type") or "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        rolling = _child(strategy, "rollingUpdate")
        for field, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
            if rolling.get(field) is None:
                rolling[field] = value


def _number(spec: Object, field: str, value: int) -> None:
    if spec.get(field) is None:
        spec[field] = value


def _deployment(obj: Object) -> None:
    spec = _template(obj)
    _number(spec, "replicas", 1)
    _rolling_update(_child(spec, "strategy"), "25%", "25%")
    _number(spec, "revisionHistoryLimit", 10)
    _number(spec, "progressDeadlineSeconds", 600)
    _child(obj, "status")


def _replicaset(obj: Object) -> None:
    _number(_template(obj), "replicas", 1)
    _child(obj, "status").setdefault("replicas", 0)


def _daemonset(obj: Object) -> None:
    spec = _template(obj)
    _rolling_update(_child(spec, "updateStrategy"), 0, 1)
    _number(spec, "revisionHistoryLimit", 10)
    status = _child(obj, "status")
    for field in ("currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"):
        status.setdefault(field, 0)
    _child(obj["metadata"], "annotations").setdefault("deprecated.daemonset.template.generation", "1")


def _ingress(obj: Object) -> None:
    _child(obj, "spec")
    _child(_child(obj, "status"), "loadBalancer")


def _ingressclass(obj: Object) -> None:
    parameters = _child(obj, "spec").get("parameters")
    if isinstance(parameters, dict) and parameters.get("scope") is None:
        parameters["scope"] = "Cluster"


def _networkpolicy(obj: Object) -> None:
    spec = _child(obj, "spec")
    _child(spec, "podSelector")
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    for direction in ("ingress", "egress"):
        for rule in spec.get(direction) or ():
            _protocols(rule.get("ports"))


def _lease(obj: Object) -> None:
    _child(obj, "spec")


_BY_KIND: dict[tuple[str, str], Callable[[Object], None]] = {
    ("v1", "Pod"): default_pod,
    ("v1", "Service"): _service,
    ("v1", "Endpoints"): _endpoints,
    ("v1", "Namespace"): _namespace,
    ("v1", "Node"): _node,
    ("v1", "Secret"): _secret,
    ("v1", "Event"): _event,
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "ReplicaSet"): _replicaset,
    ("apps/v1", "DaemonSet"): _daemonset,
    ("discovery.k8s.io/v1", "EndpointSlice"): _endpointslice,
    ("networking.k8s.io/v1", "Ingress"): _ingress,
    ("networking.k8s.io/v1", "IngressClass"): _ingressclass,
    ("networking.k8s.io/v1", "NetworkPolicy"): _networkpolicy,
    ("coordination.k8s.io/v1", "Lease"): _lease,
    ("v1", "ReplicationController"): default_replicationcontroller,
    ("v1", "LimitRange"): default_limitrange,
    ("apps/v1", "StatefulSet"): default_statefulset,
    ("batch/v1", "Job"): default_job,
    ("batch/v1", "CronJob"): default_cronjob,
    ("scheduling.k8s.io/v1", "PriorityClass"): default_priorityclass,
    ("rbac.authorization.k8s.io/v1", "RoleBinding"): default_binding,
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"): default_binding,
}


def default(obj: Object) -> None:
    """Fill in, in place, what the API server fills in by apiVersion and kind (Kubernetes v1.36).

    Idempotent; a kind without defaults is left alone. An object without ``metadata.resourceVersion`` counts as new: a
    new Pod also gets what the stock admission plugins add (token volume, tolerations, priority).
    """
    setter = _BY_KIND.get((str(obj.get("apiVersion")), str(obj.get("kind"))))
    obj.setdefault("metadata", {})
    if setter is not None:
        setter(obj)
    write_zeroes(obj)
