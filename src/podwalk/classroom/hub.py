"""The board as a service of a JupyterHub, which decides who may see it.

The hub starts the service and says by ``$JUPYTERHUB_*`` where it is to listen and how a browser logs in (OAuth, done by
JupyterHub's own ``jupyterhub.services.auth``). Whom the hub gives no scope ``access:services!service=NAME`` gets 403:
in a hub that was told nothing else, everybody but its admins.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any
from urllib.parse import urlsplit

from podwalk.classroom.board import HEADERS, Watch
from podwalk.classroom.roster import ClassError

_NEEDED = ("JUPYTERHUB_SERVICE_URL", "JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_API_TOKEN")


def serve(watch: Watch) -> None:
    """Serve the board until the hub ends it (SIGTERM) or Ctrl-C. Raises what ends the watch.

    Raises ClassError: no hub started this process, JupyterHub is not installed here, or the address cannot be had.
    """
    if missing := [name for name in _NEEDED if not os.environ.get(name)]:
        raise ClassError(
            f"${missing[0]} is not set: --hub is for a service that a JupyterHub starts; see docs/jupyterhub.md"
        )
    try:
        import jupyterhub.services.auth  # noqa: F401  here to be said in a sentence where it is missing
    except ImportError:
        raise ClassError("JupyterHub is not installed here: pip install 'podwalk[hub]'") from None
    asyncio.run(_serve(watch))


async def _serve(watch: Watch) -> None:
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    try:
        server = _application(watch).listen(url.port or 80, url.hostname)
    except OSError as error:
        raise ClassError(f"{url.geturl()}: {error.strerror or error}; give the service another url") from None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, watch.end)
    with watch:
        await loop.run_in_executor(None, watch.wait)
        server.stop()


def _application(watch: Watch) -> Any:
    from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
    from tornado.web import Application, HTTPError, RequestHandler, authenticated

    class Page(HubOAuthenticated, RequestHandler):  # type: ignore[misc]  # JupyterHub has no types.
        """The board and its JSON, for whom the hub lets in."""

        def set_default_headers(self) -> None:
            for name, value in HEADERS.items():
                self.set_header(name, value)

        @authenticated
        def get(self, name: str) -> None:
            found = watch.page(name)
            if found is None:
                raise HTTPError(404)
            kind, text = found
            self.set_header("Content-Type", kind)
            self.write(text.encode(errors="replace"))

    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"].rstrip("/")
    return Application(
        [(f"{prefix}/oauth_callback", HubOAuthCallbackHandler), (f"{prefix}/(.*)", Page)],
        # Signs the cookie that leads back here from the hub's login; a restart only means to come again.
        cookie_secret=os.urandom(32),
    )
