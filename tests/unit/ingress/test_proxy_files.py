"""The files of a proxy, which it may read at any moment, and its reload, which it may miss."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from podwalk.ingress import proxy
from podwalk.ingress.handover import ByWorkers
from podwalk.ingress.model import Certificate, Site

# In the place of a real one: it finds every configuration right, and ends.
TRUE = replace(proxy.HAPROXY, program="true")


def site(cert: str, key: str) -> Site:
    return Site((), certificates=(Certificate("shop/tls", cert, key),))


def test_a_certificate_is_replaced_all_at_once_and_only_where_it_differs(tmp_path: Path) -> None:
    async def apply(*sites: Site) -> None:
        for one in sites:
            await made.apply(one)
            assert await made.wait() == 0

    made = proxy.Proxy(TRUE, tmp_path, "default", (80, 443))
    asyncio.run(apply(site("old", "key")))
    folder = tmp_path / "certificates"
    pem, default, listing = folder / "shop-tls.pem", folder / "default-fake-certificate.pem", folder / "list.txt"
    assert (pem.read_text(), pem.stat().st_mode & 0o777) == ("old\nkey", 0o600)
    before = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert set(before) == {pem, default, listing}
    with pem.open() as half_read:
        asyncio.run(apply(site("old", "key"), site("fresh", "key")))
        # Whoever had opened the old one reads all of it.
        assert half_read.read() == "old\nkey"
    assert pem.read_text() == "fresh\nkey"
    after = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert [path.name for path in after if before.get(path) != after[path]] == ["shop-tls.pem"]


# It writes a line when it starts, and one for each signal that it gets.
COUNTER = "trap 'echo told >>{0}' USR2; trap 'exit 0' USR1; echo started >{0}; while :; do sleep 0.01; done"


def counter(told: Path, done: Callable[[int], bool | None]) -> proxy.Kind:
    """A proxy that counts its signals; ``done`` says whether a generation is served."""

    class Asked:
        def __init__(self, run: Path, master: int, generation: int, *, reload: bool) -> None:
            self.generation = generation

        async def done(self) -> bool | None:
            return done(self.generation)

    kind = replace(proxy.HAPROXY, program="sh", test=lambda path: ["-c", "true"], handover=Asked)
    return replace(kind, start=lambda path: ["-c", COUNTER.format(told)], reload_signal=signal.SIGUSR2)


def test_a_reload_that_was_missed_is_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = tmp_path / "told"

    def done(generation: int) -> bool | None:
        """The first signal is missed, and takes nothing over."""
        text = told.read_text() if told.exists() else ""
        return generation <= max(1, text.count("told")) if "started\n" in text else None

    async def both() -> None:
        assert await made.apply(site("old", "key"))
        assert told.read_text() == "started\n", "one that has just been started needs no signal"
        assert await made.apply(site("fresh", "key"))
        assert told.read_text().count("told") == 2
        await made.stop()

    monkeypatch.setattr(proxy, "_TRY_SECONDS", 0.3)
    made = proxy.Proxy(counter(told, done), tmp_path, "default", (80, 443))
    asyncio.run(both())


def test_a_proxy_that_never_takes_it_over_is_an_error_and_the_site_may_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def all_of_it() -> None:
        with pytest.raises(TimeoutError, match="does not take its new configuration over"):
            await made.apply(site("old", "key"))
        answer[0] = True
        assert await made.apply(site("old", "key")), "what was not taken over is not what it has"
        assert not await made.apply(site("old", "key"))
        await made.stop()

    answer: list[bool | None] = [None]
    monkeypatch.setattr(proxy, "_TRY_SECONDS", 0.05)
    made = proxy.Proxy(counter(tmp_path / "told", lambda generation: answer[0]), tmp_path, "default", (80, 443))
    asyncio.run(all_of_it())


MASTER = """
import os, sys, time
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        time.sleep(60)
    print(pid, flush=True)
"""


def test_nginx_has_changed_over_when_its_former_workers_are_gone() -> None:
    """The workers of another program do for those of nginx: what counts is whose children they are, and since when."""

    def worker() -> int:
        assert master.stdin
        assert master.stdout
        master.stdin.write(b"one more\n")
        master.stdin.flush()
        return int(master.stdout.readline())

    def done(handover: ByWorkers) -> bool | None:
        return asyncio.run(handover.done())

    with subprocess.Popen([sys.executable, "-c", MASTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        start = ByWorkers(Path(), master.pid, 1, reload=False)
        assert done(start) is None, "nobody serves yet"
        former = [worker(), worker()]
        assert done(start)
        change = ByWorkers(Path(), master.pid, 2, reload=True)
        assert done(change) is False
        successor = worker()
        assert done(change) is False, "they serve side by side"
        for pid in former:
            os.kill(pid, signal.SIGKILL)
        while not done(change):  # dead, and perhaps not buried
            time.sleep(0.01)
        os.kill(successor, signal.SIGKILL)
