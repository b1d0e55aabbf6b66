"""What `podwalk up` takes, writes and refuses, and the exit codes of the command line."""

from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest
from cluster_cli import Cli, complaint

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

_HEAD = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"


def _file(cli: Cli, text: str) -> str:
    path = cli.home / "kind.yaml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("workers", [0, 3])
def test_kind_configuration_says_how_many_nodes(cli: Cli, workers: int) -> None:
    text = f"{_HEAD}name: shaped\nnodes:\n- role: control-plane\n" + "- role: worker\n" * workers
    done = cli.run("up", "--config", _file(cli, text))
    assert done.returncode == 0, done.stderr
    assert f"{workers + 1} nodes Ready" in done.stdout
    assert "kubernetes.default.svc.cluster.local is 10.96.0.1" in done.stdout
    assert list(cli.nodes("shaped").values()) == [True] * (workers + 1)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("just words\n", "YAML mapping"),
        ("nodes: [\n", "kind.yaml: not YAML"),
        ("kind: Pod\n", "kind: Pod"),
        (_HEAD + "name: Not_A_Name\n", "name: 'Not_A_Name'"),
        (_HEAD + "featureGates: {}\n", "featureGates:"),
        (_HEAD + "nodes: []\n", "nodes:"),
        (_HEAD + "nodes:\n- role: worker\n", "exactly one control-plane"),
        (_HEAD + "nodes:\n- role: control-plane\n- role: master\n", "nodes[1].role: 'master'"),
        (_HEAD + "nodes:\n- role: control-plane\n  extraMounts: []\n", "nodes[0].extraMounts"),
        (_HEAD + "networking:\n  podSubnet: 10.244.0.0/33\n", "networking.podSubnet:"),
        (_HEAD + "networking:\n  podSubnet: 10.96.0.0/16\n", "overlap"),
        (_HEAD + "networking:\n  serviceSubnet: fd00::/108\n", "networking.serviceSubnet:"),
        (_HEAD + "networking:\n  ipFamily: dual\n", "networking.ipFamily:"),
        (_HEAD + "networking:\n  kubeProxyMode: ipvs\n", "networking.kubeProxyMode:"),
        (_HEAD + "networking:\n  apiServerPort: many\n", "networking.apiServerPort:"),
    ],
)
def test_wrong_configuration_is_refused_by_the_name_of_the_field(cli: Cli, text: str, field: str) -> None:
    assert field in complaint(cli.run("up", "--config", _file(cli, text)), 2)
    assert not (cli.home / "clusters").exists()


def test_files_are_for_the_owner_only(any_cli: Cli) -> None:
    any_cli.up("mine", "--no-wait")
    folder = any_cli.folder("mine")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for name in ("kubeconfig", "state.json"):
        file = folder / name
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.stat().st_uid == (os.geteuid() if any_cli.uid is None else any_cli.uid)
    assert any_cli.run("kubeconfig", "--name", "mine", "--path").stdout.strip() == str(folder / "kubeconfig")


def test_exit_codes(cli: Cli) -> None:
    assert cli.run("--help").returncode == 0
    assert cli.run("down", "--name", "mine").returncode == 0
    assert "cluster mine is not running" in complaint(cli.run("status", "--name", "mine"), 1)
    assert cli.run("up", "--nodes", "3").returncode == 2
    assert cli.run("fly").returncode == 2
    cli.up("mine", "--no-wait")
    assert "cluster mine is already running" in complaint(cli.run("up", "--name", "mine"), 1)
    assert "node/worker9: not found" in complaint(cli.run("node", "--name", "mine", "worker9", "--", "true"), 1)
    assert cli.run("node", "--name", "mine", "worker", "--", "sh", "-c", "exit 7").returncode == 7
    assert cli.run("node", "--name", "mine", "worker", "--", "no-such-program").returncode == 127
    assert [c["name"] for c in json.loads(cli.run("status", "--json").stdout)] == ["mine"]


def test_home_below_a_file(any_cli: Cli) -> None:
    (any_cli.home / "file").write_text("")
    lost = Cli(any_cli.python, any_cli.home, any_cli.uid, {"PODWALK_HOME": str(any_cli.home / "file" / "home")})
    line = complaint(lost.run("up"), 3)
    assert str(any_cli.home / "file") in line
    assert "set PODWALK_HOME to a writable folder" in line


def test_unwritable_home(any_cli: Cli) -> None:
    if any_cli.uid is None and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    shut = any_cli.home / "shut"
    shut.mkdir(mode=0o500)
    if any_cli.uid is not None:
        os.chown(shut, any_cli.uid, any_cli.uid)
    lost = Cli(any_cli.python, any_cli.home, any_cli.uid, {"PODWALK_HOME": str(shut)})
    assert "Permission denied; set PODWALK_HOME" in complaint(lost.run("up"), 3)


def test_full_disk(any_cli: Cli) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("no unshare(1)")
    target = Path("/mnt")
    root = any_cli.uid is None and os.geteuid() == 0
    # A disk of one page that is full, in a mount namespace of this command alone.
    script = (
        f"mount -t tmpfs -o size=4k,mode=0755 none {target} && head -c 4096 /dev/zero >{target}/filler &&"
        f' export PODWALK_HOME={target} && "$@"; code=$?; ls {target}/clusters/full; exit $code'
    )
    unshare = ["unshare", "--mount"] if root else ["unshare", "--user", "--map-root-user", "--mount"]
    done = any_cli.run(argv=[*unshare, "sh", "-c", script, "sh", *any_cli.command("up", "--name", "full")])
    assert "No space left on device" in complaint(done, 3)
    assert "kubeconfig" not in done.stdout.split()
