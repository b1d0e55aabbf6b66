"""A Pod's names: hostname, /etc/hosts and /etc/resolv.conf.

Stands in for pkg/kubelet/kubelet_pods.go (``managedHostsFileContent``, ``GeneratePodHostNameAndDomain``) and
pkg/kubelet/network/dns/dns.go. Pure. It differs in one thing: the node's own resolv.conf is handed in parsed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from podwalk.api import meta
from podwalk.api.meta import Object

_MAX_NAMESERVERS = 3
_MAX_SEARCHES = 32
_MAX_SEARCH_CHARACTERS = 2048
_HOSTS_HEADER = "# Kubernetes-managed hosts file.\n"
_HOSTS_HEADER_HOST_NETWORK = "# Kubernetes-managed hosts file (host network).\n"


@dataclass(slots=True)
class ResolvConf:
    """The parts of a resolv.conf; ``options`` as written ("ndots:5")."""

    nameservers: list[str] = field(default_factory=list)
    searches: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)

    def render(self) -> bytes:
        """The file, in the order in which containerd writes it."""
        lines = []
        if self.searches:
            lines.append("search " + " ".join(self.searches))
        lines += [f"nameserver {server}" for server in self.nameservers]
        if self.options:
            lines.append("options " + " ".join(self.options))
        return "".join(line + "\n" for line in lines).encode()


def parse(text: str) -> ResolvConf:
    """Read a resolv.conf; the last ``search`` wins, comments and unknown lines are skipped."""
    out = ResolvConf()
    for line in text.splitlines():
        words = line.split()
        if not words or words[0].startswith(("#", ";")):
            continue
        match words[0]:
            case "nameserver" if len(words) > 1:
                out.nameservers.append(words[1])
            case "search":
                out.searches = [word.rstrip(".") or "." for word in words[1:]]
            case "options":
                out.options = words[1:]
    return out


def _merge_options(base: list[str], extra: list[Object]) -> list[str]:
    merged: dict[str, str] = {}
    for option in base:
        merged[option.partition(":")[0]] = option
    for entry in extra:
        name, value = str(entry.get("name", "")), entry.get("value")
        merged[name] = f"{name}:{value}" if value not in (None, "") else name
    return list(merged.values())


def _limit_searches(searches: list[str]) -> list[str]:
    kept = searches[:_MAX_SEARCHES]
    while len(" ".join(kept)) > _MAX_SEARCH_CHARACTERS:
        kept.pop()
    return kept


def resolv_conf(pod: Object, *, cluster_dns: str, cluster_domain: str, node: ResolvConf) -> ResolvConf:
    """The resolver configuration that ``spec.dnsPolicy`` and ``spec.dnsConfig`` ask for."""
    spec = pod["spec"]
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "ClusterFirst" and spec.get("hostNetwork"):
        policy = "Default"
    if policy == "None":
        out = ResolvConf()
    elif policy == "Default":
        out = ResolvConf(list(node.nameservers), list(node.searches), list(node.options))
    else:
        searches = [f"{meta.namespace(pod)}.svc.{cluster_domain}", f"svc.{cluster_domain}", cluster_domain]
        searches += [s for s in node.searches if s not in searches]
        out = ResolvConf([cluster_dns], searches, ["ndots:5"])
    config = spec.get("dnsConfig") or {}
    out.nameservers = list(dict.fromkeys([*out.nameservers, *(config.get("nameservers") or ())]))[:_MAX_NAMESERVERS]
    out.searches = _limit_searches(list(dict.fromkeys([*out.searches, *(config.get("searches") or ())])))
    out.options = _merge_options(out.options, config.get("options") or [])
    return out


def hostname(pod: Object) -> str:
    """The Pod's hostname: spec.hostname or its name, cut to 63 characters."""
    spec = pod["spec"]
    if spec.get("hostnameOverride"):
        return str(spec["hostnameOverride"])[:64]
    name = str(spec.get("hostname") or meta.name(pod))
    return name[:63].rstrip("-.")


def domain(pod: Object, cluster_domain: str) -> str:
    """The Pod's domain: ``subdomain.namespace.svc.cluster.local``, or empty."""
    subdomain = pod["spec"].get("subdomain")
    return f"{subdomain}.{meta.namespace(pod)}.svc.{cluster_domain}" if subdomain else ""


def kernel_hostname(pod: Object, cluster_domain: str) -> str:
    """What ``hostname`` prints inside: the short name, or the FQDN with ``setHostnameAsFQDN``."""
    name, zone = hostname(pod), domain(pod, cluster_domain)
    if pod["spec"].get("setHostnameAsFQDN") and zone:
        return f"{name}.{zone}"[:64]
    return name


def _aliases(pod: Object) -> str:
    aliases = pod["spec"].get("hostAliases") or []
    if not aliases:
        return ""
    lines = ["", "# Entries added by HostAliases."]
    lines += ["\t".join([str(alias["ip"]), *(alias.get("hostnames") or ())]) for alias in aliases]
    return "\n".join(lines) + "\n"


def hosts(pod: Object, pod_ips: list[str], cluster_domain: str) -> bytes:
    """The /etc/hosts of a Pod that has its own network."""
    name, zone = hostname(pod), domain(pod, cluster_domain)
    text = _HOSTS_HEADER + (
        "127.0.0.1\tlocalhost\n"
        "::1\tlocalhost ip6-localhost ip6-loopback\n"
        "fe00::0\tip6-localnet\n"
        "fe00::0\tip6-mcastprefix\n"
        "fe00::1\tip6-allnodes\n"
        "fe00::2\tip6-allrouters\n"
    )
    for ip in pod_ips:
        text += f"{ip}\t{name}.{zone}\t{name}\n" if zone else f"{ip}\t{name}\n"
    return (text + _aliases(pod)).encode()


def hosts_of_host_network(pod: Object, node_hosts: bytes) -> bytes:
    """The /etc/hosts of a Pod on the node's network: the node's file and the aliases."""
    return _HOSTS_HEADER_HOST_NETWORK.encode() + node_hosts + _aliases(pod).encode()
