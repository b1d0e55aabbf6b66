"""The maps and programs of one node: made, named, put at the devices, and kept level with the Services."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from podwalk.netns import bpf
from podwalk.netns.netlink import Netlink
from podwalk.proxy import model
from podwalk.proxy.ebpf import maps, programs

log = logging.getLogger(__name__)

PINS = bpf.DIRECTORY / "podwalk"
UPLINK = "eth0"
# What the node itself sends to a Service goes by this device.
SERVICE_DEVICE = "pw-services"
_OTHER_END = "pw-services-end"
_CONF = Path("/proc/sys/net/ipv4/conf")

SetKey = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class Entrance:
    """One address and port by which a Service is reached, and which of its sets of endpoints answers there."""

    address: str
    port: int
    protocol: str
    scope: int
    flags: int
    affinity_seconds: int
    leads_to: SetKey
    source_ranges: tuple[str, ...] = ()

    @property
    def key(self) -> bytes:
        """Its key in the map of Services."""
        return maps.service_key(self.address, self.port, self.protocol, self.scope)


def entrances(port: model.ServicePort, node: model.Node) -> Iterator[Entrance]:
    """Every way into a Service port. What comes from beyond eth0 may not ask a ClusterIP, as with Cilium."""
    protocol, affinity = port.protocol, port.affinity_seconds or 0
    inside = (port.full_name, protocol, port.internal_local)
    yield Entrance(port.cluster_ip, port.port, protocol, maps.INSIDE, 0, affinity, inside)
    # Pods of the cluster short-circuit external traffic policy Local.
    near, far = (port.full_name, protocol, False), (port.full_name, protocol, port.external_local)
    flags = 0 if port.external_local else maps.MASQUERADE
    outer: list[tuple[str, int, tuple[str, ...]]] = [(ip, port.port, ()) for ip in port.external_ips]
    outer += [(ip, port.port, port.source_ranges) for ip in port.load_balancer_ips]
    if port.node_port:
        outer.append((node.ip, port.node_port, ()))
    for address, number, ranges in outer:
        check = maps.CHECK_SOURCE if ranges else 0
        yield Entrance(address, number, protocol, maps.INSIDE, check, affinity, near, ranges)
        yield Entrance(address, number, protocol, maps.OUTSIDE, flags | check, affinity, far, ranges)


def endpoint_sets(ports: Iterable[model.ServicePort]) -> dict[SetKey, tuple[tuple[str, int], ...]]:
    """The endpoints behind each Service port, of all nodes (False) and of this one (True)."""
    found = {}
    for port in ports:
        for local, endpoints in ((False, port.endpoints.cluster), (True, port.endpoints.local)):
            found[port.full_name, port.protocol, local] = tuple((e.ip, e.port) for e in endpoints)
    return found


@dataclass(frozen=True, slots=True)
class _Set:
    identity: int
    endpoints: tuple[tuple[str, int], ...]
    numbers: tuple[int, ...]


class Tables:
    """Keeps the maps level with Service ports.

    A changed set is written under a new number, the entrances are turned to it, and then the old one goes: a packet
    meets the old set or the new one. ``opened`` are the maps by name; those that the programs fill are left alone.
    """

    def __init__(self, opened: dict[str, bpf.Map]) -> None:
        self._services = opened[maps.SERVICES.name]
        self._slots = opened[maps.SLOTS.name]
        self._backends = opened[maps.BACKENDS.name]
        self._ranges = opened[maps.RANGES.name]
        self._allowed: set[bytes] = set()
        self._numbers = itertools.count(1)
        self._sets: dict[SetKey, _Set] = {}
        self._gone: list[_Set] = []
        self._entrances: dict[bytes, bytes] = {}

    def write(self, ports: list[model.ServicePort], node: model.Node) -> None:
        """Bring the maps to these Service ports. Raises OSError; the next call then writes what is missing.

        Ports of a protocol that the programs do not read (SCTP) are left out.
        """
        ports = [port for port in ports if port.protocol in maps.PROTOCOLS]
        wanted = endpoint_sets(ports)
        for key, endpoints in wanted.items():
            known = self._sets.get(key)
            if known is None or known.endpoints != endpoints:
                self._sets[key] = self._add(key, endpoints, known)
                self._gone += [known] if known else []
        entries, allowed = {}, set()
        for port in ports:
            for entrance in entrances(port, node):
                chosen = self._sets[entrance.leads_to]
                allowed |= {maps.range_key(entrance.key, cidr) for cidr in entrance.source_ranges}
                count = len(chosen.endpoints)
                entries[entrance.key] = maps.service(chosen.identity, count, entrance.flags, entrance.affinity_seconds)
        for fresh in allowed - self._allowed:
            self._ranges.set(fresh, maps.number(1))
        self._turn(entries)
        for stale in self._allowed - allowed:
            self._ranges.delete(stale)
        self._allowed = allowed
        for key in [key for key in self._sets if key not in wanted]:
            self._gone.append(self._sets.pop(key))
        used = {number for current in self._sets.values() for number in current.numbers}
        while self._gone:
            self._remove(self._gone[-1], used)
            self._gone.pop()

    def _add(self, key: SetKey, endpoints: tuple[tuple[str, int], ...], known: _Set | None) -> _Set:
        """Write a set; an endpoint that stays keeps its number, by which its connections know that it is there."""
        have = dict(zip(known.endpoints, known.numbers, strict=True)) if known else {}
        identity = next(self._numbers)
        numbers = tuple(have.get(endpoint) or next(self._numbers) for endpoint in endpoints)
        made = _Set(identity, endpoints, numbers)
        try:
            for slot, (endpoint, number) in enumerate(zip(endpoints, numbers, strict=True)):
                self._backends.set(maps.number(number), maps.backend(*endpoint, key[1]))
                self._slots.set(maps.slot_key(identity, slot), maps.number(number))
        except OSError:
            self._remove(made, set(have.values()))
            raise
        return made

    def _turn(self, entries: dict[bytes, bytes]) -> None:
        for key, value in entries.items():
            if self._entrances.get(key) != value:
                self._services.set(key, value)
                self._entrances[key] = value
        for key in self._entrances.keys() - entries.keys():
            self._services.delete(key)
            del self._entrances[key]

    def _remove(self, old: _Set, used: set[int]) -> None:
        for slot in range(len(old.endpoints)):
            self._slots.delete(maps.slot_key(old.identity, slot))
        for number in set(old.numbers) - used:
            self._backends.delete(maps.number(number))


class Datapath:
    """The maps, the programs, and the devices at which they sit. Made inside the node's namespaces. Raises OSError."""

    def __init__(self, node: model.Node, service_cidr: str) -> None:
        self._node, self._service_cidr = node, service_cidr
        bpf.mount()
        PINS.mkdir(exist_ok=True)
        self._netlink = Netlink()
        self.maps = {spec.name: bpf.Map.create(spec) for spec in maps.ALL}
        descriptors = {name: opened.fd for name, opened in self.maps.items()}
        for name, opened in self.maps.items():
            opened.pin(PINS / name)
        self._programs = {}
        for role in programs.ROLES:
            fd = bpf.load_classifier(role.name, programs.program(role).assemble(descriptors))
            bpf.pin_program(fd, PINS / role.name)
            self._programs[role.name] = fd
        self.tables = Tables(self.maps)

    def close(self) -> None:
        """Let go of the descriptors; what sits at a device stays and works on, as with Cilium."""
        for opened in self.maps.values():
            opened.close()
        for fd in self._programs.values():
            os.close(fd)
        self._netlink.close()

    def prepare_node(self) -> None:
        """Put the programs at eth0, and the device by which the node's own processes reach Services."""
        if self._netlink.link(SERVICE_DEVICE) is None:
            # A cable that leads nowhere: not every kernel has dummy devices.
            self._netlink.add_veth(SERVICE_DEVICE, _OTHER_END)
            self._netlink.set_arp_off(SERVICE_DEVICE)
        # What is for the node itself comes in again, with the node's own address as its source.
        (_CONF / SERVICE_DEVICE / "accept_local").write_text("1")
        for name in ("all", "default", UPLINK, SERVICE_DEVICE):
            _any_source(name)
        for device in (_OTHER_END, SERVICE_DEVICE):
            self._netlink.set_up(device)
        self._netlink.replace_route(self._service_cidr, dev=SERVICE_DEVICE, src=self._node.ip)
        self._attach(SERVICE_DEVICE, egress=programs.FROM_NODE)
        # An endpoint on the node's own network answers the node over lo.
        self._attach("lo", ingress=programs.TO_NODE)
        self._attach(UPLINK, ingress=programs.FROM_FABRIC, egress=programs.TO_FABRIC)

    def attach_pod(self, address: str) -> None:
        """Put the programs at the node's end of a Pod's cable, which the route to its address names."""
        device = next((r.dev for r in self._netlink.routes() if r.dst == f"{address}/32"), None)
        if device is None:
            raise OSError(f"no route to Pod address {address}: its plugin gave it no cable of its own")
        self._attach_pod_device(device)

    def _attach_pod_device(self, device: str) -> None:
        _any_source(device)
        self._attach(device, ingress=programs.FROM_POD, egress=programs.TO_POD)

    def _attach(self, device: str, **places: programs.Role) -> None:
        for direction, role in places.items():
            self._netlink.attach_classifier(device, direction, role.name, self._programs[role.name])

    def repair(self) -> None:
        """Put back the programs that somebody took from a device."""
        self.prepare_node()
        places = {"ingress": programs.FROM_POD.name, "egress": programs.TO_POD.name}
        for device in sorted({r.dev for r in self._netlink.routes() if r.dst.endswith("/32") and not r.via}):
            try:
                if any(name not in self._netlink.classifiers(device, way) for way, name in places.items()):
                    log.info("%s had lost a program: attached", device)
                    self._attach_pod_device(device)
            except OSError as error:
                log.info("%s: %s", device, error)


def _any_source(name: str) -> None:
    """Let a device take what comes from a Service's address, as Cilium does (sysctlfix): that is routed elsewhere."""
    (_CONF / name / "rp_filter").write_text("0")
