"""What the kind backend does beside making nodes: images, network plugins, load balancers, the toolbox, reuse."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from kind_standin import calls
from podwalk.api import clusterconfig
from podwalk.backends import kind_networks
from podwalk.backends.base import AlreadyRunningError, BackendError, Completed, Fact
from podwalk.backends.kind import KindBackend, KindCluster
from podwalk.backends.kind_engine import PROVIDER, PROVIDER_IMAGE, TOOLBOX_IMAGE, needs_toolbox
from podwalk.course import catalogue, fitting

pytest.importorskip("pytest_kind", reason="the extra podwalk[kind] is not installed")

ON_KIND = [lab for lab in catalogue.all_labs(Path(__file__).resolve().parents[2]) if "kind" in lab.backends]


def up(facts: list[Fact], name: str = "a", **options: Any) -> KindCluster:
    config = clusterconfig.default(name).with_options(options, kind_networks.PROFILES)
    return KindBackend().up(config, progress=facts.append, wait=False)


def texts(facts: list[Fact]) -> list[str]:
    return [fact.text for fact in facts]


class TestImages:
    def test_what_the_engine_has_is_loaded_once(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        image = "registry.k8s.io/e2e-test-images/agnhost:2.53"
        monkeypatch.setenv("DOCKER_STANDIN_IMAGES", image)
        up(facts)
        up(facts)
        assert [c for c in calls(standin) if "load" in c] == [f"kind load docker-image --name a {image}"]
        assert texts(facts)[1] == "the nodes have agnhost:2.53"

    def test_an_image_that_cannot_be_loaded_is_left_to_be_pulled(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_STANDIN_IMAGES", "docker.io/library/busybox:1.37")
        monkeypatch.setenv("KIND_STANDIN_LOAD_FAILS", "1")
        assert up(facts).status().running
        assert texts(facts) == ["kind made 3 nodes of docker containers"]


class TestNetworks:
    def test_flannel_gets_its_module_its_plugin_and_its_manifest(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts, cni="flannel")
        told = [c for c in calls(standin) if c.startswith(("docker exec", "kubectl"))]
        for node in ("a-control-plane", "a-worker", "a-worker2"):
            assert f"docker exec {node} modprobe br_netfilter" in told
            assert any(c.startswith(f"docker exec {node} sh -c set -eu") for c in told)
        url = "https://github.com/flannel-io/flannel/releases/download/v0.28.9/kube-flannel.yml"
        applied = "apply --server-side --force-conflicts -f"
        assert f"kubectl --kubeconfig={cluster.kubeconfig_path} --context=kind-a {applied} {url}" in told
        options = cluster.status().details["options"]
        assert (options["cni"], options["networkPolicy"]) == ("flannel", False)

    def test_cilium_is_rendered_by_helm_for_its_own_node_image(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts, cni="cilium", proxyMode="none")
        helm = next(c for c in calls(standin) if "alpine/helm" in c)
        assert "--version 1.20.3" in helm
        assert "--kube-version 1.36.4" in helm
        assert "k8sServiceHost=a-control-plane" in helm
        assert cluster.status().details["image"].startswith("kindest/node:v1.36.4@")
        cluster.outside(["hostname"])
        assert "kindest/node:v1.36.4@" in calls(standin)[-1], "the outside uses the image that is there"

    def test_a_manifest_that_cannot_be_fetched_leaves_nothing(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failed = Completed(1, "", "error: unable to read URL, server reported 404 Not Found")
        monkeypatch.setattr(KindCluster, "kubectl", lambda *_, **__: failed)
        with pytest.raises(BackendError, match=r"^calico v3.33.0 cannot be applied \(error: unable to read URL"):
            up(facts, cni="calico")
        assert KindBackend().find("a") is None
        assert "kind delete cluster --name=a" in " ".join(calls(standin))

    def test_what_kind_cannot_run_is_said_before_anything_is_made(self, standin: Path, facts: list[Fact]) -> None:
        with pytest.raises(BackendError, match=r"flannel does not enforce NetworkPolicies; use --cni kindnet, calico"):
            up(facts, cni="flannel", networkPolicy=True)
        assert calls(standin) == []


class TestLoadBalancers:
    def test_they_are_started_where_asked_for_and_ended_with_the_last_cluster(
        self, standin: Path, facts: list[Fact]
    ) -> None:
        one, two = up(facts, "a", loadBalancer=True), up(facts, "b", loadBalancer=True)
        started = [c for c in calls(standin) if PROVIDER_IMAGE in c]
        socket = "--volume /var/run/docker.sock:/var/run/docker.sock"
        assert started == [f"docker run --detach --name {PROVIDER} --network kind {socket} {PROVIDER_IMAGE}"]
        assert one.status().details["options"]["loadBalancer"]
        one.down()
        assert PROVIDER in (standin / "containers.json").read_text()
        two.down()
        assert json.loads((standin / "containers.json").read_text()) == []

    def test_what_it_made_for_a_cluster_goes_with_the_cluster(self, standin: Path, facts: list[Fact]) -> None:
        one = up(facts, "a", loadBalancer=True)
        up(facts, "b", loadBalancer=True)
        (standin / "containers.json").write_text(json.dumps([PROVIDER, "kindccm-a-1", "kindccm-a-2", "kindccm-b-1"]))
        one.down()
        assert json.loads((standin / "containers.json").read_text()) == [PROVIDER, "kindccm-b-1"]

    def test_nobody_gets_the_engines_socket_unasked(self, standin: Path, facts: list[Fact]) -> None:
        up(facts)
        assert not any(PROVIDER in call for call in calls(standin))

    def test_one_that_cannot_be_pulled_is_said_and_nothing_is_left(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_STANDIN_NO_PULL", "1")
        with pytest.raises(BackendError, match=r"^cloud-provider-kind does not start \(Error response from daemon"):
            up(facts, loadBalancer=True)
        assert KindBackend().find("a") is None


class TestToolbox:
    def test_what_the_node_image_lacks_comes_from_beside_the_node(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        assert cluster.node("a-worker", ["tcpdump", "-ni", "eth0"]).stdout == "node a-worker tcpdump -ni eth0\n"
        beside = "--privileged --network container:a-worker --pid container:a-worker"
        assert calls(standin)[-1] == f"docker run --rm {beside} --entrypoint tcpdump {TOOLBOX_IMAGE} -ni eth0"
        assert cluster.outside(["dig", "a.test"]).stdout == "outside kind dig a.test\n"
        assert calls(standin)[-1] == f"docker run --rm --network kind --entrypoint dig {TOOLBOX_IMAGE} a.test"

    def test_it_is_pulled_once_and_before_anybody_waits(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        for _ in range(2):
            cluster.node("a-worker", ["dig", "a.test"])
        assert calls(standin).count(f"docker pull --quiet {TOOLBOX_IMAGE}") == 1

    def test_without_it_the_tool_is_named(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_STANDIN_NO_PULL", "1")
        cluster = up(facts)
        with pytest.raises(
            BackendError, match=r"^tcpdump: kind's node image has none, and the toolbox .* \(Error resp"
        ):
            cluster.node("a-worker", ["tcpdump"])
        assert cluster.node("a-worker", ["ip", "route"]).ok

    @pytest.mark.parametrize(
        ("argv", "there"),
        [
            (["timeout", "6", "tcpdump", "-ni", "any"], True),
            (["timeout", "6", "ip", "monitor"], False),
            (["grep", "ping", "/etc/services"], False),
            (["sh", "-c", "tcpdump"], False),
        ],
    )
    def test_what_is_one_of_its_commands(self, argv: list[str], there: bool) -> None:
        assert needs_toolbox(argv) is there

    def test_with_pipes_too(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        process = cluster.start("a-worker", ["python3", "-c", "pass"])
        assert process.communicate()[0] == b"node a-worker python3 -c pass\n"
        assert "--interactive --entrypoint python3" in calls(standin)[-1]


class TestFitting:
    """What a lab needs and the cluster lacks is said before the lab starts."""

    def test_kinds_own_network_will_do_where_a_lab_asks_for_none(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        assert [lab.name for lab in ON_KIND[::6] if fitting.complaint(lab, cluster)] == []

    def test_a_cluster_without_network_policies_is_complained_of_and_replaced(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("podwalk.backends.kind_boot.prove", lambda *_: None)
        cluster = up(facts, cni="flannel")
        said = fitting.complaint(ON_KIND[0], cluster)
        assert "needs NetworkPolicy on, not off; boot such a cluster in the place of this one" in said
        again = fitting.boot(ON_KIND[0], "a", facts.append)
        assert again.backend == "kind"
        assert fitting.complaint(ON_KIND[0], again) == ""

    def test_what_kind_cannot_boot_is_said_before_the_cluster_goes(self, standin: Path, facts: list[Fact]) -> None:
        up(facts)
        lab = dataclasses.replace(ON_KIND[0], cluster={"cni": "cloud"})
        with pytest.raises(BackendError, match="does not run on kind: option cni: cloud is not a network profile"):
            fitting.boot(lab, "a", facts.append)
        assert KindBackend().find("a") is not None

    def test_another_plugin_than_a_lab_asks_for_is_complained_of(self, standin: Path, facts: list[Fact]) -> None:
        lab = dataclasses.replace(ON_KIND[0], cluster={"cni": "calico"})
        assert "needs the network plugin calico, not kindnet; boot such a cluster" in fitting.complaint(lab, up(facts))
        assert not fitting.complaint(lab, up(facts, "b", cni="calico"))


class TestReuse:
    def test_a_second_up_takes_the_cluster_that_is_there(self, standin: Path, facts: list[Fact]) -> None:
        first, second = up(facts, cni="calico"), up(facts, cni="calico")
        assert first.kubeconfig_path == second.kubeconfig_path
        assert texts(facts)[-1] == "cluster a is there already"
        assert sum(c.startswith("kind create") for c in calls(standin)) == 1

    def test_one_made_of_something_else_stays_as_it_is(self, standin: Path, facts: list[Fact]) -> None:
        up(facts, cni="flannel")
        # For calico kind is given the very same file.
        for other in ({"cni": "calico"}, {"cni": "flannel", "proxyMode": "nftables"}):
            with pytest.raises(AlreadyRunningError, match=r"^cluster a is already running, made of another config"):
                up(facts, **other)
        smaller = clusterconfig.parse({}, name="a").with_options({"cni": "flannel"}, kind_networks.PROFILES)
        with pytest.raises(AlreadyRunningError):
            KindBackend().up(smaller, progress=facts.append, wait=False)
        found = KindBackend().find("a")
        assert found is not None
        assert found.status().details["options"]["cni"] == "flannel"

    def test_nodes_that_stand_still_are_started(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        (standin / "still").write_text("a-worker")
        assert not cluster.status().running
        assert up(facts).status().running
        assert "docker start a-worker" in calls(standin)
        assert texts(facts)[-1] == "cluster a is there already, 1 nodes started again"

    def test_a_cluster_in_the_making_is_not_taken_for_a_deleted_one(self, standin: Path, facts: list[Fact]) -> None:
        cluster = up(facts)
        (standin / "a" / "nodes.json").unlink()
        (cluster.directory / "making").write_text("1")
        assert KindBackend().find("a") is None
        assert cluster.kubeconfig_path.exists()


def test_what_only_containers_have_reaches_kind(standin: Path, facts: list[Fact]) -> None:
    ports = [{"containerPort": 30080, "hostPort": 8080}]
    data = {"nodes": [{"role": "control-plane", "extraPortMappings": ports}]}
    with pytest.raises(clusterconfig.ConfigError, match="extraPortMappings: is not run by the embedded cluster"):
        clusterconfig.parse(data, name="a")
    KindBackend().up(clusterconfig.parse(data, name="a", on_kind=True), progress=facts.append, wait=False)
    given = (standin / "a" / "config.yaml").read_text()
    assert "hostPort: 8080" in given
