"""HPACK and HTTP/2 against the RFCs' own examples, and the health server against the kubelet's client."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from program_process import Program, answers, fetch, free_port

from podwalk.kubelet import probes
from podwalk.programs import hpack, http2


def test_the_examples_of_rfc_7541() -> None:
    """Appendix C.4: three requests on one connection, Huffman coded, with a table that grows."""
    decoder = hpack.Decoder()
    blocks = (
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    )
    first, second, third = ([f"{n}={v}" for n, v in decoder.decode(bytes.fromhex(block))] for block in blocks)
    assert first == [":method=GET", ":scheme=http", ":path=/", ":authority=www.example.com"]
    assert second == [*first, "cache-control=no-cache"]
    assert third[1:3] == [":scheme=https", ":path=/index.html"]
    assert third[3:] == [":authority=www.example.com", "custom-key=custom-value"]


def test_responses_that_push_entries_out_of_the_table() -> None:
    """Appendix C.6.1: a response with Huffman-coded values."""
    block = (
        "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3"
    )
    assert hpack.Decoder().decode(bytes.fromhex(block)) == [
        (":status", "302"),
        ("cache-control", "private"),
        ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
        ("location", "https://www.example.com"),
    ]


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 5000])
def test_what_is_written_can_be_read(size: int) -> None:
    headers = [("a", "x" * size), (":path", "/y")]
    data = http2.headers_frame(1, headers, end=True)
    reader = http2.Reader()
    found = [event for index in range(len(data)) for event in reader.feed(data[index : index + 1])]
    assert [(e.stream, e.end, e.headers) for e in found] == [(1, True, headers)]


@pytest.mark.parametrize("block", ["80", "ff", "4", "4085", "00", "008", "ffffffffffffffff"])
def test_broken_header_blocks(block: str) -> None:
    with pytest.raises(hpack.HpackError):
        hpack.Decoder().decode(bytes.fromhex(block.ljust(len(block) + len(block) % 2, "0")))


def test_a_frame_beyond_the_limit() -> None:
    with pytest.raises(http2.Http2Error):
        list(http2.Reader().feed(b"\xff\xff\xff\0\0\0\0\0\0"))


async def _probe(port: int, service: str | None = None) -> probes.Outcome:
    async def never(_command: list[str], _timeout: float) -> tuple[int, bytes]:
        raise AssertionError

    action = {"port": port} if service is None else {"port": port, "service": service}
    return await probes.run_once(
        {"grpc": action, "timeoutSeconds": 5}, probes.Target("127.0.0.1", {"name": "c"}, never)
    )


async def test_the_health_of_a_server(start: Callable[..., Program]) -> None:
    port, http_port = free_port(), free_port()
    arguments = ("grpc-health-checking", f"--port={port}", f"--http-port={http_port}", "--service=web")
    start("agnhost.py", *arguments).wait_for("gRPC server starting")
    assert (await _probe(port, "web")).ok
    assert (await _probe(port)).message == (
        "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
    )
    assert fetch(http_port, "/make-not-serving")[0] == 200
    assert (await _probe(port, "web")).message == 'service unhealthy (responded with "NOT_SERVING")'
    assert fetch(http_port, "/make-serving")[0] == 200
    assert (await _probe(port, "web")).ok


async def test_nobody_listens_or_it_is_no_grpc(start: Callable[..., Program]) -> None:
    port = free_port()
    found = await _probe(port)
    assert found.refused
    where = f"127.0.0.1:{port}"
    assert found.message == f'timeout: failed to connect service "{where}" within 5s: context deadline exceeded'
    start("agnhost.py", "netexec", f"--http-port={port}", "--udp-port=-1")
    answers(port)
    assert (await _probe(port)).message.startswith("error: health rpc probe failed: rpc error: code = Unavailable")
