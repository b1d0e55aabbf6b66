"""The table of network plugins on kind: what is pinned, what fits what, what is refused."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig, ConfigError
from podwalk.backends import kind_networks
from podwalk.backends.kind_networks import NETWORKS, PROFILES


def asked(**options: Any) -> ClusterConfig:
    return clusterconfig.default("a").with_options(options, PROFILES)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=lambda n: n.name)
def test_everything_is_pinned(network: kind_networks.Network) -> None:
    assert re.fullmatch(r"kindest/node:v1\.\d+\.\d+@sha256:[0-9a-f]{64}", network.node_image)
    assert all(network.version in url and url.startswith("https://") for url in network.manifests)
    assert network.chart is None or network.chart.version == network.version
    assert network.installed == bool(network.version)


def test_kinds_own_network_is_the_usual_one() -> None:
    assert kind_networks.of(clusterconfig.default("a")).name == "kindnet"
    assert kind_networks.of(asked(cni="flannel")).name == "flannel"
    assert kind_networks.of(asked(cni="none")).name == "none"


def test_options_say_what_the_cluster_will_be() -> None:
    assert kind_networks.options(asked(cni="flannel", proxyMode="nftables")) == {
        "cni": "flannel",
        "proxyMode": "nftables",
        "networkPolicy": False,
        "loadBalancer": False,
        "nodeLocalDNS": False,
    }
    assert kind_networks.options(asked(loadBalancer=True))["loadBalancer"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"nodeLocalDNS": True}, "is run by the embedded backend only; leave out --node-local-dns"),
        ({"networkPolicy": False}, "kindnet always enforces NetworkPolicies; use --cni flannel"),
        ({"networkPolicy": True, "cni": "flannel"}, "flannel does not enforce NetworkPolicies; use --cni kindnet"),
    ],
)
def test_what_kind_cannot_run_is_refused_with_a_cure(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        kind_networks.checked(asked(**options))


def test_flannels_manifest_has_one_pod_range() -> None:
    config = clusterconfig.parse({"networking": {"podSubnet": "10.1.0.0/16"}}, name="a")
    assert kind_networks.checked(config) is config
    with pytest.raises(ConfigError, match=r"podSubnet: flannel's manifest is written for 10\.244\.0\.0/16"):
        kind_networks.checked(config.with_options({"cni": "flannel"}, PROFILES))


def test_a_profile_of_the_embedded_cluster_is_refused() -> None:
    with pytest.raises(ConfigError, match="option cni: cloud is not run on kind; use kindnet"):
        kind_networks.checked(clusterconfig.default("a").with_options({"cni": "cloud"}))


def test_cilium_takes_kube_proxys_place_where_there_is_none() -> None:
    chart = NETWORKS["cilium"].chart
    assert chart is not None
    _, with_proxy = kind_networks.chart_command(chart, asked(cni="cilium"), "1.36.4")
    assert "kubeProxyReplacement=true" not in with_proxy
    _, without = kind_networks.chart_command(chart, asked(cni="cilium", proxyMode="none"), "1.36.4")
    assert "k8sServiceHost=a-control-plane" in without
    assert NETWORKS["cilium"].serves_services(asked(cni="cilium", proxyMode="none"))
    assert not NETWORKS["calico"].serves_services(asked(cni="calico", proxyMode="none"))


def test_the_version_is_read_from_the_image() -> None:
    assert kind_networks.kubernetes_version(NETWORKS["cilium"].node_image) == "1.36.4"


def test_the_script_for_plugins_is_a_shells() -> None:
    script = kind_networks.plugin_script(["bridge"])
    assert subprocess.run(["sh", "-n"], input=script, text=True, check=False).returncode == 0
    assert "for name in bridge; do" in script


def test_the_workflow_installs_the_kind_that_the_images_are_for() -> None:
    workflow = (Path(__file__).parents[3] / ".github" / "workflows" / "kind.yml").read_text()
    assert f"KIND_VERSION: {kind_networks.KIND_VERSION}\n" in workflow
