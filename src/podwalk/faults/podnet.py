"""Faults between Pods: routes, forwarding, foreign rules, the tunnel, a Pod's own network."""

from __future__ import annotations

from podwalk.faults.objects import Change, InApi, every, put
from podwalk.faults.onnode import OnNode
from podwalk.faults.programs import slow_to_accept

_T = r"\d+ × timeout"
_VXLAN, _LINK = frozenset({"vxlan"}), frozenset({"link"})
# The tunnel's device made anew with another network identifier, and all that hung on it put back.
_NEW_TUNNEL = r"""
new_tunnel() {
  mac=$(cat /sys/class/net/flannel.1/address)
  addresses=$(ip -o -4 address show dev flannel.1 | grep -Eo '[0-9.]+/[0-9]+' | head -n 1)
  neighbours=$(ip neigh show dev flannel.1 nud permanent | sed -E 's/^([^ ]+) lladdr ([^ ]+).*/\1 \2/')
  entries=$(bridge fdb show dev flannel.1 | sed -nE 's/^([^ ]+) dst ([^ ]+) .*/\1 \2/p')
  routes=$(ip route show dev flannel.1)
  ip link del flannel.1
  ip link add flannel.1 address "$mac" mtu 1450 type vxlan id "$1" local "$2" dstport 8472 nolearning
  ip address add "$addresses" dev flannel.1
  ip link set flannel.1 up
  echo "$neighbours" | while read -r ip mac; do
    if [ -n "$ip" ]; then ip neigh replace "$ip" lladdr "$mac" dev flannel.1 nud permanent; fi
  done
  echo "$entries" | while read -r mac ip; do
    if [ -n "$mac" ]; then bridge fdb replace "$mac" dev flannel.1 dst "$ip" self permanent; fi
  done
  echo "$routes" | while read -r route; do
    if [ -n "$route" ]; then ip route replace $route dev flannel.1; fi
  done
}
"""
_SIZES = r"""
sizes() {
  ip link set flannel.1 type vxlan id 1 df "$1"
  for device in flannel.1 cni0 $(ls /sys/class/net/cni0/brif); do ip link set "$device" mtu "$2"; done
  for each in /run/netns/*; do in_netns "$each" ip link set eth0 mtu "$2" 2>/dev/null || true; done
}
"""

FAULTS = (
    OnNode(
        "F01",
        "pod-network",
        "senior",
        {"far": _T, "far-office": _T},
        do='ip rule add to "$CIDR2" blackhole pref 100',
        mend='while ip rule del to "$CIDR2" blackhole 2>/dev/null; do :; done',
    ),
    OnNode(
        "F02",
        "pod-network",
        "mid",
        {"far-office": "1 × timeout", "far": r"12 × HTTP 200 .*"},
        do='ip route replace "$OFFICE/32" via 172.18.0.77 dev eth0',
        mend='ip route del "$OFFICE/32" via 172.18.0.77 2>/dev/null || true',
    ),
    OnNode(
        "F03",
        "pod-network",
        "mid",
        {"far": _T, "back": "1 × timeout", "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        do="echo 0 > /proc/sys/net/ipv4/ip_forward",
        mend="echo 1 > /proc/sys/net/ipv4/ip_forward",
    ),
    OnNode(
        "F04",
        "pod-network",
        "mid",
        {"far": _T, "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_VXLAN,
        look="iptables -S FLANNEL-FWD | grep ^-A",
        do="iptables -F FLANNEL-FWD; iptables -P FORWARD DROP",
        mend=r"""iptables -P FORWARD ACCEPT
printf '*filter\n:FLANNEL-FWD - [0:0]\n%s\nCOMMIT\n' "$FOUND" | iptables-restore -n""",
    ),
    OnNode(
        "F05",
        "pod-network",
        "senior",
        {"far": _T, "far-office": r"1 × HTTP 200 .*", "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        do="""nft -f - <<NFT
table inet site-firewall {
  chain transit {
    type filter hook forward priority -5; policy accept;
    ip daddr $WEST tcp dport 8080 ct state new counter drop
  }
}
NFT""",
        mend="nft delete table inet site-firewall 2>/dev/null || true",
    ),
    OnNode(
        "F06",
        "pod-network",
        "senior",
        {"far": _T, "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        do='iptables -t raw -I PREROUTING -d "$WEST/32" -p tcp --dport 8080 -j DROP',
        mend='while iptables -t raw -D PREROUTING -d "$WEST/32" -p tcp --dport 8080 -j DROP 2>/dev/null; do :; done',
    ),
    OnNode(
        "F07",
        "pod-network",
        "mid",
        {"far": _T, "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_LINK,
        allowed=("Pod tramway/trams-west-*",),
        look='in_pod "$WEST" ip route show',
        do="""in_pod "$WEST" ip route show | grep via | while read -r route; do
  in_pod "$WEST" ip route del $route
done""",
        mend="""printf '%s\\n' "$FOUND" | grep via | while read -r route; do
  in_pod "$WEST" ip route replace $route 2>/dev/null || true
done""",
    ),
    OnNode(
        "F08",
        "pod-network",
        "senior",
        {"far": _T, "far-office": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_LINK,
        allowed=("Pod tramway/trams-west-*",),
        do='in_pod "$WEST" ip neigh replace "$GATEWAY2" lladdr 02:00:00:00:00:aa dev eth0 nud permanent',
        mend='in_pod "$WEST" ip neigh del "$GATEWAY2" dev eth0 2>/dev/null || true',
    ),
    OnNode(
        "F09",
        "pod-network",
        "senior",
        {"far": r"\d+ × connection refused", "far-office": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_VXLAN,
        do="""ip netns add garage
ip link add dup0 type veth peer name eth0 netns garage
ip link set dup0 up
in_netns /run/netns/garage ip link set lo up
in_netns /run/netns/garage ip link set eth0 up
in_netns /run/netns/garage ip address add "$WEST/32" dev eth0
in_netns /run/netns/garage ip route add "$GATEWAY2" dev eth0
in_netns /run/netns/garage ip route add default via "$GATEWAY2"
ip route add "$WEST/32" dev dup0""",
        mend="ip link del dup0 2>/dev/null || true; ip netns del garage 2>/dev/null || true",
    ),
    OnNode(
        "F10",
        "pod-network",
        "mid",
        {"far": _T, "back": "1 × timeout", "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_VXLAN,
        do="iptables -I INPUT -p udp --dport 8472 -j DROP",
        mend="while iptables -D INPUT -p udp --dport 8472 -j DROP 2>/dev/null; do :; done",
    ),
    OnNode(
        "F11",
        "pod-network",
        "senior",
        {"far": _T, "node": r"1 × HTTP 200 .*"},
        needs=_VXLAN,
        look='bridge fdb show dev flannel.1 | sed -nE "s/^([^ ]+) dst $WORKER2_IP .*/\\1/p" | head -n 1',
        do='bridge fdb replace "$FOUND" dev flannel.1 dst 172.18.0.77 self permanent',
        mend='bridge fdb replace "$FOUND" dev flannel.1 dst "$WORKER2_IP" self permanent',
    ),
    OnNode(
        "F12",
        "pod-network",
        "senior",
        {"far": _T, "back": "1 × timeout", "own-node": r"1 × HTTP 200 .*"},
        where="worker2",
        needs=_VXLAN,
        do=f'{_NEW_TUNNEL}new_tunnel 7 "$WORKER2_IP"',
        mend=f"""{_NEW_TUNNEL}
ip -d link show flannel.1 | grep -q 'vxlan id 1 ' || new_tunnel 1 "$WORKER2_IP\"""",
    ),
    OnNode(
        "F13",
        "pod-network",
        "senior",
        {"big": "1 × timeout", "far": r"12 × HTTP 200 .*"},
        where="workers",
        needs=_VXLAN,
        do=f"{_SIZES}sizes set 1500",
        mend=f"{_SIZES}sizes unset 1450",
    ),
    OnNode(
        "F16",
        "pod-network",
        "senior",
        {"far": r".*timeout.*", "near": r"1 × HTTP 200 .*"},
        where="worker2",
        do="""nft -f - <<NFT
table inet weather {
  chain rain {
    type filter hook prerouting priority -350; policy accept;
    ip daddr $CIDR2 tcp dport 8080 numgen random mod 100 < 30 counter drop
  }
}
NFT""",
        mend="nft delete table inet weather 2>/dev/null || true",
    ),
    InApi(
        "F17",
        "pod-network",
        "senior",
        {"far": r"(\d+ × HTTP 200, )?\d+ × timeout.*"},
        allowed=("Deployment tramway/trams-west", "Pod tramway/trams-west-*"),
        changes=(
            Change(
                "Deployment tramway/trams-west",
                every(
                    put("spec.template.spec.containers.0.command", slow_to_accept()),
                    put("spec.template.spec.containers.0.args", []),
                    put("spec.template.spec.containers.0.readinessProbe", {"exec": {"command": ["true"]}}),
                ),
            ),
        ),
    ),
)
