"""Faults of names: the name server, the Pods' resolvers, the Corefile."""

from __future__ import annotations

import re

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.faults.facts import Facts
from podwalk.faults.objects import Change, InApi, every, put

_COREDNS = "Deployment kube-system/coredns"
_SEARCHES = ["tramway.svc.cluster.local", "svc.cluster.local", "cluster.local"]
_NOT_FOUND = r"not found|no answer in time"


def _dead_first(obj: Object, facts: Facts) -> None:
    spec = obj["spec"]["template"]["spec"]
    spec["dnsPolicy"] = "None"
    spec["dnsConfig"] = {
        "nameservers": ["172.18.0.77", facts.service_ip("kube-dns")],
        "searches": _SEARCHES,
        "options": [{"name": "ndots", "value": "5"}],
    }


def _stray_host(obj: Object, facts: Facts) -> None:
    lines = "\n".join(
        ("    hosts {", "        192.0.2.77 trams.tramway.svc.cluster.local", "        fallthrough", "    }")
    )
    obj["data"]["Corefile"] = re.sub(
        r"^(\s*kubernetes )", f"{lines}\n\\1", obj["data"]["Corefile"], count=1, flags=re.M
    )


def _restarted(obj: Object, facts: Facts) -> None:
    annotations = obj["spec"]["template"]["metadata"].setdefault("annotations", {})
    annotations["kubectl.kubernetes.io/restartedAt"] = meta.now()


FAULTS = (
    InApi(
        "F51",
        "dns",
        "junior",
        {"name": _NOT_FOUND, "name-abroad": _NOT_FOUND, "near": r"1 × HTTP 200 .*"},
        allowed=(_COREDNS, "Pod kube-system/coredns-*"),
        changes=(Change(_COREDNS, put("spec.replicas", 0)),),
    ),
    InApi(
        "F52",
        "dns",
        "mid",
        {"name": "no answer in time", "name-full": "Service trams"},
        allowed=("Deployment tramway/board", "Pod tramway/board-*"),
        changes=(Change("Deployment tramway/board", _dead_first),),
    ),
    InApi(
        "F53",
        "dns",
        "mid",
        {"name": "not found", "name-abroad": r"172\.18\.1\.\d+"},
        allowed=("Deployment tramway/board", "Pod tramway/board-*"),
        changes=(Change("Deployment tramway/board", put("spec.template.spec.dnsPolicy", "Default")),),
    ),
    InApi(
        "F54",
        "dns",
        "senior",
        {"name": r"192\.0\.2\.77", "service-ip": r"1 × HTTP 200 .*"},
        allowed=("ConfigMap kube-system/coredns", _COREDNS, "Pod kube-system/coredns-*"),
        changes=(Change("ConfigMap kube-system/coredns", _stray_host), Change(_COREDNS, every(_restarted))),
    ),
)
