"""What the chapters on troubleshooting and the interview claim, and whether that is what happened."""

from __future__ import annotations

import re
from collections.abc import Callable

# The cells whose output is a picture, by their ids.
DRAWINGS = {
    "50-troubleshooting": ["tree-drawn", "refused-way", "silence-trace"],
    "60-interview": ["pods-show", "service-show", "policy-show", "path-show"],
}

Said = Callable[[str], str]


def troubleshooting(said: Said) -> None:
    """Claims of 50-troubleshooting."""
    assert "Connection refused" in said("refused-name")
    assert "8008" in said("refused-endpoints")
    assert ":8080" in said("refused-endpoints")
    assert "F19 taken back; everything is well" in said("refused-fix")
    where = said("silence-where")
    assert len(re.findall(r"HTTP 200", where)) == 2
    assert "no answer" in where
    assert "net.ipv4.ip_forward = 0" in said("silence-evidence")
    assert "HTTP 200" in said("silence-evidence")
    assert "everything is well" in said("silence-mend")
    assert "000 after 2" in said("half-1")
    assert "HTTP 200" in said("half-1")
    assert "it is the Pod's port that counts" in said("half-mend")
    assert "provided port is already allocated" in said("node-port")
    assert "nothing is injected" in said("live-help")
    assert "everything is well" in said("remove")


def interview(said: Said) -> None:
    """Claims of 60-interview."""
    assert "VXLAN" in said("pods-show")
    assert said("service-show").count("answer-") == 3
    assert "nothing is dropped" in said("policy-show")
    assert "the destination becomes" in said("path-show")
    assert "A mock interview; in a terminal: podwalk interview junior" in said("interview")


CLAIMS = {"50-troubleshooting": troubleshooting, "60-interview": interview}
