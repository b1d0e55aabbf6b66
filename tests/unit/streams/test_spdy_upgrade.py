"""exec and port-forward over plain SPDY/3.1, as kubectl speaks it without WebSocket."""

import asyncio
import json

import pytest
from test_streams import TOKEN, kubelet, pod, serve, status_of

from podwalk.apiserver.streams import spdy

__all__ = ["TOKEN", "kubelet", "serve"]  # the fixtures


class SpdyClient:
    """The client's side of an upgraded connection."""

    def __init__(self, client):
        self.client = client
        self.writer, self.frames = spdy.FrameWriter(), spdy.FrameReader()
        self.data, self.ended, self.pings = {}, set(), []

    async def upgrade(self, query, *protocols):
        self.reader, self.out = await asyncio.open_connection(self.client.server.host, self.client.server.port)
        lines = [f"POST /?{query} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: SPDY/3.1"]
        lines += [f"X-Stream-Protocol-Version: {p}" for p in protocols]
        self.out.write("\r\n".join([*lines, "", ""]).encode())
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    def open(self, number, kind, **headers):
        self.out.write(self.writer.syn_stream(number, {"streamType": kind, **headers}))
        return number

    def send(self, stream, data=b"", fin=False):
        self.out.write(self.writer.data(stream, data, fin=fin))

    async def until(self, done):
        async with asyncio.timeout(10):
            while not done():
                data = await self.reader.read(65536)
                assert data, "the server closed the connection"
                for frame in self.frames.feed(data):
                    if isinstance(frame, spdy.Data):
                        self.data[frame.stream] = self.data.get(frame.stream, b"") + frame.data
                        if frame.fin:
                            self.ended.add(frame.stream)
                    elif isinstance(frame, spdy.Ping):
                        self.pings.append(frame.number)

    async def close(self):
        self.out.close()


@pytest.fixture
async def spdy_to(serve):
    opened = []

    async def start(subresource, obj=None):
        opened.append(SpdyClient(await serve(obj or pod("app"), subresource)))
        return opened[-1]

    yield start
    for client in opened:
        if hasattr(client, "out"):
            await client.close()


QUERY = "command=cat&stdin=true&stdout=true"


async def test_exec_maps_streams_to_channels(spdy_to, kubelet):
    client = await spdy_to("exec")
    head = await client.upgrade(QUERY, "v5.channel.k8s.io", "v4.channel.k8s.io", "v3.channel.k8s.io")
    assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
    assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in head
    error, stdin, stdout = client.open(1, "error"), client.open(3, "stdin"), client.open(5, "stdout")
    client.send(stdin, b"abc")
    client.out.write(client.writer.ping(7))
    await client.until(lambda: client.data.get(stdout) == b"ABC" and client.pings == [7])
    client.send(stdin, fin=True)
    await client.until(lambda: {stdout, error} <= client.ended)
    assert json.loads(client.data[error]) == {"status": "Success"}
    assert await client.reader.read() == b""  # the server ends the connection after its last word
    assert kubelet.received == [b"\x00abc", b"\xff\x00"]


async def test_the_oldest_protocol_says_success_with_silence(spdy_to):
    client = await spdy_to("exec")
    assert "v2.channel.k8s.io" in await client.upgrade(QUERY, "v2.channel.k8s.io")
    error, stdin = client.open(1, "error"), client.open(3, "stdin")
    client.open(5, "stdout")
    client.send(stdin, fin=True)
    await client.until(lambda: error in client.ended)
    assert client.data[error] == b""


async def test_no_common_protocol_and_refusals(spdy_to):
    client = await spdy_to("exec")
    assert (await client.upgrade(QUERY, "v9.channel.k8s.io")).startswith("HTTP/1.1 403")
    client = await spdy_to("exec", pod("dead"))
    assert (await client.upgrade(QUERY, "v4.channel.k8s.io")).startswith("HTTP/1.1 500")
    plain = await spdy_to("exec")
    assert (await status_of(await plain.client.post(f"/?{QUERY}")))[0] == 400


async def test_a_client_that_leaves_ends_the_command(spdy_to, kubelet):
    client = await spdy_to("exec")
    await client.upgrade(QUERY, "v4.channel.k8s.io")
    for number, kind in ((1, "error"), (3, "stdin"), (5, "stdout")):
        client.open(number, kind)
    client.send(3, b"x")
    await client.until(lambda: client.data.get(5) == b"X")
    client.out.transport.abort()
    async with asyncio.timeout(10):
        await kubelet.ended.wait()


async def test_garbage_ends_the_connection(spdy_to):
    client = await spdy_to("exec")
    await client.upgrade(QUERY, "v4.channel.k8s.io")
    client.out.write(b"\x80\x02\x00\x01" + b"\xff" * 64)
    async with asyncio.timeout(10):
        assert await client.reader.read() == b""


async def test_port_forward(spdy_to):
    client = await spdy_to("portforward")
    assert "X-Stream-Protocol-Version: portforward.k8s.io" in await client.upgrade("", "portforward.k8s.io")
    error = client.open(1, "error", port="80", requestID="0")
    data = client.open(3, "data", port="80", requestID="0")
    client.send(data, b"hi" * 100_000)
    await client.until(lambda: len(client.data.get(data, b"")) >= 200_000)
    client.send(data, fin=True)
    await client.until(lambda: {error, data} <= client.ended)
    assert client.data[data].replace(b"80:", b"") == b"hi" * 100_000
