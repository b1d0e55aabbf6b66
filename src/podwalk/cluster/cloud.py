"""The cloud in which the nodes of the profile `cloud` live: its controller, beside them in the fabric."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys

from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster.spec import BRIDGE, ClusterSpec
from podwalk.netns import syscalls
from podwalk.network.cloud_controller import RouteController

log = logging.getLogger(__name__)


def start(spec: ClusterSpec, api_socket: socket.socket) -> int:
    """Start the cloud controller as a child of the sandbox's init, with whom it dies; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            syscalls.set_process_name("cloud-controller")
            api_socket.close()
            logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s cloud %(name)s: %(message)s")
            asyncio.run(_run(spec))
        except Exception:
            log.exception("the cloud controller ends")
        finally:
            os._exit(1)
    return pid


async def _run(spec: ClusterSpec) -> None:
    config = ClientConfig(spec.api_server, spec.tokens.cloud, spec.pki.ca_cert, "cloud-controller-manager")
    async with Client(config) as client:
        await RouteController(client, BRIDGE).run()
