"""NetworkPolicies as nftables rules of one node: objects in, a Ruleset out. Pure.

Stands in for what kube-network-policies or Calico's Felix programs. Each policy is a chain that its Pods share; each
of the node's Pods that some policy selects has a chain that jumps to them and drops what none of them accepts. Peers
are sets of addresses, named ports are sets of (address, protocol, port). All of it hooks into forward: after the
destination of a Service has been translated, before the source is masqueraded, and never for a node's own traffic.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, collapse_addresses

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.selectors import format_label_selector, label_selector
from podwalk.policy import ruleset
from podwalk.policy.ruleset import Ruleset, Set

_WAYS = ("egress", "ingress")
_FIELDS = {"egress": ("to", "daddr"), "ingress": ("from", "saddr")}
_PORT_TYPE = "ipv4_addr . inet_proto . inet_service"


@dataclass(frozen=True, slots=True)
class PodAddress:
    """A Pod with a network of its own and an address in it."""

    ip: str
    pod: Object
    node: str

    @property
    def namespace(self) -> str:
        """The Pod's namespace."""
        return meta.namespace(self.pod)


@dataclass(slots=True)
class Objects:
    """What the rules are made from, as the informers hold it.

    ``addresses`` are those that the API does not show yet, by Pod UID.
    """

    pods: Sequence[Object] = ()
    namespaces: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    policies: Sequence[Object] = ()
    cluster_policies: Sequence[Object] = ()
    addresses: dict[str, str] = field(default_factory=dict)


def render(objects: Objects, node: str) -> Ruleset:
    """The table of a node."""
    return _Renderer(objects, node).run()


def _located(objects: Objects) -> list[PodAddress]:
    """Pods with a network, at most one an address: an ended Pod's address may be another's already."""
    found: dict[str, PodAddress] = {}
    for pod in sorted(objects.pods, key=lambda p: str(p["metadata"].get("creationTimestamp") or "")):
        status, spec = pod.get("status") or {}, pod["spec"]
        if spec.get("hostNetwork") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        ip = str(status.get("podIP") or objects.addresses.get(meta.uid(pod)) or "")
        if ip and ":" not in ip:
            found[ip] = PodAddress(ip, pod, str(spec.get("nodeName") or ""))
    return list(found.values())


class _Renderer:
    def __init__(self, objects: Objects, node: str) -> None:
        self._out = Ruleset()
        self._pods = _located(objects)
        self._local = [p for p in self._pods if p.node == node]
        self._labels = {meta.name(n): meta.labels(n) for n in objects.namespaces}
        self._nodes = objects.nodes
        self._policies = sorted(objects.policies, key=meta.key)
        self._tiers = sorted(
            objects.cluster_policies, key=lambda p: (int(p["spec"].get("priority") or 0), meta.name(p))
        )

    def run(self) -> Ruleset:
        for pod in self._local:
            for way in _WAYS:
                self._pod(pod, way)
        return self._out

    # --- Pods

    def _pod(self, pod: PodAddress, way: str) -> None:
        mine = [p for p in self._policies if way in _directions(p) and self._applies(p, pod)]
        lines = self._tier("Admin", pod, way)
        lines += [f"jump {self._policy_chain(policy, way)}" for policy in mine]
        if mine:
            counter = self._counter("drop", way, pod.namespace, meta.name(pod.pod))
            names = ", ".join(meta.key(p) for p in mine)
            lines.append(f"counter name {counter} drop comment {ruleset.comment(f'isolated by {names}')}")
        else:
            lines += self._tier("Baseline", pod, way)
        if not lines:
            return
        # Its own Service may send a Pod back to itself; nothing isolates it from that.
        itself = f"ip {'daddr' if way == 'egress' else 'saddr'} {pod.ip} accept comment {ruleset.comment('itself')}"
        chain = ruleset.name(f"pod-{way}", pod.namespace, meta.name(pod.pod))
        # A Pod and its successor of the same name may both be there for a moment.
        if chain in self._out.chains:
            chain = ruleset.name(chain, pod.ip)
        self._out.chains[chain] = (itself, *lines)
        (self._out.egress if way == "egress" else self._out.ingress)[pod.ip] = chain

    def _applies(self, policy: Object, pod: PodAddress) -> bool:
        if meta.namespace(policy) != pod.namespace:
            return False
        return label_selector((policy.get("spec") or {}).get("podSelector") or {})(meta.labels(pod.pod))

    def _counter(self, *parts: str) -> str:
        counter = ruleset.name(*parts)
        self._out.counters.add(counter)
        return counter

    # --- NetworkPolicies

    def _policy_chain(self, policy: Object, way: str) -> str:
        namespace = meta.namespace(policy)
        chain = ruleset.name(f"policy-{way}", namespace, meta.name(policy))
        if chain in self._out.chains:
            return chain
        peers_field, _ = _FIELDS[way]
        lines: list[str] = []
        for index, rule in enumerate((policy.get("spec") or {}).get(way) or ()):
            counter = self._counter("allow", way, namespace, meta.name(policy), str(index))
            note = ruleset.comment(f"{meta.key(policy)} {way}[{index}]")
            listed = rule.get(peers_field) or ()
            peers = [match for p in listed if (match := self._peer(p, namespace, way)) is not None]
            # Peers that can never match here (IPv6) leave a rule for nobody, not one for everybody.
            for match in self._matches(peers, self._ports(rule.get("ports"))) if peers or not listed else ():
                lines.append(f"{match}counter name {counter} accept comment {note}")
        self._out.chains[chain] = tuple(lines)
        return chain

    @staticmethod
    def _matches(peers: Sequence[str], ports: Sequence[str]) -> list[str]:
        """Every peer with every port; no peers, or no ports, is no condition."""
        return [f"{peer}{port}" for peer in peers or [""] for port in ports or [""]]

    def _peer(self, peer: Object, namespace: str, way: str) -> str | None:
        _, address = _FIELDS[way]
        block = peer.get("ipBlock")
        if block is not None:
            return _block(address, str(block["cidr"]), block.get("except") or ())
        by_namespace, by_pod = peer.get("namespaceSelector"), peer.get("podSelector")
        return f"ip {address} @{self._peer_set(namespace, by_namespace, by_pod)} "

    def _peer_set(self, namespace: str, by_namespace: Object | None, by_pod: Object | None) -> str:
        """The set of the Pods that two selectors mean; without a namespaceSelector those of ``namespace``."""
        where = namespace if by_namespace is None else None
        key = "peers-" + ruleset.digest(json.dumps([where, by_namespace, by_pod], sort_keys=True))
        if key not in self._out.sets:
            ips = frozenset(self._members(where, by_namespace, by_pod))
            area = where if where is not None else f"namespaces {format_label_selector(by_namespace)}"
            self._out.sets[key] = Set("ipv4_addr", f"{area}: pods {format_label_selector(by_pod)}", ips)
        return key

    def _members(self, where: str | None, by_namespace: Object | None, by_pod: Object | None) -> set[str]:
        in_namespace = label_selector(by_namespace)
        # A peer with neither selector is refused by the API; were it there, it would mean nobody.
        is_meant = label_selector(by_pod if by_pod is not None or by_namespace is None else {})
        return {
            p.ip
            for p in self._pods
            if (p.namespace == where if where is not None else in_namespace(self._labels.get(p.namespace, {})))
            and is_meant(meta.labels(p.pod))
        }

    # --- ports

    def _ports(self, ports: Iterable[Object] | None) -> list[str]:
        numbers: dict[str, list[tuple[int, int]]] = {}
        out: list[str] = []
        for port in ports or ():
            protocol, wanted = str(port.get("protocol") or "TCP").lower(), port.get("port")
            if isinstance(wanted, str):
                out.append(self._named(wanted, protocol))
            else:
                first, last = (0, 65535) if wanted is None else (int(wanted), int(port.get("endPort") or wanted))
                numbers.setdefault(protocol, []).append((first, last))
        return [_numbers(protocol, ranges) for protocol, ranges in numbers.items()] + out

    def _named(self, port_name: str, protocol: str | None) -> str:
        key = ruleset.name("ports-" + (protocol or "any"), port_name)
        if key not in self._out.sets:
            elements = frozenset(
                f"{p.ip} . {own} . {number}"
                for p in self._pods
                for found, own, number in _declared(p.pod)
                if found == port_name and protocol in (None, own)
            )
            self._out.sets[key] = Set(_PORT_TYPE, f"Pods with a port named {port_name}", elements)
        return f"ip daddr . meta l4proto . th dport @{key} "

    # --- ClusterNetworkPolicies

    def _tier(self, tier: str, pod: PodAddress, way: str) -> list[str]:
        mine = [
            p for p in self._tiers if p["spec"].get("tier") == tier and p["spec"].get(way) and self._is_subject(p, pod)
        ]
        if not mine:
            return []
        names = "|".join(meta.name(p) for p in mine)
        chain = ruleset.name(f"{tier.lower()}-{way}", ruleset.digest(names))
        if chain not in self._out.chains:
            self._out.chains[chain] = tuple(line for policy in mine for line in self._cluster_rules(policy, tier, way))
        return [f"jump {chain}"]

    def _is_subject(self, policy: Object, pod: PodAddress) -> bool:
        selected = _namespaced_selectors(policy["spec"].get("subject") or {})
        return selected is not None and pod.ip in self._members(None, *selected)

    def _cluster_rules(self, policy: Object, tier: str, way: str) -> list[str]:
        peers_field, address = _FIELDS[way]
        lines: list[str] = []
        for index, rule in enumerate(policy["spec"].get(way) or ()):
            action = str(rule.get("action"))
            matches = [self._cluster_peer(p, address) for p in rule.get(peers_field) or ()]
            known = [m for group in matches if group is not None for m in group]
            if None not in matches or action == "Accept":
                conditions = [p + q for p in known for q in self._protocols(rule)]
            else:  # a kind of peer that we do not know: fail closed
                action, conditions = "Deny", [""]
            verdict = {"Accept": "accept", "Deny": "drop", "Pass": "return"}[action]
            counter = self._counter(f"{tier.lower()}-{way}", meta.name(policy), str(index))
            label = f' "{rule["name"]}"' if rule.get("name") else ""
            note = ruleset.comment(f"{meta.name(policy)} {way}[{index}]{label} {action}")
            lines += [f"{c}counter name {counter} {verdict} comment {note}" for c in conditions]
        return lines

    def _cluster_peer(self, peer: Object, address: str) -> list[str] | None:
        if peer.get("networks") is not None:
            return [match for n in peer["networks"] if (match := _block(address, str(n), ())) is not None]
        if peer.get("nodes") is not None:
            ips = sorted(_node_ips(self._nodes, peer["nodes"]))
            return [f"ip {address} {{ {', '.join(ips)} }} "] if ips else []
        selected = _namespaced_selectors(peer)
        return [f"ip {address} @{self._peer_set('', *selected)} "] if selected else None

    def _protocols(self, rule: Object) -> list[str]:
        if not rule.get("protocols"):
            return [""]
        out = []
        for entry in rule["protocols"]:
            if entry.get("destinationNamedPort"):
                out.append(self._named(str(entry["destinationNamedPort"]), None))
                continue
            protocol = next((p for p in ("tcp", "udp", "sctp") if entry.get(p) is not None), None)
            if protocol is not None:
                out.append(_numbers(protocol, [_cluster_port((entry[protocol] or {}).get("destinationPort"))]))
        return out


def _directions(policy: Object) -> set[str]:
    spec = policy.get("spec") or {}
    types = spec.get("policyTypes")
    if types:
        return {str(t).lower() for t in types}
    return {"ingress", "egress"} if spec.get("egress") else {"ingress"}


def _namespaced_selectors(peer: Object) -> tuple[Object, Object | None] | None:
    """(namespaceSelector, podSelector) of a ClusterNetworkPolicy's subject or peer, where it selects Pods."""
    if peer.get("namespaces") is not None:
        return peer["namespaces"], None
    if peer.get("pods") is not None:
        return peer["pods"].get("namespaceSelector") or {}, peer["pods"].get("podSelector") or {}
    return None


def _block(address: str, cidr: str, spared: Iterable[str]) -> str | None:
    """A match of addresses, or None for IPv6, which no packet of this cluster has."""
    if ":" in cidr:
        return None
    network = IPv4Network(cidr, strict=False)
    match = f"ip {address} {network} " if network.prefixlen else ""
    holes = [str(n) for n in collapse_addresses(IPv4Network(e, strict=False) for e in spared)]
    return match + (f"ip {address} != {{ {', '.join(holes)} }} " if holes else "")


def _numbers(protocol: str, ranges: Iterable[tuple[int, int]]) -> str:
    """A match of ports; nft takes no overlapping ranges, so they are merged."""
    merged: list[list[int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], last)
        else:
            merged.append([first, last])
    if merged[0] == [0, 65535]:
        return f"meta l4proto {protocol} "
    words = [str(a) if a == b else f"{a}-{b}" for a, b in merged]
    return f"{protocol} dport {{ {', '.join(words)} }} "


def _cluster_port(port: Object | None) -> tuple[int, int]:
    if not port:
        return (0, 65535)
    if port.get("range"):
        return (int(port["range"]["start"]), int(port["range"]["end"]))
    return (int(port["number"]), int(port["number"]))


def _declared(pod: Object) -> list[tuple[str, str, int]]:
    """(name, protocol, number) of the ports of the containers that live as long as the Pod."""
    spec = pod["spec"]
    containers = [*(spec.get("containers") or ())]
    containers += [c for c in spec.get("initContainers") or () if c.get("restartPolicy") == "Always"]
    return [
        (str(p["name"]), str(p.get("protocol") or "TCP").lower(), int(p["containerPort"]))
        for c in containers
        for p in c.get("ports") or ()
        if p.get("name")
    ]


def _node_ips(nodes: Iterable[Object], selector: Object) -> set[str]:
    matches = label_selector(selector)
    return {
        str(a["address"])
        for n in nodes
        if matches(meta.labels(n))
        for a in (n.get("status") or {}).get("addresses") or ()
        if a.get("type") in ("InternalIP", "ExternalIP") and ":" not in str(a["address"])
    }
