"""ClusterIPs and NodePorts: who has which, and what a Service gets.

Stands in for pkg/registry/core/service/storage (alloc.go) and its IP and port allocators. IPv4 only, as the cluster is.
Differs: what is taken is kept in memory; the IPAddress objects are written beside (registry/addresses.py), and those
that a user makes are honoured.
"""

from __future__ import annotations

import ipaddress
import itertools
import random
from collections.abc import Callable, Iterator

from podwalk.api import errors, meta
from podwalk.api.meta import Object
from podwalk.apiserver.strategy.service_types import (
    WITH_IP,
    carry_over,
    drop_with_type,
    wants_health_check,
    wants_node_ports,
)
from podwalk.apiserver.strategy.validation.cluster_ips import mirror_cluster_ips, validate_cluster_ips

_NONE = "None"
_NOT_IN_RANGE = "the provided network does not match the current range"
_TAKEN = "provided IP is already allocated"


def _spec(service: Object | None) -> Object:
    return (service or {}).get("spec") or {}


def _quoted(ips: list[str]) -> str:
    return "[" + ",".join(f'"{ip}"' for ip in ips) + "]"


def _invalid(service: Object, field: str, message: str) -> errors.ApiError:
    cause = errors.cause("FieldValueInvalid", f"Invalid value: {message}", field)
    return errors.invalid("Service", meta.name(service), [cause])


def _cluster_ip(spec: Object) -> str:
    """The ClusterIP of a stored Service: empty where it has none."""
    ip = spec.get("clusterIP") or (spec.get("clusterIPs") or [""])[0]
    return "" if ip == _NONE or spec.get("type") == "ExternalName" else str(ip)


def _node_ports(spec: Object) -> Iterator[tuple[int, str]]:
    for port in spec.get("ports") or ():
        if port.get("nodePort"):
            yield int(port["nodePort"]), str(port.get("protocol") or "TCP")


class ServiceAllocator:
    """Hands out ClusterIPs and NodePorts and remembers them.

    A NodePort is one number for all protocols of a Service, as upstream: 30053/UDP and 30053/TCP may be two ports of
    one Service, not of two Services.
    """

    def __init__(self, service_cidr: str, node_ports: tuple[int, int]) -> None:
        self.ranges: list[str] = [service_cidr]
        """The ranges that ClusterIPs come from, the first choice first."""
        self.is_taken: Callable[[str], bool] = lambda ip: False
        """Whether somebody else, an IPAddress, holds an address."""
        self._first_port, self._last_port = node_ports
        self._ips: set[str] = set()
        self._ports: set[int] = set()

    def allocate(self, service: Object, old: Object | None) -> None:
        """Complete ``service`` in place; ``old`` is what is stored, None for a new one.

        Fills clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy, nodePort and healthCheckNodePort, honours what is
        asked for, drops what a change of type makes void and frees what only ``old`` used. Nothing is kept of a
        Service that is refused. Raises ApiError (422) with Kubernetes' texts.
        """
        spec, old_spec = _spec(service), _spec(old)
        if old is not None:
            drop_with_type(spec, old_spec)
            carry_over(spec, old_spec)
        mirror_cluster_ips(spec, old_spec)
        if causes := validate_cluster_ips(spec, None if old is None else old_spec):
            raise errors.invalid("Service", meta.name(service), causes)
        taken_ip: str | None = None
        taken_ports: set[int] = set()
        try:
            taken_ip = self._allocate_ip(service, old)
            self._allocate_ports(service, old, taken_ports)
            self._allocate_health_check(service, old, taken_ports)
        except errors.ApiError:
            self._ips.discard(taken_ip or "")
            self._ports -= taken_ports
            raise
        self._free_unused(spec, old_spec)

    def release(self, service: Object) -> None:
        """Free everything that a deleted Service held."""
        self._free_unused({}, _spec(service))

    def _free_unused(self, spec: Object, old_spec: Object) -> None:
        if _cluster_ip(old_spec) != _cluster_ip(spec):
            self._ips.discard(_cluster_ip(old_spec))
        self._ports -= self._held_ports(old_spec) - self._held_ports(spec)

    def _held_ports(self, spec: Object) -> set[int]:
        held = {number for number, _ in _node_ports(spec)}
        return held | {int(spec["healthCheckNodePort"])} if spec.get("healthCheckNodePort") else held

    def _allocate_ip(self, service: Object, old: Object | None) -> str | None:
        """Give the Service its ClusterIP; returns one that was newly taken."""
        spec = _spec(service)
        if spec.get("type") not in WITH_IP:
            return None
        _settle_family(service)
        ip = str(spec.get("clusterIP") or "")
        if ip == _NONE or (old is not None and ip and ip == _cluster_ip(_spec(old))):
            return None
        if ip:
            self._take_ip(service, ip)
        else:
            ip = self._next_ip(service)
        self._ips.add(ip)
        spec["clusterIP"], spec["clusterIPs"] = ip, [ip]
        return ip

    def _take_ip(self, service: Object, ip: str) -> None:
        address = ipaddress.ip_address(ip)
        usable = any(
            address in network and address not in (network.network_address, network.broadcast_address)
            for network in map(ipaddress.IPv4Network, self.ranges)
        )
        if usable and ip not in self._ips and not self.is_taken(ip):
            return
        why = _TAKEN if usable else _NOT_IN_RANGE
        wanted = _quoted(_spec(service).get("clusterIPs") or [ip])
        raise _invalid(service, "spec.clusterIPs", f"{wanted}: failed to allocate IP {ip}: {why}")

    def _next_ip(self, service: Object) -> str:
        """A random free address, from the upper part of the range while it lasts: the lower is for static addresses."""
        if not meta.name(service):
            # Upstream learns it from the IPAddress, which cannot be made for a Service without a name.
            ip = self._any_free()
            why = f'IPAddress.networking.k8s.io "{ip}" is invalid: spec.parentRef.name: Required value'
            raise _invalid(service, "spec.clusterIPs", f'[""]: failed to allocate IP: {why}')
        if ip := self._any_free():
            return ip
        raise _invalid(service, "spec.clusterIPs", '[""]: failed to allocate IP: range is full')

    def _any_free(self) -> str:
        for network in map(ipaddress.IPv4Network, self.ranges):
            size = network.num_addresses
            band = min(max(16, size // 16), 256) if size > 16 else 0
            for low, high in ((band + 1, size - 2), (1, band)):
                if ip := self._free_between(int(network.network_address), low, high):
                    return ip
        return ""

    def _free_between(self, base: int, low: int, high: int) -> str:
        if high < low:
            return ""
        start = random.randint(low, high)
        for offset in itertools.chain(range(start, high + 1), range(low, start)):
            ip = str(ipaddress.IPv4Address(base + offset))
            if ip not in self._ips and not self.is_taken(ip):
                return ip
        return ""

    def _allocate_ports(self, service: Object, old: Object | None, taken: set[int]) -> None:
        spec, own = _spec(service), self._held_ports(_spec(old))
        used: dict[int, set[str]] = {}
        ports = spec.get("ports") or []
        for index, port in enumerate(ports):
            number, protocol = int(port.get("nodePort") or 0), str(port.get("protocol") or "TCP")
            if not number:
                continue
            self._check_port(
                service, f"spec.ports[{index}].nodePort", number, own | (taken - self._again(used, protocol))
            )
            used.setdefault(number, set()).add(protocol)
            if number not in own:
                taken.add(number)
                self._ports.add(number)
        if not wants_node_ports(spec):
            return
        for port in ports:
            if not port.get("nodePort"):
                port["nodePort"] = self._share_or_pick(service, port, ports, used)
                used.setdefault(port["nodePort"], set()).add(str(port.get("protocol") or "TCP"))
                if port["nodePort"] not in own:
                    taken.add(port["nodePort"])
                    self._ports.add(port["nodePort"])

    def _again(self, used: dict[int, set[str]], protocol: str) -> set[int]:
        """Numbers that this Service uses already for the same protocol: a second use is a clash, not a share."""
        return {number for number, protocols in used.items() if protocol in protocols}

    def _check_port(self, service: Object, field: str, number: int, own: set[int]) -> None:
        if not self._first_port <= number <= self._last_port:
            valid = f"The range of valid ports is {self._first_port}-{self._last_port}"
            raise _invalid(service, field, f"{number}: provided port is not in the valid range. {valid}")
        if number in self._ports and number not in own:
            raise _invalid(service, field, f"{number}: provided port is already allocated")

    def _share_or_pick(self, service: Object, port: Object, ports: list[Object], used: dict[int, set[str]]) -> int:
        """The number of a sibling with the same port and another protocol, else a free one."""
        protocol = str(port.get("protocol") or "TCP")
        for sibling in ports:
            number = int(sibling.get("nodePort") or 0)
            if number and sibling.get("port") == port.get("port") and protocol not in used.get(number, set()):
                return number
        return self._next_port(service)

    def _next_port(self, service: Object) -> int:
        size = self._last_port - self._first_port + 1
        band = min(max(16, size // 32), 128) if size > 16 else 0
        for low, high in ((self._first_port + band, self._last_port), (self._first_port, self._first_port + band - 1)):
            free = [n for n in range(low, high + 1) if n not in self._ports]
            if free:
                return random.choice(free)
        raise errors.internal(f"failed to allocate a nodePort for {meta.name(service)}: range is full")

    def _allocate_health_check(self, service: Object, old: Object | None, taken: set[int]) -> None:
        spec = _spec(service)
        if not wants_health_check(spec):
            spec.pop("healthCheckNodePort", None)
            return
        own = self._held_ports(_spec(old))
        number = int(spec.get("healthCheckNodePort") or 0)
        if number:
            self._check_port(service, "spec.healthCheckNodePort", number, own)
        else:
            number = spec["healthCheckNodePort"] = self._next_port(service)
        if number not in own:
            taken.add(number)
            self._ports.add(number)


def _settle_family(service: Object) -> None:
    """Settle ipFamilies and ipFamilyPolicy as a single-stack IPv4 cluster does (defaultOnWriteIPFamilies).

    Headless without a selector is the exception: its endpoints are the user's, so it may be of both families anywhere.
    """
    spec = _spec(service)
    free = spec.get("clusterIP") == _NONE and not spec.get("selector")
    policy, families = spec.get("ipFamilyPolicy"), list(spec.get("ipFamilies") or [])
    if not free:
        if policy == "RequireDualStack":
            why = '"RequireDualStack": this cluster is not configured for dual-stack services'
            raise _invalid(service, "spec.ipFamilyPolicy", why)
        for index, family in enumerate(families):
            if family != "IPv4":
                raise _invalid(service, f"spec.ipFamilies[{index}]", f'"{family}": not configured on this cluster')
    if not policy:
        policy = "RequireDualStack" if free and len(families) != 1 else "SingleStack"
    if free and policy != "SingleStack" and len(families) < 2:
        first = families[0] if families else "IPv4"
        families = [first, "IPv6" if first == "IPv4" else "IPv4"]
    spec["ipFamilyPolicy"], spec["ipFamilies"] = policy, families or ["IPv4"]
