"""The agent's status on a node: a socket that answers with one JSON object, and waits on request.

No port, since host-network Pods share the node's ports with it. A line ``status`` is answered at once.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path

from podwalk.api.meta import Object

log = logging.getLogger(__name__)

SOCKET = "/run/podwalk-policy.sock"
_REQUEST_SECONDS = 5.0


class StatusServer:
    """Serves ``status()`` at a path of the node's file system."""

    def __init__(self, path: Path, status: Callable[[], Object]) -> None:
        self._path, self._status = path, status

    async def serve(self) -> None:
        """Serve until cancelled; a node without a place for the socket works without it."""
        try:
            self._path.unlink(missing_ok=True)
            server = await asyncio.start_unix_server(self._answer, self._path)
        except OSError as error:
            log.error("policy status: %s", error)
            return
        async with server:
            await server.serve_forever()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                while await reader.readline():
                    writer.write(json.dumps(self._status(), separators=(",", ":")).encode() + b"\n")
                    await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            log.debug("policy status: %s", error)
        finally:
            writer.close()
