"""``python -m podwalk.ingress nginx|haproxy``: the program of the controllers' images, run in a Pod."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from podwalk.client import serving
from podwalk.ingress.controller import Controller, fake_certificate
from podwalk.ingress.proxy import KINDS, Proxy, ProxyError


async def _serve(options: argparse.Namespace) -> None:
    # Where people look for it: kubectl exec … -- cat /etc/nginx/nginx.conf
    folder = Path("/etc") / options.proxy
    folder.mkdir(exist_ok=True)
    proxy = Proxy(KINDS[options.proxy], folder, fake_certificate(), (options.http_port, options.https_port))
    async with serving.in_cluster("ingress-controller") as client:
        controller = Controller(client, proxy, options.publish_service, os.environ.get("POD_NAME", ""))
        async with serving.healthy_when(controller.synced, options.healthz_port):
            try:
                await serving.until_told(controller.run())
            finally:
                await proxy.stop()


def main(argv: list[str]) -> int:
    """Run with these arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="ingress-controller", allow_abbrev=False)
    parser.add_argument("proxy", choices=sorted(KINDS))
    parser.add_argument("--publish-service", default="", metavar="NS/NAME", help="whose addresses Ingresses get")
    parser.add_argument("--http-port", type=int, default=80)
    parser.add_argument("--https-port", type=int, default=443)
    parser.add_argument("--healthz-port", type=int, default=10254)
    options = parser.parse_args(argv)
    serving.log_to_stdout()
    code = 0
    try:
        asyncio.run(_serve(options))
    except* ProxyError as group:
        print(f"ingress controller: {group.exceptions[0]}", file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
