"""UDP flows that conntrack still sends to where a Service no longer is.

A UDP client that keeps its port never starts a new flow, so the old translation would last for ever. TCP needs none of
this: its clients notice and connect again. Pure: old and new Service ports in, arguments of conntrack out.
Upstream: pkg/proxy/conntrack/cleanup.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from podwalk.proxy.model import ServicePort

Command = list[str]


def stale_flows(before: Iterable[ServicePort], after: Iterable[ServicePort]) -> list[Command]:
    """The ``conntrack -D`` commands after a change; each exits with 1 where it found nothing, which is no error."""
    now = {(p.full_name, p.protocol): p for p in after if p.protocol == "udp"}
    commands: dict[tuple[str, ...], None] = {}
    old = {(p.full_name, p.protocol): p for p in before if p.protocol == "udp"}
    for key, port in old.items():
        current = now.get(key)
        entrances = set(_entrances(current)) if current else set()
        kept = {str(e) for e in current.endpoints.reachable} if current else set()
        for match in _entrances(port):
            # Where the Service's own address or port changed, none of its endpoints is behind the old one any more.
            still = kept if match in entrances else set()
            for endpoint in port.endpoints.reachable:
                if str(endpoint) not in still:
                    commands[(*match, "--reply-src", endpoint.ip, "--reply-port-src", str(endpoint.port))] = None
    for key, port in now.items():
        previous = old.get(key)
        if not port.endpoints.reachable or previous is None:
            continue
        known = set(_entrances(previous)) if previous.endpoints.reachable else set()
        for match in _entrances(port):
            if match not in known:
                # Flows that began while nobody was there passed untranslated and would go on like that.
                commands[match] = None
    return [["conntrack", "-D", "-p", "udp", *match] for match in commands]


def _entrances(port: ServicePort) -> list[tuple[str, ...]]:
    """The original destinations by which clients reach the port."""
    addresses = (port.cluster_ip, *port.external_ips, *port.load_balancer_ips)
    matches: list[tuple[str, ...]] = [("--orig-dst", ip, "--orig-port-dst", str(port.port)) for ip in addresses]
    if port.node_port:
        matches.append(("--orig-port-dst", str(port.node_port)))
    return matches
