"""The other subcommands of agnhost, and its command line."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from program_process import PROGRAMS, Program, answers, command, exchange, fetch, free_port, run


class TestConnect:
    def test_an_open_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            done = run("agnhost.py", "connect", f"127.0.0.1:{server.getsockname()[1]}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["127.0.0.1:1"], "REFUSED\n"),
            (["nobody"], "UNKNOWN: address nobody: missing port in address\n"),
            (["127.0.0.1:nosuchport"], "DNS: lookup tcp/nosuchport: unknown port\n"),
            (["255.255.255.255:80"], "OTHER: dial tcp 255.255.255.255:80: connect: network is unreachable\n"),
            (["--protocol=sctp", "127.0.0.1:1"], "OTHER: protocol not supported\n"),
        ],
    )
    def test_failures(self, arguments: list[str], message: str) -> None:
        done = run("agnhost.py", "connect", *arguments)
        assert (done.returncode, done.stderr) == (1, message)

    def test_a_full_backlog_times_out(self) -> None:
        with socket.socket() as server, socket.socket() as first:
            server.bind(("127.0.0.1", 0))
            server.listen(0)
            first.connect(server.getsockname())
            done = run("agnhost.py", "connect", "--timeout=200ms", f"127.0.0.1:{server.getsockname()[1]}")
        assert (done.returncode, done.stderr) == (1, "TIMEOUT\n")

    def test_udp(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(10)
            port = server.getsockname()[1]
            arguments = command("agnhost.py", "connect", "--protocol", "udp", "--udp-data", "hi", f"127.0.0.1:{port}")
            with subprocess.Popen(arguments) as client:
                data, address = server.recvfrom(100)
                server.sendto(b"answer", address)
                assert client.wait(10) == 0
        assert data == b"hi\n"

    def test_udp_silence_and_refusal(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            port = server.getsockname()[1]
            silent = run("agnhost.py", "connect", "--protocol=udp", "--timeout=100ms", f"127.0.0.1:{port}")
        refused = run("agnhost.py", "connect", "--protocol=udp", "--timeout=5s", f"127.0.0.1:{port}")
        assert re.fullmatch(rf"TIMEOUT: read udp 127.0.0.1:\d+->127.0.0.1:{port}: i/o timeout\n", silent.stderr)
        wanted = rf"REFUSED: read udp 127.0.0.1:\d+->127.0.0.1:{port}: read: connection refused\n"
        assert re.fullmatch(wanted, refused.stderr)


class TestServeHostname:
    def test_http(self, start: Callable[..., Program]) -> None:
        port = free_port()
        program = start("agnhost.py", "serve-hostname", "--port", str(port), "--close")
        program.wait_for(f"Serving on port {port}.")
        _, headers, body = fetch(port, "/whatever")
        assert (headers["Connection"], body) == ("close", socket.gethostname())
        program.wait_for("HTTP request from 127.0.0.1:")

    def test_tcp_and_udp(self, start: Callable[..., Program]) -> None:
        port = free_port()
        program = start("agnhost.py", "serve-hostname", "--http=false", "--tcp", "--udp", f"--port={port}")
        program.wait_for("Serving on port")
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            assert connection.recv(100).decode() == socket.gethostname()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            client.sendto(b"?", ("127.0.0.1", port))
            assert client.recv(100).decode() == socket.gethostname()

    def test_sigterm_is_only_logged(self, start: Callable[..., Program]) -> None:
        port = free_port()
        program = start("agnhost.py", "serve-hostname", f"--port={port}")
        program.wait_for("Serving on port")
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("Awaiting pod deletion.")
        assert fetch(port, "/")[0] == 200

    def test_both_at_once_is_an_error(self) -> None:
        done = run("agnhost.py", "serve-hostname", "--tcp")
        assert done.returncode == 1
        assert "Can't server TCP/UDP mode and HTTP mode at the same time" in done.stderr


def test_porter_serves_each_variable(start: Callable[..., Program]) -> None:
    first, second = free_port(), free_port()
    start("agnhost.py", "porter", **{f"SERVE_PORT_{first}": "one", f"SERVE_TCP_PORT_{second}": "two"})
    answers(first)
    answers(second)
    assert (fetch(first, "/")[2], fetch(second, "/x")[2]) == ("one", "two")


def test_porter_as_json(start: Callable[..., Program]) -> None:
    port = free_port()
    start("agnhost.py", "porter", "--json-response", **{f"SERVE_PORT_{port}": "foo"})
    answers(port)
    _, headers, body = fetch(port, "/", "PUT")
    assert (headers["Content-Type"], body) == ("application/json", '{"Method":"PUT","Body":"foo"}')


def test_webserver_serves_files(start: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    port = free_port()
    start("agnhost.py", "test-webserver", f"--port={port}")
    answers(port)
    assert fetch(port, f"{tmp_path}/a.txt")[2] == "content"
    status, headers, body = fetch(port, f"{tmp_path}/missing")
    assert (status, body) == (404, "404 page not found\n")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert '<a href="a.txt">a.txt</a>' in fetch(port, f"{tmp_path}/")[2]
    assert exchange(port, f"GET {tmp_path} HTTP/1.0\n\n", 0).startswith("HTTP/1.0 301 ")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 2), (signal.SIGINT, 1)])
def test_pause_ends_with_the_status_of_its_signal(
    start: Callable[..., Program], number: signal.Signals, code: int
) -> None:
    program = start("agnhost.py", "pause")
    program.wait_for("Paused\n")
    program.process.send_signal(number)
    assert program.process.wait(10) == code


def test_entrypoint_tester_prints_its_arguments_unparsed() -> None:
    done = run("agnhost.py", "entrypoint-tester", "override", "--flag", "-x")
    assert (done.returncode, done.stdout) == (0, "[/agnhost entrypoint-tester override --flag -x]\n")


def test_etc_hosts() -> None:
    assert run("agnhost.py", "etc-hosts").stdout == Path("/etc/hosts").read_text() + "\n"


def test_dns_server_list() -> None:
    lines = [line for line in Path("/etc/resolv.conf").read_text().split("\n") if line.startswith("nameserver")]
    if not lines:
        pytest.skip("no nameserver in /etc/resolv.conf")
    assert run("agnhost.py", "dns-server-list").stdout == ",".join(lines[0].split(" ")[1:]) + "\n"


def test_logs_generator_numbers_its_lines() -> None:
    done = run("agnhost.py", "logs-generator", "-t3", "--run-duration", "30ms")
    lines = done.stderr.splitlines()
    assert [re.sub(r".*\] (\d+) (GET|POST|PUT) /api/v1/namespaces/.*", r"\1", line) for line in lines] == [
        "0",
        "1",
        "2",
    ]
    assert run("agnhost.py", "logs-generator").returncode == 255


def test_porter_with_tls(start: Callable[..., Program], tmp_path: Path) -> None:
    port, broken = free_port(), free_port()
    cert, key = self_signed(tmp_path)
    start("agnhost.py", "porter", **{f"SERVE_TLS_PORT_{port}": "secret", "CERT_FILE": str(cert), "KEY_FILE": str(key)})
    answers(port)
    trusting = ssl.create_default_context(cafile=str(cert))
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=trusting)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"secret"
    connection.close()
    program = start("agnhost.py", "porter", **{f"SERVE_TLS_PORT_{broken}": "x", "CERT_FILE": "/missing"})
    program.wait_for(f'tls server on port "{broken}" with certFile="/missing", keyFile="localhost.key" failed: open')


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
    builder = builder.not_valid_after(now + datetime.timedelta(hours=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    cert_file, key_file = folder / "tls.crt", folder / "tls.key"
    cert_file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    key_file.write_bytes(key.private_bytes(*form))
    return cert_file, key_file


def test_no_snat_compares_what_the_other_side_saw(start: Callable[..., Program]) -> None:
    port, other = free_port(), free_port()
    start("agnhost.py", "no-snat-test", f"--port={port}", POD_IP="127.0.0.1", NODE_IP="10.0.0.1")
    start("agnhost.py", "no-snat-test", f"--port={other}", POD_IP="10.0.0.2", NODE_IP="127.0.0.1")
    answers(port)
    answers(other)
    assert fetch(port, "/whoami")[2].startswith("127.0.0.1:")
    assert fetch(port, f"/checknosnat?ips=127.0.0.1:{other}")[::2] == (200, "")
    wanted = 'Returned ip "127.0.0.1" != my Pod ip "10.0.0.2", == my Node ip "127.0.0.1" - SNAT'
    assert fetch(other, f"/checknosnat?ips=127.0.0.1:{port}")[::2] == (500, wanted)


def test_close_wait_runners(start: Callable[..., Program]) -> None:
    port = free_port()
    options = f'{{"LocalAddr":"127.0.0.1:{port}","PostFinTimeoutSeconds":0}}'
    server = start("agnhost.py", "net", "--runner=nat-closewait-server", "--options", options)
    server.wait_for("Options: ")
    deadline = time.monotonic() + 10
    remote = f'{{"RemoteAddr":"127.0.0.1:{port}","TimeoutSeconds":5}}'
    while (done := run("agnhost.py", "net", "--runner=nat-closewait-client", "--options", remote)).returncode:
        assert time.monotonic() < deadline, done.stderr
    assert "Server has half-closed the connection, waiting 0 seconds\n" in done.stdout
    assert "Client connected" in server.wait_for("Done")


def test_net_serves_its_runners(start: Callable[..., Program]) -> None:
    port = free_port()
    start("agnhost.py", "net", "--serve", f"127.0.0.1:{port}")
    answers(port)
    assert (
        fetch(port, "/run/bogus", "POST")[2] == "Error from runner: Invalid runner: '<nil>', see --help\noutput:\n\n\n"
    )
    assert fetch(port, "/elsewhere")[::2] == (404, "404 page not found\n")


def test_guestbook_keeps_entries(start: Callable[..., Program]) -> None:
    port = free_port()
    start("agnhost.py", "guestbook", f"--http-port={port}", f"--backend-port={port}")
    answers(port)
    assert fetch(port, "/set?key=a&value=1")[2] == '{"message":"Updated"}'
    assert fetch(port, "/register?host=127.0.0.9")[2] == '{"data":{"a":"1"}}'
    assert fetch(port, "/get?key=a")[2] == '{"data":"1"}'
    assert fetch(port, "/get")[2] == '{"data":{"a":"1"}}'
    assert fetch(port, "/set?value=1")[::2] == (400, "cannot set with empty key.\n")
    assert fetch(port, "/guestbook?cmd=drop")[::2] == (400, "unsupported cmd: 'drop'\n")


def test_a_guestbook_replica_copies_its_primary(start: Callable[..., Program]) -> None:
    primary, replica = free_port(), free_port()
    start("agnhost.py", "guestbook", f"--http-port={primary}", "--backend-port=1")
    answers(primary)
    fetch(primary, "/set?key=a&value=1")
    copy = start(
        "agnhost.py", "guestbook", f"--http-port={replica}", f"--backend-port={primary}", "--replicaof=127.0.0.1"
    )
    copy.wait_for("Registered to node: 127.0.0.1")
    answers(replica)
    assert fetch(replica, "/get?key=a")[2] == '{"data":"1"}'
    message = "encountered error while propagating to replica '127.0.0.1': Get "
    status, _, body = fetch(primary, "/set?key=a&value=2")
    assert status == 417
    assert body.startswith(message)


def test_mounttest(tmp_path: Path) -> None:
    path = tmp_path / "file"
    shown = run("agnhost.py", "mounttest", f"--new_file_0660={path}", f"--file_mode={path}", f"--file_owner={path}")
    assert shown.stdout == (
        f'content of file "{path}": mount-tester new file\n\nmode of file "{path}": -rw-rw----\n'
        f'owner UID of "{path}": {path.stat().st_uid}\nowner GID of "{path}": {path.stat().st_gid}\n'
    )
    missing = run("agnhost.py", "mounttest", f"--file_perm={tmp_path}/missing")
    wanted = f'error from Stat("{tmp_path}/missing"): stat {tmp_path}/missing: no such file or directory\n'
    assert (missing.returncode, missing.stdout) == (1, wanted)
    tmp_path.chmod(0o1777)
    assert run("agnhost.py", "mounttest", f"--file_mode={tmp_path}").stdout.endswith(": dtrwxrwxrwx\n")
    assert run("agnhost.py", "mounttest", "--fs_type=/proc").stdout == 'mount type of "/proc": proc\n'


@pytest.mark.parametrize("program", ["agnhost", "nginx", "http_echo"])
def test_programs_can_be_imported_by_a_launcher_too(program: str) -> None:
    """The kubelet's launcher imports a program from its folder, which spares compiling it."""
    code = f"import sys; sys.path.insert(0, {str(PROGRAMS)!r}); import {program} as p; print(callable(p.main))"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


class TestCommandLine:
    def test_help_lists_the_subcommands(self) -> None:
        assert run("agnhost.py").stdout == run("agnhost.py", "--help").stdout == run("agnhost.py", "help").stdout
        assert "  netexec              Creates HTTP(S), UDP" in run("agnhost.py").stdout

    def test_help_of_a_subcommand(self) -> None:
        text = run("agnhost.py", "serve-hostname", "--help").stdout
        assert text == run("agnhost.py", "help", "serve-hostname").stdout
        assert "      --port int   Port number. (default 9376)\n" in text

    def test_version(self) -> None:
        assert run("agnhost.py", "--version").stdout == "app version 2.57\n"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["bogus"], 'Error: unknown command "bogus" for "app"\n'),
            (["pause", "--bogus"], "Error: unknown flag: --bogus\n"),
            (["pause", "x"], "Error: accepts at most 0 arg(s), received 1\n"),
            (["connect"], "Error: accepts 1 arg(s), received 0\n"),
            (["netexec", "--http-port"], "Error: flag needs an argument: --http-port\n"),
            (
                ["netexec", "--http-port=x"],
                'Error: invalid argument "x" for "--http-port" flag: strconv.ParseInt: parsing "x": invalid syntax\n',
            ),
        ],
    )
    def test_mistakes(self, arguments: list[str], message: str) -> None:
        done = run("agnhost.py", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith(message)


def test_a_server_loads_nothing_slow() -> None:
    """A cluster runs dozens of these: what each would load and not use is start-up time and memory."""
    imports = "from podwalk.programs import agnhost, netexec, servers, simple"
    code = f"import sys; sys.path.append({str(PROGRAMS.parents[1])!r}); {imports}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    slow = {"typing", "re", "json", "asyncio", "http", "http.server", "urllib.parse", "ssl", "subprocess", "threading"}
    assert not slow & set(done.stdout.split())


def test_a_signal_that_came_too_early_is_not_lost() -> None:
    """A container begins with SIGTERM blocked; the program lets it in once it has its handlers."""
    block = "import os, signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, {15}); os.kill(os.getpid(), 15); "
    code = block + "os.execv(sys.argv[1], sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", code, *command("agnhost.py", "pause")], capture_output=True, timeout=20, check=False
    )
    assert done.returncode == 2
