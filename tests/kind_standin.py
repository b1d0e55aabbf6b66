"""Stand-ins for kind and docker with embedded clusters behind them, for any test that wants a `--backend kind` cluster.

    with kind_standin.embedded(folder):
        cluster = KindBackend().up(clusterconfig.default("x"), progress=print)

In this file's folder because pytest puts that on the path of every test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STANDIN = Path(__file__).parent / "kind" / "standin"
_OTHERS = ("KIND_EXPERIMENTAL_PROVIDER", "KIND_DOWNLOAD_URL", "PODWALK_KUBECTL", "DOCKER_HOST")


def environment(state: Path) -> dict[str, str]:
    """The variables under which kind, docker and kubectl are stand-ins; their state is in the folder, which is made.

    The podwalk of this interpreter and its programs come first on PATH after them, as in a terminal of the course.
    """
    state.mkdir(parents=True, exist_ok=True)
    own = Path(sys.executable).parent
    real = shutil.which("kubectl", path=f"{own}:{os.environ['PATH']}")
    return {
        "KIND_STANDIN": str(state),
        "KIND_STANDIN_EMBEDDED": "1",
        "KIND_STANDIN_KUBECTL": os.environ.get("PODWALK_KUBECTL") or real or "kubectl",
        "PATH": f"{STANDIN / 'kubectl-too'}:{STANDIN}:{own}:{os.environ['PATH']}",
    }


@contextmanager
def embedded(state: Path) -> Iterator[None]:
    """Have `--backend kind` work by stand-ins; in the end every embedded cluster behind them is down."""
    ours: dict[str, str | None] = {**dict.fromkeys(_OTHERS), **environment(state)}
    before = {name: os.environ.get(name) for name in ours}
    _set(ours)
    try:
        yield
    finally:
        _set(before)
        subprocess.run(
            [sys.executable, "-c", "from podwalk.cli.main import main; main()", "down", "--all"],
            env={**os.environ, "PODWALK_HOME": str(state / "home")},
            capture_output=True,
            check=False,
        )


def _set(variables: dict[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def calls(state: Path) -> list[str]:
    """How the stand-ins were called, in order."""
    path = state / "calls"
    return path.read_text().splitlines() if path.exists() else []
