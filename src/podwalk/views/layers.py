"""The four layers of Kubernetes networking as a map of this cluster: who does the work, and what there is of it now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.client.sync import SyncClient
from podwalk.views.drawing import COLOURS, FAINT, INK, Drawing, blank, shorten, write

_WIDTH, _EDGE, _BAND, _GAP, _TITLE, _FOOT = 10.0, 0.2, 0.98, 0.12, 0.62, 0.1
_NAME, _HERE, _TOOLS = 0.35, 3.15, 6.95


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the question that it answers, what this cluster has of it, and what shows it."""

    number: int
    name: str
    question: str
    here: tuple[str, ...]
    tools: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class LayerMap(Drawing):
    """The layers, the lowest first."""

    cluster: str
    layers: tuple[Layer, ...]

    def alt(self) -> str:
        """The map in words."""
        rows = []
        for layer in self.layers:
            question, here, tools = " ".join(layer.question.split()), "; ".join(layer.here), ", ".join(layer.tools)
            rows.append(f"{layer.number}. {layer.name}: {question} Here: {here}. Look with: {tools}.")
        return f"Cluster {self.cluster}. {' '.join(rows)}"

    def figure(self) -> Figure:
        """One band a layer, the lowest at the bottom."""
        height = _TITLE + (_BAND + _GAP) * len(self.layers) + _FOOT
        figure, axes = blank(_WIDTH, height)
        title = f"Four layers, as cluster {shorten(self.cluster, 30)} has them now"
        write(axes, _EDGE, height - 0.25, title, ha="left", fontsize=12, weight="bold")
        heads = ((_NAME, "the question"), (_HERE, "here"), (_TOOLS, "look with"))
        for x, words in heads:
            write(axes, x, height - 0.5, words, ha="left", color=FAINT)
        for index, layer in enumerate(self.layers):
            bottom = _FOOT + (_BAND + _GAP) * index
            axes.add_patch(
                FancyBboxPatch(
                    (_EDGE, bottom), _WIDTH - 2 * _EDGE, _BAND, boxstyle="round,pad=0,rounding_size=0.06",
                    facecolor="#ffffff", edgecolor=COLOURS[index], linewidth=1.6,
                )
            )  # fmt: skip
            name = f"{layer.number}  {layer.name}"
            write(axes, _NAME, bottom + _BAND - 0.25, name, ha="left", fontsize=10.5, weight="bold", color=INK)
            for row, words in enumerate(layer.question.split("\n")):
                write(axes, _NAME, bottom + _BAND - 0.53 - 0.2 * row, words, ha="left", fontsize=8.6, color=FAINT)
            for row, words in enumerate(layer.here):
                write(axes, _HERE, bottom + _BAND - 0.25 - 0.24 * row, shorten(words, 52), ha="left")
            for row, words in enumerate(layer.tools):
                style = {"family": "monospace", "fontsize": 7.6}
                write(axes, _TOOLS, bottom + _BAND - 0.25 - 0.24 * row, shorten(words, 40), ha="left", **style)
        return figure


def read_layers(cluster: Cluster) -> LayerMap:
    """Ask the API what there is on each layer. Raises BackendError."""
    options = dict(cluster.status().details.get("options") or {})
    try:
        with cluster.client() as client:
            layers = (_pods(client, options), _services(client, options), _http(client), _rules(client, options))
    except (ApiError, OSError) as error:
        raise BackendError(f"cluster {cluster.name}: {error}; look: podwalk status") from error
    return LayerMap(cluster.name, layers)


def _pods(client: SyncClient, options: dict[str, object]) -> Layer:
    nodes, pods = client.list("Node"), client.list("Pod")
    own = [p for p in pods if not p["spec"].get("hostNetwork")]
    ranges = sorted(r for n in nodes if (r := n["spec"].get("podCIDR")))
    here = (
        f"network plugin: {options.get('cni', 'kindnet')}",
        f"Pods with an address of their own: {len(own)}; on their node's: {len(pods) - len(own)}",
        f"{_count(len(nodes), 'node')}: {', '.join(ranges)}",
    )
    tools = ("ip addr, ip route, bridge fdb", "tcpdump", "podwalk trace POD ping://ADDRESS")
    return Layer(1, "Pod network", "How does a packet get from\none Pod to another?", here, tools)


def _proxy(options: dict[str, object]) -> str:
    mode = options.get("proxyMode", "iptables")
    if mode == "none":
        return "no kube-proxy" + (": BPF programs on every node" if options.get("cni") == "ebpf" else "")
    return f"kube-proxy in {mode} mode on every node"


def _services(client: SyncClient, options: dict[str, object]) -> Layer:
    services, slices = client.list("Service"), client.list("EndpointSlice")
    ready = sum(len(e.get("addresses", ())) for s in slices for e in s.get("endpoints") or () if _is_ready(e))
    named = [meta.key(s) for s in services][:3]
    here = (
        _proxy(options),
        f"{_count(len(services), 'Service')}, {_count(ready, 'ready endpoint')} behind them",
        ", ".join(named),
    )
    tools = ("kubectl get service,endpointslice", "iptables-save or nft list ruleset", "conntrack -L")
    return Layer(2, "Services and names", "Which Pod is meant, where only\na name is known?", here, tools)


def _http(client: SyncClient) -> Layer:
    ingresses, classes = client.list("Ingress"), client.list("IngressClass")
    routes = _maybe(lambda: client.list("HTTPRoute"))
    here = (
        f"{_count(len(ingresses), 'Ingress', 'Ingresses')}, {_count(len(classes), 'IngressClass', 'IngressClasses')}",
        f"{_count(len(routes), 'HTTPRoute')}" if routes is not None else "Gateway API: not installed",
        "a program that reads requests, in a Pod" if classes or routes else "nobody reads requests yet",
    )
    return Layer(3, "HTTP from outside", "Which Service is meant by this\nhost, this path, this certificate?", here,
                 ("kubectl get ingress,ingressclass", "curl -v -H 'Host: …'", "the controller's log"))  # fmt: skip


def _rules(client: SyncClient, options: dict[str, object]) -> Layer:
    policies = client.list("NetworkPolicy")
    here = (
        f"{_count(len(policies), 'NetworkPolicy', 'NetworkPolicies')}"
        + ("" if policies else ": everybody may reach everybody"),
        "enforced on every node" if options.get("networkPolicy", True) else "enforced by nobody",
        "the way out is masqueraded as the node",
    )
    tools = ("podwalk policy matrix", "podwalk policy explain", "nft list table inet podwalk-policy")
    return Layer(
        4, "Who may, and the way out", "May this packet pass, and whose\naddress does it bear outside?", here, tools
    )


def _maybe(ask: Callable[[], list[Object]]) -> list[Object] | None:
    """What a kind lists, or None where the cluster does not serve it."""
    try:
        return ask()
    except (ApiError, KeyError, ValueError):
        return None


def _is_ready(endpoint: Object) -> bool:
    return bool((endpoint.get("conditions") or {}).get("ready", True))


def _count(number: int, one: str, more: str = "") -> str:
    return f"{number} {one if number == 1 else more or f'{one}s'}"
