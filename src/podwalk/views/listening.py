"""tcpdump on a node or outside: started, ready, read through its pipes, and ended with the block that wanted it."""

from __future__ import annotations

import contextlib
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence

from podwalk.backends.base import BackendError, Cluster

_READY_SECONDS = 10.0


@contextlib.contextmanager
def listening(cluster: Cluster, node: str | None, argv: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command on a node (None: outside) for as long as the block lasts. Raises NotFoundError."""
    process = cluster.start(node, argv)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def await_ready(process: subprocess.Popen[bytes], who: str) -> None:
    """Wait until tcpdump says that it listens. Raises BackendError with its last line, and ``who`` it was."""
    said = b""
    for data in chunks(process.stderr, time.monotonic() + _READY_SECONDS):
        said += data
        if b"listening on" in said:
            return
    last = said.decode(errors="replace").strip().splitlines()[-1:] or ["it says nothing"]
    raise BackendError(f"{who}: {last[0]}; look: podwalk doctor")


def chunks(stream: object, deadline: float, quiet: float | None = None) -> Iterator[bytes]:
    """What comes through a pipe until its end, the deadline (monotonic), or ``quiet`` seconds without a byte."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)  # type: ignore[arg-type]
        while (left := deadline - time.monotonic()) > 0:
            if not selector.select(left if quiet is None else min(left, quiet)):
                return
            data = stream.read1(65536)  # type: ignore[attr-defined]
            if not data:
                return
            yield data
