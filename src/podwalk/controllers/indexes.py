"""The indices of the informers that loops share: by owner, by label, by node. Pure functions and their names.

Without them every change of one Pod would cost a walk over all of its namespace, and a thousand of them a minute.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer

_OWNER, _ORPHAN, _LABEL, _NODE, _SELECTOR = "owner", "orphan", "label", "node", "selector"


def _by_owner(obj: Object) -> Iterable[str]:
    ref = meta.controller_of(obj)
    return () if ref is None else (str(ref.get("uid")),)


def _orphans(obj: Object) -> Iterable[str]:
    return (meta.namespace(obj),) if meta.controller_of(obj) is None else ()


def _by_label(obj: Object) -> Iterable[str]:
    return [_pair(meta.namespace(obj), k, v) for k, v in meta.labels(obj).items()]


def _by_node(obj: Object) -> Iterable[str]:
    node = obj["spec"].get("nodeName")
    return (str(node),) if node else ()


def _by_selector(obj: Object) -> Iterable[str]:
    selector = obj["spec"].get("selector")
    if not selector:
        return ()
    key = min(selector)
    return (_pair(meta.namespace(obj), key, selector[key]),)


def _pair(namespace: str, key: str, value: str) -> str:
    return f"{namespace}/{key}={value}"


def index_owners(informer: Informer) -> None:
    """Let :func:`owned_by` and :func:`orphans` be asked."""
    informer.add_index(_OWNER, _by_owner)
    informer.add_index(_ORPHAN, _orphans)


def owned_by(informer: Informer, owner: Object | str) -> list[Object]:
    """The objects whose controller is ``owner`` (an object or its UID)."""
    return informer.indexed(_OWNER, owner if isinstance(owner, str) else meta.uid(owner))


def orphans(informer: Informer, namespace: str) -> list[Object]:
    """The objects of a namespace that have no controller."""
    return informer.indexed(_ORPHAN, namespace)


def index_labels(informer: Informer) -> None:
    """Let :func:`with_labels` be asked."""
    informer.add_index(_LABEL, _by_label)


def with_labels(informer: Informer, namespace: str, wanted: Mapping[str, str]) -> list[Object]:
    """The objects of a namespace that carry all these labels (every object where none is wanted)."""
    if not wanted:
        return list(informer.in_namespace(namespace))
    pairs = [_pair(namespace, k, v) for k, v in wanted.items()]
    rarest = min(pairs, key=lambda pair: informer.count(_LABEL, pair))
    found = informer.indexed(_LABEL, rarest)
    return [o for o in found if all(meta.labels(o).get(k) == v for k, v in wanted.items())]


def index_nodes(informer: Informer) -> None:
    """Let :func:`on_node` be asked."""
    informer.add_index(_NODE, _by_node)


def on_node(informer: Informer, node: str) -> list[Object]:
    """The Pods bound to a node."""
    return informer.indexed(_NODE, node)


def index_selectors(informer: Informer) -> None:
    """Let :func:`selecting` be asked of Services or ReplicationControllers."""
    informer.add_index(_SELECTOR, _by_selector)


def selecting(informer: Informer, obj: Object) -> list[Object]:
    """The objects whose ``spec.selector`` (a plain map) selects ``obj``."""
    namespace, labels = meta.namespace(obj), meta.labels(obj)
    out = []
    for key, value in labels.items():
        for one in informer.indexed(_SELECTOR, _pair(namespace, key, value)):
            if all(labels.get(k) == v for k, v in one["spec"]["selector"].items()):
                out.append(one)
    return out
