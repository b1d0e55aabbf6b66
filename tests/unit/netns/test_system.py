"""What doctor says of machines that we do not have, by the files that they have."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest
from click.testing import CliRunner

from podwalk import backends
from podwalk.backends.base import BackendError
from podwalk.cli import doctor
from podwalk.cli.errors import AT_FAULT
from podwalk.netns import probe, system
from podwalk.netns.probe import Check

DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME="Debian GNU/Linux"\n'
UBUNTU = 'PRETTY_NAME="Ubuntu 24.04.3 LTS"\n'
RESTRICTED = "proc/sys/kernel/apparmor_restrict_unprivileged_userns"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a machine, and an ordinary user of it."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    write(tmp_path, "etc/os-release", DEBIAN)
    write(tmp_path, "proc/sys/kernel/osrelease", "6.1.0-18-amd64\n")
    write(tmp_path, RESTRICTED, "0\n")
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def test_an_ordinary_debian(machine: Path) -> None:
    here = system.look(machine, {})
    assert here.detail == "Debian GNU/Linux 12 (bookworm), Linux 6.1.0-18-amd64, ordinary user"
    assert here.refusal() == ""
    assert "run podwalk as root" in here.sandbox_cure()


def test_ubuntu_restricts_ordinary_users_and_not_root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(machine, "etc/os-release", UBUNTU)
    write(machine, RESTRICTED, "1\n")
    here = system.look(machine, {})
    assert "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0" in here.sandbox_cure()
    # There the sandbox starts, and the first thing in it fails.
    vxlan = Check("vxlan", False, "Operation not permitted", "sudo modprobe vxlan")
    assert "apparmor" in probe._likelier(vxlan, here).cure
    assert probe._likelier(Check("vxlan", True, "works"), here).cure == ""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert probe._likelier(vxlan, system.look(machine, {})) == vxlan


@pytest.mark.parametrize(
    ("switch", "value"), [("kernel/unprivileged_userns_clone", "0"), ("user/max_user_namespaces", "0")]
)
def test_other_switches(machine: Path, switch: str, value: str) -> None:
    write(machine, f"proc/sys/{switch}", value)
    assert f"sysctl -w {switch.replace('/', '.')}=" in system.look(machine, {}).sandbox_cure()


@pytest.mark.parametrize(
    ("mark", "text", "env", "kind"),
    [
        (".dockerenv", "", {}, "docker"),
        ("run/.containerenv", "", {}, "podman"),
        ("run/systemd/container", "lxc\n", {}, "lxc"),
        ("", "", {"KUBERNETES_SERVICE_HOST": "10.96.0.1"}, "kubernetes"),
        ("", "", {"container": "oci"}, "oci"),
    ],
)
def test_containers(machine: Path, mark: str, text: str, env: dict[str, str], kind: str) -> None:
    if mark:
        write(machine, mark, text)
    here = system.look(machine, env)
    assert f"in a container ({kind})" in here.detail
    assert "--privileged" in here.sandbox_cure()


def test_wsl(machine: Path) -> None:
    write(machine, "proc/sys/kernel/osrelease", "5.15.167.4-microsoft-standard-WSL2\n")
    two = system.look(machine, {})
    assert "WSL2" in two.detail
    assert two.refusal() == ""
    assert "wsl --update" in two.sandbox_cure()
    write(machine, "proc/sys/kernel/osrelease", "4.4.0-19041-Microsoft\n")
    assert "wsl --set-version Debian 2" in system.look(machine, {}).refusal()


def test_an_old_kernel(machine: Path) -> None:
    write(machine, "proc/sys/kernel/osrelease", "5.4.0-150-generic\n")
    assert "needs Linux 5.12 or newer" in system.look(machine, {}).refusal()


@pytest.mark.parametrize(("kind", "words"), [("Darwin", "limactl"), ("Windows", "wsl --install"), ("Haiku", "Linux")])
def test_other_systems(machine: Path, monkeypatch: pytest.MonkeyPatch, kind: str, words: str) -> None:
    monkeypatch.setattr(platform, "system", lambda: kind)
    assert words in system.look(machine, {}).refusal()
    outcome = CliRunner().invoke(doctor.doctor)
    assert outcome.exit_code == AT_FAULT
    assert words in outcome.output


def test_no_embedded_cluster_without_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(BackendError, match="podwalk doctor"):
        backends.backend("embedded")


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    here = system.look(tmp_path, {})
    assert here.refusal() == ""
    assert here.kernel == platform.release()
