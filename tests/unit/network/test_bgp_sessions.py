"""Who talks BGP to whom, and what BIRD is told."""

import pytest

from podwalk.network.calico import bgp, bird
from podwalk.network.calico.bgp import BgpConfiguration, BgpError, BgpPeer, Speaker

ONE, TWO, TEN = Speaker("one", "172.18.0.3"), Speaker("two", "172.18.0.4"), Speaker("ten", "172.18.0.12")
REFLECTOR = Speaker("rr", "172.18.0.2", cluster_id="244.0.0.1", labels={"route-reflector": "true"})
MESH, NO_MESH = BgpConfiguration(), BgpConfiguration(mesh=False)


def node(**annotations):
    return {
        "metadata": {"name": "one", "annotations": {f"projectcalico.org/{k}": v for k, v in annotations.items()}},
        "status": {"addresses": [{"type": "InternalIP", "address": "172.18.0.3"}]},
    }


def names(own, others, config=MESH, peers=()):
    return [s.name for s in bgp.sessions(own, others, config, peers)]


def test_a_node_is_a_speaker_once_it_has_an_address():
    assert bgp.speaker({"metadata": {"name": "one"}}) is None
    assert bgp.speaker(node()) == ONE
    assert bgp.speaker(node(ASNumber="64600")).as_number == 64600
    assert bgp.speaker(node(ASNumber="1.1")).as_number == 65537
    assert bgp.speaker(node(ASNumber="nonsense")).as_number is None
    assert bgp.speaker(node(RouteReflectorClusterID="1.0.0.1")).cluster_id == "1.0.0.1"


def test_the_mesh_has_one_end_that_opens():
    assert names(ONE, [ONE, TWO]) == ["Mesh_172_18_0_4"]
    (here,), (there,) = bgp.sessions(ONE, [TWO], MESH, ()), bgp.sessions(TWO, [ONE], MESH, ())
    assert (here.passive, there.passive) == (True, False)
    assert here.as_number == bgp.AS_NUMBER
    assert names(ONE, [TWO], NO_MESH) == []


def test_a_reflector_is_outside_the_mesh():
    assert names(ONE, [TWO, REFLECTOR]) == ["Mesh_172_18_0_4"]
    assert names(REFLECTOR, [ONE, TWO]) == []


def test_a_selector_configures_both_ends():
    peer = BgpPeer("rr", node_selector="all()", peer_selector="route-reflector == 'true'")
    (client,) = bgp.sessions(ONE, [TWO, REFLECTOR], NO_MESH, [peer])
    assert (client.name, client.client_of) == ("Node_172_18_0_2", "")
    reflected = bgp.sessions(REFLECTOR, [ONE, TWO], NO_MESH, [peer])
    assert [(s.name, s.client_of) for s in reflected] == [
        ("Node_172_18_0_3", "244.0.0.1"),
        ("Node_172_18_0_4", "244.0.0.1"),
    ]


def test_reflectors_of_one_cluster_are_no_clients_of_each_other():
    other = Speaker("rr2", "172.18.0.5", cluster_id="244.0.0.1", labels=REFLECTOR.labels)
    peer = BgpPeer("rr", peer_selector="has(route-reflector)")
    (session,) = bgp.sessions(REFLECTOR, [other], NO_MESH, [peer])
    assert session.client_of == ""


def test_a_router_outside_is_a_peer_by_address():
    everywhere = BgpPeer("router", peer_ip="172.18.0.1", as_number=64999)
    only_two = BgpPeer("router", node="two", peer_ip="172.18.0.1", as_number=64999)
    (session,) = bgp.sessions(ONE, [TWO], NO_MESH, [everywhere])
    assert (session.name, session.as_number, session.passive) == ("Global_172_18_0_1", 64999, False)
    assert names(ONE, [TWO], NO_MESH, [only_two]) == []
    assert names(TWO, [ONE], NO_MESH, [only_two]) == ["Node_172_18_0_1"]


def test_a_node_of_another_as():
    there = Speaker("two", "172.18.0.4", as_number=64513)
    (session,) = bgp.sessions(ONE, [there], MESH, ())
    assert session.as_number == 64513


HEAD = "apiVersion: projectcalico.org/v3\nkind: {}\nmetadata: {{name: x}}\nspec: "


def test_resources_as_calicoctl_takes_them():
    assert bgp.configuration("") == BgpConfiguration()
    text = (
        HEAD.format("BGPConfiguration") + "{asNumber: 65001, nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: 2m}"
    )
    assert bgp.configuration(text) == BgpConfiguration(65001, False, 120)
    text = HEAD.format("BGPPeer") + "{peerIP: 172.18.0.1, asNumber: 64999}"
    assert bgp.peers(f"{text}\n---\n{text}") == [BgpPeer("x", peer_ip="172.18.0.1", as_number=64999)] * 2


@pytest.mark.parametrize(
    ("kind", "spec", "complaint"),
    [
        ("BGPConfiguration", "{asNumber: 0}", "asNumber: 0 is not an AS number"),
        ("BGPConfiguration", "{asNumbr: 5}", "spec.asNumbr is not served here"),
        ("BGPConfiguration", "{nodeMeshMaxRestartTime: soon}", "'soon' is not a duration"),
        ("BGPConfiguration", "[1]", "spec is not a mapping"),
        ("BGPPeer", "{peerIP: 1.2.3, asNumber: 5}", "BGPPeer x: peerIP"),
        ("BGPPeer", "{peerIP: 1.2.3.4}", "peerIP needs asNumber"),
        ("BGPPeer", "{}", "give either peerIP"),
        ("BGPPeer", "{peerIP: 1.2.3.4, asNumber: 5, peerSelector: all()}", "give either peerIP"),
        ("BGPPeer", "{peerSelector: 'a ='}", "BGPPeer x: selector"),
    ],
)
def test_a_wrong_resource_is_refused_by_name(kind, spec, complaint):
    read = bgp.configuration if kind == "BGPConfiguration" else bgp.peers
    with pytest.raises(BgpError, match=complaint):
        read(HEAD.format(kind) + spec)


@pytest.mark.parametrize("text", ["[", "5", "kind: Pod", "kind: BGPPeer"])
def test_what_is_no_resource_is_refused(text):
    with pytest.raises(BgpError, match="BGPPeer"):
        bgp.peers(text)


def test_birds_files():
    peer = BgpPeer("rr", peer_selector="has(route-reflector)")
    text = bird.main_file(REFLECTOR.ip, 64512, bgp.sessions(REFLECTOR, [ONE], NO_MESH, [peer]))
    assert "protocol bgp Global_172_18_0_3 from bgp_template {\n  neighbor 172.18.0.3 as 64512;\n  passive on;" in text
    assert "  rr client;\n  rr cluster id 244.0.0.1;\n" in text
    blocks = bird.aggregation_file(["10.244.1.0/26"])
    assert "  route 10.244.1.0/26 blackhole;\n" in blocks
    assert blocks.index("if net = 10.244.1.0/26 then accept") < blocks.index("if net ~ 10.244.1.0/26 then reject")
    assert "if net ~ 10.244.0.0/16 then accept;" in bird.pool_file("10.244.0.0/16")
