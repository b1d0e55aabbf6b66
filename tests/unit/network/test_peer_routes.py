"""Routes to other nodes, without a kernel."""

import asyncio
import errno
import os

import pytest

from podwalk.netns.netlink import NetlinkError, Route
from podwalk.netns.watch import DirectoryWatch
from podwalk.network.profile import PeerRoutes, pod_route, write_conflist

HERE, THERE = ("10.244.1.0/24", "172.18.0.3"), ("10.244.2.0/24", "172.18.0.4")


class FakeNetlink:
    """A routing table; ``refuse`` makes the next change fail."""

    def __init__(self):
        self.table = {}
        self.refuse = False

    def _maybe_refuse(self):
        if self.refuse:
            self.refuse = False
            raise NetlinkError("replace route", errno.ENETUNREACH)

    def replace_route(self, dst, via=None, dev=None):
        self._maybe_refuse()
        self.table[dst] = via

    def delete_route(self, dst, via=None):
        if self.table.get(dst) == via:
            del self.table[dst]

    def routes(self):
        return [Route(dst, via, "eth0", "", "global", False, 0) for dst, via in self.table.items()]


@pytest.fixture
def netlink():
    return FakeNetlink()


@pytest.fixture
def routes(netlink):
    return PeerRoutes(netlink)


def test_a_route_follows_its_node(netlink, routes):
    routes.set("a", HERE)
    routes.set("b", THERE)
    assert netlink.table == dict([HERE, THERE])
    routes.set("a", ("10.244.1.0/24", "172.18.0.9"))
    assert netlink.table["10.244.1.0/24"] == "172.18.0.9"
    routes.set("a", None)
    routes.set("never", None)
    assert netlink.table == dict([THERE])


def test_what_somebody_else_changed_is_put_back(netlink, routes):
    routes.set("a", HERE)
    routes.set("b", THERE)
    del netlink.table["10.244.1.0/24"]
    netlink.table["10.244.2.0/24"] = "172.18.0.99"
    netlink.table["192.168.0.0/24"] = "172.18.0.1"
    routes.resync()
    assert netlink.table == {**dict([HERE, THERE]), "192.168.0.0/24": "172.18.0.1"}


def test_a_refusal_is_mended_by_the_next_resync(netlink, routes, caplog):
    netlink.refuse = True
    routes.set("a", HERE)
    assert netlink.table == {}
    assert "replace route: Network is unreachable" in caplog.text
    routes.resync()
    assert netlink.table == dict([HERE])


def test_a_node_has_a_route_once_it_has_both_ends():
    node = {"spec": {"podCIDR": "10.244.1.0/24"}}
    assert pod_route(node) is None
    node["status"] = {"addresses": [{"type": "Hostname", "address": "w"}]}
    assert pod_route(node) is None
    node["status"]["addresses"].append({"type": "InternalIP", "address": "172.18.0.3"})
    assert pod_route(node) == HERE
    del node["spec"]["podCIDR"]
    assert pod_route(node) is None


async def test_a_watch_sees_a_configuration_come_whole_and_its_folder_go(tmp_path, monkeypatch):
    folder = tmp_path / "net.d"
    folder.mkdir()
    monkeypatch.setattr("podwalk.network.profile.CNI_DIRECTORY", folder)
    with DirectoryWatch(folder) as watch:
        waiting = asyncio.create_task(watch.changed())
        await asyncio.sleep(0)
        assert not waiting.done()
        write_conflist("10-x.conflist", {"plugins": []})
        async with asyncio.timeout(5):
            await waiting
        assert os.listdir(folder) == ["10-x.conflist"]
        (folder / "10-x.conflist").unlink()
        folder.rmdir()
        async with asyncio.timeout(5):
            while not watch.gone:
                await watch.changed()
    with pytest.raises(FileNotFoundError):
        DirectoryWatch(folder)
