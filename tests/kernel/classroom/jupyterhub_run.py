"""A JupyterHub of the test's own, and somebody with a browser in front of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
from instructor import ROOT, Instructor
from yarl import URL

CONFIG = ROOT / "container" / "hub" / "jupyterhub_config.py"
BIN = Path(sys.executable).parent
ADMIN = "instructor"
_START_SECONDS = 120
_COMMAND_SECONDS = 120
_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[=>])")


class Hub:
    """A hub that runs, with its proxy and its services; ``end`` ends them and all servers."""

    def __init__(self, instructor: Instructor) -> None:
        self.passwords = {"": secrets.token_urlsafe(12), ADMIN: secrets.token_urlsafe(32)}
        front, inner, routes, board = _free_ports(4)
        self.url = URL(f"http://127.0.0.1:{front}")
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PODWALK", "KUBECONFIG"))}
        env |= {
            "PATH": f"{Path(instructor.python).parent}{os.pathsep}{os.environ['PATH']}",
            "PODWALK_CLASS": str(instructor.folder),
            "PODWALK_ADMIN": ADMIN,
            "PODWALK_HUB_URL": str(self.url),
            "PODWALK_HUB_PASSWORD": self.passwords[""],
            "PODWALK_HUB_ADMIN_PASSWORD": self.passwords[ADMIN],
            "PODWALK_BOARD_PORT": str(board),
            "PODWALK_HUB_ROOT": "yes",
        }
        argv = [
            *(instructor.python, "-m", "jupyterhub", "-f", str(CONFIG)),
            f"--JupyterHub.hub_port={inner}",
            f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{routes}",
        ]
        self._lines: list[str] = []
        self._known = threading.Event()
        self.ready = False
        self.process = subprocess.Popen(
            argv,
            env=env,
            cwd=instructor.home,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        # Servers, proxy and services write into the same pipe: it ends with the last of them.
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self._known.wait(_START_SECONDS)

    @property
    def log(self) -> str:
        """What the hub and all it started have said."""
        return "".join(self._lines)

    def end(self) -> None:
        """End it, and see that nothing of it is left."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self._reader.join(30)
        left = self._reader.is_alive()
        assert not left, f"something that the hub started goes on:\n{self.log[-3000:]}"
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.append(line)
            if "JupyterHub is now running" in line:
                self.ready = True
                self._known.set()
        self._known.set()


@contextlib.contextmanager
def running_hub(instructor: Instructor) -> Iterator[Hub]:
    """A hub for the instructor's class."""
    for _ in range(3):  # Between choosing a port and listening on it somebody else may take it.
        hub = Hub(instructor)
        if hub.ready or "address already in use" not in hub.log.lower():
            break
        hub.end()
    try:
        assert hub.ready, hub.log[-3000:]
        yield hub
    finally:
        hub.end()


class Browser:
    """Somebody's cookies, and what can be done with them."""

    def __init__(self, hub: Hub, session: aiohttp.ClientSession, name: str) -> None:
        self._hub, self._session, self.name = hub, session, name

    async def get(self, path: str) -> tuple[int, str]:
        """The status and text that a path leads to, redirects and logins followed."""
        async with self._session.get(self._hub.url.join(URL(path))) as response:
            return response.status, await response.text()

    async def log_in(self) -> None:
        """Fill in the form."""
        url = self._hub.url / "hub" / "login"
        async with self._session.get(url):
            pass
        password = self._hub.passwords.get(self.name, self._hub.passwords[""])
        form = {"username": self.name, "password": password, "_xsrf": self._xsrf("/hub/")}
        async with self._session.post(url, data=form, allow_redirects=False) as response:
            assert response.status == 302, (self.name, response.status, await response.text())

    async def start(self) -> None:
        """Start the learner's server and wait until the hub says that it is ready."""
        status, text = await self.get(f"/hub/spawn/{self.name}")
        assert status == 200, text
        # An event stream, which ends when the server is ready or has failed.
        status, text = await self.api("GET", f"/hub/api/users/{self.name}/server/progress")
        assert '"ready": true' in text or status == 400, (status, text, self._hub.log[-3000:])
        status, text = await self.get(f"/user/{self.name}/lab")
        assert status == 200, (status, self._hub.log[-3000:])

    async def api(self, method: str, path: str) -> tuple[int, str]:
        """A call of the hub's API, or of a server's, as its pages make it."""
        place = "/hub/" if path.startswith("/hub/") else "/".join(path.split("/")[:3]) + "/"
        headers = {"X-XSRFToken": self._xsrf(place)}
        async with self._session.request(method, self._hub.url.join(URL(path)), headers=headers) as response:
            return response.status, await response.text()

    @contextlib.asynccontextmanager
    async def terminal(self) -> AsyncIterator[Terminal]:
        """A terminal in the learner's server, through the proxy."""
        status, text = await self.api("POST", f"/user/{self.name}/api/terminals")
        assert status == 200, text
        number = json.loads(text)["name"]
        url = self._hub.url / "user" / self.name / "terminals" / "websocket" / number
        async with self._session.ws_connect(url) as socket:
            yield Terminal(socket)

    def _xsrf(self, path: str) -> str:
        cookies = self._session.cookie_jar.filter_cookies(self._hub.url.join(URL(path)))
        return cookies["_xsrf"].value if "_xsrf" in cookies else ""


class Terminal:
    """A shell behind a websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def run(self, command: str, code: int = 0) -> str:
        """Type a command; its output. It must end with ``code``."""
        self._number += 1
        # The shell shows what is typed as well, in which the numbers are not yet there.
        await self._socket.send_json(["stdin", f"{command}; printf 'ended-%s-%s.\\n' {self._number} $?\r"])
        said = ""
        async with asyncio.timeout(_COMMAND_SECONDS):
            while not (found := re.search(rf"ended-{self._number}-(\d+)\.", said)):
                kind, *content = await self._next(said)
                said += _ESCAPES.sub("", content[0]) if kind == "stdout" else ""
        assert int(found[1]) == code, (command, said)
        return said

    async def _next(self, said: str) -> list[Any]:
        message = await self._socket.receive()
        assert message.type is aiohttp.WSMsgType.TEXT, (message, said)
        return list(message.json())


@contextlib.asynccontextmanager
async def browser(hub: Hub, name: str = "") -> AsyncIterator[Browser]:
    """A browser, logged in where there is a name."""
    # Cookies of an address, which has no domain.
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=240)) as session:
        one = Browser(hub, session, name)
        if name:
            await one.log_in()
        yield one


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
