"""exec, attach and port-forward over WebSocket, as docs/architecture.md defines them for the kubelet.

Stands in for pkg/kubelet/cri/streaming. Channels: 0 stdin, 1 stdout, 2 stderr, 3 one final Status, 4 resize, 255 close.
"""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp
from aiohttp import web

from podwalk.api.meta import Object
from podwalk.kubelet.containers import ContainerRunner
from podwalk.kubelet.outputs import Output, Send
from podwalk.kubelet.runs import Run
from podwalk.netns import containers as runtime
from podwalk.netns.containers import ContainerProcess, ContainerStartError
from podwalk.netns.reaper import Reaper

log = logging.getLogger(__name__)

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CANNOT_CONNECT = 4000
_CHUNK = 32 * 1024
_CHILDREN_SECONDS = 0.5
_CUT_OFF_SECONDS = 1.0
_BACKLOG = 256  # pieces of output that may wait for a client that is attached


def flags(request: web.Request) -> dict[str, bool]:
    """The switches of the query: stdin, stdout, stderr, tty."""
    return {name: request.query.get(name, "") in ("true", "1") for name in ("stdin", "stdout", "stderr", "tty")}


def exit_status(code: int) -> Object:
    """The final Status of a command."""
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def failure_status(message: str) -> Object:
    """The final Status of a command that could not be started."""
    return {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}


def resize_of(data: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a resize frame."""
    try:
        size = json.loads(data)
        return int(size["Height"]), int(size["Width"])
    except (ValueError, KeyError, TypeError):
        return None


class _Input:
    """Writes to a descriptor as fast as the other end reads, and closes it."""

    def __init__(self, fd: int, *, owned: bool) -> None:
        self._fd: int | None = fd
        self._owned = owned
        os.set_blocking(fd, False)

    async def write(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        while data and self._fd is not None:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                writable = loop.create_future()
                loop.add_writer(self._fd, _settle, writable)
                try:
                    await writable
                finally:
                    if self._fd is not None:
                        loop.remove_writer(self._fd)
            except OSError:
                self.close()

    def close(self) -> None:
        """Close what is ours (end of input)."""
        fd, self._fd = self._fd, None
        if fd is not None and self._owned:
            with suppress(OSError):
                os.close(fd)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _receive(
    socket_: web.WebSocketResponse, stdin: _Input | None, resize: Callable[[int, int], None] | None
) -> None:
    """Serve the client's frames until it goes away."""
    async for message in socket_:
        if message.type == aiohttp.WSMsgType.TEXT:
            data = str(message.data).encode()
        elif message.type == aiohttp.WSMsgType.BINARY:
            data = bytes(message.data)
        else:
            continue
        if not data:
            continue
        channel, payload = data[0], data[1:]
        if channel == STDIN and stdin is not None:
            await stdin.write(payload)
        elif channel == CLOSE and payload[:1] == bytes([STDIN]) and stdin is not None:
            stdin.close()
        elif channel == RESIZE and resize is not None and (size := resize_of(payload)) is not None:
            resize(*size)


async def _finish(socket_: web.WebSocketResponse, status: Object) -> None:
    with suppress(ConnectionError, RuntimeError):
        await socket_.send_bytes(bytes([ERROR]) + json.dumps(status).encode())
        await socket_.close()


async def serve_exec(request: web.Request, runner: ContainerRunner, run: Run, reaper: Reaper) -> web.StreamResponse:
    """Run a command in a container, its streams on the channels."""
    socket_ = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0)
    await socket_.prepare(request)
    wanted, command = flags(request), request.query.getall("command", [])
    environment = {**run.environment, "TERM": "xterm"} if wanted["tty"] else run.environment
    try:
        process = runtime.exec_in_container(
            run.process, command, environment, tty=wanted["tty"], stdin=wanted["stdin"], size=None
        )
    except ContainerStartError as error:
        text = f"failed to exec in container: failed to start exec: OCI runtime exec failed: exec failed: {error}"
        await _finish(socket_, {**failure_status(f"Internal error occurred: {text}")})
        return socket_
    log.debug("exec %s in %s: pid %d", command, runner.name, process.pid)
    exited = reaper.watch(process.pid)
    try:
        code = await _relay(socket_, process, exited)
        await _finish(socket_, exit_status(128 - code if code < 0 else code))
    finally:
        if not exited.done():
            runtime.signal(process, signal.SIGKILL)
        _close_outputs(process)
        runtime.release(process)
    return socket_


async def _relay(socket_: web.WebSocketResponse, process: ContainerProcess, exited: asyncio.Future[int]) -> int:
    """Copy in both directions until the command has ended and its output is out. Raises ConnectionError."""
    # With a terminal there is one descriptor for both directions.
    tty = process.stderr_fd is None
    source = process.stdout_fd if tty and process.stdin_fd is None else process.stdin_fd
    stdin = _Input(source, owned=process.stdin_fd is not None) if source is not None else None
    receiver = asyncio.create_task(
        _receive(socket_, stdin, (lambda rows, columns: runtime.resize(process, rows, columns)) if tty else None)
    )
    outputs = [Output(process.stdout_fd, _on(socket_, STDOUT))]
    if process.stderr_fd is not None:
        outputs.append(Output(process.stderr_fd, _on(socket_, STDERR)))
    copies = [asyncio.create_task(output.copy()) for output in outputs]
    try:
        either: list[asyncio.Future[Any]] = [exited, receiver]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            raise ConnectionResetError("the client went away")
        # A child of the command may hold the pipe open: do not wait for it for ever.
        await asyncio.wait(copies, timeout=_CHILDREN_SECONDS)
        for output, copy in zip(outputs, copies, strict=True):
            if not copy.done():
                output.finish()
        await _all_or_first(copies, receiver)
        return exited.result()
    finally:
        for task in (receiver, *copies):
            task.cancel()
        await asyncio.gather(receiver, *copies, return_exceptions=True)
        if stdin is not None:
            stdin.close()


def _on(socket_: web.WebSocketResponse, channel: int) -> Send:
    prefix = bytes([channel])
    return lambda data: socket_.send_bytes(prefix + data)


async def _all_or_first(copies: list[asyncio.Task[None]], receiver: asyncio.Task[None]) -> None:
    """Wait until all output is out, or the client is gone who was to have it."""
    while (left := [copy for copy in copies if not copy.done()]) and not receiver.done():
        await asyncio.wait([*left, receiver], return_when=asyncio.FIRST_COMPLETED)


def _close_outputs(process: ContainerProcess) -> None:
    for fd in (process.stdout_fd, process.stderr_fd):
        if fd is not None:
            with suppress(OSError):
                os.close(fd)


async def serve_attach(request: web.Request, runner: ContainerRunner, run: Run) -> web.StreamResponse:
    """Show what the running process writes from now on, and feed its input."""
    socket_ = web.WebSocketResponse(protocols=(PROTOCOL,), max_msg_size=0)
    await socket_.prepare(request)
    wanted = flags(request)
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    too_slow: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    channels = {"stdout": STDOUT, "stderr": STDERR}

    def listen(stream: str, data: bytes) -> None:
        if wanted[stream] or (wanted["tty"] and stream == "stdout"):
            queue.put_nowait(bytes([channels[stream]]) + data)
            if queue.qsize() > _BACKLOG and not too_slow.done():
                too_slow.set_result(None)

    tty = run.process.stderr_fd is None
    source = run.process.stdout_fd if tty else run.process.stdin_fd
    once = bool(runner.record.spec.get("stdinOnce")) and not tty
    stdin = _Input(source, owned=once) if wanted["stdin"] and source is not None else None
    if once and stdin is not None:
        run.process.stdin_fd = None
    run.log.listeners.append(listen)
    receiver = asyncio.create_task(
        _receive(socket_, stdin, (lambda rows, columns: runtime.resize(run.process, rows, columns)) if tty else None)
    )
    sender = asyncio.create_task(_send_all(queue, socket_))
    try:
        first: list[asyncio.Future[Any]] = [run.exited, receiver, sender, too_slow]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if too_slow.done():
            run.log.listeners.remove(listen)
            await _cut_off(request, socket_)
        elif run.exited.done():
            drained = asyncio.create_task(queue.join())
            await asyncio.wait([drained, sender], return_when=asyncio.FIRST_COMPLETED)
            drained.cancel()
            # The exit code is in the Pod's status; attaching itself went well.
            await _finish(socket_, exit_status(0))
    finally:
        if listen in run.log.listeners:
            run.log.listeners.remove(listen)
        for task in (receiver, sender):
            task.cancel()
        await asyncio.gather(receiver, sender, return_exceptions=True)
        if stdin is not None:
            stdin.close()
    return socket_


async def _cut_off(request: web.Request, socket_: web.WebSocketResponse) -> None:
    """End a session whose client does not read; it may not even read the end."""
    try:
        async with asyncio.timeout(_CUT_OFF_SECONDS):
            await socket_.close(code=aiohttp.WSCloseCode.POLICY_VIOLATION, message=b"the client reads too slowly")
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()


async def _send_all(queue: asyncio.Queue[bytes], socket_: web.WebSocketResponse) -> None:
    while True:
        await socket_.send_bytes(await queue.get())
        queue.task_done()


async def connect(opened: Callable[[], socket.socket], port: int) -> socket.socket:
    """A connection to 127.0.0.1:port from a socket of the Pod's network namespace. Raises OSError."""
    sock = opened()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    except BaseException:
        sock.close()
        raise
    return sock


def forward_error(error: OSError, port: int, sandbox: tuple[str, str]) -> str:
    """Why a port cannot be forwarded, as kubelet and containerd say it: the Pod is named by its sandbox."""
    why = "connection refused" if error.errno == errno.ECONNREFUSED else os.strerror(error.errno or 0).lower()
    dialled = f"IPv4: dial tcp4 127.0.0.1:{port}: connect: {why} IPv6 dial tcp6: address localhost: no suitable address"
    identifier, path = sandbox
    return (
        f"error forwarding port {port} to pod {identifier}, uid : "
        f'failed to execute portforward in network namespace "{path}": '
        f'failed to connect to localhost:{port} inside namespace "{identifier}", {dialled}'
    )


async def serve_port_forward(
    request: web.Request, opened: Callable[[], socket.socket], port: int, sandbox: tuple[str, str]
) -> web.StreamResponse:
    """One TCP connection to a port of the Pod; ``sandbox`` is its id and the path of its network namespace."""
    socket_ = web.WebSocketResponse(max_msg_size=0)
    await socket_.prepare(request)
    try:
        sock = await connect(opened, port)
    except OSError as error:
        # Twice: a close frame has room for 123 bytes of reason.
        reason = forward_error(error, port, sandbox)
        await socket_.send_str(reason)
        await socket_.close(code=CANNOT_CONNECT, message=reason.encode()[:123])
        return socket_
    reader, writer = await asyncio.open_connection(sock=sock)

    async def outwards() -> None:
        while data := await reader.read(_CHUNK):
            await socket_.send_bytes(data)

    async def inwards() -> None:
        async for message in socket_:
            if message.type != aiohttp.WSMsgType.BINARY:
                continue
            if not message.data:  # the client sends no more, and may still want the answer
                writer.write_eof()
                break
            writer.write(bytes(message.data))
            await writer.drain()
        async for _ in socket_:
            continue
        writer.close()

    tasks = [asyncio.create_task(outwards()), asyncio.create_task(inwards())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError, RuntimeError):
            await socket_.close()
    return socket_
