"""The program ``kind`` itself, mostly through ``pytest_kind.KindCluster``: which one, with what settings, what it said.

The only module that knows pytest_kind, which is imported when a cluster is made or deleted; see
docs/decisions/0002-pytest-kind-ng.md.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from podwalk.backends import kind_engine
from podwalk.backends.base import BackendError, Completed, home, run_host
from podwalk.backends.kind_engine import EMBEDDED
from podwalk.backends.kind_networks import KIND_VERSION


def pytest_kind_module() -> Any:
    """The module ``pytest_kind``. Raises BackendError, with the cure, where it is not installed."""
    try:
        return importlib.import_module("pytest_kind")
    except ImportError as error:
        raise BackendError(
            f"the kind backend is not installed ({error}); pip install 'podwalk[kind]', {EMBEDDED}"
        ) from None


def _path() -> Path:
    found = shutil.which("kind")
    return Path(found) if found else home() / "bin" / f"kind-{KIND_VERSION}"


def _run(*arguments: str) -> Completed:
    with _environment():
        return run_host([str(_path()), *arguments], timeout=kind_engine.ANSWER_SECONDS)


def _other_version() -> str:
    """A hint where the kind of this machine is not the one that the node images were made for."""
    found = _run("version").stdout.split()[1:2]
    if not found or found[0] == KIND_VERSION:
        return ""
    return f"try kind {KIND_VERSION}, whose node images podwalk uses (kind {found[0]} is on PATH), "


def existing() -> list[str] | None:
    """The names of all of kind's clusters; None where kind (or the engine) does not tell."""
    done = _run("get", "clusters")
    return done.stdout.split() if done.ok else None


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Tell kind which engine to use (it guesses docker, even where only podman is), pytest_kind what to download."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    release = f"https://github.com/kubernetes-sigs/kind/releases/download/{KIND_VERSION}/kind-linux-{machine}"
    ours = {"KIND_EXPERIMENTAL_PROVIDER": kind_engine.engine(), "KIND_DOWNLOAD_URL": release}
    added = {name: value for name, value in ours.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


@contextlib.contextmanager
def at(directory: Path, image: str) -> Iterator[Any]:
    """Yield the ``pytest_kind.KindCluster`` of a directory, with versions and paths of our choice.

    It makes a folder ``.pytest-kind`` where the process stands, hence the change of directory. Its kind, where none is
    on PATH, is downloaded in the version that goes with the node image.
    """
    kind_cluster = pytest_kind_module().KindCluster
    kind_path = _path()
    if not kind_path.exists():
        kind_path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(directory), _environment(), _stdout_to_stderr():
        yield kind_cluster(
            directory.name,
            kubeconfig=directory / "kubeconfig",
            image=image,
            kind_path=kind_path,
            kubectl_path=Path("kubectl"),  # never run: podwalk calls kubectl itself
        )


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Let kind talk to the person and not into the output of a command that a script reads."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def call(action: Callable[[], object], verb: str) -> None:
    """Have kind do something (``verb``: create, delete, load). Raises BackendError with what a person can do."""
    cure = EMBEDDED if verb == "create" else f"and see whether {kind_engine.engine()} runs"
    try:
        action()
    except subprocess.CalledProcessError as error:
        raise BackendError(
            f"kind {verb} cluster failed with exit status {error.returncode}; see what it printed above, "
            f"{_other_version()}{cure}"
        ) from None
    except OSError as error:
        raise BackendError(
            f"kind {KIND_VERSION} could not be run or downloaded ({error}); "
            f"install it (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), {EMBEDDED}"
        ) from None
