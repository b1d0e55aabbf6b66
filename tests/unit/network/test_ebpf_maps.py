"""Service ports as maps: every entrance, never a half-written set, and what is left when something goes."""

import pytest

from podwalk.api import clusterconfig
from podwalk.cluster import networks, spec, staticpods
from podwalk.proxy import model
from podwalk.proxy.ebpf import maps
from podwalk.proxy.ebpf.datapath import Tables, entrances

NODE = model.Node("w", "172.18.0.3")


class FakeMap:
    """A map; after every change the reader looks whether what it sees holds together."""

    def __init__(self, look):
        self.data, self._look = {}, look
        self.refuse_after = None

    def set(self, key, value):
        if self.refuse_after is not None:
            if self.refuse_after == 0:
                raise OSError("no room")
            self.refuse_after -= 1
        self.data[key] = value
        self._look()

    def delete(self, key):
        self.data.pop(key, None)
        self._look()


class World:
    def __init__(self):
        self.looks = 0
        self.maps = {one.name: FakeMap(self.consistent) for one in maps.ALL}
        self.tables = Tables(self.maps)

    def of(self, one):
        return self.maps[one.name].data

    def consistent(self):
        """Every Service's every slot leads to a backend, whenever a packet comes."""
        self.looks += 1
        for value in self.of(maps.SERVICES).values():
            identity, count, *_ = maps._SERVICE.unpack(value)
            for slot in range(count):
                number = self.of(maps.SLOTS)[maps.slot_key(identity, slot)]
                assert number in self.of(maps.BACKENDS)

    def endpoints(self, key):
        identity, count, *_ = maps._SERVICE.unpack(self.of(maps.SERVICES)[key])
        slots = [self.of(maps.SLOTS)[maps.slot_key(identity, slot)] for slot in range(count)]
        return [maps.backend_text(self.of(maps.BACKENDS)[number]) for number in slots]

    def number_of(self, endpoint):
        return next(n for n, value in self.of(maps.BACKENDS).items() if maps.backend_text(value) == endpoint)


def port(*ips, local=(), **more):
    found = tuple(model.Endpoint(ip, 8080) for ip in ips)
    sets = model.EndpointSets(cluster=found, local=tuple(model.Endpoint(ip, 8080) for ip in local))
    plain = {"namespace": "d", "name": "web", "port_name": "", "protocol": "tcp", "cluster_ip": "10.96.0.7", "port": 80}
    return model.ServicePort(**{**plain, **more}, endpoints=sets)


KEY = maps.service_key("10.96.0.7", 80, "tcp", maps.INSIDE)


def test_a_set_changes_in_one_step_and_nothing_of_the_old_one_is_left():
    world = World()
    for ips in (["10.244.1.2"], ["10.244.1.2", "10.244.2.2"], ["10.244.2.2"], [], ["10.244.1.3"]):
        world.tables.write([port(*ips)], NODE)
        assert world.endpoints(KEY) == [f"{ip}:8080" for ip in ips]
        assert len(world.of(maps.SLOTS)) == len(world.of(maps.BACKENDS)) == len(ips)
    world.tables.write([], NODE)
    assert not [one.name for one in maps.ALL if world.of(one)]
    assert world.looks > 10


def test_an_endpoint_that_stays_keeps_its_number_and_one_that_comes_back_does_not():
    world = World()
    world.tables.write([port("10.244.1.2", "10.244.2.2")], NODE)
    kept, gone = world.number_of("10.244.1.2:8080"), world.number_of("10.244.2.2:8080")
    world.tables.write([port("10.244.1.2")], NODE)
    world.tables.write([port("10.244.1.2", "10.244.2.2")], NODE)
    assert world.number_of("10.244.1.2:8080") == kept
    assert world.number_of("10.244.2.2:8080") != gone


def test_an_unchanged_service_is_not_written_again():
    world = World()
    world.tables.write([port("10.244.1.2")], NODE)
    before = world.looks
    world.tables.write([port("10.244.1.2")], NODE)
    assert world.looks == before


def test_a_protocol_that_the_programs_do_not_read_is_left_out():
    world = World()
    world.tables.write([port("10.244.1.2", protocol="sctp"), port("10.244.1.2")], NODE)
    assert list(world.of(maps.SERVICES)) == [KEY]


def test_two_services_do_not_share_an_endpoints_number():
    world = World()
    second = port("10.244.1.2", name="other", cluster_ip="10.96.0.8")
    world.tables.write([port("10.244.1.2"), second], NODE)
    assert len(world.of(maps.BACKENDS)) == 2


def test_a_refused_write_is_made_good_by_the_next_one():
    world = World()
    world.tables.write([port("10.244.1.2")], NODE)
    services, slots = world.maps[maps.SERVICES.name], world.maps[maps.SLOTS.name]
    for broken, at in ((services, 0), (slots, 0), (slots, 1)):
        broken.refuse_after = at
        with pytest.raises(OSError, match="no room"):
            world.tables.write([port("10.244.1.3", "10.244.2.3")], NODE)
        assert world.endpoints(KEY) == ["10.244.1.2:8080"]
        broken.refuse_after = None
        world.tables.write([port("10.244.1.3", "10.244.2.3")], NODE)
        assert (len(world.of(maps.SLOTS)), len(world.of(maps.BACKENDS))) == (2, 2)
        world.tables.write([port("10.244.1.2")], NODE)
        assert (len(world.of(maps.SLOTS)), len(world.of(maps.BACKENDS))) == (1, 1)


def test_every_entrance_by_who_may_ask_and_what_answers():
    made = port(
        "10.244.1.2",
        local=["10.244.1.2"],
        node_port=30080,
        external_ips=("192.0.2.1",),
        load_balancer_ips=("172.18.255.200",),
        source_ranges=("10.0.0.0/8",),
        external_local=True,
    )
    seen = {(e.address, e.port, e.scope): (e.flags, e.leads_to[2]) for e in entrances(made, NODE)}
    check = maps.CHECK_SOURCE
    assert seen == {
        ("10.96.0.7", 80, maps.INSIDE): (0, False),
        ("192.0.2.1", 80, maps.INSIDE): (0, False),
        ("192.0.2.1", 80, maps.OUTSIDE): (0, True),
        ("172.18.255.200", 80, maps.INSIDE): (check, False),
        ("172.18.255.200", 80, maps.OUTSIDE): (check, True),
        ("172.18.0.3", 30080, maps.INSIDE): (0, False),
        ("172.18.0.3", 30080, maps.OUTSIDE): (0, True),
    }
    plain = {e.scope: e.flags for e in entrances(port(node_port=30080), NODE) if e.port == 30080}
    assert plain == {maps.INSIDE: 0, maps.OUTSIDE: maps.MASQUERADE}


def test_internal_traffic_policy_local():
    world = World()
    world.tables.write([port("10.244.1.2", "10.244.2.2", local=["10.244.1.2"], internal_local=True)], NODE)
    assert world.endpoints(KEY) == ["10.244.1.2:8080"]


def test_ranges_come_before_the_service_and_go_after_it():
    world = World()
    made = port("10.244.1.2", load_balancer_ips=("172.18.255.200",), source_ranges=("10.0.0.0/8", "172.18.0.0/16"))
    world.tables.write([made], NODE)
    assert len(world.of(maps.RANGES)) == 4
    outside = maps.service_key("172.18.255.200", 80, "tcp", maps.OUTSIDE)
    assert maps.range_key(outside, "10.0.0.0/8") in world.of(maps.RANGES)


def test_entries_as_text():
    key = maps._TUPLE.pack(maps.ip("10.244.1.2"), maps.ip("10.96.0.7"), b"\x9c\x40", b"\x00\x50", 6)
    value = maps._CONNECTION.pack(7, maps.ip("10.244.2.2"), b"\x1f\x90")
    assert str(maps.connection_of(key, value)) == "TCP  10.244.1.2:40000  10.96.0.7:80  -> 10.244.2.2:8080"
    line = maps.service_line(KEY, maps.service(3, 2, maps.MASQUERADE, 10800))
    assert line == "TCP  10.96.0.7:80  from inside  set 3  2 endpoints  masqueraded  affinity 10800 s"
    back = maps._REVERSE.pack(maps.ip("10.96.0.7"), b"\x00\x50", maps.HAIRPIN, maps.ip("10.244.1.2"))
    way = maps._TUPLE.pack(maps.ip("10.244.1.2"), maps.ip("169.254.42.1"), b"\x1f\x90", b"\x9c\x40", 6)
    assert maps.reverse_line(way, back) == (
        "TCP  10.244.1.2:8080  169.254.42.1:40000  from 10.96.0.7:80  for 10.244.1.2 itself"
    )


def test_sizes_of_keys_and_values_are_those_of_the_maps():
    sizes = {one.name: (one.key_size, one.value_size) for one in maps.ALL}
    assert sizes[maps.SERVICES.name] == (len(KEY), len(maps.service(1, 1, 0)))
    assert sizes[maps.SLOTS.name] == (len(maps.slot_key(1, 1)), len(maps.number(1)))
    assert sizes[maps.BACKENDS.name] == (len(maps.number(1)), len(maps.backend("10.0.0.1", 1, "tcp")))
    assert sizes[maps.CONNECTIONS.name] == (maps._TUPLE.size, maps._CONNECTION.size)
    assert sizes[maps.REVERSE.name] == (maps._TUPLE.size, maps._REVERSE.size)
    assert sizes[maps.RANGES.name][0] == len(maps.range_key(KEY, "10.0.0.0/8"))


@pytest.mark.parametrize(
    ("options", "mode", "by_ebpf"),
    [
        ({"cni": "ebpf"}, "none", True),
        ({"cni": "ebpf", "proxyMode": "none"}, "none", True),
        ({"cni": "ebpf", "proxyMode": "nftables"}, "nftables", False),
        ({"cni": "kindnet"}, "iptables", False),
        ({"proxyMode": "none"}, "none", False),
    ],
)
def test_the_profile_means_no_kube_proxy_unless_somebody_asks_for_one(options, mode, by_ebpf):
    config = clusterconfig.default().with_options(options)
    assert (config.proxy_mode, config.services_by_ebpf) == (mode, by_ebpf)
    assert config.serves_services == (by_ebpf or mode != "none")
    # What the supervisor is told is what it makes of it.
    assert clusterconfig.default().with_options(config.options()) == config


def test_the_nodes_have_ciliums_pod_and_no_kube_proxy():
    config = clusterconfig.default().with_options({"cni": "ebpf"})
    made = spec.ClusterSpec(config, None, None, "")
    names = [pod["metadata"]["labels"]["component"] for pod in staticpods.pods(made, config.nodes[1])]
    assert names == ["cilium"]
    assert networks.objects(made) == []
