"""Masquerading, CNI configurations and requirements of the profiles."""

import pytest

from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ConfigError
from podwalk.cluster import networks, spec
from podwalk.network import cloud, kindnet, profiles
from podwalk.network.calico import node as calico
from podwalk.network.calico import plugin


def made(profile):
    return spec.ClusterSpec(clusterconfig.default().with_options({"cni": profile}), None, None, "")


def test_every_profile_is_offered_and_no_other():
    assert set(clusterconfig.CNI_PROFILES) == set(profiles._PROFILES)
    with pytest.raises(ConfigError, match="option cni: weave is not a network profile; use flannel,"):
        clusterconfig.default().with_options({"cni": "weave"})


def test_kindnet_masquerades_last():
    lines = kindnet.masquerade_rules("10.244.0.0/16").splitlines()
    assert lines[-2].endswith("-j MASQUERADE")
    assert "-d 10.244.0.0/16 -j RETURN" in lines[-3]
    assert "-m addrtype ! --dst-type LOCAL -j KIND-MASQ-AGENT" in lines[2]


def test_a_cloud_lets_pods_keep_their_address_where_the_router_knows_them():
    rules = cloud.masquerade_rules("10.244.0.0/16", cloud.NODE_NETWORK).splitlines()
    assert [r.split()[3] for r in rules if r.endswith("RETURN")] == ["10.244.0.0/16", "172.18.0.0/16"]


def test_calico_masquerades_from_the_pool_to_outside_of_it():
    assert "-s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE" in calico.masquerade_rules("10.244.0.0/16")
    first, second = calico.conflist("w", 1500)["plugins"]
    assert (first["type"], first["mtu"], second["snat"]) == ("calico", 1500, True)


def test_calicos_device_names_are_calicos():
    # echo -n default.nginx | sha1sum
    assert plugin.device_name("default", "nginx") == "calic440f455693"


def test_what_the_api_shows():
    (flannel,) = networks.objects(made("flannel-host-gw"))
    assert flannel["metadata"]["name"] == "kube-flannel-cfg"
    assert '"Type": "host-gw"' in flannel["data"]["net-conf.json"]
    assert '"Type": "vxlan"' in networks.objects(made("flannel"))[0]["data"]["net-conf.json"]
    assert networks.objects(made("calico"))[0]["metadata"]["name"] == "calico-config"
    assert networks.objects(made("none")) == []
    assert networks.daemon(made("none")) is None


def test_what_is_missing_is_named_with_its_cure(monkeypatch):
    monkeypatch.setattr(profiles, "_PATH", "/nonexistent")
    assert profiles.missing("calico") == "profile calico needs BIRD: sudo apt-get install -y bird2"
    assert profiles.missing("flannel") is None
