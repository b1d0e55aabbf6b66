"""Faults of who may: NetworkPolicies, and the addresses that callers are seen with."""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.faults.facts import STREET, TRAMWAY, Facts
from podwalk.faults.objects import Change, InApi, put
from podwalk.faults.onnode import OnNode

_SAFE = "NetworkPolicy tramway/safe"
_T = r"\d+ × timeout"


def _policy(name: str, namespace: str, spec: Object) -> Object:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _deny_all(facts: Facts) -> Object:
    return _policy("baseline", TRAMWAY, {"podSelector": {}, "policyTypes": ["Ingress"]})


def _tramway_only(facts: Facts) -> Object:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": TRAMWAY}}}
    return _policy("out", STREET, {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [peer]}]})


def _or(obj: Object, facts: Facts) -> None:
    """One dash more: two peers in the place of one with both conditions."""
    peers = obj["spec"]["ingress"][0]["from"]
    both = peers.pop()
    peers += [{"namespaceSelector": both["namespaceSelector"]}, {"podSelector": both["podSelector"]}]


def _unlabel(obj: Object, facts: Facts) -> None:
    del obj["metadata"]["labels"]["staff"]


FAULTS = (
    InApi(
        "F43",
        "policy",
        "junior",
        {"near": "1 × timeout", "street": _T, "own-node": r"1 × HTTP 200 .*"},
        allowed=("NetworkPolicy tramway/baseline",),
        added=(_deny_all,),
    ),
    InApi(
        "F44",
        "policy",
        "mid",
        {"name-street": "no answer in time", "conductor": r"1 × HTTP 200 .*"},
        allowed=("NetworkPolicy street/out",),
        added=(_tramway_only,),
    ),
    InApi(
        "F45",
        "policy",
        "senior",
        {"safe-stranger": r"1 × HTTP 200 from safe"},
        allowed=(_SAFE,),
        changes=(Change(_SAFE, _or),),
    ),
    InApi(
        "F46",
        "policy",
        "mid",
        {"safe-trams": "1 × timeout", "safe-conductor": "1 × timeout"},
        allowed=(_SAFE,),
        changes=(Change(_SAFE, put("spec.ingress.0.ports.0.port", 80)),),
    ),
    InApi(
        "F47",
        "policy",
        "mid",
        {"safe-conductor": "1 × timeout", "safe-trams": r"1 × HTTP 200 .*"},
        allowed=("Namespace street", _SAFE),
        changes=(Change("Namespace street", _unlabel),),
    ),
    OnNode(
        "F48",
        "policy",
        "senior",
        {"abroad": _T},
        do='iptables -t nat -I POSTROUTING 1 -s "$CIDR" -j ACCEPT',
        mend='while iptables -t nat -D POSTROUTING -s "$CIDR" -j ACCEPT 2>/dev/null; do :; done',
    ),
    OnNode(
        "F49",
        "policy",
        "senior",
        {"seen-inside": r"the address .*", "safe-trams": "1 × timeout"},
        do='iptables -t nat -I POSTROUTING 1 -s "$CIDR" -d 10.244.0.0/16 -j MASQUERADE',
        mend='while iptables -t nat -D POSTROUTING -s "$CIDR" -d 10.244.0.0/16 -j MASQUERADE 2>/dev/null; do :; done',
    ),
    OnNode(
        "F50",
        "policy",
        "netsre",
        {"abroad": r".*timeout.*"},
        do='iptables -t nat -I POSTROUTING 1 -s "$CIDR" -d 172.18.0.0/16 -p tcp -j MASQUERADE --to-ports 40000-40009',
        mend='while iptables -t nat -D POSTROUTING -s "$CIDR" -d 172.18.0.0/16 -p tcp -j MASQUERADE --to-ports '
        "40000-40009 2>/dev/null; do :; done",
    ),
)
