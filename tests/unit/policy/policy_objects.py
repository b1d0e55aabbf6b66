"""A small cluster as objects: two nodes, three namespaces, eight Pods and one with the host's network."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]

OUTSIDE, FAR = "172.18.0.1", "203.0.113.9"
NODES = {"one": ("172.18.0.3", "10.244.1.0/24"), "two": ("172.18.0.4", "10.244.2.0/24")}
NAMESPACES = {
    "shop": {"team": "red", "env": "prod"},
    "data": {"team": "blue", "env": "prod"},
    "tools": {"team": "red", "env": "dev"},
}


def pod(
    key: str, ip: str, node: str, labels: dict[str, str], *ports: tuple[str, int, str], host: bool = False
) -> Object:
    namespace, name = key.split("/")
    listed = [{"name": n, "containerPort": number, "protocol": protocol} for n, number, protocol in ports]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "uid": key, "labels": labels, "resourceVersion": "1"},
        "spec": {
            "nodeName": node,
            **({"hostNetwork": True} if host else {}),
            "containers": [{"name": "main", "ports": listed}],
        },
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


PODS = [
    pod("shop/web", "10.244.1.11", "one", {"app": "web", "tier": "front"}, ("http", 80, "TCP")),
    pod("shop/api", "10.244.2.11", "two", {"app": "api", "tier": "back"}, ("http", 8080, "TCP")),
    pod(
        "shop/cache",
        "10.244.1.12",
        "one",
        {"app": "cache", "tier": "back"},
        ("redis", 6379, "TCP"),
        ("talk", 7000, "UDP"),
    ),
    pod("data/db", "10.244.2.12", "two", {"app": "db", "tier": "back"}, ("sql", 5432, "TCP"), ("talk", 7000, "TCP")),
    pod("data/replica", "10.244.1.13", "one", {"app": "db", "role": "replica"}, ("sql", 5433, "TCP")),
    pod("data/backup", "10.244.2.13", "two", {"app": "backup"}),
    pod("tools/probe", "10.244.1.14", "one", {"app": "probe"}),
    pod("tools/web", "10.244.2.14", "two", {"app": "web"}, ("http", 8000, "TCP")),
    pod("tools/host", NODES["one"][0], "one", {"app": "host"}, host=True),
]


def namespace(name: str, labels: dict[str, str]) -> Object:
    labels = {"kubernetes.io/metadata.name": name, **labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def node(name: str) -> Object:
    ip, cidr = NODES[name]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "spec": {"podCIDR": cidr},
        "status": {"addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}]},
    }


def all_namespaces() -> list[Object]:
    return [namespace(name, labels) for name, labels in NAMESPACES.items()]


def all_nodes() -> list[Object]:
    return [node(name) for name in NODES]


# --- policies, short enough to be read in a table


def sel(*exists: str, **labels: str) -> Object:
    """A LabelSelector: labels that are equal, keys that exist."""
    out: Object = {"matchLabels": labels} if labels else {}
    if exists:
        out["matchExpressions"] = [{"key": k, "operator": "Exists"} for k in exists]
    return out


def expr(key: str, operator: str, *values: str) -> Object:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


def peer(pods: Object | None = None, ns: Object | None = None) -> Object:
    out = {}
    if ns is not None:
        out["namespaceSelector"] = ns
    if pods is not None:
        out["podSelector"] = pods
    return out


def block(cidr: str, *but: str) -> Object:
    return {"ipBlock": {"cidr": cidr, **({"except": list(but)} if but else {})}}


def port(number: int | str | None = None, protocol: str | None = None, end: int | None = None) -> Object:
    out: Object = {}
    if number is not None:
        out["port"] = number
    if protocol is not None:
        out["protocol"] = protocol
    if end is not None:
        out["endPort"] = end
    return out


def rule(*peers: Object, ports: list[Object] | None = None) -> Object:
    """A rule for either direction: ``peers`` becomes from or to where it is put into a policy."""
    return {"peers": list(peers), "ports": ports or []}


def netpol(
    namespace: str,
    pods: Object,
    *,
    ingress: list[Object] | None = None,
    egress: list[Object] | None = None,
    types: list[str] | None = None,
    name: str = "policy",
) -> Object:
    spec: Object = {"podSelector": pods}
    for way, rules, field in (("ingress", ingress, "from"), ("egress", egress, "to")):
        if rules is not None:
            spec[way] = [
                {**({field: r["peers"]} if r["peers"] else {}), **({"ports": r["ports"]} if r["ports"] else {})}
                for r in rules
            ]
    if types is not None:
        spec["policyTypes"] = types
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    }


EVERYBODY: Object = {"namespaces": {}}


def team(name: str) -> Object:
    return {"namespaces": sel(team=name)}


def cluster_pods(pods: Object, ns: Object | None = None) -> Object:
    return {"pods": {"namespaceSelector": ns or {}, "podSelector": pods}}


def networks(*cidrs: str) -> Object:
    return {"networks": list(cidrs)}


def tcp(number: int, end: int | None = None) -> Object:
    return {"tcp": {"destinationPort": {"range": {"start": number, "end": end}} if end else {"number": number}}}


def act(action: str, *peers: Object, protocols: list[Object] | None = None, name: str = "") -> Object:
    out: Object = {"action": action, "peers": list(peers)}
    if protocols:
        out["protocols"] = protocols
    if name:
        out["name"] = name
    return out


def cnp(
    name: str,
    tier: str,
    priority: int,
    subject: Object,
    *,
    ingress: list[Object] | None = None,
    egress: list[Object] | None = None,
) -> Object:
    spec: Object = {"tier": tier, "priority": priority, "subject": subject}
    for way, rules, field in (("ingress", ingress, "from"), ("egress", egress, "to")):
        if rules:
            spec[way] = [{**{k: v for k, v in r.items() if k != "peers"}, field: r["peers"]} for r in rules]
    return {
        "apiVersion": "policy.networking.k8s.io/v1beta1",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": name},
        "spec": spec,
    }
