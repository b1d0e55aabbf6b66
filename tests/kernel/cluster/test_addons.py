"""`podwalk addon` and `podwalk kubeconfig --learner`, on a running cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from podwalk.backends.base import Cluster, run_kubectl
from podwalk.cli.main import cli
from podwalk.cluster import bundles, workloads

pytestmark = pytest.mark.cluster


def podwalk(*args: str) -> str:
    done = CliRunner().invoke(cli, args, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


# Some bundles come with a workload of the same name, whose own tests install it.
@pytest.mark.parametrize("name", [n for n in bundles.BUNDLES if n not in workloads.WORKLOADS])
def test_an_addon_brings_its_kinds_and_may_be_installed_twice(cluster: Cluster, name: str) -> None:
    kinds = [crd["spec"]["names"]["kind"] for crd in bundles.definitions(name)]
    for _ in range(2):
        assert [
            line.split()[-1] for line in podwalk("addon", "install", name, "--name", cluster.name).splitlines()
        ] == kinds
    explained = cluster.kubectl("explain", bundles.definitions(name)[0]["metadata"]["name"])
    assert f"KIND:       {kinds[0]}" in explained.stdout
    cluster.kubectl("delete", "crd", *(crd["metadata"]["name"] for crd in bundles.definitions(name)))


def test_an_addon_that_there_is_not(cluster: Cluster) -> None:
    done = CliRunner().invoke(cli, ["addon", "install", "nope", "--name", cluster.name])
    assert done.exit_code != 0
    assert "addon nope: there is none; known: gateway-api" in done.output + done.stderr


def test_a_learner_may_do_everything_in_one_namespace_only(cluster: Cluster, tmp_path: Path) -> None:
    file = tmp_path / "ada.kubeconfig"
    file.write_text(podwalk("kubeconfig", "--learner", "ada", "--name", cluster.name))

    def ada(*args: str) -> tuple[bool, str]:
        done = run_kubectl(file, cluster.context, args, None, 30)
        return done.ok, done.stdout + done.stderr

    assert ada("create", "configmap", "mine")[0]
    assert ada("get", "configmap", "mine", "-o", "jsonpath={.metadata.namespace}") == (True, "ada")
    for args in (("get", "pods", "-n", "default"), ("get", "nodes"), ("get", "secrets", "-A")):
        ok, said = ada(*args)
        assert not ok
        assert 'User "system:serviceaccount:ada:ada" cannot list resource' in said
    cluster.kubectl("delete", "namespace", "ada")
