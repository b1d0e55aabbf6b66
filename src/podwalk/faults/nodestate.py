"""What a node's kernel is told beside the rules of kube-proxy and of policies, as lines that can be compared.

An undone fault leaves exactly the lines that were there before it; a repair that tears down more than the fault shows
in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from podwalk.backends.base import Completed
from podwalk.faults.model import Hands

# Chains of Services change whenever a Pod does; routes to Pods and the bridge (cni0) come with the first Pod of a node.
_SCRIPT = r"""
ip rule | sed 's/^/rule /'
ip route show table main | grep -Ev '^[0-9./]+ dev (veth|cali|cni0|eth0 scope link)' | sed 's/^/route /'
for table in raw mangle nat filter; do
  iptables -t $table -S 2>/dev/null |
    grep -Ev 'KUBE-(SEP|SVC|SVL|EXT|FW|SERVICES|NODEPORTS|EXTERNAL)|KUBE-[A-Z]+-CANARY' | sed "s/^/$table /"
done
nft list tables 2>/dev/null | grep -Ev 'podwalk-|kube-proxy|ip6? (raw|mangle|nat|filter)$' | sed 's/^/nft /'
for name in ip_forward conf.all.rp_filter; do
  printf 'sysctl net.ipv4.%s = ' $name; cat /proc/sys/net/ipv4/$(echo $name | tr . /)
done
for device in eth0 flannel.1; do
  ip -d -o link show $device 2>/dev/null |
    grep -Eo '^[0-9]+: [^ :]+|mtu [0-9]+|state [A-Z]+|vxlan id [0-9]+|dstport [0-9]+' |
    tr '\n' ' ' | sed 's/^[0-9]*:/link/'
  echo
done
ip -o -4 address show eth0 | grep -Eo '[0-9.]+/[0-9]+' | sed 's/^/address /'
bridge fdb show dev flannel.1 2>/dev/null | grep ' dst ' | sed 's/^/fdb /'
true
"""

State = dict[str, list[str]]


def read(hands: Hands, nodes: Sequence[str]) -> State:
    """The lines of each node."""

    def one(node: str) -> Completed:
        return hands.node(node, _SCRIPT)

    with ThreadPoolExecutor(len(nodes) or 1) as pool:
        done = list(pool.map(one, nodes))
    return {
        node: sorted({line.rstrip() for line in d.stdout.splitlines() if line.strip()})
        for node, d in zip(nodes, done, strict=True)
    }


def differences(before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]) -> list[str]:
    """``NODE: + line`` for what is new and ``NODE: - line`` for what is gone."""
    found = []
    for node, lines in after.items():
        old = set(before.get(node, ()))
        found += [f"{node}: + {line}" for line in lines if line not in old]
        found += [f"{node}: - {line}" for line in before.get(node, ()) if line not in set(lines)]
    return found
