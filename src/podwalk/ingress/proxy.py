"""The two proxies as processes: their files, their start, and a reload that drops no connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from podwalk.ingress import haproxy, nginx
from podwalk.ingress.handover import ByGeneration, ByWorkers, Handover
from podwalk.ingress.model import Site

log = logging.getLogger(__name__)

# How often a reload is asked for, and how long each time is waited for it.
_TRIES, _TRY_SECONDS, _LOOK_SECONDS = 8, 1.5, 0.01
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


class ProxyError(Exception):
    """The proxy is missing, or refuses its configuration; the message is one line."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one proxy is run. ``test`` and ``start`` are given the configuration's path.

    ``handover`` is made before each start and reload: of the proxy's own folder, its master's pid, the configuration's
    generation and whether it is a reload. ``mark`` is what makes a configuration a generation.
    """

    program: str
    config: str
    package: str
    controller: str
    class_name: str
    prefix: str
    known: frozenset[str]
    render: Callable[..., str]
    test: Callable[[str], list[str]]
    start: Callable[[str], list[str]]
    reload_signal: signal.Signals
    handover: Callable[..., Handover]
    mark: Callable[[int], str] = lambda generation: ""


NGINX = Kind(
    "nginx",
    "nginx.conf",
    "nginx-light",
    nginx.CONTROLLER,
    "nginx",
    nginx.PREFIX,
    nginx.KNOWN,
    nginx.render,
    lambda path: ["-t", "-q", "-c", path],
    lambda path: ["-c", path],
    signal.SIGHUP,
    ByWorkers,
)
HAPROXY = Kind(
    "haproxy",
    "haproxy.cfg",
    "haproxy",
    haproxy.CONTROLLER,
    "haproxy",
    haproxy.PREFIX,
    haproxy.KNOWN,
    haproxy.render,
    lambda path: ["-c", "-q", "-f", path],
    lambda path: ["-W", "-db", "-f", path],
    signal.SIGUSR2,
    ByGeneration,
    haproxy.mark,
)
KINDS = {"nginx": NGINX, "haproxy": HAPROXY}


class Proxy:
    """One running proxy; its files live in ``folder``. Methods raise ProxyError."""

    def __init__(self, kind: Kind, folder: Path, default_certificate: str, ports: tuple[int, int]) -> None:
        self.kind = kind
        found = shutil.which(kind.program, path=_SBIN)
        if found is None:
            cure = f"sudo apt-get install -y {kind.package}"
            raise ProxyError(f"{kind.program} is not installed on the machine that runs the cluster; {cure}")
        self._program, self._ports = found, ports
        self._run, self._certificates = folder / "run", folder / "certificates"
        self._config = folder / kind.config
        for path in (self._run, self._certificates):
            path.mkdir(parents=True, exist_ok=True)
        self._pem("", default_certificate)
        self._process: asyncio.subprocess.Process | None = None
        self._text, self._generation = "", 0

    async def apply(self, site: Site) -> bool:
        """Write the site's configuration, have the proxy test it, and start or reload. False where nothing changed.

        Raises TimeoutError where the proxy goes on with what it had; the same site may be applied again.
        """
        for certificate in site.certificates:
            self._pem(certificate.secret, f"{certificate.cert.rstrip()}\n{certificate.key}")
        run, certificates = str(self._run), str(self._certificates)
        text = self.kind.render(site, run=run, certificates=certificates, http=self._ports[0], https=self._ports[1])
        listing = haproxy.crt_list(site, certificates)
        state = text + listing + "".join(c.cert for c in site.certificates)
        if state == self._text:
            return False
        fresh = self._config.with_suffix(".new")
        self._generation += 1
        fresh.write_text(text + self.kind.mark(self._generation))
        _put(self._certificates / "list.txt", listing)
        await self._test(fresh)
        fresh.replace(self._config)
        await self._take_over()
        self._text = state
        return True

    async def _test(self, path: Path) -> None:
        process = await asyncio.create_subprocess_exec(
            self._program,
            *self.kind.test(str(path)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        if process.returncode:
            lines = said.decode(errors="replace").strip().splitlines()
            raise ProxyError(
                f"{self.kind.program} refuses the configuration: {lines[0] if lines else 'no reason given'}"
            )

    async def _take_over(self) -> None:
        process = self._process
        reload = process is not None and process.returncode is None
        if process is None or not reload:
            argv = self.kind.start(str(self._config))
            process = self._process = await asyncio.create_subprocess_exec(self._program, *argv)
        handover = self.kind.handover(self._run, process.pid, self._generation, reload=reload)
        if reload:
            process.send_signal(self.kind.reload_signal)
        await self._until_taken_over(process, handover)

    async def _until_taken_over(self, process: asyncio.subprocess.Process, handover: Handover) -> None:
        """Return when the proxy serves what was written last, or has ended; it is told again while it does not."""
        loop, done = asyncio.get_running_loop(), None
        for _ in range(_TRIES):
            if done is False:  # one that does not serve yet may have no handler, and would be ended by the signal
                process.send_signal(self.kind.reload_signal)
            end = loop.time() + _TRY_SECONDS
            while loop.time() < end:
                done = await handover.done()
                if done or process.returncode is not None:
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        raise TimeoutError(f"{self.kind.program} does not take its new configuration over")

    async def wait(self) -> int:
        """Wait until the proxy ends by itself; its exit code."""
        while self._process is None:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        return await self._process.wait()

    async def stop(self) -> None:
        """Let the proxy finish what it has begun, and end it."""
        process = self._process
        if process is None:
            return
        quit_signal = signal.SIGQUIT if self.kind.program == NGINX.program else signal.SIGUSR1
        for patience in (_TRY_SECONDS, None):
            if process.returncode is None:
                # One that is just starting anew may miss the first, and would be waited for until its Pod is killed.
                process.send_signal(quit_signal)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), patience)

    def _pem(self, secret: str, text: str) -> None:
        _put(self._certificates / nginx.file_of(secret), text)


def _put(path: Path, text: str) -> None:
    """Have a file contain a text, all at once: a proxy that reloads meanwhile reads the old one or the new one.

    Half a certificate would make that reload fail, and nobody would reload again.
    """
    if path.is_file() and path.read_text() == text:
        return
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    fresh.replace(path)
