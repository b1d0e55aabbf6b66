"""What the chapter on Ingress and Gateway claims, and whether that is what happened."""

from __future__ import annotations

import re
from collections.abc import Callable

# The cells whose output is a picture, by their ids.
DRAWINGS = {
    "30-ingress-and-gateway": [
        "walk", "local", "routes", "rewrite", "no-such", "past", "reload", "gateway-tree", "gateway-walk", "stray",
        "weights-run",
    ],
}  # fmt: skip
NEEDS = {"30-ingress-and-gateway": ("nginx", "pebble")}
"""The programs of the machine without which a chapter cannot run."""

Said = Callable[[str], str]


def ingress_and_gateway(said: Said) -> None:
    """Claims of 30-ingress-and-gateway."""
    _controller(said)
    _paths(said)
    _errors(said)
    _certificates(said)
    _gateway(said)


def _controller(said: Said) -> None:
    assert "No resources found" in said("wish") or "doorman" not in said("wish").partition("Address")[0]
    assert re.search(r"Events: +<none>", said("wish"))
    assert "172.18.255." in said("address")
    walk = said("walk")
    assert re.search(r"connection 1: 172\.18\.0\.1:\d+ → 172\.18\.255\.\d+:80", walk)
    assert re.search(r"rewritten on \S+: 10\.244\.\d+\.[01]:\d+ → 10\.244\.\d+\.\d+:80", walk)
    told = re.search(r"told X-Forwarded-For: (\S+)", walk)
    assert told is not None
    assert told[1].startswith("10.244."), "a node's own address: the visitor's is gone"
    assert "told X-Forwarded-For: 172.18.0.1" in said("local")


def _paths(said: Said) -> None:
    wanted = {"tickets": 200, "tickets/today": 200, "ticketsale": 404, "guide": 200, "guide/": 404, "Guide": 404}
    for path, status in wanted.items():
        assert re.search(rf"museum\.example/{path} +HTTP {status}", said("paths")), path
    assert "404" in said("other-host")
    assert 'the path becomes "/"' in said("rewrite")
    assert "HTTP 200: NOW" in said("rewrite")
    assert "HTTP 200: tickets-" in said("captures")
    assert "rate-limit is unknown to this controller" in said("no-such")
    assert "timeout" not in said("no-such")
    assert "HTTP 503" not in said("no-such")


def _errors(said: Said) -> None:
    assert "HTTP 503" in said("no-pods")
    assert "HTTP 502" in said("wrong-port")
    assert "Connection refused" in said("wrong-port")
    assert re.search(r"nowhere +HTTP 404", said("nowhere"))
    counted = re.findall(r"KUBE-S\S+.*\[(\d+)\]$", said("past"), re.MULTILINE)
    assert counted
    assert set(counted) == {"0"}, "the Service's rules met no packet"
    assert "none was lost" in said("reload")


def _certificates(said: Said) -> None:
    assert "HTTP 308" in said("tls")
    assert re.search(r"^museum\.example +museum\.example", said("certificates"), re.MULTILINE)
    assert said("certificates").count("Fake Certificate") == 2
    assert "signed by Pebble" in said("issuer")
    assert "Created Challenge resource" in said("order")


def _gateway(said: Said) -> None:
    assert "ResolvedRefs=False: RefNotPermitted" in said("gateway-tree")
    assert re.search(r"Accepted +True", said("conditions"))
    assert "connection 2" in said("gateway-walk")
    assert "not accepted" in said("stray")
    assert "NoMatchingParent" in said("stray")
    share = re.search(r"guide-next-\S+: (\d+)", said("weights-run"))
    assert share is not None
    assert 0 < int(share[1]) < 30
    assert "HTTP 500" in said("no-grant")
    assert "RefNotPermitted" in said("no-grant")
    assert "HTTP 200" in said("grant")
    assert re.search(r"article +nginx\.org/gateway-controller +Unknown", said("class-nobody-look"))


CLAIMS = {"30-ingress-and-gateway": ingress_and_gateway}
