"""The rows of the other kinds.

Upstream: pkg/printers/internalversion/printers.go, one function here per print function there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from podwalk.api.meta import Object
from podwalk.api.selectors import format_label_selector
from podwalk.apiserver.tables import workloads
from podwalk.apiserver.tables.durations import age, since
from podwalk.apiserver.tables.pods import pod_cells
from podwalk.apiserver.tables.workloads import labels_cell, template_containers

Cells = list[Any]
_SHOWN = 3  # addresses, ports or hosts in one cell; the rest is "+ N more..."


def _name(obj: Object) -> str:
    return str(obj["metadata"].get("name", ""))


def _spec(obj: Object) -> Object:
    return obj.get("spec") or {}


def _status(obj: Object) -> Object:
    return obj.get("status") or {}


def _shortened(items: list[str]) -> str:
    shown = ",".join(items[:_SHOWN])
    return f"{shown} + {len(items) - _SHOWN} more..." if len(items) > _SHOWN else shown


def _ingress_points(obj: Object) -> list[str]:
    """The addresses of ``status.loadBalancer``, each once. Upstream's order is that of a Go map; ours is sorted."""
    points = (_status(obj).get("loadBalancer") or {}).get("ingress") or []
    return sorted({p.get("ip") or p.get("hostname") for p in points} - {None, ""})


def _external_ip(service: Object) -> str:
    spec = _spec(service)
    external = list(spec.get("externalIPs") or [])
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or "<none>"
        case "LoadBalancer":
            return ",".join(_ingress_points(service) + external) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName", ""))
    return "<unknown>"


def _service_port(port: Object) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port.get('port', 0)}{node_port}/{port.get('protocol', '')}"


def _service(obj: Object) -> Cells:
    spec = _spec(obj)
    return [
        _name(obj),
        spec.get("type", ""),
        (spec.get("clusterIPs") or ["<none>"])[0],
        _external_ip(obj),
        ",".join(map(_service_port, spec.get("ports") or ())) or "<none>",
        age(obj),
        labels_cell(spec.get("selector")),
    ]


def _host_port(ip: str, port: object) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _endpoints(obj: Object) -> Cells:
    shown: list[str] = []
    for subset in obj.get("subsets") or ():
        ips = [str(a.get("ip", "")) for a in subset.get("addresses") or ()]
        ports = subset.get("ports") or []
        shown += [_host_port(ip, p.get("port", 0)) for p in ports for ip in ips] if ports else ips
    return [_name(obj), _shortened(shown) if obj.get("subsets") else "<none>", age(obj)]


def _slice_port(port: Object) -> str:
    if port.get("port") is not None:
        return str(port["port"])
    return str(port["name"]) if port.get("name") is not None else "*"


def _endpointslice(obj: Object) -> Cells:
    ports = [_slice_port(p) for p in obj.get("ports") or ()]
    addresses = [str(a) for e in obj.get("endpoints") or () for a in e.get("addresses") or ()]
    return [
        _name(obj),
        obj.get("addressType", ""),
        _shortened(ports) or "<unset>",
        _shortened(addresses) or "<unset>",
        age(obj),
    ]


def _roles(labels: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    roles = {k.removeprefix(prefix) for k in labels if k.startswith(prefix)} | {labels.get("kubernetes.io/role", "")}
    return ",".join(sorted(roles - {""})) or "<none>"


def _node_address(obj: Object, kind: str) -> str:
    found = (a.get("address") for a in _status(obj).get("addresses") or () if a.get("type") == kind)
    return str(next(found, "<none>"))


def _node(obj: Object) -> Cells:
    info = _status(obj).get("nodeInfo") or {}
    ready = [c.get("status") for c in _status(obj).get("conditions") or () if c.get("type") == "Ready"]
    state = ("Ready" if ready[-1] == "True" else "NotReady") if ready else "Unknown"
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel = f"{kernel} ({info['architecture']})"
    return [
        _name(obj),
        f"{state},SchedulingDisabled" if _spec(obj).get("unschedulable") else state,
        _roles(obj["metadata"].get("labels") or {}),
        age(obj),
        info.get("kubeletVersion", ""),
        _node_address(obj, "InternalIP"),
        _node_address(obj, "ExternalIP"),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _event(obj: Object) -> Cells:
    involved, source = obj.get("involvedObject") or {}, obj.get("source") or {}
    first = since(obj.get("firstTimestamp") or obj.get("eventTime"))
    last = since(obj["lastTimestamp"]) if obj.get("lastTimestamp") else first
    count = int(obj.get("count") or 1)
    if series := obj.get("series"):
        last, count = since(series.get("lastObservedTime")), int(series.get("count") or 0)
    reporters = (
        source.get("component") or obj.get("reportingComponent") or "",
        source.get("host") or obj.get("reportingInstance") or "",
    )
    target = str(involved.get("kind", "")).lower()
    return [
        last,
        obj.get("type", ""),
        obj.get("reason", ""),
        f"{target}/{involved['name']}" if involved.get("name") else target,
        involved.get("fieldPath", ""),
        ", ".join(reporters) if reporters[1] else reporters[0],
        str(obj.get("message", "")).strip(),
        first,
        count,
        _name(obj),
    ]


def _deployment(obj: Object) -> Cells:
    status = _status(obj)
    return [
        _name(obj),
        f"{status.get('readyReplicas', 0)}/{_spec(obj).get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj),
        *template_containers(obj),
        format_label_selector(_spec(obj).get("selector")),
    ]


def _replicaset(obj: Object) -> Cells:
    status = _status(obj)
    return [
        _name(obj),
        _spec(obj).get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj),
        *template_containers(obj),
        format_label_selector(_spec(obj).get("selector")),
    ]


def _daemonset(obj: Object) -> Cells:
    status = _status(obj)
    counters = (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    )  # fmt: skip
    template = (_spec(obj).get("template") or {}).get("spec") or {}
    return [
        _name(obj),
        *(status.get(c, 0) for c in counters),
        labels_cell(template.get("nodeSelector")),
        age(obj),
        *template_containers(obj),
        format_label_selector(_spec(obj).get("selector")),
    ]


def _ingress(obj: Object) -> Cells:
    spec = _spec(obj)
    hosts = [r["host"] for r in spec.get("rules") or () if r.get("host")]
    return [
        _name(obj),
        spec.get("ingressClassName") or "<none>",
        _shortened(hosts) or "*",
        ",".join(_ingress_points(obj)),
        "80, 443" if spec.get("tls") else "80",
        age(obj),
    ]


def _ingressclass(obj: Object) -> Cells:
    name = _name(obj)
    if (obj["metadata"].get("annotations") or {}).get("ingressclass.kubernetes.io/is-default-class") == "true":
        name += " (default)"
    shown = "<none>"
    if parameters := _spec(obj).get("parameters"):
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") is not None else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [name, _spec(obj).get("controller", ""), shown, age(obj)]


def _size(obj: Object, *fields: str) -> int:
    return sum(len(obj.get(f) or {}) for f in fields)


_CELLS: dict[str, Callable[[Object], Cells]] = {
    "Pod": pod_cells,
    "Service": _service,
    "Endpoints": _endpoints,
    "EndpointSlice": _endpointslice,
    "Node": _node,
    "Namespace": lambda o: [_name(o), _status(o).get("phase", ""), age(o)],
    "ConfigMap": lambda o: [_name(o), _size(o, "data", "binaryData"), age(o)],
    "Secret": lambda o: [_name(o), o.get("type", ""), _size(o, "data"), age(o)],
    "ServiceAccount": lambda o: [_name(o), age(o)],
    "Event": _event,
    "Deployment": _deployment,
    "ReplicaSet": _replicaset,
    "DaemonSet": _daemonset,
    "Ingress": _ingress,
    "IngressClass": _ingressclass,
    "NetworkPolicy": lambda o: [_name(o), format_label_selector(_spec(o).get("podSelector")), age(o)],
    "Lease": lambda o: [_name(o), _spec(o).get("holderIdentity") or "", age(o)],
    "ReplicationController": workloads.replicationcontroller,
    "StatefulSet": workloads.statefulset,
    "ControllerRevision": workloads.controllerrevision,
    "Job": workloads.job,
    "CronJob": workloads.cronjob,
    "PodDisruptionBudget": workloads.poddisruptionbudget,
    "ResourceQuota": workloads.resourcequota,
    "PriorityClass": workloads.priorityclass,
    "RoleBinding": workloads.rolebinding,
    "ClusterRoleBinding": workloads.rolebinding,
    "ServiceCIDR": workloads.servicecidr,
    "IPAddress": workloads.ipaddress,
}


def _fallback(obj: Object) -> Cells:
    return [_name(obj), obj["metadata"].get("creationTimestamp")]


def cells(kind: str, objects: Iterable[Object]) -> list[Cells]:
    """The cells of each object; a kind without a printer shows its name and its creation time."""
    printer = _CELLS.get(kind, _fallback)
    return [printer(o) for o in objects]
