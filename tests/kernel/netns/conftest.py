"""Run a body of bodies.py in a throwaway sandbox: as we are, and as an ordinary user where we are root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from netns_runner import Runner

import podwalk

_ORDINARY = 65534
_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def readable_source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the source that every user can read."""
    target = Path("/tmp", f"podwalk-source-{os.getpid()}")
    shutil.copytree(Path(podwalk.__file__).parent, target / "podwalk", ignore=shutil.ignore_patterns("__pycache__"))
    for body in [*_HERE.glob("bodies*.py"), _HERE / "body_tools.py"]:
        shutil.copy(body, target)
    for path in [target, *target.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    yield target
    shutil.rmtree(target)


@pytest.fixture(params=["as we are", "as an ordinary user"])
def runner(request: pytest.FixtureRequest) -> Runner:
    """Both identities, where there are two."""
    if request.param == "as we are":
        return Runner(sys.executable, Path(podwalk.__file__).parents[1], _HERE / "bodies.py", None)
    if os.geteuid() != 0:
        pytest.skip("already an ordinary user")
    python = next((path for path in ("/usr/bin/python3", "/usr/local/bin/python3") if _is_usable(path)), None)
    if python is None:
        pytest.skip("no Python 3.11 or newer that an ordinary user can read")
    source: Path = request.getfixturevalue("readable_source")
    return Runner(python, source, source / "bodies.py", _ORDINARY)


def _is_usable(python: str) -> bool:
    try:
        done = subprocess.run(
            [python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"], check=False, user=_ORDINARY
        )
    except OSError:
        return False
    return done.returncode == 0
