"""Where a URL in a Pod leads: the resolver's steps, followed over API objects instead of packets.

A request may succeed today for a reason that ends tomorrow: an address in /etc/hosts, a ClusterIP written into a
setting. This follows a name as the Pod's own resolver would (nsswitch: files, then dns with its search list and ndots)
and says which Service it ends at.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from podwalk.checks.state import State, at_path

_MAX_HOPS = 8
DOMAIN = "cluster.local"


@dataclass(frozen=True, slots=True)
class Resolver:
    """What a Pod's /etc/hosts and /etc/resolv.conf say."""

    hosts: Mapping[str, str] = field(default_factory=dict)
    search: tuple[str, ...] = ()
    ndots: int = 1

    @classmethod
    def parse(cls, hosts: str, resolv: str) -> Resolver:
        """From the text of the two files."""
        addresses: dict[str, str] = {}
        for line in hosts.splitlines():
            address, *names = line.split("#")[0].split() or [""]
            for name in names:
                addresses.setdefault(name.lower(), address)
        search: tuple[str, ...] = ()
        ndots = 1
        for line in resolv.splitlines():
            words = line.split()
            if words[:1] == ["search"]:
                search = tuple(words[1:])
            elif words[:1] == ["options"]:
                ndots = next((int(w[6:]) for w in words if w.startswith("ndots:") and w[6:].isdigit()), ndots)
        return cls(addresses, search, ndots)

    def candidates(self, name: str) -> list[str]:
        """The absolute names that are tried, in order."""
        if name.endswith("."):
            return [name.rstrip(".")]
        listed = [f"{name}.{domain.rstrip('.')}" for domain in self.search]
        return [name, *listed] if name.count(".") >= self.ndots else [*listed, name]


def host_of(url: str) -> str:
    """The host of a URL; a bare ``host:port`` or ``host/path`` counts too. An empty string where there is none."""
    try:
        return (urlsplit(url if "//" in url else f"//{url}").hostname or "").lower()
    except ValueError:
        return ""


def service_named(absolute: str) -> str | None:
    """``namespace/name`` of ``name.namespace.svc.cluster.local``, or None for another name."""
    parts = absolute.lower().rstrip(".").split(".")
    if len(parts) == 5 and parts[2] == "svc" and ".".join(parts[3:]) == DOMAIN:
        return f"{parts[1]}/{parts[0]}"
    return None


def leads_to(host: str, resolver: Resolver, state: State) -> str:
    """Where the name ends: ``service ns/name``, or a sentence that says what it is instead."""
    for _ in range(_MAX_HOPS):
        if not host:
            return "no host at all"
        if _is_address(host):
            return f"the written-down address {host}"
        if host.rstrip(".") in resolver.hosts:
            return f"the address {resolver.hosts[host.rstrip('.')]} in the Pod's /etc/hosts"
        found = next((s for s in map(service_named, resolver.candidates(host)) if s and state.find("Service", s)), None)
        if found is None:
            return f"no Service ({host})"
        alias = at_path(state.find("Service", found) or {}, "spec.externalName")
        if not alias:
            return f"service {found}"
        # A CNAME is followed by the DNS server: absolute, without the Pod's hosts file or search list.
        host, resolver = f"{str(alias).rstrip('.')}.", Resolver()
    return "a circle of aliases"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
