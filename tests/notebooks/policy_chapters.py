"""What the chapter on policy and egress claims, and whether that is what happened."""

from __future__ import annotations

import re
from collections.abc import Callable

# The cells whose output is a picture, by their ids.
DRAWINGS = {
    "40-policy-and-egress": [
        "matrix-open", "matrix-first", "nobody", "or", "and", "matrix-names", "local", "order", "leave", "gateway-node",
        "ports-run",
    ],
}  # fmt: skip

Said = Callable[[str], str]


def policy_and_egress(said: Said) -> None:
    """Claims of 40-policy-and-egress."""
    _isolation(said)
    _rules(said)
    _exceptions(said)
    _leaving(said)


def _isolation(said: Said) -> None:
    assert "nothing is dropped" in said("matrix-open")
    dropped = set(re.findall(r"(\S+) to clinic/archive:8080 is now dropped", said("matrix-first")))
    assert dropped == {"clinic/reception", "street/doctor", "street/passer-by"}
    assert "is now allowed" not in said("matrix-first")
    assert "reception: timeout" in said("silence")
    assert "doctor: HTTP 200: archive" in said("silence")
    assert "no policy's rule matched" in said("silence")
    assert "drop/ingress/clinic/archive" in said("status")
    assert "nothing is dropped" in said("nobody")


def _rules(said: Said) -> None:
    allowed = set(re.findall(r"(\S+) to clinic/archive:8080 is now allowed", said("or")))
    assert allowed == {"street/doctor", "street/passer-by"}
    assert said("and").count("is now") == 1
    assert "street/passer-by to clinic/archive:8080 is now dropped" in said("and")
    assert "timeout" in said("port-80")
    assert "HTTP 200: archive" in said("port-8080")
    assert "name not known" in said("no-dns")
    assert "by address: HTTP 200: doctor" in said("no-dns")
    assert "HTTP 200: doctor" in said("allow-dns")
    assert "clinic/archive to clinic/doctor:8080" in said("matrix-names")
    assert "clinic/doctor to clinic/reception:8080" in said("matrix-names")
    wrong = said("written-wrong-look")
    assert "resource name may not be empty" in wrong
    assert 'no matches for kind "NetworkPolicy" in version "networking.k8s.io/v1beta1"' in wrong
    assert "by-name created (server dry run)" in wrong


def _exceptions(said: Said) -> None:
    for cell in ("block", "local"):
        assert re.search(r"its own node \S+ +HTTP 200", said(cell)), cell
        assert re.search(r"another node \S+ +timeout", said(cell)), cell
    assert "ingress allowed by clinic/laboratory" in said("local")
    assert re.search(r"own node: +HTTP 200", said("node"))
    assert re.search(r"other node: +timeout", said("node"))
    assert "timeout" in said("order")
    assert 'ingress denied by no-street ingress[0] "street"' in said("order")


def _leaving(said: Said) -> None:
    assert len(set(re.findall(r"sees you as (\S+)", said("leave")))) == 2, "two nodes, two addresses"
    assert "the source becomes" in said("leave")
    assert "sees you as 172.18.0.99" in said("gateway-node")
    assert "172.18.0.99" not in said("gateway-node-back")
    found = re.search(r"(\d+) connections .*; (\d+) with another source port", said("ports-run"))
    assert found is not None
    assert int(found[1]) >= 30
    assert int(found[2]) > 20


CLAIMS = {"40-policy-and-egress": policy_and_egress}
