"""The loops on the real API server, over HTTPS, in one process."""

from __future__ import annotations

import asyncio
import copy
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from objects import deployment, node, service

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.api.resources import Resource
from podwalk.apiserver import server
from podwalk.client.informer import InformerFactory
from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import pki
from podwalk.controllers import manager


class Watched:
    """A client with a view of the cluster that tests can wait on."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.factory = InformerFactory(client)
        self._changed = asyncio.Event()
        for kind in ("Pod", "Node", "Deployment", "ReplicaSet", "EndpointSlice", "Endpoints", "Namespace", "Event"):
            self.factory.informer(kind).on_change(lambda old, new: self._changed.set())

    def touch(self) -> None:
        """Something that a test waits for has changed."""
        self._changed.set()

    def all(self, kind: str, namespace: str = "default") -> list[Object]:
        found = self.factory.informer(kind).all()
        return [o for o in found if meta.namespace(o) in ("", namespace)]

    async def until(self, what: Callable[[], Any], timeout: float = 10) -> Any:
        async with asyncio.timeout(timeout):
            while not (found := what()):
                self._changed.clear()
                await self._changed.wait()
            return found


@pytest.fixture
async def cluster(caplog: pytest.LogCaptureFixture) -> AsyncIterator[Watched]:
    made = pki.make(["localhost"], ["127.0.0.1"])
    listening = socket.create_server(("127.0.0.1", 0))
    config = server.ApiServerConfig(
        tls_cert=made.server_cert,
        tls_key=made.server_key,
        tokens={"token": server.UserInfo("admin", ("system:masters", "system:authenticated"))},
        kubelet_token="kubelet",
        ca_cert=made.ca_cert,
        service_account_key=made.service_account_key,
        sockets=[listening],
    )
    url = f"https://127.0.0.1:{listening.getsockname()[1]}"
    serving, ready = asyncio.Event(), asyncio.Event()
    async with Client(ClientConfig(url, "token", made.ca_cert, "test")) as client:
        tasks = [asyncio.create_task(server.serve(config, on_ready=serving.set))]
        await serving.wait()
        settings = manager.ManagerConfig(ca_cert=made.ca_cert.decode())
        tasks.append(asyncio.create_task(manager.run(client, config=settings, on_ready=ready.set)))
        async with asyncio.timeout(10):
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        watched = Watched(client)
        await watched.factory.start()
        yield watched
        await watched.factory.stop()
        for task in reversed(tasks):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []


async def _kubelet(cluster: Watched) -> None:
    """Confirm deletions and report every bound Pod ready, for ever."""
    count = 0
    done: set[str] = set()
    while True:
        for pod in cluster.all("Pod"):
            name, state = meta.name(pod), f"{meta.name(pod)} {meta.is_deleting(pod)}"
            if not pod["spec"].get("nodeName") or state in done:
                continue
            done.add(state)
            if meta.is_deleting(pod):
                await cluster.client.delete("Pod", name, "default", grace_period=0)
                continue
            count += 1
            conditions = copy.deepcopy(pod["status"].get("conditions") or [])
            meta.set_condition(conditions, "Ready", "True")
            ip = f"10.244.0.{count}"
            status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
            await cluster.client.patch("Pod", name, {"status": status}, "default", subresource="status")
        seen = {meta.key(p): meta.resource_version(p) for p in cluster.all("Pod")}
        await cluster.until(
            lambda seen=seen: seen != {meta.key(p): meta.resource_version(p) for p in cluster.all("Pod")}, 60
        )


async def test_a_deployment_from_manifest_to_endpoints_and_away(cluster: Watched) -> None:
    for name in ("a", "b"):
        await cluster.client.create(node(name))
    await cluster.until(lambda: [n for n in cluster.all("Node") if n["spec"].get("podCIDR")])
    kubelet = asyncio.create_task(_kubelet(cluster))
    web = service()
    web["metadata"] = {"name": "web", "namespace": "default"}
    web["spec"] = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    await cluster.client.create(web)
    await cluster.client.create(deployment())

    def ready() -> list[str]:
        found = [s for s in cluster.all("EndpointSlice") if meta.name(s).startswith("web-")]
        return [a for s in found for e in s["endpoints"] or () if e["conditions"]["ready"] for a in e["addresses"]]

    def progress() -> str:
        found = meta.condition(cluster.all("Deployment")[0], "Progressing") if cluster.all("Deployment") else None
        return str((found or {}).get("reason"))

    await cluster.until(lambda: len(ready()) == 3 and progress() == "NewReplicaSetAvailable")
    await cluster.until(lambda: [e for e in cluster.all("Endpoints") if len(_addresses(e)) == 3])
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "nginx:2"}]}}}}
    await cluster.client.patch("Deployment", "web", image, "default", type="strategic")
    await cluster.until(
        lambda: (
            len(cluster.all("Pod")) == 3
            and {p["spec"]["containers"][0]["image"] for p in cluster.all("Pod")} == {"nginx:2"}
        )
    )
    await cluster.until(lambda: sorted(ready()) == sorted(p["status"].get("podIP") for p in cluster.all("Pod")))
    await cluster.until(lambda: cluster.all("Deployment")[0]["status"].get("replicas") == 3)
    await cluster.client.delete("Deployment", "web", "default", propagation="Foreground")
    await cluster.until(lambda: not cluster.all("Deployment") and not cluster.all("Pod"))
    await cluster.client.delete("Service", "web", "default")
    await cluster.until(lambda: [meta.name(s) for s in cluster.all("EndpointSlice")] == ["kubernetes"])
    kubelet.cancel()
    await asyncio.gather(kubelet, return_exceptions=True)


def _addresses(endpoints: Object) -> list[Object]:
    return [a for s in endpoints.get("subsets") or () for a in s.get("addresses") or ()]


async def test_a_namespace_goes_with_what_is_in_it(cluster: Watched) -> None:
    await cluster.client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    web = deployment(replicas=2)
    web["metadata"]["namespace"] = "shop"
    await cluster.client.create(web)
    await cluster.until(lambda: len(cluster.all("Pod", "shop")) == 2)
    await cluster.client.delete("Namespace", "shop")
    await cluster.until(lambda: "shop" not in {meta.name(n) for n in cluster.all("Namespace")})
    assert cluster.all("Deployment", "shop") == []


def _definition() -> Object:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Boat", "plural": "boats", "singular": "boat"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


async def test_custom_objects_go_with_their_owners_and_their_namespace(cluster: Watched) -> None:
    client, boats = cluster.client, Resource("example.com", "v1", "Boat", "boats", "boat")

    async def boat(namespace: str, name: str, **metadata: Any) -> Object:
        body = {"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": name, **metadata}}
        return await client.request("POST", boats.path(namespace), body=body)

    await client.create(_definition())
    definitions = cluster.factory.informer("CustomResourceDefinition")
    definitions.on_change(lambda old, new: cluster.touch())
    await cluster.until(lambda: any(meta.condition_is_true(d, "Established") for d in definitions.all()))
    afloat = cluster.factory.informer(boats)
    afloat.on_change(lambda old, new: cluster.touch())
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "harbour", "namespace": "default"}}
    harbour = {"apiVersion": "v1", "kind": "ConfigMap", **await client.create(config)}
    mother = await boat("default", "mother", ownerReferences=[meta.owner_reference(harbour)])
    await boat("default", "tender", ownerReferences=[meta.owner_reference(mother)])
    await boat("default", "free")
    await client.delete("ConfigMap", "harbour", "default")

    await cluster.until(lambda: {meta.key(o) for o in afloat.all()} == {"default/free"})
    await client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "port"}})
    await boat("port", "moored")
    await client.delete("Namespace", "port")
    await cluster.until(lambda: "port" not in {meta.name(n) for n in cluster.all("Namespace")})
    await cluster.until(lambda: {meta.key(o) for o in afloat.all()} == {"default/free"})
    await client.delete("CustomResourceDefinition", "boats.example.com")
    await cluster.until(lambda: not any(meta.name(d) == "boats.example.com" for d in definitions.all()))
