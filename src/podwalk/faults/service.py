"""Faults of Services that are objects: selectors, ports, endpoints, traffic policies."""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.faults.facts import TRAMWAY, Facts
from podwalk.faults.objects import Change, InApi, every, put
from podwalk.faults.programs import bound_to_loopback

_REFUSED = r"\d+ × connection refused"
_T = r"\d+ × timeout"


def _ghost(facts: Facts) -> Object:
    """A slice that a migration left behind, with an address that nobody has."""
    dead = facts.nobody(facts.worker2)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "trams-timetable-change",
            "namespace": TRAMWAY,
            "labels": {"kubernetes.io/service-name": "trams"},
        },
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [{"addresses": [dead], "conditions": {"ready": True}}],
    }


def _another_class(obj: Object, facts: Facts) -> None:
    """A Service of type LoadBalancer that nobody feels responsible for; it has to be made anew for that."""
    obj["spec"]["loadBalancerClass"] = "tram.example/edge"


FAULTS = (
    InApi(
        "F18",
        "services",
        "junior",
        {"service": _REFUSED, "near": r"1 × HTTP 200 .*"},
        allowed=("Service tramway/trams", "Deployment tramway/trams-*"),
        changes=(Change("Service tramway/trams", put("spec.selector", {"line": "17"})),),
    ),
    InApi(
        "F19",
        "services",
        "junior",
        {"service": _REFUSED, "near": r"1 × HTTP 200 .*"},
        allowed=("Service tramway/trams",),
        changes=(Change("Service tramway/trams", put("spec.ports.0.targetPort", 8008)),),
    ),
    InApi(
        "F20",
        "services",
        "mid",
        {"far-office": _REFUSED, "office": _REFUSED},
        allowed=("Deployment tramway/office", "Pod tramway/office-*"),
        changes=(
            Change(
                "Deployment tramway/office",
                every(
                    put("spec.template.spec.containers.0.command", bound_to_loopback()),
                    put("spec.template.spec.containers.0.args", []),
                    put(
                        "spec.template.spec.containers.0.readinessProbe",
                        {"exec": {"command": ["curl", "-sfm2", "http://127.0.0.1:8080/"]}, "timeoutSeconds": 3},
                    ),
                ),
            ),
        ),
    ),
    InApi(
        "F21",
        "services",
        "senior",
        {"service": r".*timeout.*", "far": r"12 × HTTP 200 .*"},
        allowed=("EndpointSlice tramway/trams-timetable-change",),
        added=(_ghost,),
    ),
    InApi(
        "F22",
        "services",
        "junior",
        {"service": _REFUSED},
        allowed=("Deployment tramway/trams-*", "Pod tramway/trams-*"),
        changes=tuple(
            Change(
                f"Deployment tramway/trams-{shed}",
                every(
                    put("spec.strategy", {"type": "Recreate"}),
                    put("spec.template.spec.containers.0.readinessProbe.httpGet.port", 9090),
                ),
            )
            for shed in ("east", "west")
        ),
    ),
    InApi(
        "F23",
        "services",
        "mid",
        {"service": r"12 × HTTP 200 from .*office.*"},
        allowed=("Deployment tramway/office", "Service tramway/trams", "Deployment tramway/trams-*", "Pod tramway/*"),
        changes=(Change("Deployment tramway/office", put("spec.template.metadata.labels.line", "7")),),
    ),
    InApi(
        "F24",
        "services",
        "mid",
        {"service-ip": r"1 × (timeout|connection refused)", "near": r"1 × HTTP 200 .*"},
        allowed=("Service tramway/trams",),
        changes=(Change("Service tramway/trams", put("spec.ports.0.protocol", "UDP")),),
    ),
    InApi(
        "F25",
        "services",
        "mid",
        {"office": "1 × timeout", "office-west": r"1 × HTTP 200 .*", "far-office": r"1 × HTTP 200 .*"},
        allowed=("Service tramway/office",),
        changes=(Change("Service tramway/office", put("spec.internalTrafficPolicy", "Local")),),
    ),
    InApi(
        "F26",
        "services",
        "mid",
        {"node-port-1": r"1 × HTTP 200 .*", "node-port-2": "1 × timeout"},
        allowed=("Service tramway/board", "Deployment tramway/board"),
        changes=(Change("Service tramway/board", put("spec.externalTrafficPolicy", "Local")),),
    ),
    InApi(
        "F30",
        "services",
        "mid",
        {"balance": r"nearly all to .*", "service": r"12 × HTTP 200 from trams-east, trams-west"},
        allowed=("Deployment street/conductor", "Pod street/conductor-*"),
        changes=(
            Change("Deployment street/conductor", put("spec.template.spec.containers.0.env.0.value", "keep-alive")),
        ),
    ),
    InApi(
        "F33",
        "services",
        "junior",
        {"front": "no address"},
        needs=frozenset({"balancer"}),
        allowed=("Service tramway/front",),
        changes=(Change("Service tramway/front", _another_class),),
    ),
    InApi(
        "F55",
        "services",
        "senior",
        {"office": r"1 × (timeout|connection refused)", "far-office": r"1 × HTTP 200 .*"},
        allowed=("Service tramway/office",),
        changes=(
            Change(
                "Service tramway/office",
                put("metadata.labels", {"service.kubernetes.io/service-proxy-name": "fast-lane"}),
            ),
        ),
    ),
)
