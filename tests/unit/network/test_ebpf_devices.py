"""Which programs go to which devices, and what is put back."""

import pytest

from podwalk.netns.netlink import Link, Route
from podwalk.proxy import model
from podwalk.proxy.ebpf import datapath
from podwalk.proxy.ebpf.datapath import Datapath
from podwalk.proxy.ebpf.programs import ROLES


class FakeNetlink:
    """Devices by name, and what sits at them."""

    def __init__(self, folder):
        self._folder = folder
        self.kinds, self.at, self.added, self.paths = {}, {}, [], []
        for name, kind in (("lo", ""), ("eth0", "veth"), ("veth1", "veth"), ("veth2", "veth"), ("veth3", "veth")):
            self._device(name, kind)
        for name in ("all", "default"):
            (folder / name).mkdir()

    def _device(self, name, kind):
        self.kinds[name] = kind
        (self._folder / name).mkdir()

    def add_veth(self, name, peer):
        self._device(name, "veth")
        self._device(peer, "veth")

    def links(self):
        return [Link(n, name, kind, "", 1500, True, True, "", 0) for n, (name, kind) in enumerate(self.kinds.items())]

    def link(self, name):
        return next((link for link in self.links() if link.name == name), None)

    def routes(self):
        found = [
            ("10.244.1.2/32", "", "veth1"),
            ("10.244.1.3/32", "", "veth2"),
            ("10.244.2.0/24", "172.18.0.4", "eth0"),
        ]
        return [Route(dst, via, dev, "", "link", False, 0) for dst, via, dev in found]

    def replace_route(self, dst, dev, src):
        self.paths.append((dst, dev, src))

    def set_arp_off(self, name):
        self.added.append(("arp off", name))

    def set_up(self, name):
        self.added.append(("up", name))

    def attach_classifier(self, dev, direction, name, fd):
        self.at[dev, direction] = name

    def classifiers(self, dev, direction):
        return [self.at[dev, direction]] if (dev, direction) in self.at else []


@pytest.fixture
def made(tmp_path, monkeypatch):
    monkeypatch.setattr(datapath, "_CONF", tmp_path)
    path = Datapath.__new__(Datapath)
    path._node, path._service_cidr = model.Node("w", "172.18.0.3"), "10.96.0.0/16"
    path._netlink = FakeNetlink(tmp_path)
    path._programs = {role.name: n for n, role in enumerate(ROLES)}
    return path


NODES_OWN = {
    ("pw-services", "egress"): "pw_from_node",
    ("eth0", "ingress"): "pw_from_fabric",
    ("eth0", "egress"): "pw_to_fabric",
    ("lo", "ingress"): "pw_to_node",
}


def pods(name):
    return {(name, "ingress"): "pw_from_pod", (name, "egress"): "pw_to_pod"}


def test_the_nodes_own_devices(made, tmp_path):
    made.prepare_node()
    made.prepare_node()
    assert made._netlink.at == NODES_OWN
    assert set(made._netlink.paths) == {("10.96.0.0/16", "pw-services", "172.18.0.3")}
    assert (tmp_path / "pw-services" / "accept_local").read_text() == "1"
    assert (tmp_path / "eth0" / "rp_filter").read_text() == "0"


def test_a_pods_device_is_the_one_that_its_route_names(made):
    made.attach_pod("10.244.1.2")
    assert made._netlink.at == pods("veth1")
    with pytest.raises(OSError, match=r"no route to Pod address 10\.244\.1\.9: its plugin gave it no cable of its own"):
        made.attach_pod("10.244.1.9")


def test_repair_puts_back_what_is_missing_and_nothing_else(made):
    made.repair()
    assert made._netlink.at == {**NODES_OWN, **pods("veth1"), **pods("veth2")}
    for lost in (("eth0", "egress"), ("veth1", "egress"), ("veth2", "ingress")):
        del made._netlink.at[lost]
        made.repair()
        assert lost in made._netlink.at
    assert ("pw-services-end", "ingress") not in made._netlink.at
