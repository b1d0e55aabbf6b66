"""What every network plugin of a node has in common: the interface of a profile, sysctls, rules, the CNI file."""

from __future__ import annotations

import functools
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.rest import Client
from podwalk.netns import command
from podwalk.netns.netlink import Netlink, NetlinkError
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

CNI_DIRECTORY = Path("/etc/cni/net.d")
UPLINK = "eth0"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """What the network plugin of a node is told at its start: who the node is, and the network of all Pods."""

    node_name: str
    node_ip: str
    cluster_cidr: str
    client: Client
    reaper: Reaper


class Profile(ABC):
    """One network plugin on one node. All calls come from the node's loop, in its network namespace."""

    # Reason and message of the condition NetworkUnavailable=False, where the plugin is one that writes it.
    condition: tuple[str, str] | None = None

    def __init__(self, config: NetworkConfig) -> None:
        self.config = config
        self.netlink = Netlink()
        self._rules_written = False

    @abstractmethod
    async def start(self, pod_cidr: str) -> None:
        """Prepare the node and write the CNI configuration last; called again after an error that it raised."""

    async def write_rules(self, rules: str) -> None:
        """Add iptables rules once, however often `start` is called. Raises TimeoutError, OSError."""
        if not self._rules_written:
            await restore_rules(self.config.reaper, rules)
            self._rules_written = True

    def node_changed(self, name: str, node: Object | None) -> None:  # noqa: B027
        """Another node came or changed, or went (None)."""

    def own_node_changed(self, node: Object) -> None:  # noqa: B027
        """This node's own object changed: labels, annotations."""

    def resync(self) -> None:  # noqa: B027
        """Repair what somebody else changed; called every ten seconds."""

    async def stop(self) -> None:
        """Let go of processes and sockets; devices and routes stay, as when a plugin's Pod ends."""
        self.netlink.close()


class PeerRoutes:
    """One route a node in the main table: its Pods by its address on the shared network (host-gw, kindnet)."""

    def __init__(self, netlink: Netlink) -> None:
        self._netlink = netlink
        self._routes: dict[str, tuple[str, str]] = {}

    def set(self, name: str, route: tuple[str, str] | None) -> None:
        """Make (Pod CIDR, node address) the way to a node; None forgets it."""
        known = self._routes.get(name)
        if known == route:
            return
        if known is not None:
            del self._routes[name]
            attempt(lambda: self._netlink.delete_route(known[0], via=known[1]))
        if route is not None:
            self._routes[name] = route
            attempt(lambda: self._netlink.replace_route(route[0], via=route[1], dev=UPLINK))

    def resync(self) -> None:
        """Put back what is missing or wrong."""
        present = {(route.dst, route.via) for route in self._netlink.routes()}
        for cidr, gateway in self._routes.values():
            if (cidr, gateway) not in present:
                log.info("route %s via %s was missing: added", cidr, gateway)
                attempt(functools.partial(self._netlink.replace_route, cidr, via=gateway, dev=UPLINK))


def attempt(step: Callable[[], None]) -> None:
    """Run one change of the network; a refusal by the kernel is logged and passed over, for the next resync."""
    try:
        step()
    except NetlinkError as error:
        log.warning("%s", error)


def internal_ip(node: Object) -> str | None:
    """The InternalIP of a Node, if it has one yet."""
    for address in (node.get("status") or {}).get("addresses") or ():
        if address.get("type") == "InternalIP":
            return str(address["address"])
    return None


def pod_route(node: Object) -> tuple[str, str] | None:
    """(Pod CIDR, node address) of a Node, or None while one is missing."""
    cidr, ip = (node.get("spec") or {}).get("podCIDR"), internal_ip(node)
    return (str(cidr), ip) if cidr and ip else None


def forwarding(*, bridge: bool = False) -> None:
    """Let the node forward; with ``bridge`` let iptables see what a bridge switches."""
    set_sysctl("net/ipv4/ip_forward", "1")
    if bridge:
        set_sysctl("net/bridge/bridge-nf-call-iptables", "1")


def set_sysctl(name: str, value: str) -> None:
    """Write one setting of the node's network; where the kernel has none, the log says so."""
    try:
        Path("/proc/sys", name).write_text(value)
    except OSError as error:
        log.warning("cannot set /proc/sys/%s: %s", name, error)


async def restore_rules(reaper: Reaper, rules: str) -> None:
    """Add rules as iptables-restore reads them; a refusal is logged."""
    done = await command.run(reaper, ["iptables-restore", "-w", "5", "--noflush"], stdin=rules.encode())
    if done.returncode != 0:
        log.error("iptables-restore: %s", done.stderr.decode(errors="replace").strip())


def write_conflist(name: str, conflist: Json) -> None:
    """Write a CNI network list in one step: from then on the node is ready."""
    CNI_DIRECTORY.mkdir(parents=True, exist_ok=True)
    # A suffix that no runtime reads, then the rename.
    fresh = CNI_DIRECTORY / f"{name}.temp"
    fresh.write_text(json.dumps(conflist, indent=2) + "\n")
    fresh.rename(CNI_DIRECTORY / name)


def host_local(pod_cidr: str, *routes: str) -> Json:
    """The ``ipam`` part for the host-local plugin: addresses of this node, and routes that a Pod gets."""
    return {
        "type": "host-local",
        "ranges": [[{"subnet": pod_cidr}]],
        "routes": [{"dst": route} for route in routes],
        "dataDir": "/var/lib/cni/networks",
    }


PORTMAP: Json = {"type": "portmap", "capabilities": {"portMappings": True}}


def network_available(reason: str, message: str) -> Object:
    """A patch of a Node's status: the condition NetworkUnavailable is False."""
    now = meta.now()
    condition = {
        "type": "NetworkUnavailable",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": now,
        "lastHeartbeatTime": now,
    }
    return {"status": {"conditions": [condition]}}
