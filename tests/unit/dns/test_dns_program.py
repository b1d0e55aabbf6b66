"""The program: its arguments, its Corefile, its end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from podwalk.dns import message
from podwalk.dns.__main__ import Program
from podwalk.dns.message import Message, Question


def start(*argv: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "podwalk.dns", *argv],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def test_a_mistake_in_the_corefile_ends_it_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(".:53 {\n    names\n}\n")
    _, errors = (process := start("-conf", str(tmp_path / "Corefile"))).communicate(timeout=20)
    assert process.returncode == 1
    assert errors.strip() == f"{tmp_path}/Corefile:2 - Error during parsing: Unknown directive 'names'"


def test_an_unknown_flag_is_refused() -> None:
    _, errors = (process := start("-port", "53")).communicate(timeout=20)
    assert process.returncode == 2
    assert "flag provided but not defined: -port" in errors


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(".:53 { log\n kubernetes cluster.local\n }\n")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        port = tcp.getsockname()[1]
        udp.bind(("127.0.0.1", port))  # it takes both
    process = start("-conf", str(tmp_path / "Corefile"), "-dns.port", str(port))
    assert process.stdout is not None
    while "podwalk-dns" not in (line := process.stdout.readline()):
        assert line, process.communicate()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(
            message.pack(Message(1, 0, Question("dns-version.cluster.local.", message.TXT))), ("127.0.0.1", port)
        )
        assert message.parse(client.recv(512)).answers[0].data == "1.1.0"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert '"TXT IN dns-version.cluster.local. udp ' in output
    assert "[INFO] SIGTERM: Shutting down servers then terminating" in output


def test_a_signal_that_came_too_early_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "Corefile").write_text(".:53 {\n}\n")
    block = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {15}); os.kill(os.getpid(), 15); "
    code = block + "os.execv(sys.argv[1], sys.argv[1:])"
    program = [sys.executable, "-m", "podwalk.dns", "-conf", str(tmp_path / "Corefile"), "-dns.port", "0"]
    done = subprocess.run([sys.executable, "-c", code, *program], capture_output=True, timeout=20, check=False)
    assert done.returncode == 0, done.stderr


def test_a_changed_corefile_is_read_again_and_a_broken_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    file = tmp_path / "Corefile"
    program = Program(file, 0)
    file.write_text("a.test { reload\n }")
    program.load()
    for text, zone in (("b.test { reload\n }", "b.test."), ("c.test { nonsense }", "b.test.")):
        file.write_text(text)
        program.reload()
        assert [block.zones for block in program.blocks] == [(zone,)]
    program.close()
    said = caplog.text
    assert said.index("Reloading complete") < said.index("Unknown directive 'nonsense'")
