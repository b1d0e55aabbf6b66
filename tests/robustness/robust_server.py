"""An API server in a thread of the test's process, over plain HTTP, and a client that sends it anything."""

from __future__ import annotations

import asyncio
import http.client
import threading
from typing import Any

import orjson
from aiohttp import web

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo
from podwalk.apiserver.store import Store

TOKEN = "robust-token"
SECONDS = 20.0
"""What takes longer is a hang."""


class Served:
    """The server; :attr:`store` may be looked at while nothing is asked of it."""

    def __init__(self) -> None:
        self.store = Store()
        self.port = 0
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), name="API server")

    async def _serve(self) -> None:
        config = ApiServerConfig(
            tls_cert=b"", tls_key=b"", ca_cert=b"", kubelet_token="kubelet", service_account_key=b"key",
            tokens={TOKEN: UserInfo("admin", ("system:masters", "system:authenticated"))},
        )  # fmt: skip
        application = server.build(config, self.store)
        runner = web.AppRunner(
            application, handler_cancellation=True, shutdown_timeout=0.1, max_line_size=server.MAX_LINE
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.port = runner.addresses[0][1]
            self._ready.set()
            await self._stop.wait()
        finally:
            await runner.cleanup()

    def start(self) -> None:
        """Serve."""
        self._thread.start()
        assert self._ready.wait(SECONDS)

    def stop(self) -> None:
        """Serve no more."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(SECONDS)
        self._loop.close()


class Sender:
    """One connection that is opened again where the server has closed it."""

    def __init__(self, port: int, *, keep: bool = False) -> None:
        self.keep = keep
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def __call__(
        self, method: str, path: str, body: Any = None, content_type: str | None = "application/json",
        accept: str = "application/json",
    ) -> tuple[int, bytes]:  # fmt: skip
        """Send; status and body of the answer, of a stream its head alone. Raises TimeoutError where it hangs."""
        data = body if isinstance(body, bytes | type(None)) else orjson.dumps(body)
        headers = {"Authorization": f"Bearer {TOKEN}", "Accept": accept}
        if content_type is not None:
            headers["Content-Type"] = content_type
        try:
            self._connection.request(method, path, body=data, headers=headers)
            answer = self._connection.getresponse()
            if answer.chunked and "watch" in path:
                return answer.status, b""
            return answer.status, answer.read()
        finally:
            # One connection a request: a body that the server would not read must not be taken for the next request.
            if not self.keep:
                self._connection.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()
