"""nginx, http-echo, and the Go texts they share."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from program_process import Program, answers, exchange, fetch, free_port, run

from podwalk.programs import gohttp, gotext


class TestNginx:
    @pytest.fixture
    def port(self, start: Callable[..., Program]) -> int:
        port = free_port()
        self.program = start("nginx.py", "-g", "daemon off;", "--port", str(port))
        answers(port)
        return port

    def test_the_welcome_page(self, port: int) -> None:
        status, headers, body = fetch(port, "/")
        assert (status, headers["Server"], headers["Content-Length"]) == (200, "nginx/1.27.5", "615")
        assert "<h1>Welcome to nginx!</h1>" in body
        assert list(headers)[:2] == ["Server", "Date"]

    def test_missing_pages_and_wrong_methods(self, port: int) -> None:
        status, _, body = fetch(port, "/missing")
        assert status == 404
        assert body.endswith("<hr><center>nginx/1.27.5</center>\r\n</body>\r\n</html>\r\n")
        assert fetch(port, "/", "DELETE")[0] == 405

    def test_the_access_log(self, port: int) -> None:
        exchange(port, "GET /?q=1 HTTP/1.1\nHost: web\nUser-Agent: me\nConnection: close\n\n")
        line = self.program.wait_for('"me" "-"\n').splitlines()[-1]
        assert line.startswith("127.0.0.1 - - [")
        assert line.endswith('"GET /?q=1 HTTP/1.1" 200 615 "-" "me" "-"')

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
    def test_signals_end_it_cleanly(self, port: int, number: signal.Signals) -> None:
        self.program.process.send_signal(number)
        assert self.program.process.wait(10) == 0


class TestHttpEcho:
    def test_every_path_has_the_text(self, start: Callable[..., Program]) -> None:
        port = free_port()
        program = start("http_echo.py", f"-listen=:{port}", "-text", "hello from a")
        answers(port)
        _, headers, body = fetch(port, "/any")
        assert (headers["X-App-Name"], body) == ("http-echo", "hello from a\n")
        assert fetch(port, "/health")[2] == '{"status":"ok"}\n'
        program.wait_for(f"127.0.0.1:{port} 127.0.0.1:")
        program.wait_for('"GET /any HTTP/1.1" 200 13 ""')

    def test_status_code(self, start: Callable[..., Program]) -> None:
        port = free_port()
        start("http_echo.py", f"--listen=127.0.0.1:{port}", "--status-code=418", ECHO_TEXT="tea")
        answers(port)
        assert fetch(port, "/")[::2] == (418, "tea\n")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ([], 127, "Missing -text option"),
            (["-text=x", "y"], 127, "Too many arguments!"),
            (["-bogus"], 2, "flag provided but not defined: -bogus"),
        ],
    )
    def test_mistakes(self, arguments: list[str], code: int, message: str) -> None:
        done = run("http_echo.py", *arguments)
        assert done.returncode == code
        assert done.stderr.startswith(message)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (1.5, "1.5s"), (90, "1m30s"), (3600, "1h0m0s"), (0.00025, "250µs"), (0.0015, "1.5ms"), (-2, "-2s")],
)
def test_durations_go_both_ways(seconds: float, text: str) -> None:
    assert gotext.format_duration(seconds) == text
    assert gotext.parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", 'time: invalid duration ""'), ("5", 'time: missing unit in duration "5"'),
     ("5q", 'time: unknown unit "q" in duration "5q"'), ("s", 'time: invalid duration "s"')],
)  # fmt: skip
def test_wrong_durations(text: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        gotext.parse_duration(text)
    assert str(caught.value) == message


def test_json_and_queries() -> None:
    assert gotext.json_text({"b": ["x"], "a": 'q"\n<'}) == '{"a":"q\\"\\n\\u003c","b":["x"]}'
    assert gohttp.parse_query("a=1&a=2&b=%41+c&bad=%zz&x;y=1") == {"a": ["1", "2"], "b": ["A c"]}


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"plain", "text/plain; charset=utf-8"), (b" <html>", "text/html; charset=utf-8"),
     (b"\x00\x01", "application/octet-stream"), (b"<apple>", "text/plain; charset=utf-8")],
)  # fmt: skip
def test_content_types(body: bytes, kind: str) -> None:
    assert gohttp.sniff(body) == kind
