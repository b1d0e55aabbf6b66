"""kind's cluster configuration file (kind.x-k8s.io/v1alpha4), as far as the embedded cluster honours it.

Upstream: sigs.k8s.io/kind/pkg/apis/config/v1alpha4. What kind knows and we do not run is refused by name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

API_VERSION = "kind.x-k8s.io/v1alpha4"

_NAME = re.compile(r"^[a-z0-9.-]+$")
PROXY_MODES = ("iptables", "nftables", "none")
CNI_PROFILES = ("flannel", "flannel-host-gw", "flannel-udp", "kindnet", "calico", "cloud", "ebpf", "none")
_ROLES = ("control-plane", "worker")
# Fields of a node that ask for something of containers.
_KINDS_ALONE = ("extraPortMappings", "kubeadmConfigPatches")
_MAX_NODES = 12
# The sandbox, its hostname and kind's own limits leave room for this much of a name.
_MAX_NAME = 40


class ConfigError(ValueError):
    """The configuration is wrong; the message names the field, the reason and the cure."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node: its role, and labels from the file; ``more`` are the fields that only kind itself runs."""

    name: str
    role: str
    labels: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """What to build. Subnets are IPv4 CIDRs as text.

    ``cni`` (the profile of the Pod network), ``network_policy`` and ``load_balancer`` are podwalk's own: kind's file
    has no field for them. ``asked`` names the options that somebody chose; a backend has a usual value for the others.
    """

    name: str
    nodes: tuple[NodeConfig, ...]
    pod_subnet: str = "10.244.0.0/16"
    service_subnet: str = "10.96.0.0/16"
    proxy_mode: str = "iptables"
    default_cni: bool = True
    api_port: int = 0
    cni: str = "flannel"
    network_policy: bool = True
    load_balancer: bool = True
    node_local_dns: bool = False
    asked: frozenset[str] = field(default=frozenset(), compare=False)

    def options(self) -> dict[str, Any]:
        """What a lab may ask of a cluster, as plain data."""
        return {
            "cni": self.cni if self.default_cni else "none",
            "proxyMode": self.proxy_mode,
            "networkPolicy": self.network_policy,
            "loadBalancer": self.load_balancer,
            "nodeLocalDNS": self.node_local_dns,
        }

    def with_options(self, options: Mapping[str, Any], profiles: Sequence[str] = CNI_PROFILES) -> ClusterConfig:
        """This configuration with those of :meth:`options` that are given.

        ``profiles``: the network profiles that the backend runs. Raises ConfigError for an unknown option or profile.
        """
        names = {
            "cni": "cni",
            "proxyMode": "proxy_mode",
            "networkPolicy": "network_policy",
            "loadBalancer": "load_balancer",
            "nodeLocalDNS": "node_local_dns",
        }
        unknown = sorted(set(options) - set(names))
        if unknown:
            raise ConfigError(f"option {unknown[0]}: is unknown; known: {', '.join(names)}")
        if "cni" in options and options["cni"] not in profiles:
            raise ConfigError(f"option cni: {options['cni']} is not a network profile; use {', '.join(profiles)}")
        if "proxyMode" in options:
            _check_proxy_mode("option proxyMode", options["proxyMode"])
        asked = self.asked | set(options)
        changed = replace(self, **{names[k]: v for k, v in options.items()}, asked=asked)
        if options.get("cni") == "ebpf" and "proxyMode" not in options:
            # The profile serves Services itself; who asks for a kube-proxy gets one, and the profile leaves them to it.
            changed = replace(changed, proxy_mode="none")
        return replace(changed, default_cni=changed.cni != "none") if "cni" in options else changed

    @property
    def services_by_ebpf(self) -> bool:
        """Whether the network profile serves Services, in place of kube-proxy."""
        return self.default_cni and self.cni == "ebpf" and self.proxy_mode == "none"

    @property
    def serves_services(self) -> bool:
        """Whether somebody makes Services' addresses answer."""
        return self.proxy_mode != "none" or self.services_by_ebpf

    @property
    def api_service_ip(self) -> str:
        """The ClusterIP of the Service default/kubernetes: the first of the range."""
        return str(ipaddress.ip_network(self.service_subnet)[1])

    @property
    def dns_service_ip(self) -> str:
        """The ClusterIP of the cluster DNS: the tenth of the range."""
        return str(ipaddress.ip_network(self.service_subnet)[10])

    @property
    def control_plane(self) -> NodeConfig:
        """The (first) control-plane node."""
        return next(n for n in self.nodes if n.role == "control-plane")


def default(name: str = "podwalk") -> ClusterConfig:
    """One control-plane and two workers."""
    return parse({"nodes": [{"role": "control-plane"}, {"role": "worker"}, {"role": "worker"}]}, name=name)


def parse(data: Any, *, name: str | None = None, on_kind: bool = False) -> ClusterConfig:
    """Read a parsed configuration file; ``name`` overrides the one in the file. Raises ConfigError.

    ``on_kind``: kind itself will run it, so that what it alone can do is kept (``more``) instead of refused.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(
            "the configuration is not a YAML mapping; see https://kind.sigs.k8s.io/docs/user/configuration/"
        )
    kind, version = data.get("kind", "Cluster"), data.get("apiVersion", API_VERSION)
    if kind != "Cluster" or version != API_VERSION:
        raise ConfigError(
            f"kind: {kind}, apiVersion: {version} is not served; use kind: Cluster, apiVersion: {API_VERSION}"
        )
    _refuse_unknown("", data, ("kind", "apiVersion", "name", "nodes", "networking"))
    cluster = _name(name or data.get("name") or "podwalk")
    networking = data.get("networking") or {}
    if not isinstance(networking, Mapping):
        raise ConfigError("networking: is not a mapping")
    _refuse_unknown(
        "networking.",
        networking,
        (
            "podSubnet",
            "serviceSubnet",
            "kubeProxyMode",
            "disableDefaultCNI",
            "ipFamily",
            "apiServerAddress",
            "apiServerPort",
        ),
    )
    if networking.get("ipFamily", "ipv4") != "ipv4":
        raise ConfigError(f"networking.ipFamily: {networking['ipFamily']} is not run by the embedded cluster; use ipv4")
    if networking.get("apiServerAddress", "127.0.0.1") != "127.0.0.1":
        raise ConfigError("networking.apiServerAddress: the API server listens on 127.0.0.1 only; remove the field")
    pods = _subnet("networking.podSubnet", networking.get("podSubnet") or "10.244.0.0/16", 23)
    services = _subnet("networking.serviceSubnet", networking.get("serviceSubnet") or "10.96.0.0/16", 27)
    if ipaddress.ip_network(pods).overlaps(ipaddress.ip_network(services)):
        raise ConfigError(f"networking: podSubnet {pods} and serviceSubnet {services} overlap; choose two that do not")
    mode = networking.get("kubeProxyMode") or "iptables"
    _check_proxy_mode("networking.kubeProxyMode", mode)
    return ClusterConfig(
        name=cluster,
        nodes=_nodes(cluster, data.get("nodes"), on_kind),
        pod_subnet=pods,
        service_subnet=services,
        proxy_mode=mode,
        default_cni=not networking.get("disableDefaultCNI", False),
        api_port=_port(networking.get("apiServerPort") or 0),
    )


def _check_proxy_mode(where: str, mode: Any) -> None:
    if mode == "ipvs":
        raise ConfigError(
            f"{where}: ipvs is not run by the embedded cluster, and Kubernetes gives it up (deprecated in 1.35); use "
            "nftables, whose look-ups do not grow with the number of Services either"
        )
    if mode not in PROXY_MODES:
        raise ConfigError(f"{where}: {mode} is not run by the embedded cluster; use {', '.join(PROXY_MODES)}")


def _refuse_unknown(prefix: str, data: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in data:
        if name not in known:
            raise ConfigError(f"{prefix}{name}: is not run by the embedded cluster (known: {', '.join(known)})")


def _name(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.match(name) or len(name) > _MAX_NAME:
        raise ConfigError(
            f"name: {name!r} is not a cluster name; use up to {_MAX_NAME} lower-case letters, digits, '.' and '-'"
        )
    return name


def _port(port: Any) -> int:
    if not isinstance(port, int) or not 0 <= port <= 65535:
        raise ConfigError(f"networking.apiServerPort: {port!r} is not a port")
    return port


def _subnet(where: str, text: Any, longest: int) -> str:
    try:
        network = ipaddress.ip_network(str(text))
    except ValueError as error:
        raise ConfigError(f"{where}: {error}") from None
    if network.version != 4:
        raise ConfigError(f"{where}: {text} is IPv6; the embedded cluster runs IPv4")
    if network.prefixlen > longest:
        raise ConfigError(f"{where}: {text} is too small; use a prefix of /{longest} or shorter")
    if network.overlaps(ipaddress.ip_network("172.18.0.0/16")):
        raise ConfigError(f"{where}: {text} overlaps the nodes' own network 172.18.0.0/16; choose another")
    return str(network)


def _nodes(cluster: str, nodes: Any, on_kind: bool) -> tuple[NodeConfig, ...]:
    entries = nodes if nodes is not None else [{"role": "control-plane"}]
    if not isinstance(entries, list) or not entries:
        raise ConfigError("nodes: is not a list with at least one node")
    if len(entries) > _MAX_NODES:
        raise ConfigError(f"nodes: {len(entries)} nodes are more than the embedded cluster carries ({_MAX_NODES})")
    count: dict[str, int] = {}
    out = []
    for index, entry in enumerate(entries):
        where = f"nodes[{index}]."
        if not isinstance(entry, Mapping):
            raise ConfigError(f"nodes[{index}]: is not a mapping")
        _refuse_unknown(where, entry, ("role", "labels", "image", *_KINDS_ALONE))
        more = {key: entry[key] for key in _KINDS_ALONE if entry.get(key)}
        if more and not on_kind:
            raise ConfigError(f"{where}{next(iter(more))}: is not run by the embedded cluster; remove it")
        role = entry.get("role") or "control-plane"
        if role not in _ROLES:
            raise ConfigError(f"{where}role: {role!r} is neither control-plane nor worker")
        count[role] = count.get(role, 0) + 1
        suffix = role if count[role] == 1 else f"{role}{count[role]}"
        labels = {str(k): str(v) for k, v in (entry.get("labels") or {}).items()}
        out.append(NodeConfig(f"{cluster}-{suffix}", role, labels, more))
    if count.get("control-plane", 0) != 1:
        raise ConfigError("nodes: the embedded cluster runs exactly one control-plane node")
    return tuple(out)
