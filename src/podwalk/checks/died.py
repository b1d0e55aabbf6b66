"""Where a failed request ended, as far as the API tells it without a capture; silent where it does not."""

from __future__ import annotations

from podwalk.checks.http import REFUSED, TIMEOUT, Answer
from podwalk.checks.names import Resolver, host_of, leads_to
from podwalk.checks.state import State, at_path


def where(state: State, namespace: str, pod: str, url: str, answer: Answer) -> str:
    """One phrase, or an empty string. It names the place, never the cause.

    kube-proxy rejects a Service without endpoints in the client's own node (pkg/proxy/iptables: the REJECT rules of the
    filter table); with endpoints, a refusal is the reset of the kernel in the network namespace of the chosen Pod.
    """
    if answer.unresolved:
        return f"in the lookup of {host_of(url)}: without an address there was nothing to connect to"
    if answer.exit not in (REFUSED, TIMEOUT):
        return ""
    service = _service(state, namespace, url)
    if service is None:
        return ""
    if not state.endpoints(service):
        # The kernel limits how often it says "unreachable", so a client that hurries sees some timeouts among refusals.
        return f"on the client's own node{_node(state, namespace, pod)}: the packet never left it"
    if answer.exit == REFUSED:
        return "in a Pod: the SYN was delivered, and the Pod's kernel sent a reset"
    lost = state.endpoints(service) - _pod_addresses(state, service)
    return f"on the way to {', '.join(sorted(lost))}: no Pod of the namespace has that address" if lost else ""


def _service(state: State, namespace: str, url: str) -> str | None:
    suffix = "svc.cluster.local"
    resolver = Resolver(search=(f"{namespace}.{suffix}", suffix, "cluster.local"), ndots=5)
    kind, _, ref = leads_to(host_of(url), resolver, state).partition(" ")
    return ref if kind == "service" else None


def _node(state: State, namespace: str, pod: str) -> str:
    found = state.find("Pod", f"{namespace}/{pod}") if "/" not in pod else None
    name = at_path(found or {}, "spec.nodeName")
    return f" {name}" if name else ""


def _pod_addresses(state: State, service: str) -> set[str]:
    namespace = service.split("/")[0]
    return {str(at_path(p, "status.podIP")) for p in state.objects("Pod", namespace)}
