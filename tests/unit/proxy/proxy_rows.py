"""Services, and what becomes of packets to them: one table for the simulator and for the kernel.

The node is worker (172.18.0.3, Pods 10.244.1.0/24); endpoints in 10.244.1.0/24 are its own, those in 10.244.2.0/24
are on worker2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from podwalk.proxy.model import Node

NODE = Node("worker", "172.18.0.3", "zone-a")
CIDR = "10.244.0.0/16"

POD = "10.244.1.50"
OUTSIDE = "172.18.0.200"
HOST = NODE.ip

HERE = "10.244.1.5"
HERE2 = "10.244.1.6"
THERE = "10.244.2.7"

CLUSTER_IP = "10.96.7.7"
LB_IP = "203.0.113.9"
NODE_PORT = 30080

Object = dict[str, Any]


def service(
    name: str = "web", *, ports: list[Object] | None = None, status_ips: tuple[str, ...] = (), **spec: Any
) -> Object:
    """A Service in namespace shop; one port 80 named http unless told otherwise."""
    whole = {"type": "ClusterIP", "clusterIP": CLUSTER_IP, "clusterIPs": [spec.get("clusterIP", CLUSTER_IP)], **spec}
    whole["ports"] = ports or [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    status = {"loadBalancer": {"ingress": [{"ip": ip, "ipMode": "VIP"} for ip in status_ips]}}
    return {"kind": "Service", "metadata": {"name": name, "namespace": "shop"}, "spec": whole, "status": status}


def endpoint(ip: str, *, hints: Object | None = None, **conditions: bool) -> Object:
    """One endpoint; its node follows from its address."""
    node = "worker" if ip.startswith("10.244.1.") else "worker2"
    out: Object = {"addresses": [ip], "conditions": {"ready": True, **conditions}, "nodeName": node}
    return {**out, "hints": hints} if hints else out


def endpoint_slice(*endpoints: Object, of: str = "web", name: str = "", ports: list[Object] | None = None) -> Object:
    """An EndpointSlice of a Service in namespace shop; port 8080 named http unless told otherwise."""
    return {
        "kind": "EndpointSlice",
        "metadata": {"name": name or f"{of}-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "ports": ports or [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": list(endpoints),
    }


@dataclass(frozen=True)
class Row:
    """A packet from ``source`` to ``destination``:``port`` ends at one of ``targets``.

    Targets are addresses of endpoints, or ``refused``, ``dropped``, or ``untouched`` (no Service took it).
    ``masqueraded`` names the targets that see another source than the packet's. ``in_nftables`` is what becomes of
    the packet instead where kube-proxy runs in nftables mode.
    """

    id: str
    service: Object
    endpoints: tuple[Object, ...]
    source: str
    destination: str
    port: int
    targets: frozenset[str]
    masqueraded: frozenset[str] = frozenset()
    in_nftables: str = ""

    def of_mode(self, mode: str) -> Row:
        """The row as it is in one of kube-proxy's modes."""
        if mode != "nftables" or not self.in_nftables:
            return self
        return replace(self, targets=frozenset((self.in_nftables,)), masqueraded=frozenset())


def _row(
    name: str, svc: Object, eps: tuple[Object, ...], packet: tuple[str, str, int], *targets: str, nftables: str = ""
) -> Row:
    """A star in front of a target says that it is masqueraded."""
    bare = frozenset(t.lstrip("*") for t in targets)
    return Row(name, svc, eps, *packet, bare, frozenset(t[1:] for t in targets if t.startswith("*")), nftables)


_BOTH = (endpoint(HERE), endpoint(THERE))
_REMOTE = (endpoint(THERE),)
_LEAVING = endpoint(HERE, ready=False, serving=True, terminating=True)
_PLAIN = service()
_NODE_PORT = service(type="NodePort", ports=[{"name": "http", "port": 80, "nodePort": NODE_PORT}])
_ETP_LOCAL = service(
    type="NodePort", ports=[{"name": "http", "port": 80, "nodePort": NODE_PORT}], externalTrafficPolicy="Local"
)
_ITP_LOCAL = service(internalTrafficPolicy="Local")
_LB = service(type="LoadBalancer", status_ips=(LB_IP,), ports=[{"name": "http", "port": 80, "nodePort": NODE_PORT}])
_LB_RANGES = service(
    type="LoadBalancer",
    status_ips=(LB_IP,),
    ports=[{"name": "http", "port": 80, "nodePort": NODE_PORT}],
    loadBalancerSourceRanges=["172.18.0.192/26"],
)
_EXTERNAL = service(externalIPs=[LB_IP])
_TO_SERVICE = (POD, CLUSTER_IP, 80)
_TO_NODE_PORT = (OUTSIDE, HOST, NODE_PORT)

ROWS = (
    _row("a Pod reaches every endpoint as itself", _PLAIN, _BOTH, _TO_SERVICE, HERE, THERE),
    _row(
        "the node reaches endpoints under another source",
        _PLAIN,
        _BOTH,
        (HOST, CLUSTER_IP, 80),
        f"*{HERE}",
        f"*{THERE}",
    ),
    _row(
        "a Pod that is its own endpoint sees another source",
        _PLAIN,
        (endpoint(HERE),),
        (HERE, CLUSTER_IP, 80),
        f"*{HERE}",
    ),
    _row(
        "another port of a cluster IP is nobody's",
        _PLAIN,
        _BOTH,
        (POD, CLUSTER_IP, 81),
        "untouched",
        nftables="refused",
    ),
    _row(
        "a cluster IP that no Service has is nobody's",
        _PLAIN,
        _BOTH,
        (POD, "10.96.77.77", 80),
        "untouched",
        nftables="dropped",
    ),
    _row(
        "a client outside reaches a cluster IP under another source",
        _PLAIN,
        _BOTH,
        (OUTSIDE, CLUSTER_IP, 80),
        f"*{HERE}",
        f"*{THERE}",
    ),
    _row(
        "the node port of a Pod that is its own endpoint works",
        _NODE_PORT,
        (endpoint(HERE),),
        (HERE, HOST, NODE_PORT),
        f"*{HERE}",
    ),
    _row("a Service without endpoints refuses", _PLAIN, (), _TO_SERVICE, "refused"),
    _row(
        "endpoints that are not ready do not count",
        _PLAIN,
        (endpoint(HERE, ready=False, serving=False),),
        _TO_SERVICE,
        "refused",
    ),
    _row("a leaving endpoint gives way to a ready one", _PLAIN, (_LEAVING, endpoint(THERE)), _TO_SERVICE, THERE),
    _row("leaving endpoints serve when no other is left", _PLAIN, (_LEAVING,), _TO_SERVICE, HERE),
    _row(
        "a node port masquerades, for the endpoint may be elsewhere",
        _NODE_PORT,
        _BOTH,
        _TO_NODE_PORT,
        f"*{HERE}",
        f"*{THERE}",
    ),
    _row("a node port without endpoints refuses", _NODE_PORT, (), _TO_NODE_PORT, "refused"),
    _row("policy Local keeps the client's address and the node", _ETP_LOCAL, _BOTH, _TO_NODE_PORT, HERE),
    _row("policy Local drops where the node has no endpoint", _ETP_LOCAL, _REMOTE, _TO_NODE_PORT, "dropped"),
    _row("policy Local does not bind Pods", _ETP_LOCAL, _REMOTE, (POD, HOST, NODE_PORT), THERE),
    _row("policy Local does not bind the node itself", _ETP_LOCAL, _REMOTE, (HOST, HOST, NODE_PORT), f"*{THERE}"),
    _row(
        "policy Local falls back to a local endpoint that leaves",
        _ETP_LOCAL,
        (_LEAVING, endpoint(THERE)),
        _TO_NODE_PORT,
        HERE,
    ),
    _row("internal policy Local stays on the node", _ITP_LOCAL, _BOTH, _TO_SERVICE, HERE),
    _row("internal policy Local drops without a local endpoint", _ITP_LOCAL, _REMOTE, _TO_SERVICE, "dropped"),
    _row("internal policy Local without any endpoint refuses", _ITP_LOCAL, (), _TO_SERVICE, "refused"),
    _row(
        "a load balancer's address is answered by the node", _LB, _BOTH, (OUTSIDE, LB_IP, 80), f"*{HERE}", f"*{THERE}"
    ),
    _row(
        "a source in the ranges may use the load balancer",
        _LB_RANGES,
        _BOTH,
        (OUTSIDE, LB_IP, 80),
        f"*{HERE}",
        f"*{THERE}",
    ),
    _row("a source outside the ranges is dropped", _LB_RANGES, _BOTH, ("172.18.0.100", LB_IP, 80), "dropped"),
    _row(
        "the ranges do not guard the node port",
        _LB_RANGES,
        _BOTH,
        ("172.18.0.100", HOST, NODE_PORT),
        f"*{HERE}",
        f"*{THERE}",
    ),
    _row("an external IP works as a load balancer's", _EXTERNAL, _BOTH, (OUTSIDE, LB_IP, 80), f"*{HERE}", f"*{THERE}"),
    _row("an external IP without endpoints refuses", _EXTERNAL, (), (OUTSIDE, LB_IP, 80), "refused"),
    _row(
        "a node port works on the node's loopback",
        _NODE_PORT,
        _BOTH,
        (HOST, "127.0.0.1", NODE_PORT),
        f"*{HERE}",
        f"*{THERE}",
        nftables="untouched",
    ),
)
