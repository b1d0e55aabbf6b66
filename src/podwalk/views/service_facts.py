"""What a Service is on one node at one moment: its list of addresses, and the rules that kube-proxy made of it.

The rules are read from the node's kernel (iptables-save), not computed from the objects: where the two differ, the
difference is what a learner should see.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks.state import split_ref

_SECONDS = 20.0
_SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True, slots=True)
class Rule:
    """One leg of a KUBE-SVC chain. ``probability`` is that of the rule, ``share`` what it takes of all calls."""

    chain: str
    target: str
    probability: float
    share: float


@dataclass(frozen=True, slots=True)
class Backend:
    """One endpoint of the Service's EndpointSlices. ``target`` is ``address:port``."""

    target: str
    pod: str
    node: str
    ready: bool


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """All that a drawing needs. ``chain`` is empty where no rule leads to one; ``refused`` is the REJECT's comment."""

    service: str
    address: str
    selector: str
    client: str
    client_address: str
    client_node: str
    chain: str = ""
    refused: str = ""
    rules: tuple[Rule, ...] = ()
    backends: tuple[Backend, ...] = ()


def read_service(cluster: Cluster, service: str, client: str) -> ServiceFacts:
    """The facts of a Service (``namespace/name``) as the node of the client's Pod has them. Raises BackendError."""
    namespace, name = split_ref(service)
    pod_namespace, pod_name = split_ref(client)
    with cluster.client() as api:
        pod = api.get("Pod", pod_name, pod_namespace)
        svc = api.get("Service", name, namespace)
        slices = api.list("EndpointSlice", namespace, label_selector=f"{_SERVICE_LABEL}={name}")
    node = str(pod["spec"].get("nodeName") or "")
    port = svc["spec"]["ports"][0]
    cluster_ip, number, protocol = svc["spec"]["clusterIP"], port["port"], port.get("protocol", "TCP").lower()
    nat = _rules(cluster, node, "nat")
    chain, rules = service_rules(nat, cluster_ip, number, protocol)
    refused = "" if chain else refusal(_rules(cluster, node, "filter"), cluster_ip, number, protocol)
    selector = ", ".join(f"{k}={v}" for k, v in sorted((svc["spec"].get("selector") or {}).items()))
    address = f"{cluster_ip}:{number}"
    where = str((pod.get("status") or {}).get("podIP", ""))
    found = _backends(slices, str(port.get("name") or ""))
    return ServiceFacts(service, address, selector, client, where, node, chain, refused, rules, found)


def service_rules(saved: Iterable[str], ip: str, port: int, protocol: str) -> tuple[str, tuple[Rule, ...]]:
    """The KUBE-SVC chain of a ClusterIP in the lines of ``iptables-save -t nat``, and its legs in their order."""
    parsed = [_options(line) for line in saved if line.startswith("-A ")]
    chain = next((_target(o) for o in parsed if _enters(o, ip, port, protocol) and "-j" in o), "")
    if not chain.startswith("KUBE-SVC-"):
        return "", ()
    rewrites = {o["-A"]: o["--to-destination"] for o in parsed if "--to-destination" in o}
    rules, left = [], 1.0
    for options in parsed:
        if options["-A"] != chain or not _target(options).startswith("KUBE-SEP-") or "--rcheck" in options:
            continue
        probability = float(options.get("--probability", 1.0))
        sep = _target(options)
        rules.append(Rule(sep, rewrites.get(sep, ""), probability, left * probability))
        left *= 1 - probability
    return chain, tuple(rules)


def refusal(saved: Iterable[str], ip: str, port: int, protocol: str) -> str:
    """The comment of the REJECT that meets a ClusterIP, in the lines of ``iptables-save -t filter``; or nothing."""
    for line in saved:
        options = _options(line) if line.startswith("-A ") else {}
        if _enters(options, ip, port, protocol) and _target(options) == "REJECT":
            return options.get("--comment", "REJECT")
    return ""


def _enters(options: dict[str, str], ip: str, port: int, protocol: str) -> bool:
    return (
        options.get("-A") == "KUBE-SERVICES"
        and options.get("-d") == f"{ip}/32"
        and options.get("-p") == protocol
        and options.get("--dport") == str(port)
    )


def _options(line: str) -> dict[str, str]:
    words, found = shlex.split(line), {}
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if re.match(r"--?[A-Za-z]", word):
            found[word] = following
    return found


def _target(options: dict[str, str]) -> str:
    return options.get("-j", "")


def _rules(cluster: Cluster, node: str, table: str) -> list[str]:
    done = cluster.node(node, ["iptables-save", "-t", table], timeout=_SECONDS)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BackendError(f"node/{node}: its rules cannot be read ({said[0]}); see: podwalk status")
    return done.stdout.splitlines()


def _backends(slices: list[Object], port_name: str) -> tuple[Backend, ...]:
    found = {}
    for each in slices:
        ports = [p.get("port") for p in each.get("ports") or () if (p.get("name") or "") == port_name]
        for endpoint in each.get("endpoints") or ():
            pod = (endpoint.get("targetRef") or {}).get("name", "")
            # An absent condition means ready: that is how the field is defined.
            ready = (endpoint.get("conditions") or {}).get("ready") is not False
            for address in endpoint["addresses"]:
                target = f"{address}:{ports[0]}" if ports else address
                found[target] = Backend(target, pod, endpoint.get("nodeName", ""), ready)
    return tuple(found[t] for t in sorted(found, key=_numeric))


def _numeric(target: str) -> list[int]:
    return [int(n) for n in re.findall(r"\d+", target)]
