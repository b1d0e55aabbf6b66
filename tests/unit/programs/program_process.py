"""Starts the programs as a container would: a process of its own, on ports of loopback that were free a moment ago."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PROGRAMS = Path(__file__).parents[3] / "src" / "podwalk" / "programs"


class Program:
    """A running program and what it printed."""

    def __init__(self, arguments: list[str], environment: dict[str, str], told_to_go: bool) -> None:
        self.process = subprocess.Popen(
            arguments,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment},
            preexec_fn=_tell_to_go if told_to_go else None,
        )
        self.output = ""

    def wait_for(self, text: str, seconds: float = 10) -> str:
        """Read until ``text`` was printed."""
        assert self.process.stdout is not None
        deadline = time.monotonic() + seconds
        while text not in self.output:
            readable, _, _ = select.select([self.process.stdout], [], [], max(deadline - time.monotonic(), 0))
            piece = os.read(self.process.stdout.fileno(), 65536) if readable else b""
            assert piece, f"{text!r} was not printed: {self.output}"
            self.output += piece.decode()
        return self.output

    def stop(self) -> None:
        """End the program if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        assert self.process.stdout is not None
        self.process.stdout.close()


def _tell_to_go() -> None:
    """A SIGTERM that waits for the program to be ready for it, as for the first process of a container."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    os.kill(os.getpid(), signal.SIGTERM)


def command(program: str, *arguments: str) -> list[str]:
    """Return the command line of one of the programs."""
    return [sys.executable, "-I", "-S", str(PROGRAMS / program), *arguments]


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that ends by itself."""
    return subprocess.run(command(program, *arguments), capture_output=True, text=True, timeout=20, check=False)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int, seconds: float = 10) -> None:
    """Wait until something listens on ``port``."""
    deadline = time.monotonic() + seconds
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, f"nobody listens on {port}"
        time.sleep(0.01)


def exchange(port: int, request: str, answers_wanted: int = 1) -> str:
    """Send raw bytes and return everything the server sent until it closed (or ``answers_wanted`` answers came)."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.replace("\n", "\r\n").encode())
        received = b""
        while piece := connection.recv(65536):
            received += piece
    assert received.count(b"HTTP/1.1 ") >= answers_wanted, received
    return received.decode()


def fetch(port: int, target: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of one request."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, target, headers={k.replace("_", "-"): v for k, v in headers.items()})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()
