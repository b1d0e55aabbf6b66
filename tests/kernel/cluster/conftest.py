"""The command line as we are, and as an ordinary user where we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_cli import Cli

_ORDINARY = 65534
_ROOT = Path(__file__).parents[3]


def _home(uid: int | None) -> Path:
    # Not below pytest's folder, which only its owner may enter.
    home = Path(tempfile.mkdtemp(prefix="podwalk-test-"))
    if uid is not None:
        os.chown(home, uid, uid)
    return home


def _end(cli: Cli) -> None:
    done = cli.run("down", "--all")
    shutil.rmtree(cli.home)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def ordinary_python() -> Iterator[str]:
    """An interpreter with podwalk installed that every user can run, made as an ordinary user makes one."""
    base = next((p for p in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_usable(p)), None)
    if base is None:
        pytest.skip("no Python 3.11 or newer that an ordinary user can read")
    folder = _home(_ORDINARY)
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(_ROOT / name, source)
    shutil.copytree(_ROOT / "src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [source, *source.rglob("*")]:
        os.chown(path, _ORDINARY, _ORDINARY)
    python = str(folder / "venv" / "bin" / "python")
    for argv in (
        [base, "-m", "venv", str(folder / "venv")],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(source)],
    ):
        done = subprocess.run(
            argv,
            user=_ORDINARY,
            group=_ORDINARY,
            extra_groups=[],
            cwd="/",
            env={**os.environ, "HOME": str(folder)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
    yield python
    shutil.rmtree(folder)


def _is_usable(python: str) -> bool:
    check = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", check], user=_ORDINARY, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def cli() -> Iterator[Cli]:
    """The command line as we are."""
    one = Cli(sys.executable, _home(None))
    yield one
    _end(one)


@pytest.fixture(params=["as we are", "as an ordinary user"])
def any_cli(request: pytest.FixtureRequest) -> Iterator[Cli]:
    """Both identities, where there are two."""
    if request.param == "as we are":
        one = Cli(sys.executable, _home(None))
    elif os.geteuid() != 0:
        pytest.skip("already an ordinary user")
    else:
        one = Cli(request.getfixturevalue("ordinary_python"), _home(_ORDINARY), _ORDINARY)
    yield one
    _end(one)
