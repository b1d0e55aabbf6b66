"""agnhost netexec: what the labs' backends answer."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Callable
from urllib.parse import quote

import pytest
from program_process import Program, answers, exchange, fetch, free_port, run


@pytest.fixture
def ports() -> tuple[int, int]:
    return free_port(), free_port(socket.SOCK_DGRAM)


@pytest.fixture
def server(start: Callable[..., Program], ports: tuple[int, int]) -> Program:
    program = start("agnhost.py", "netexec", f"--http-port={ports[0]}", "--udp-port", str(ports[1]))
    answers(ports[0])
    return program


@pytest.mark.usefixtures("server")
class TestHTTP:
    def test_root_says_the_time_as_go_prints_it(self, ports: tuple[int, int]) -> None:
        _, _, body = fetch(ports[0], "/anything")
        assert re.fullmatch(r"NOW: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000 UTC m=\+\d+\.\d{9}", body)

    def test_answers_have_exactly_the_headers_of_net_http(self, ports: tuple[int, int]) -> None:
        raw = exchange(ports[0], "GET /echo?msg=hi HTTP/1.1\nHost: x\nConnection: close\n\n")
        raw = re.sub(r"Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "Date: D", raw)
        assert raw == (
            "HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\nhi"
        )

    def test_headers_that_the_handler_set_come_first(self, ports: tuple[int, int]) -> None:
        raw = exchange(ports[0], "GET /dial HTTP/1.1\nHost: x\nConnection: close\n\n")
        assert re.sub(r"Date: [^\r]+", "Date: D", raw) == (
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
            "Date: D\r\nContent-Length: 39\r\nConnection: close\r\n\r\nrequest parameter not specified. <nil>\n"
        )

    def test_an_old_client_is_answered_in_its_version(self, ports: tuple[int, int]) -> None:
        raw = exchange(ports[0], "GET /hostname HTTP/1.0\n\n", 0)
        assert raw.startswith("HTTP/1.0 200 OK\r\n")
        assert "Connection" not in raw

    def test_a_connection_serves_several_requests(self, ports: tuple[int, int]) -> None:
        asked = "GET /echo?msg=one HTTP/1.1\nHost: x\n\nGET /echo?msg=two HTTP/1.1\nHost: x\nConnection: close\n\n"
        raw = exchange(ports[0], asked, 2)
        assert raw.index("one") < raw.index("two")

    def test_head_has_a_length_and_no_body(self, ports: tuple[int, int]) -> None:
        raw = exchange(ports[0], "HEAD /hostname HTTP/1.1\nHost: x\nConnection: close\n\n")
        assert f"Content-Length: {len(socket.gethostname())}\r\n" in raw
        assert raw.endswith("\r\n\r\n")

    def test_a_request_without_host_is_bad(self, ports: tuple[int, int]) -> None:
        raw = exchange(ports[0], "GET / HTTP/1.1\n\n")
        assert raw.startswith("HTTP/1.1 400 Bad Request\r\n")
        assert raw.endswith("400 Bad Request: missing required Host header")

    def test_a_long_answer_comes_in_chunks(self, ports: tuple[int, int]) -> None:
        _, headers, body = fetch(ports[0], "/echo?msg=" + "x" * 3000)
        assert headers["Transfer-Encoding"] == "chunked"
        assert body == "x" * 3000

    def test_clientip_is_address_and_port_of_the_client(self, ports: tuple[int, int]) -> None:
        with socket.create_connection(("127.0.0.1", ports[0])) as connection:
            connection.sendall(b"GET /clientip HTTP/1.0\r\n\r\n")
            mine = connection.getsockname()
            body = connection.makefile("rb").read().split(b"\r\n\r\n")[1]
        assert body.decode() == f"127.0.0.1:{mine[1]}"

    @pytest.mark.parametrize("path", ["/hostname", "/hostName"])
    def test_hostname(self, ports: tuple[int, int], path: str) -> None:
        assert fetch(ports[0], path)[2] == socket.gethostname()

    def test_serverport(self, ports: tuple[int, int]) -> None:
        assert fetch(ports[0], "/serverport")[2] == str(ports[0])

    def test_echo_has_a_status_on_request(self, ports: tuple[int, int]) -> None:
        status, _, body = fetch(ports[0], "/echo?msg=a+b%21&code=503")
        assert (status, body) == (503, "a b!")
        assert fetch(ports[0], "/echo?code=x")[2] == "argument 'code' must be an integer or empty, got \"x\"\n"

    def test_header_one_and_all(self, ports: tuple[int, int]) -> None:
        assert fetch(ports[0], "/header?key=x-forwarded-for", X_Forwarded_For="1.2.3.4")[2] == "1.2.3.4"
        listed = json.loads(fetch(ports[0], "/header", X_Odd="<&>")[2])
        assert listed["X-Odd"] == ["<&>"]
        assert "Host" not in listed
        assert "\\u003c\\u0026\\u003e" in fetch(ports[0], "/header", X_Odd="<&>")[2]

    def test_redirect(self, ports: tuple[int, int]) -> None:
        status, headers, body = fetch(ports[0], "/redirect?location=/echo%3Fmsg=foobar&code=307")
        assert (status, headers["Location"]) == (307, "/echo?msg=foobar")
        assert body == '<a href="/echo?msg=foobar">Temporary Redirect</a>.\n\n'
        assert fetch(ports[0], "/redirect?location=http://10.0.0.1/")[0] == 302

    def test_shell(self, ports: tuple[int, int]) -> None:
        target = "/shell?cmd=" + quote("echo out; echo err >&2; exit 3")
        assert fetch(ports[0], target)[2] == '{"error":"exit status 3","output":"out\\nerr\\n"}'

    def test_probes_are_ready(self, ports: tuple[int, int]) -> None:
        assert fetch(ports[0], "/healthz")[::2] == (200, "")
        assert fetch(ports[0], "/readyz")[::2] == (200, "ok")

    def test_upload_without_the_folder(self, ports: tuple[int, int]) -> None:
        assert fetch(ports[0], "/upload", "POST")[2] == '{"error":"Unable to upload file."}'

    def test_a_doubled_slash_is_cleaned(self, ports: tuple[int, int]) -> None:
        status, headers, _ = fetch(ports[0], "//x/../hostname?q=1")
        assert (status, headers["Location"]) == (301, "/hostname?q=1")


@pytest.mark.usefixtures("server")
class TestDial:
    def ask(self, server_port: int, /, **parameters: str) -> tuple[int, str]:
        query = "&".join(f"{name}={quote(value)}" for name, value in parameters.items())
        status, _, body = fetch(server_port, f"/dial?{query}")
        return status, body

    def test_http(self, ports: tuple[int, int]) -> None:
        wanted = {"host": "127.0.0.1", "port": str(ports[0]), "request": "hostname", "tries": "2"}
        assert json.loads(self.ask(ports[0], **wanted)[1]) == {"responses": [socket.gethostname()] * 2}

    def test_http_follows_redirects(self, ports: tuple[int, int]) -> None:
        asked = "redirect?location=/echo%3Fmsg=there"
        body = self.ask(ports[0], host="127.0.0.1", port=str(ports[0]), request=asked)[1]
        assert body == '{"responses":["there"]}'

    def test_udp(self, ports: tuple[int, int]) -> None:
        body = self.ask(ports[0], host="127.0.0.1", port=str(ports[1]), request="echo Hello", protocol="udp")[1]
        assert body == '{"responses":["hello"]}'

    def test_a_refused_connection_is_reported_in_gos_words(self, ports: tuple[int, int]) -> None:
        closed = free_port()
        body = self.ask(ports[0], host="127.0.0.1", port=str(closed), request="hostname")[1]
        place = f"127.0.0.1:{closed}"
        assert json.loads(body) == {
            "errors": [f'Get "http://{place}/hostname": dial tcp {place}: connect: connection refused']
        }

    def test_wrong_parameters(self, ports: tuple[int, int]) -> None:
        assert self.ask(ports[0], host="127.0.0.1") == (400, "request parameter not specified. <nil>\n")
        assert self.ask(ports[0], host="127.0.0.1", request="x", protocol="icmp")[1] == "unsupported protocol. icmp\n"
        invalid = 'tries parameter is invalid. strconv.Atoi: parsing "x": invalid syntax\n'
        assert self.ask(ports[0], host="127.0.0.1", request="x", tries="x") == (400, invalid)
        unknown = "host and/or port param are invalid. lookup tcp/nosuchport: unknown port\n"
        assert self.ask(ports[0], host="127.0.0.1", port="nosuchport", request="x") == (400, unknown)


@pytest.mark.usefixtures("server")
def test_udp_commands(ports: tuple[int, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", ports[1]))
        for sent, wanted in (
            ("hostName\n", socket.gethostname()),
            ("echo Hello World", "hello world"),
            ("clientip", "127.0.0.1:" + str(client.getsockname()[1])),
        ):
            client.send(sent.encode())
            assert client.recv(2048).decode() == wanted


class TestEnd:
    def test_sigterm_ends_it_with_zero(self, server: Program) -> None:
        server.wait_for("Started HTTP server")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(10) == 0

    def test_delay_shutdown_keeps_serving_and_is_no_longer_ready(self, start: Callable[..., Program]) -> None:
        port = free_port()
        program = start("agnhost.py", "netexec", f"--http-port={port}", "--udp-port=-1", "--delay-shutdown=30")
        answers(port)
        program.process.send_signal(signal.SIGTERM)
        program.wait_for("Sleeping 30 seconds before terminating...")
        assert fetch(port, "/readyz")[::2] == (503, "shutting down")
        assert fetch(port, "/hostname")[0] == 200

    def test_one_that_is_told_to_go_while_it_starts_serves_until_it_goes(self, start: Callable[..., Program]) -> None:
        port = free_port()
        flags = (f"--http-port={port}", "--udp-port=-1", "--delay-shutdown=30")
        program = start("agnhost.py", "netexec", *flags, told_to_go=True)
        program.wait_for("Sleeping 30 seconds before terminating...")
        answers(port)
        assert fetch(port, "/readyz")[::2] == (503, "shutting down")

    def test_without_the_udp_server_it_is_never_healthy(self, start: Callable[..., Program]) -> None:
        port = free_port()
        start("agnhost.py", "netexec", f"--http-port={port}", "--udp-port=-1")
        answers(port)
        assert fetch(port, "/healthz")[0] == 412

    def test_exit_with_a_code(self, server: Program, ports: tuple[int, int]) -> None:
        exchange(ports[0], "GET /exit?code=7 HTTP/1.1\nHost: x\n\n", 0)
        assert server.process.wait(10) == 7

    def test_graceful_exit(self, server: Program, ports: tuple[int, int]) -> None:
        assert fetch(ports[0], "/exit?code=4&timeout=10ms")[0] == 200
        assert server.process.wait(10) == 4

    def test_http_override(self, start: Callable[..., Program]) -> None:
        port = free_port()
        start("agnhost.py", "netexec", f"--http-port={port}", "--udp-port=-1", "--http-override=/echo?msg=always")
        answers(port)
        assert fetch(port, "/hostname")[2] == "always"

    def test_a_taken_port_is_fatal(self, server: Program, ports: tuple[int, int]) -> None:
        server.wait_for("Started HTTP server")
        again = run("agnhost.py", "netexec", f"--http-port={ports[0]}", "--udp-port=-1")
        assert again.returncode == 1
        assert f"listen tcp :{ports[0]}: bind: address already in use" in again.stderr
