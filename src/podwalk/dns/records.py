"""Names of the cluster's zone become records.

Pure: a view of the cluster and a question in, an answer out. Follows the Kubernetes DNS-Based Service Discovery
specification 1.1.0; where that leaves room it does as CoreDNS' kubernetes plugin does (plugin/kubernetes).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.dns import message
from podwalk.dns.message import Question, Record

SCHEMA_VERSION = "1.1.0"
_SCHEMA_TTL = 28800
_REVERSE_V4 = ".in-addr.arpa."


class View(Protocol):
    """What is known of the cluster."""

    @property
    def serial(self) -> int:
        """When it last changed, in Unix seconds."""

    def service(self, namespace: str, name: str) -> Object | None:
        """A Service."""

    def services(self) -> Iterable[Object]:
        """Every Service."""

    def slices(self, namespace: str, service: str) -> Iterable[Object]:
        """The EndpointSlices of a Service."""

    def has_namespace(self, name: str) -> bool:
        """Whether the namespace exists."""

    def has_pod(self, namespace: str, ip: str) -> bool:
        """Whether a Pod of the namespace has this address."""


@dataclass(frozen=True, slots=True)
class Zone:
    """The options of the Corefile's kubernetes plugin. ``origins`` are its zones, the cluster's domain first."""

    origins: tuple[str, ...] = ("cluster.local.",)
    ttl: int = 5
    pods: str = "disabled"
    own_ip: str = ""

    @property
    def domain(self) -> str:
        """The cluster's domain: the first zone that is not a reverse one."""
        return next((o for o in self.origins if not o.endswith(".arpa.")), "cluster.local.")

    def origin_of(self, name: str) -> str | None:
        """The most specific of the zones that holds a name."""
        held = [o for o in self.origins if within(name, o)]
        return max(held, key=len, default=None)


@dataclass(frozen=True, slots=True)
class Answer:
    """``chase`` names the target of an ExternalName that somebody else must resolve."""

    rcode: int
    records: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    chase: str | None = None


@dataclass(frozen=True, slots=True)
class _Target:
    """Something a name stands for: an address with a port, and the name under which SRV records give it."""

    host: str
    port: int
    name: str


class _NoSuchName(Exception):
    pass


def within(name: str, origin: str) -> bool:
    """Whether a name is in a zone, or is the zone itself."""
    name = name.lower()
    return origin == "." or name == origin or name.endswith("." + origin)


def answer(view: View, zone: Zone, question: Question) -> Answer:
    """Answer a question about a name in one of the zone's origins. A name error is NXDOMAIN with the zone's SOA."""
    name = question.name.lower()
    origin = zone.origin_of(name)
    if origin is None:
        raise ValueError(f"{name} is not in {zone.origins}")
    try:
        return _answer(view, zone, origin, question, name)
    except _NoSuchName:
        return Answer(message.NXDOMAIN, authority=(_soa(view, zone, origin),))


def _answer(view: View, zone: Zone, origin: str, question: Question, name: str) -> Answer:
    if origin.endswith(".arpa."):
        return _reverse(view, zone, origin, question, name)
    if name == origin and question.type == message.SOA:
        return Answer(message.NOERROR, (_soa(view, zone, origin),))
    if name == origin and question.type == message.NS:
        return _name_servers(view, zone, origin, question)
    if name == f"dns-version.{origin}":
        return _version(view, zone, origin, question)
    if name == f"ns.dns.{origin}":
        addresses = _own_service(view, zone)[1]
        targets = [_Target(ip, 0, name) for ip in addresses]
    else:
        targets, external = _targets(view, zone, origin, name)
        if external is not None:
            cname = Record(question.name, message.CNAME, zone.ttl, external)
            if question.type == message.CNAME:
                return Answer(message.NOERROR, (cname,))
            if question.type in (message.A, message.AAAA):
                return Answer(message.NOERROR, (cname,), chase=external)
            targets = []
    found = _of_type(zone, question, targets)
    if not found.records:
        return Answer(message.NOERROR, authority=(_soa(view, zone, origin),))
    return found


def _of_type(zone: Zone, question: Question, targets: list[_Target]) -> Answer:
    if question.type in (message.A, message.AAAA):
        hosts = dict.fromkeys(t.host for t in targets if _address_type(t.host) == question.type)
        return Answer(message.NOERROR, tuple(Record(question.name, question.type, zone.ttl, h) for h in hosts))
    if question.type != message.SRV:
        return Answer(message.NOERROR)
    # Equal weights; a target whose port is unknown has no SRV record.
    weight = max(100 // len(targets), 1) if targets else 0
    records: dict[Record, None] = {}
    extra: dict[Record, None] = {}
    for target in targets:
        if target.port > 0:
            data = (0, weight, target.port, target.name)
            records[Record(question.name, message.SRV, zone.ttl, data)] = None
            extra[Record(target.name, _address_type(target.host), zone.ttl, target.host)] = None
    return Answer(message.NOERROR, tuple(records), additional=tuple(extra))


def _targets(view: View, zone: Zone, origin: str, name: str) -> tuple[list[_Target], str | None]:
    """What a name below the cluster's domain stands for, and the target where it is an ExternalName.

    Raises _NoSuchName. A name that exists only because longer ones do stands for nothing.
    """
    labels = name.removesuffix(origin).rstrip(".").split(".")
    if labels == [""] or labels in (["svc"], ["pod"]):
        return [], None
    if labels[-1] not in ("svc", "pod"):
        raise _NoSuchName
    *rest, namespace, kind = labels
    if not view.has_namespace(namespace):
        raise _NoSuchName
    if not rest:
        return [], None
    if kind == "pod":
        return [_pod(view, zone, namespace, rest[-1], name)], None
    *rest, service_name = rest
    service = view.service(namespace, service_name)
    if service is None or len(rest) > 2:
        raise _NoSuchName
    endpoint = rest[0] if len(rest) == 1 else None
    port, protocol = (label.removeprefix("_") for label in rest) if len(rest) == 2 else ("", "")
    spec = service.get("spec") or {}
    if spec.get("type") == "ExternalName":
        external = str(spec.get("externalName", ""))
        if endpoint or not external or _is_address(external):
            raise _NoSuchName
        return [], external.rstrip(".") + "."
    own_name = f"{service_name}.{namespace}.svc.{origin}"
    if endpoint is not None or _is_headless(spec):
        found = list(_endpoint_targets(view, namespace, service_name, own_name, endpoint, port, protocol))
    else:
        found = list(_cluster_ip_targets(spec, own_name, port, protocol))
    if not found:
        raise _NoSuchName
    return found, None


def _cluster_ip_targets(spec: Object, own_name: str, port: str, protocol: str) -> Iterator[_Target]:
    for entry in spec.get("ports") or ():
        if _port_matches(entry, port, protocol):
            for ip in spec.get("clusterIPs") or [spec["clusterIP"]]:
                yield _Target(ip, int(entry["port"]), own_name)


def _endpoint_targets(
    view: View, namespace: str, service: str, own_name: str, endpoint: str | None, port: str, protocol: str
) -> Iterator[_Target]:
    for endpoint_slice in view.slices(namespace, service):
        for one in _ready(endpoint_slice):
            for ip in one["addresses"]:
                hostname = _hostname(one, ip)
                if endpoint is not None and hostname != endpoint:
                    continue
                for entry in endpoint_slice.get("ports") or [{"port": -1}]:
                    if _port_matches(entry, port, protocol):
                        yield _Target(ip, int(entry.get("port") or -1), f"{hostname}.{own_name}")


def _ready(endpoint_slice: Object) -> Iterator[Object]:
    for one in endpoint_slice.get("endpoints") or ():
        if (one.get("conditions") or {}).get("ready") is not False:
            yield one


def _hostname(endpoint: Object, ip: str) -> str:
    return str(endpoint.get("hostname") or ip.replace(".", "-").replace(":", "-")).lower()


def _port_matches(entry: Object, port: str, protocol: str) -> bool:
    """Whether a port has this name and protocol; an empty one stands for any."""
    return port in ("", str(entry.get("name") or "").lower()) and protocol in (
        "",
        str(entry.get("protocol") or "TCP").lower(),
    )


def _is_headless(spec: Object) -> bool:
    return spec.get("clusterIP") in (None, "", "None")


def _pod(view: View, zone: Zone, namespace: str, label: str, name: str) -> _Target:
    """``pods insecure``: whatever looks like an address is one, no Pod need have it; ``verified``: one must."""
    plain = label.count("-") == 3 and "--" not in label
    ip = label.replace("-", "." if plain else ":")
    if zone.pods == "disabled" or not _is_address(ip):
        raise _NoSuchName
    if zone.pods == "verified" and not view.has_pod(namespace, ip):
        raise _NoSuchName
    return _Target(ip, 0, name)


def _version(view: View, zone: Zone, origin: str, question: Question) -> Answer:
    if question.type != message.TXT:
        raise _NoSuchName
    return Answer(message.NOERROR, (Record(question.name, message.TXT, _SCHEMA_TTL, SCHEMA_VERSION),))


def _soa(view: View, zone: Zone, origin: str) -> Record:
    data = (f"ns.dns.{origin}", f"hostmaster.{origin}", view.serial & 0xFFFFFFFF, 7200, 1800, 86400, zone.ttl)
    return Record(origin, message.SOA, zone.ttl, data)


def _name_servers(view: View, zone: Zone, origin: str, question: Question) -> Answer:
    name, addresses = _own_service(view, zone)
    record = Record(question.name, message.NS, zone.ttl, name)
    extra = tuple(Record(name, _address_type(ip), zone.ttl, ip) for ip in addresses)
    return Answer(message.NOERROR, (record,), additional=extra)


def _own_service(view: View, zone: Zone) -> tuple[str, list[str]]:
    """The name and addresses of the Service that leads to this server; ns.dns and the own address without one."""
    for service in view.services():
        namespace, name = meta.namespace(service), meta.name(service)
        for endpoint_slice in view.slices(namespace, name):
            if zone.own_ip and any(zone.own_ip in one["addresses"] for one in _ready(endpoint_slice)):
                spec = service["spec"]
                addresses = [zone.own_ip] if _is_headless(spec) else list(spec.get("clusterIPs") or [spec["clusterIP"]])
                return f"{name}.{namespace}.svc.{zone.domain}", addresses
    return f"ns.dns.{zone.domain}", [zone.own_ip] if zone.own_ip else []


def _reverse(view: View, zone: Zone, origin: str, question: Question, name: str) -> Answer:
    ip = _reversed_address(name)
    if ip is None:
        raise _NoSuchName
    found = tuple(Record(question.name, message.PTR, zone.ttl, target) for target in _names_of(view, zone, ip))
    if not found:
        raise _NoSuchName
    if question.type != message.PTR:
        return Answer(message.NOERROR, authority=(_soa(view, zone, origin),))
    return Answer(message.NOERROR, found)


def _reversed_address(name: str) -> str | None:
    if not name.endswith(_REVERSE_V4):
        return None
    ip = ".".join(reversed(name.removesuffix(_REVERSE_V4).split(".")))
    return ip if _is_address(ip) else None


def _names_of(view: View, zone: Zone, ip: str) -> list[str]:
    """The Service with this cluster IP, else every endpoint with this address."""
    found = []
    for service in view.services():
        namespace, name, spec = meta.namespace(service), meta.name(service), service.get("spec") or {}
        domain = f"{name}.{namespace}.svc.{zone.domain}"
        if ip in (spec.get("clusterIPs") or [spec.get("clusterIP")]):
            return [domain]
        for endpoint_slice in view.slices(namespace, name):
            found += [f"{_hostname(one, ip)}.{domain}" for one in _ready(endpoint_slice) if ip in one["addresses"]]
    return list(dict.fromkeys(found))


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address_type(ip: str) -> int:
    return message.AAAA if ":" in ip else message.A
