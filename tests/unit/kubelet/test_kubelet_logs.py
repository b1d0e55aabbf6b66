"""Container logs: the CRI format, and what a reader gets."""

import asyncio
import os
import re

import pytest

from podwalk.kubelet import logs
from podwalk.kubelet.logs import LogFile, LogOptions, Pump


async def collect(path, live=None, **options):
    return b"".join([chunk async for chunk in logs.stream(path, live, LogOptions(**options))])


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shop_web_uid" / "web" / "0.log"


@pytest.fixture
async def file(path):
    made = LogFile(path)
    yield made
    made.close()


async def test_lines_have_time_stream_and_tag(path, file):
    file.write("stdout", b"one\ntwo")
    file.write("stderr", b"oops\n")
    file.write("stdout", b"+\n")
    file.close()
    lines = path.read_bytes().splitlines()
    assert [line.split(b" ", 1)[1] for line in lines] == [b"stdout F one", b"stderr F oops", b"stdout F two+"]
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", lines[0].split(b" ")[0])


async def test_an_unfinished_line_is_written_at_the_end(path, file):
    file.write("stdout", b"no newline")
    assert path.read_bytes() == b""
    file.close()
    assert await collect(path) == b"no newline\n"


async def test_a_long_line_comes_back_whole(path, file):
    line = bytes(range(97, 123)) * 2000
    file.write("stdout", line + b"\nend\n")
    assert len(path.read_bytes().splitlines()) > 2
    assert await collect(path) == line + b"\nend\n"
    assert await collect(path, tail=2) == line + b"\nend\n"
    assert await collect(path, tail=1) == b"end\n"


async def test_tail_limit_and_timestamps(path, file):
    file.write("stdout", b"".join(b"%d\n" % i for i in range(10)))
    assert await collect(path, tail=3) == b"7\n8\n9\n"
    assert await collect(path, tail=0) == b""
    assert await collect(path, limit_bytes=5) == b"0\n1\n2"
    stamped = (await collect(path, tail=1, timestamps=True)).split(b" ")
    assert stamped[1] == b"9\n"
    since = logs.parse_nanoseconds(stamped[0].decode())
    assert (await collect(path, since=since)).endswith(b"9\n")
    assert await collect(path, since=since + 10**9) == b""


async def test_following_ends_with_the_container(path, file):
    file.write("stdout", b"before\n")
    reading = asyncio.create_task(collect(path, file, follow=True, tail=1))
    await asyncio.sleep(0)
    file.write("stdout", b"after\n")
    await asyncio.sleep(0)
    assert not reading.done()
    file.close()
    assert await asyncio.wait_for(reading, 2) == b"before\nafter\n"


async def test_a_full_log_is_rotated_and_followed_on(path):
    file = LogFile(path, max_bytes=200)
    seen = []

    async def follow():
        async for chunk in logs.stream(path, file, LogOptions(follow=True)):
            seen.append(chunk)

    reading = asyncio.create_task(follow())
    for i in range(12):
        file.write("stdout", b"line %d\n" % i)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    file.close()
    await asyncio.wait_for(reading, 2)
    assert path.with_name("0.log.1").exists()
    assert path.stat().st_size <= 200
    assert b"".join(seen) == b"".join(b"line %d\n" % i for i in range(12))


async def test_a_pump_copies_until_the_end(path, file):
    heard = []
    file.listeners.append(lambda stream, data: heard.append((stream, data)))
    out, into = os.pipe()
    pump = Pump(out, "stdout", file)
    os.write(into, b"hello\n")
    os.close(into)
    await asyncio.wait_for(pump.done.wait(), 2)
    assert await collect(path) == b"hello\n"
    assert heard == [("stdout", b"hello\n")]


async def test_draining_does_not_wait_for_whoever_holds_the_pipe(path, file):
    out, into = os.pipe()
    pump = Pump(out, "stdout", file)
    os.write(into, b"last words\n")
    pump.drain()
    os.close(into)
    assert await collect(path) == b"last words\n"


def test_times_with_nanoseconds():
    assert logs.parse_nanoseconds("1970-01-01T00:00:01.000000005Z") == 10**9 + 5
    assert logs.parse_nanoseconds("1970-01-01T00:00:01Z") == 10**9
    assert logs.timestamp(10**9 + 5) == "1970-01-01T00:00:01.000000005Z"


async def test_a_chatty_container_waits_for_the_log(path, file):
    """After a full read the pump looks away, so that the loop has time for others; nothing is lost."""
    read_end, write_end = os.pipe()
    pump = Pump(read_end, "stdout", file)
    text = b"0123456789abcde\n" * 20_000

    def write():
        with open(write_end, "wb") as out:
            out.write(text)

    await asyncio.to_thread(write)
    await asyncio.wait_for(pump.done.wait(), 10)
    assert await collect(path) == text


async def test_a_closed_pump_does_not_come_back(path, file):
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    os.write(write_end, b"x" * 65536)
    pump = Pump(read_end, "stdout", file)
    while not path.stat().st_size:  # noqa: ASYNC110
        await asyncio.sleep(0)
    pump.close()
    pump._resume()  # as the loop would a moment later
    assert not asyncio.get_running_loop().remove_reader(read_end)
    os.close(write_end)
