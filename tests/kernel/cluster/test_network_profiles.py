"""`podwalk up --cni`: every profile as an ordinary user, and what a profile says that lacks something."""

from __future__ import annotations

import pytest
from cluster_cli import Cli, await_true, complaint

from podwalk.network import profiles

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]


@pytest.mark.parametrize("any_cli", ["as an ordinary user"], indirect=True)
@pytest.mark.parametrize("profile", ["flannel-udp", "calico", "cloud"])
def test_an_ordinary_user_has_every_profile(any_cli: Cli, profile: str) -> None:
    if (lack := profiles.missing(profile)) is not None:
        pytest.skip(lack)
    done = any_cli.run("up", "--name", "mine", "--cni", profile)
    assert done.returncode == 0, done.stderr
    assert "a Service answered across nodes" in done.stdout
    if profile == "calico":
        show = ("node", "--name", "mine", "worker", "--", "birdc", "show", "protocols")
        # The session between the workers may come last: what `up` proves does not need it.
        await_true(lambda: any_cli.run(*show).stdout.count("Established") == 2, "both sessions")
    any_cli.down("mine")


@pytest.mark.parametrize("any_cli", ["as an ordinary user"], indirect=True)
def test_bpf_programs_are_refused_to_an_ordinary_user_before_anything_starts(any_cli: Cli) -> None:
    done = any_cli.run("up", "--name", "mine", "--cni", "ebpf")
    line = complaint(done, 3)
    assert "profile ebpf loads BPF programs, which takes real root" in line
    assert "the kernel says: Operation not permitted; use sudo podwalk up --cni ebpf" in line
    assert "no cluster runs" in any_cli.run("status").stdout
    seen = any_cli.run("doctor")
    assert "BPF programs" in seen.stdout
    assert "run podwalk as root (for --cni ebpf)" in seen.stdout
    assert seen.returncode == 0, "nobody needs it"


def test_only_the_profile_has_maps_to_show(cli: Cli) -> None:
    cli.up("plain", "--cni", "kindnet")
    line = complaint(cli.run("bpf", "--name", "plain", "worker"), 1)
    assert "cluster plain does not serve Services by BPF; one of podwalk up --cni ebpf does" in line
    cli.down("plain")


def test_an_unknown_profile_is_refused(cli: Cli) -> None:
    done = cli.run("up", "--cni", "weave")
    assert done.returncode == 2
    assert "option cni: weave is not a network profile; use flannel, flannel-host-gw" in done.stderr
    assert not (cli.home / "clusters").exists()
    line = complaint(cli.run("up", "--cni", "cilium"), 2)
    assert "option cni: cilium is not a network profile; use flannel, flannel-host-gw" in line
    line = complaint(cli.run("up", "--backend", "kind", "--cni", "cloud"), 2)
    assert line.endswith("option cni: cloud is not a network profile; use kindnet, flannel, calico, cilium, none")
