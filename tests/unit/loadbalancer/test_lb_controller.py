"""Services get, keep and lose addresses."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.api.errors import ApiError
from podwalk.loadbalancer import services
from podwalk.loadbalancer.controller import Controller
from podwalk.loadbalancer.pool import Pool

Object = dict[str, Any]


def service(name: str = "web", *, annotations: Object | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations or {}},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", **spec},
        "status": {"loadBalancer": {}},
    }


class World:
    """A cache, a client that writes into it, a recorder that remembers."""

    def __init__(self, *objects: Object, pool: str = "192.0.2.1-192.0.2.2") -> None:
        self.objects = {f"shop/{o['metadata']['name']}": o for o in objects}
        self.events: list[tuple[str, str]] = []
        self.controller = Controller(self, self, self, Pool(pool))  # type: ignore[arg-type]

    def get(self, key: str) -> Object | None:
        return self.objects.get(key)

    def all(self) -> list[Object]:
        return list(self.objects.values())

    async def update_status(self, obj: Object) -> None:
        self.objects[f"shop/{obj['metadata']['name']}"] = obj

    async def patch(self, kind: str, name: str, patch: Object, namespace: str) -> None:
        assert patch == {"metadata": {"annotations": {services.POOL_ANNOTATION: "default"}}}

    def event(self, obj: Object, kind: str, reason: str, message: str) -> None:
        assert (obj["apiVersion"], obj["kind"]) == ("v1", "Service")
        self.events.append((reason, message))

    async def reconcile(self, name: str = "web") -> list[str]:
        await self.controller.reconcile(f"shop/{name}")
        found = self.objects.get(f"shop/{name}")
        return services.addresses(found) if found else []


async def test_a_service_gets_an_address_once() -> None:
    world = World(service())
    assert await world.reconcile() == ["192.0.2.1"]
    assert world.objects["shop/web"]["status"]["loadBalancer"]["ingress"] == [{"ip": "192.0.2.1", "ipMode": "VIP"}]
    assert await world.reconcile() == ["192.0.2.1"]
    assert world.events == [("IPAllocated", 'Assigned IP ["192.0.2.1"]')]


@pytest.mark.parametrize(
    "wish",
    [{"loadBalancerIP": "192.0.2.2"}, {"annotations": {"metallb.io/loadBalancerIPs": "192.0.2.2"}}],
    ids=["field", "annotation"],
)
async def test_a_wish_is_honoured_even_later(wish: Object) -> None:
    world = World(service())
    await world.reconcile()
    status = world.objects["shop/web"]["status"]
    world.objects["shop/web"] = {**service(**wish), "status": status}
    assert await world.reconcile() == ["192.0.2.2"]


async def test_two_wishes_are_one_too_many() -> None:
    world = World(service(loadBalancerIP="192.0.2.2", annotations={"metallb.io/loadBalancerIPs": "192.0.2.1"}))
    assert await world.reconcile() == []
    ((reason, message),) = world.events
    assert reason == "AllocationFailed"
    assert message.startswith('Failed to allocate IP for "shop/web": service can not have both')


@pytest.mark.parametrize(
    "spec",
    [{"type": "NodePort"}, {"loadBalancerClass": "example.com/other"}, {"clusterIP": ""}],
    ids=["another type", "another class", "no cluster IP yet"],
)
async def test_others_services_are_left_alone(spec: Object) -> None:
    world = World(service(**spec))
    assert await world.reconcile() == []
    assert world.events == []


async def test_our_own_class_is_served() -> None:
    assert await World(service(loadBalancerClass=services.CLASS)).reconcile() == ["192.0.2.1"]


async def test_a_service_that_changes_its_type_loses_the_address_and_the_next_gets_it() -> None:
    world = World(service(), service("late"), pool="192.0.2.1-192.0.2.1")
    await world.reconcile()
    assert await world.reconcile("late") == []
    assert world.events[-1] == ("AllocationFailed", 'Failed to allocate IP for "shop/late": no available IPs')
    status = world.objects["shop/web"]["status"]
    world.objects["shop/web"] = {**service(type="ClusterIP"), "status": status}
    assert await world.reconcile() == []
    assert await world.reconcile("late") == ["192.0.2.1"]


async def test_an_address_that_could_not_be_taken_back_is_taken_back_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def conflict(obj: Object) -> None:
        raise ApiError(409, "Conflict", "the object has been modified")

    world = World(service(), service("late"), pool="192.0.2.1-192.0.2.1")
    await world.reconcile()
    status = world.objects["shop/web"]["status"]
    world.objects["shop/web"] = {**service(type="ClusterIP"), "status": status}
    with monkeypatch.context() as patched:
        patched.setattr(world, "update_status", conflict)
        with pytest.raises(ApiError):
            await world.reconcile()
    assert await world.reconcile("late") == [], "two would have it"
    assert await world.reconcile() == []
    assert await world.reconcile("late") == ["192.0.2.1"]


async def test_a_deleted_service_gives_its_address_back() -> None:
    world = World(service(), service("late"), pool="192.0.2.1-192.0.2.1")
    await world.reconcile()
    del world.objects["shop/web"]
    await world.reconcile()
    assert await world.reconcile("late") == ["192.0.2.1"]


async def test_what_services_have_is_noted_before_anybody_gets_something() -> None:
    old = service("old")
    old["status"] = {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}
    world = World(service("a"), old)
    world.controller.adopt()
    assert await world.reconcile("a") == ["192.0.2.2"]
    assert await world.reconcile("old") == ["192.0.2.1"]
