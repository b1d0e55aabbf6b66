"""From a fresh clone to a proven cluster and a full mark, as root and as somebody who is not.

Only the system packages are shared: the clone, the home, the virtual environment and the cluster are of this test.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]

_ROOT = Path(__file__).parents[2]
_USER = "podwalk-test"
_PROOFS = ("the API server answers", "3 nodes Ready", "a name resolved", "a Service answered across nodes")
_OURS = ("PODWALK", "PYTHON", "KUBE", "XDG_", "VIRTUAL_ENV", "SUDO_")


@dataclass(frozen=True)
class Newcomer:
    """Somebody with a fresh clone and nothing else. ``uid`` None: ourselves."""

    folder: Path
    uid: int | None

    @property
    def clone(self) -> Path:
        """The clone."""
        return self.folder / "podwalk"

    def environment(self) -> dict[str, str]:
        """What a login gives, and what the machine says about mirrors, proxies and certificates."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        env |= {"HOME": str(self.folder), "PODWALK_HOME": str(self.folder / "state")}
        env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        if self.uid is None:
            env["PODWALK_PYTHON"] = sys.executable
        else:
            env |= {"USER": _USER, "LOGNAME": _USER}
        return env

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the clone."""
        return subprocess.run(
            argv,
            cwd=self.clone,
            env=self.environment(),
            user=self.uid,
            group=self.uid if self.uid is None else pwd.getpwuid(self.uid).pw_gid,
            extra_groups=None if self.uid is None else [],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=580,
        )

    def succeeds(self, *argv: str) -> str:
        """Run a command that must exit with 0; what it printed."""
        done = self.run(*argv)
        assert done.returncode == 0, f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}"
        return done.stdout


def _fresh_clone(folder: Path) -> Path:
    target = folder / "podwalk"
    if not (_ROOT / ".git").exists():
        skip = shutil.ignore_patterns(".venv", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(_ROOT, target, ignore=skip)
        return target
    # The repository may belong to somebody else than whoever runs the tests, which git refuses by default.
    trust = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*"}
    argv = ["git", "clone", "--quiet", "--no-hardlinks", str(_ROOT), str(target)]
    done = subprocess.run(argv, env={**os.environ, **trust}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def ordinary_uid() -> Iterator[int]:
    """An ordinary user's number; where there was none of this name, one for this test alone."""
    made = not any(user.pw_name == _USER for user in pwd.getpwall())
    if made:
        _must("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/bin/sh", _USER)
    yield pwd.getpwnam(_USER).pw_uid
    if made:
        _must("userdel", _USER)


def _must(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(params=["as we are", "as an ordinary user"])
def newcomer(request: pytest.FixtureRequest) -> Iterator[Newcomer]:
    """Both identities, where there are two."""
    uid = None
    if request.param == "as an ordinary user":
        if os.geteuid() != 0:
            pytest.skip("already an ordinary user")
        uid = request.getfixturevalue("ordinary_uid")
    # Not below pytest's folder, which only its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="podwalk-newcomer-"))
    clone = _fresh_clone(folder)
    if uid is not None:
        group = pwd.getpwuid(uid).pw_gid
        for path in [folder, clone, *clone.rglob("*")]:
            os.chown(path, uid, group, follow_symlinks=False)
    somebody = Newcomer(folder, uid)
    yield somebody
    if (clone / ".venv" / "bin" / "podwalk").exists():
        somebody.run(".venv/bin/podwalk", "down", "--all")
    shutil.rmtree(folder)


def _processes_of(newcomer: Newcomer) -> list[str]:
    done = subprocess.run(["ps", "-eo", "pid=,stat=,args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(newcomer.folder) in line and line.split()[1][0] != "Z"]


def test_a_newcomer_starts(newcomer: Newcomer) -> None:
    started = newcomer.succeeds("./start", "--no-lab")
    assert [p for p in _PROOFS if p not in started] == [], started
    assert "podwalk: ready" in started
    podwalk = str(newcomer.clone / ".venv" / "bin" / "podwalk")
    kubeconfig = newcomer.succeeds(podwalk, "kubeconfig", "--path").strip()
    path = f"PATH={newcomer.clone}/.venv/bin:{newcomer.environment()['PATH']}"
    nodes = newcomer.succeeds("env", path, f"KUBECONFIG={kubeconfig}", "kubectl", "get", "nodes", "--no-headers")
    assert [line.split()[1] for line in nodes.splitlines()] == ["Ready"] * 3
    again = newcomer.succeeds("./start", "--no-lab")
    assert "the cluster already runs" in again
    assert "installing" not in again

    demonstrated = newcomer.succeeds("./demo")
    assert "full marks" in demonstrated
    assert "what it took" in demonstrated

    assert "cluster podwalk is gone" in newcomer.succeeds(podwalk, "down")
    assert _processes_of(newcomer) == []
    # The clone is as it was: whatever the scripts made is ignored by git.
    if (newcomer.clone / ".git").exists():
        assert newcomer.succeeds("git", "status", "--porcelain") == ""
