"""An installation of what is published, and somebody who uses it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
LAB = "menu-refuses-everyone"
_OURS = ("PODWALK", "PYTHON", "KUBE", "VIRTUAL_ENV")


def run(*argv: str, cwd: Path, env: dict[str, str] | None = None, code: int = 0) -> str:
    """What a command printed that must end with this code."""
    done = subprocess.run(
        argv, cwd=cwd, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=200
    )
    assert done.returncode == code, f"{' '.join(argv)} exited with {done.returncode}:\n{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Installed:
    """An installation of the wheel, and a home of somebody who uses it."""

    python: Path
    home: Path

    def environment(self) -> dict[str, str]:
        """As a login gives it, with the installation first on PATH."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(_OURS)}
        env |= {"PODWALK_HOME": str(self.home / "state"), "PODWALK_CLUSTER": "wheel", "HOME": str(self.home)}
        return {**env, "PATH": f"{self.python.parent}{os.pathsep}{env['PATH']}"}

    def podwalk(self, *args: str, code: int = 0) -> str:
        """Run podwalk in an empty folder."""
        argv = [str(self.python.with_name("podwalk")), *args]
        return run(*argv, cwd=self.home, env=self.environment(), code=code)
