"""How aiohttp's clients connect."""

from __future__ import annotations

from typing import Any

import aiohttp


def connector(**options: Any) -> aiohttp.TCPConnector:
    """A TCPConnector with these options that asks the system's resolver for names, in a thread.

    Where aiodns happens to be installed (JupyterHub brings it), aiohttp prefers it, and each connector has c-ares watch
    /etc/resolv.conf: an inotify instance and a thread for every client, of 128 instances that an account has.
    """
    return aiohttp.TCPConnector(resolver=aiohttp.ThreadedResolver(), **options)
