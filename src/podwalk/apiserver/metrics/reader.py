"""NodeMetrics and PodMetrics, as metrics-server makes them of the kubelets' Summary API.

Upstream: github.com/kubernetes-sigs/metrics-server (pkg/api, pkg/scraper), k8s.io/metrics/pkg/apis/metrics/v1beta1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from podwalk.api import meta, resources
from podwalk.api.errors import ApiError, method_not_allowed, not_found
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver.http import negotiate
from podwalk.apiserver.http.proxying import kubelet_of
from podwalk.apiserver.http.routes import Target
from podwalk.apiserver.metrics import NODES, PODS
from podwalk.apiserver.options import list_options
from podwalk.apiserver.registry.core import Registry
from podwalk.client.dialing import connector

_GROUP_VERSION = NODES.api_version
_TIMEOUT = aiohttp.ClientTimeout(total=5.0)
_WINDOW = "10s"
_NODE, _POD = resources.by_kind("Node"), resources.by_kind("Pod")


def usage(found: Object) -> Object:
    """A ResourceList of what a Summary says about a container or a node."""
    cpu = int((found.get("cpu") or {}).get("usageNanoCores") or 0)
    memory = int((found.get("memory") or {}).get("workingSetBytes") or 0)
    return {"cpu": f"{cpu}n" if cpu else "0", "memory": f"{memory // 1024}Ki" if memory else "0"}


class Metrics:
    """Answers metrics.k8s.io."""

    def __init__(self, registry: Registry, kubelet_token: str) -> None:
        self._registry = registry
        self._token = kubelet_token

    async def serve(self, request: web.Request, target: Target) -> web.Response:
        """GET of a collection or of an object. Raises ApiError."""
        if request.method not in ("GET", "HEAD"):
            raise method_not_allowed()
        form = negotiate.parse_accept(request.headers.get("Accept"))
        found = await (self._nodes() if target.resource is NODES else self._pods(target.namespace, target.name))
        if target.name:
            item = next((i for i in found if meta.name(i) == target.name), None)
            if item is None:
                kind = target.resource.kind.lower()
                shown = f"{target.namespace}/{target.name}" if target.namespace else target.name
                raise not_found(kind, shown, target.resource.group)
            found = [item]
        else:
            options = list_options(target.resource, request.query)
            found = [item for item in found if options.matches(item)]
        document = _document(target.resource, found, form.shape, single=bool(target.name))
        return negotiate.answer(orjson.dumps(document), form)

    async def _nodes(self) -> list[Object]:
        names = [meta.name(stored.obj) for _, stored in self._registry.store.scan(_NODE)]
        out = []
        for summary in await self._summaries(names):
            node = summary.get("node") or {}
            stored = self._registry.store.get(_NODE, "", str(node.get("nodeName")))
            if stored is not None:
                out.append({**_head(NODES, stored.obj, node), "usage": usage(node)})
        return out

    async def _pods(self, namespace: str, name: str) -> list[Object]:
        wanted = {
            meta.uid(stored.obj): stored.obj
            for (_, pod_name), stored in self._registry.store.scan(_POD, namespace)
            if not name or pod_name == name
        }
        nodes = sorted({str(pod["spec"].get("nodeName") or "") for pod in wanted.values()} - {""})
        out = []
        for summary in await self._summaries(nodes):
            for found in summary.get("pods") or ():
                pod = wanted.get(str((found.get("podRef") or {}).get("uid")))
                if pod is None or not found.get("containers"):
                    continue
                containers = [{"name": c["name"], "usage": usage(c)} for c in found["containers"]]
                out.append({**_head(PODS, pod, found), "containers": containers})
        return sorted(out, key=lambda item: (meta.namespace(item), meta.name(item)))

    async def _summaries(self, nodes: list[str]) -> list[Object]:
        """What the kubelets say; a node that does not answer in time has no metrics."""
        async with aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector()) as session:
            found = await asyncio.gather(*(self._summary(session, node) for node in nodes))
        return [summary for summary in found if summary is not None]

    async def _summary(self, session: aiohttp.ClientSession, node: str) -> Object | None:
        try:
            kubelet = kubelet_of(self._registry, node, self._token)
            async with session.get(kubelet.url("/stats/summary", []), headers=kubelet.headers) as response:
                if response.status != 200:
                    return None
                summary = orjson.loads(await response.read())
        except (ApiError, aiohttp.ClientError, OSError, TimeoutError, orjson.JSONDecodeError):
            return None
        return summary if isinstance(summary, dict) else None


def _head(resource: Resource, obj: Object, found: Object) -> Object:
    metadata: Object = {"name": meta.name(obj), "creationTimestamp": meta.now()}
    if resource.namespaced:
        metadata["namespace"] = meta.namespace(obj)
    if meta.labels(obj):
        metadata["labels"] = meta.labels(obj)
    moment = (found.get("cpu") or {}).get("time") or meta.now()
    head: Object = {"kind": resource.kind, "apiVersion": _GROUP_VERSION, "metadata": metadata}
    return {**head, "timestamp": moment, "window": _WINDOW}


def _document(resource: Resource, found: list[Object], shape: str, *, single: bool) -> Object:
    if shape == "table":
        return _table(resource, found)
    if single:
        return found[0]
    return {"kind": f"{resource.kind}List", "apiVersion": _GROUP_VERSION, "metadata": {}, "items": found}


def _table(resource: Resource, found: list[Object]) -> Object:
    def column(name: str, kind: str = "string") -> Object:
        return {"name": name, "type": kind, "format": "name" if name == "Name" else "", "description": "",
                "priority": 0}  # fmt: skip

    total: Callable[[Object], list[Any]] = _pod_cells if resource is PODS else _node_cells
    rows = [
        {
            "cells": total(item),
            "object": {
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": item["metadata"],
            },
        }
        for item in found
    ]
    columns = [column("Name"), column("cpu"), column("memory"), column("Window")]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": columns,
        "rows": rows,
    }


def _node_cells(item: Object) -> list[Any]:
    return [meta.name(item), item["usage"]["cpu"], item["usage"]["memory"], item["window"]]


def _pod_cells(item: Object) -> list[Any]:
    usages = [container["usage"] for container in item["containers"]]
    cpu = sum(int(u["cpu"].rstrip("n")) for u in usages)
    memory = sum(int(u["memory"].removesuffix("Ki")) for u in usages)
    return [meta.name(item), f"{cpu}n" if cpu else "0", f"{memory}Ki" if memory else "0", item["window"]]
