"""What a cluster leaves on the host: a directory with a lock, a state file, a kubeconfig and a log.

The lock is the truth: who holds it runs the cluster of that name. A state file without a held lock is a leftover of a
supervisor that was killed (the kernel has removed everything else) and is cleared by whoever meets it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_LOCK, _STATE, _KUBECONFIG, _LOG = "lock", "state.json", "kubeconfig", "log"
_LOOKS = 100


@dataclass(slots=True)
class State:
    """A running cluster, as its supervisor records it. Pids: of the host, except ``node_pids`` (of the sandbox).

    ``beside_pids``, of the sandbox too: machines that are no nodes, such as the switches of the profile calico.
    ``options``: what kind of cluster it is, as :meth:`podwalk.api.clusterconfig.ClusterConfig.options` tells.
    """

    name: str
    supervisor_pid: int
    init_pid: int = 0
    api_port: int = 0
    started: float = 0.0
    node_addresses: dict[str, str] = field(default_factory=dict)
    node_roles: dict[str, str] = field(default_factory=dict)
    node_pids: dict[str, int] = field(default_factory=dict)
    beside_pids: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


class ClusterDir:
    """``$PODWALK_HOME/clusters/NAME``."""

    def __init__(self, home: Path, name: str) -> None:
        self.name = name
        self.path = home / "clusters" / name
        self.kubeconfig = self.path / _KUBECONFIG
        self.log = self.path / _LOG

    def make(self) -> None:
        """Create the directory, readable by the owner only."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o700)

    def try_lock(self) -> int | None:
        """Take the lock; the file descriptor holds it. None where another process has it."""
        path = self.path / _LOCK
        while True:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if path.exists() and os.path.samestat(os.fstat(fd), path.stat()):
                    return fd
            except OSError:
                os.close(fd)
                return None
            # The directory was removed between the two calls: a lock on a deleted file guards nothing.
            os.close(fd)

    def await_lock(self) -> int | None:
        """As try_lock, but not misled by somebody who holds the lock for an instant to look (`is_locked`, `read`)."""
        for _ in range(_LOOKS):
            if (fd := self.try_lock()) is not None:
                return fd
            time.sleep(0.01)
        return None

    def is_locked(self) -> bool:
        """Whether a supervisor lives."""
        if not (self.path / _LOCK).exists():
            return False
        fd = self.try_lock()
        if fd is None:
            return True
        os.close(fd)
        return False

    def wait_unlocked(self, seconds: float) -> bool:
        """Wait until the supervisor is gone; False after ``seconds``."""
        deadline = time.monotonic() + seconds
        while self.is_locked():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
        return True

    def read(self) -> State | None:
        """The state of a cluster that runs or starts, else None. Clears leftovers."""
        if not (self.path / _LOCK).exists():
            return None
        for _ in range(_LOOKS):
            fd = self.try_lock()
            if fd is not None:
                break
            # A supervisor that has just started holds the lock and has not written anything yet.
            if (state := self._load()) is not None:
                return state
            time.sleep(0.01)
        if fd is not None:
            # Under the lock: a supervisor that starts this instant must not lose what it has just written.
            try:
                self.clear()
            finally:
                os.close(fd)
        return None

    def _load(self) -> State | None:
        try:
            data: dict[str, Any] = json.loads((self.path / _STATE).read_text())
        except (OSError, ValueError):
            return None
        return State(**data)

    def write(self, state: State) -> None:
        """Replace the state file in one step."""
        self._replace(_STATE, json.dumps(asdict(state), indent=1).encode())

    def write_kubeconfig(self, text: str) -> None:
        """Write the kubeconfig, mode 0600."""
        self._replace(_KUBECONFIG, text.encode())

    def _replace(self, name: str, data: bytes) -> None:
        fresh = self.path / f".{name}.new"
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        fresh.rename(self.path / name)

    def clear(self) -> None:
        """Remove state and kubeconfig (the log stays: it says why a cluster ended)."""
        for name in (_STATE, _KUBECONFIG, f".{_STATE}.new", f".{_KUBECONFIG}.new"):
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).unlink()

    def remove(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path, ignore_errors=True)


def all_dirs(home: Path) -> Iterator[ClusterDir]:
    """The directories of all clusters, by name."""
    parent = home / "clusters"
    if parent.is_dir():
        for child in sorted(parent.iterdir()):
            if child.is_dir():
                yield ClusterDir(home, child.name)
