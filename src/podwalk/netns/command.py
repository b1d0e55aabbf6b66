"""Run a program in the current namespaces and collect what it prints, without blocking the loop of the agent."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from podwalk.netns.reaper import Reaper

_LINGER_SECONDS = 0.5  # for output that a background child of the program still holds open


@dataclass(frozen=True)
class Completed:
    """How a program ended: `returncode` is negative when a signal killed it."""

    returncode: int
    stdout: bytes
    stderr: bytes


async def run(
    reaper: Reaper,
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float = 30,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Completed:
    """Run `argv` to its end. Raises FileNotFoundError (or PermissionError), and TimeoutError after killing it."""
    process = _start(argv, stdin is not None, env, cwd)
    exited = reaper.watch(process.pid)
    loop = asyncio.get_running_loop()
    assert process.stdout is not None
    assert process.stderr is not None
    outputs = [_Output(loop, stream) for stream in (process.stdout, process.stderr)]
    feeder = _Feeder(loop, process.stdin, stdin or b"") if process.stdin is not None else None
    try:
        async with asyncio.timeout(timeout):
            code = await asyncio.shield(exited)
            await asyncio.wait([output.ended for output in outputs], timeout=_LINGER_SECONDS)
    except TimeoutError:
        raise TimeoutError(f"{argv[0]}: no end after {timeout:g} s") from None
    finally:
        if not exited.done():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.returncode = exited.result() if exited.done() else -signal.SIGKILL
        if feeder is not None:
            feeder.close()
        for output in outputs:
            output.close()
    return Completed(code, bytes(outputs[0].data), bytes(outputs[1].data))


def run_sync(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout: float = 30,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
) -> Completed:
    """The same for a process without a reaper. Raises FileNotFoundError, PermissionError, TimeoutError."""
    try:
        done = subprocess.run(
            list(argv), input=stdin, capture_output=True, timeout=timeout, env=env, cwd=cwd, check=False,
            stdin=subprocess.DEVNULL if stdin is None else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"{argv[0]}: no end after {timeout:g} s") from None
    return Completed(done.returncode, done.stdout, done.stderr)


def _start(
    argv: Sequence[str], with_stdin: bool, env: Mapping[str, str] | None, cwd: str | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=cwd,
        bufsize=0,
        start_new_session=True,
    )


class _Output:
    """Everything that comes out of a pipe."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: IO[bytes]) -> None:
        self.data = bytearray()
        self.ended: asyncio.Future[None] = loop.create_future()
        self._loop, self._stream = loop, stream
        os.set_blocking(stream.fileno(), False)
        loop.add_reader(stream.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._stream.fileno(), 65536)
        except BlockingIOError:
            return
        self.data += data
        if not data:
            self._loop.remove_reader(self._stream.fileno())
            if not self.ended.done():
                self.ended.set_result(None)

    def close(self) -> None:
        self._loop.remove_reader(self._stream.fileno())
        self._stream.close()
        self.ended.cancel()


class _Feeder:
    """Bytes on their way into a pipe."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: IO[bytes], data: bytes) -> None:
        self._loop, self._stream, self._rest = loop, stream, memoryview(data)
        os.set_blocking(stream.fileno(), False)
        loop.add_writer(stream.fileno(), self._write)

    def _write(self) -> None:
        try:
            self._rest = self._rest[os.write(self._stream.fileno(), self._rest) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._rest = self._rest[:0]
        if not self._rest:
            self.close()

    def close(self) -> None:
        if not self._stream.closed:
            self._loop.remove_writer(self._stream.fileno())
            self._stream.close()
