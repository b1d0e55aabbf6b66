"""``python -m podwalk.gateway``: the program of the Envoy Gateway image, run in a Pod."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from podwalk.client import serving
from podwalk.gateway.controller import Controller
from podwalk.gateway.proxy import Envoy, EnvoyError


async def _serve(options: argparse.Namespace) -> None:
    selector = dict(pair.split("=", 1) for pair in options.selector.split(","))
    with tempfile.TemporaryDirectory() as folder:
        proxy = Envoy(Path(folder))
        async with serving.in_cluster("envoy-gateway") as client:
            controller = Controller(client, proxy, options.namespace, selector)
            async with serving.healthy_when(controller.synced, options.healthz_port):
                try:
                    await serving.until_told(controller.run())
                finally:
                    await proxy.stop()


def main(argv: list[str]) -> int:
    """Run with these arguments; the exit code."""
    parser = argparse.ArgumentParser(prog="envoy-gateway", allow_abbrev=False)
    parser.add_argument("--namespace", required=True, help="where the Services of the Gateways are made")
    parser.add_argument("--selector", required=True, metavar="KEY=VALUE,…", help="the labels of this program's Pods")
    parser.add_argument("--healthz-port", type=int, default=8081)
    options = parser.parse_args(argv)
    serving.log_to_stdout()
    code = 0
    try:
        asyncio.run(_serve(options))
    except* EnvoyError as group:
        print(f"envoy-gateway: {group.exceptions[0]}", file=sys.stderr)
        code = 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
