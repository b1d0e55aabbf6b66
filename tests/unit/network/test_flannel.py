"""What flannel reads and writes: leases, rules, the network list."""

import pytest

from podwalk.network import flannel


def other_node(**annotations):
    known = {
        "public-ip": "172.18.0.4",
        "backend-type": "vxlan",
        "backend-data": '{"VNI":1,"VtepMAC":"aa:bb:cc:dd:ee:ff"}',
    }
    known.update(annotations)
    prefix = "flannel.alpha.coreos.com/"
    return {
        "metadata": {"name": "w2", "annotations": {prefix + k: v for k, v in known.items()}},
        "spec": {"podCIDR": "10.244.2.0/24"},
    }


def test_a_lease_is_read_from_annotations():
    lease = flannel.lease_of(other_node(), "vxlan")
    assert (lease.public_ip, lease.vtep_mac, lease.gateway) == ("172.18.0.4", "aa:bb:cc:dd:ee:ff", "10.244.2.0")
    announced = flannel.announcement("172.18.0.4", "vxlan", {"VNI": 1, "VtepMAC": "aa:bb:cc:dd:ee:ff"})
    assert flannel.lease_of({**other_node(), "metadata": {"annotations": announced}}, "vxlan") == lease


def test_another_backend_needs_no_hardware_address():
    announced = flannel.announcement("172.18.0.4", "host-gw", None)
    node = {**other_node(), "metadata": {"annotations": announced}}
    assert flannel.lease_of(node, "host-gw") == flannel.Lease("172.18.0.4", "10.244.2.0/24")
    assert flannel.lease_of(node, "vxlan") is None


@pytest.mark.parametrize(
    "broken", [{"backend-type": "host-gw"}, {"backend-data": "{"}, {"backend-data": "null"}, {"backend-data": "{}"}]
)
def test_an_incomplete_lease_is_none(broken):
    assert flannel.lease_of(other_node(**broken), "vxlan") is None
    assert flannel.lease_of({"metadata": {"name": "x"}, "spec": {}}, "vxlan") is None


def test_traffic_inside_the_pod_network_is_never_masqueraded():
    rules = flannel.masquerade_rules("10.244.1.0/24", "10.244.0.0/16").splitlines()
    chain = [r for r in rules if r.startswith("-A FLANNEL-POSTRTG")]
    returns = [i for i, r in enumerate(chain) if r.endswith("-j RETURN")]
    masquerades = [i for i, r in enumerate(chain) if "MASQUERADE" in r]
    assert max(returns) < min(masquerades)
    assert '-s 10.244.1.0/24 -d 10.244.0.0/16 -m comment --comment "flanneld masq" -j RETURN' in chain[1]
    assert "0x4000/0x4000" in chain[0]


def test_the_network_list():
    bridge, portmap = flannel.conflist("10.244.1.0/24", "10.244.0.0/16", 1450)["plugins"]
    assert (bridge["type"], bridge["bridge"], bridge["mtu"]) == ("bridge", "cni0", 1450)
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.1.0/24"}]]
    assert "0.0.0.0/0" not in str(bridge["ipam"]["routes"])
    assert portmap["capabilities"] == {"portMappings": True}


def test_the_file_for_the_plugin():
    text = flannel.subnet_env("10.244.1.0/24", "10.244.0.0/16", 1450)
    assert text.splitlines() == [
        "FLANNEL_NETWORK=10.244.0.0/16",
        "FLANNEL_SUBNET=10.244.1.1/24",
        "FLANNEL_MTU=1450",
        "FLANNEL_IPMASQ=true",
    ]
