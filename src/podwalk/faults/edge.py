"""Faults at the edge: Ingress and Gateway API."""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.faults.facts import STREET, Facts
from podwalk.faults.objects import Change, InApi, put

_INGRESS, _GATEWAY = frozenset({"ingress"}), frozenset({"gateway"})
_TIMETABLE, _TICKETS = "Ingress tramway/timetable", "Ingress tramway/tickets"
_HTTP_404 = "1 × HTTP 404"


def _secret_elsewhere(facts: Facts) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tickets-tls", "namespace": STREET},
        "type": "Opaque",
        "stringData": {"note": "moved here with the other certificates"},
    }


def _swap(obj: Object, facts: Facts) -> None:
    first, second = obj["spec"]["rules"][0]["backendRefs"]
    first["weight"], second["weight"] = second["weight"], first["weight"]


FAULTS = (
    InApi(
        "F34",
        "ingress",
        "junior",
        {"timetable": _HTTP_404},
        needs=_INGRESS,
        allowed=(_TIMETABLE, "IngressClass */*"),
        changes=(Change(_TIMETABLE, put("spec.ingressClassName", "nginx-old")),),
    ),
    InApi(
        "F35",
        "ingress",
        "junior",
        {"timetable": _HTTP_404},
        needs=_INGRESS,
        allowed=(_TIMETABLE,),
        changes=(Change(_TIMETABLE, put("spec.rules.0.host", "timetables.tram.example")),),
    ),
    InApi(
        "F36",
        "ingress",
        "junior",
        {"timetable": r"1 × HTTP 50[03]"},
        needs=_INGRESS,
        allowed=(_TIMETABLE, "Service tramway/board"),
        changes=(Change(_TIMETABLE, put("spec.rules.0.http.paths.0.backend.service.port.number", 8080)),),
    ),
    InApi(
        "F37",
        "ingress",
        "mid",
        {"timetable": "1 × HTTP 502"},
        needs=_INGRESS,
        allowed=(_TIMETABLE,),
        changes=(
            Change(_TIMETABLE, put("metadata.annotations", {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"})),
        ),
    ),
    InApi(
        "F38",
        "ingress",
        "mid",
        {"certificate": r"certificate of .*Fake.*"},
        needs=_INGRESS,
        allowed=("Secret tramway/*", "Secret street/tickets-tls", _TICKETS),
        changes=(Change("Secret tramway/tickets-tls", None),),
        added=(_secret_elsewhere,),
    ),
    InApi(
        "F39",
        "ingress",
        "junior",
        {"timetable": _HTTP_404, "timetable-root": r"1 × HTTP 200\b.*"},
        needs=_INGRESS,
        allowed=(_TIMETABLE,),
        changes=(Change(_TIMETABLE, put("spec.rules.0.http.paths.0.pathType", "Exact")),),
    ),
    InApi(
        "F40",
        "ingress",
        "mid",
        {"lines": _HTTP_404},
        needs=_GATEWAY,
        allowed=("HTTPRoute tramway/lines", "Gateway tramway/door"),
        changes=(Change("HTTPRoute tramway/lines", put("spec.parentRefs.0.sectionName", "https")),),
    ),
    InApi(
        "F41",
        "ingress",
        "senior",
        {"lost": "1 × HTTP 500"},
        needs=_GATEWAY,
        allowed=("ReferenceGrant tramway/*",),
        changes=(Change("ReferenceGrant tramway/street", None),),
    ),
    InApi(
        "F42",
        "ingress",
        "mid",
        {"canary": "most to office"},
        needs=_GATEWAY,
        allowed=("HTTPRoute tramway/lines",),
        changes=(Change("HTTPRoute tramway/lines", _swap),),
    ),
)
