"""What is published, built from this repository and installed into an empty environment."""

from __future__ import annotations

import sys
import sysconfig
import tarfile
import venv
from pathlib import Path

import pytest
from installation import ROOT, Installed, run


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder), cwd=ROOT)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder, filter="data")
    return next(path for path in folder.iterdir() if path.is_dir())


@pytest.fixture(scope="session")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=sdist)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """A fresh environment with the wheel alone; what it depends on is borrowed from ours, so that no index is asked."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    run(*pip, "--disable-pip-version-check", str(wheel), cwd=folder)
    # Our own .pth files are not read there, so that the repository stays out.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(str(python), "-c", "import podwalk; print(podwalk.__file__)", cwd=folder).strip()
    assert Path(where).is_relative_to(site)
    return Installed(python, folder)
