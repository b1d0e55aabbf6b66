"""What the chapters on orientation and the Pod network claim, and whether that is what happened."""

from __future__ import annotations

import re
from collections.abc import Callable

# The cells whose output is a picture, by their ids.
DRAWINGS = {
    "00-orientation": ["topology", "grow", "layers", "tool-trace", "break"],
    "10-pod-network": [
        "topology", "unplugged", "walk-same", "nomaster", "walk-other", "encapsulation", "fdb-gone", "host-port",
        "outside", "no-masquerade", "calico", "birdc", "peer-lost",
        "uplinks-by-address", "uplinks-by-port", "uplinks-dead", "uplinks-left", "compare",
    ],
}  # fmt: skip

Said = Callable[[str], str]


def orientation(said: Said) -> None:
    """Claims of 00-orientation."""
    assert "3 Services" in said("layers")
    assert "everybody may reach everybody" in said("layers")
    assert "dport=80" in said("tool-conntrack")
    assert "sport=8080" in said("tool-conntrack")
    assert "example.com sees you as 172.18.0.1" in said("tool-outside")
    assert "the destination becomes" in said("tool-trace")
    assert "Rejected" in said("break")
    assert "answers: hello-" in said("repair")


def pod_network(said: Said) -> None:
    """Claims of 10-pod-network."""
    _one_node(said)
    _two_nodes(said)
    _plugged_by_hand(said)
    _to_and_from_outside(said)
    _calico(said)


def _one_node(said: Said) -> None:
    spaces = re.findall(r"net:\[\d+\]", said("shared"))
    assert len(spaces) == 2
    assert len(set(spaces)) == 1
    assert "timeout" in said("unplugged")
    assert "2/2     Running" in said("unplugged")
    assert "answers: neighbour-" in said("plugged"), said("plugged")
    assert "FORWARD" in said("walk-same")
    assert "flannel.1" not in said("walk-same")
    assert "Lost" in said("nomaster")
    assert "answers: 10.244." in said("master"), said("master")


def _two_nodes(said: Said) -> None:
    assert "flannel.1 wraps it" in said("walk-other")
    assert "Answered" in said("walk-other")
    wrapped = re.search(
        r"eth0 of node \S+, 148 bytes: Ethernet 14 .* UDP 8 \(to 8472\) \| VXLAN 8", said("encapsulation")
    )
    assert wrapped, said("encapsulation")
    assert said("encapsulation").count("98 bytes") == 6
    assert "dev flannel.1" in said("tables")
    assert "VtepMAC" in said("leases")
    assert "does not say behind which node" in said("fdb-gone")
    assert "HTTP 200" in said("fdb-back")
    assert "1430 bytes from" in said("ping-sizes")
    assert "message too long, mtu=1450" in said("ping-sizes")
    assert "1 received" in said("narrow")
    assert "0 received" in said("narrow")
    assert "lost" in said("narrow")
    assert "1 received" in said("wide")


def _plugged_by_hand(said: Said) -> None:
    assert "CNI_COMMAND=ADD" in said("cni-add")
    assert '"address": "10.244.' in said("cni-add")
    assert ":by-hand" in said("ipam-files")
    assert "1 received" in said("ipam-files")
    assert said("ipam-files").rstrip().endswith("0")
    assert "already exists" in said("cni-again")
    assert "DEL: exit code 0" in said("cni-again")


def _to_and_from_outside(said: Said) -> None:
    assert "connection refused" in said("host-network")
    assert "HTTP 200" in said("host-network")
    assert "hostPort:8000" in said("host-network-spec")
    assert "CNI-DN-" in said("host-port")
    assert "--to-destination 10.244." in said("host-port-rules")
    assert said("host-port-rules").rstrip().endswith("0")
    assert "sees you as 172.18.0." in said("outside")
    assert "another Pod sees: HTTP 200: 10.244." in said("outside")
    assert "the source becomes" in said("outside")
    assert "nothing came back" in said("no-masquerade")
    assert "unreachable" in said("masquerade-back")
    assert "sees you as 172.18.0." in said("masquerade-back")


def _calico(said: Said) -> None:
    assert "by cali" in said("calico")
    assert "default via 169.254.1.1" in said("calico-pod")
    assert said("birdc").count("Established") == 2
    assert "VXLAN" not in said("birdc")
    assert "no route of its own" in said("peer-lost")
    assert "answers: walker-" in said("peer-back")
    _two_ways(said)
    fronts = dict(re.findall(r"([\w-]+): MTU \d+, (\d+) bytes in front", said("compare")))
    assert fronts == {"flannel": "50", "calico": "0", "flannel-host-gw": "0", "flannel-udp": "28"}
    assert "timeout" in said("dead")
    assert "Connection closed" in said("dead")
    assert "10.244.2.0/26 via" in said("dead")
    assert said("dead").count(" Ready") == 3


def _two_ways(said: Said) -> None:
    assert "timeout" in said("uplinks-two")
    assert "via 172.18.0.251 and 172.18.0.252" in said("uplinks-two")
    assert "65002 65100" in said("uplinks-two")
    ways = ("by way of tor-a", "by way of tor-b")
    assert sum(way in said("uplinks-by-address") for way in ways) == 1
    assert all(way in said("uplinks-by-port") for way in ways)
    assert "by way of tor-a" not in said("uplinks-dead")
    assert "via 172.18.0.252\n" in said("uplinks-left")
    assert "12 requests" in said("uplinks-left")
    assert "tor-b: 12" in said("uplinks-left")
    assert "172.18.0.251" in said("uplinks-back")


CLAIMS: dict[str, Callable[[Said], None]] = {"00-orientation": orientation, "10-pod-network": pod_network}
