"""Faults that a shell script makes on a node, where no agent looks: rules, routes, devices, Pods' networks.

kube-proxy and flannel write their own things again when something changes; what they do not own stays until somebody
takes it away. So these faults keep to what nobody owns, or put back exactly what they found.
"""

from __future__ import annotations

import random
import shlex
from dataclasses import dataclass, field

from podwalk.faults.facts import Facts
from podwalk.faults.model import Fault, FaultError, Hands, Plan

# Runs a command in the network namespace of the Pod with the address $1, from its node. Not by `ip netns exec`, which
# mounts a fresh /sys: that is refused to an ordinary user.
IN_POD = """
in_netns() { network=$1; shift; nsenter --net="$network" "$@"; }
in_pod() {
  address=$1; shift
  for each in /run/netns/*; do
    if in_netns "$each" ip -4 -o address show dev eth0 2>/dev/null | grep -q " $address/"; then
      in_netns "$each" "$@"; return
    fi
  done
  return 3
}
"""


def names(facts: Facts) -> dict[str, str]:
    """The values that every script may use as shell variables."""
    return {
        "CONTROL_PLANE": facts.control_plane,
        "WORKER": facts.worker,
        "WORKER2": facts.worker2,
        "WORKER_IP": facts.node_ips[facts.worker],
        "WORKER2_IP": facts.node_ips[facts.worker2],
        "CIDR": facts.cidrs[facts.worker],
        "CIDR2": facts.cidrs[facts.worker2],
        "NOBODY2": facts.nobody(facts.worker2),
        "GATEWAY": facts.cidrs[facts.worker].replace(".0/24", ".1"),
        "GATEWAY2": facts.cidrs[facts.worker2].replace(".0/24", ".1"),
        "EAST": facts.pod_ip("trams-east"),
        "WEST": facts.pod_ip("trams-west"),
        "BOARD": facts.pod_ip("board"),
        "OFFICE": facts.pod_ip("office"),
        "CLOCK": facts.pod_ip("clock"),
        "TRAMS_VIP": facts.service_ip("trams"),
        "OFFICE_VIP": facts.service_ip("office"),
        "CLOCK_VIP": facts.service_ip("clock"),
    }


@dataclass(frozen=True)
class OnNode(Fault):
    """``do`` breaks, ``mend`` undoes; both are POSIX scripts that end at the first error.

    ``where`` names the node (``worker``, ``worker2``, or ``workers`` for both). ``look`` prints what is to be
    remembered: ``mend`` finds it in $FOUND. `in_pod ADDRESS COMMAND` runs a command in the network of that Pod.
    """

    do: str = field(kw_only=True)
    mend: str = field(kw_only=True)
    where: str = field(default="worker", kw_only=True)
    look: str = field(default="", kw_only=True)

    def plan(self, hands: Hands, facts: Facts, rng: random.Random) -> Plan:
        """The node, the values of the scripts, and what ``look`` found."""
        nodes = {"worker": [facts.worker], "worker2": [facts.worker2], "workers": [facts.worker, facts.worker2]}[
            self.where
        ]
        values = names(facts)
        if self.look:
            values["FOUND"] = run(hands, nodes[0], self.look, values, self.id).strip()
        return {"nodes": nodes, "values": values}

    def inject(self, hands: Hands, plan: Plan) -> None:
        """Run ``do``. Raises FaultError."""
        for node in plan["nodes"]:
            run(hands, node, self.do, plan["values"], self.id)

    def undo(self, hands: Hands, plan: Plan) -> None:
        """Run ``mend``. Raises FaultError."""
        for node in plan["nodes"]:
            run(hands, node, self.mend, plan["values"], self.id)


def run(hands: Hands, node: str, script: str, values: dict[str, str], fault: str) -> str:
    """Run a script on a node with these variables; what it printed. Raises FaultError."""
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    done = hands.node(node, f"set -eu\n{head}{IN_POD}{script}")
    if not done.ok:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        raise FaultError(f"{fault} on node {node}: {said}; look: podwalk node {node} -- sh")
    return done.stdout
