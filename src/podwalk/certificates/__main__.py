"""``python -m podwalk.certificates``: the program of cert-manager's controller image, run in a Pod."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from podwalk.certificates.accounts import Accounts
from podwalk.certificates.certificates import Certificates
from podwalk.certificates.challenges import Challenges
from podwalk.certificates.hub import Hub
from podwalk.certificates.issuers import Issuers
from podwalk.certificates.orders import Orders
from podwalk.certificates.requests import Requests
from podwalk.certificates.shim import IngressShim
from podwalk.client import serving
from podwalk.client.rest import Client


async def run(client: Client, options: argparse.Namespace, synced: asyncio.Event) -> None:
    """Run all controllers until cancelled; ``synced`` is set when they know what the API server knows."""
    hub = Hub(client, options.cluster_resource_namespace, os.environ.get("POD_NAME", ""))
    accounts = Accounts(hub, options.acme_extra_roots_url)
    controllers = (
        Issuers(hub, accounts, "Issuer"),
        Issuers(hub, accounts, "ClusterIssuer"),
        Certificates(hub),
        Requests(hub),
        Orders(hub, accounts),
        Challenges(hub, accounts, options.acme_http01_solver_image),
        IngressShim(hub),
    )
    try:
        async with asyncio.TaskGroup() as group:
            await hub.start(group)
            for controller in controllers:
                controller.watch()
                group.create_task(controller.run(), name=controller.name)
            synced.set()
    finally:
        await accounts.close()


async def _serve(options: argparse.Namespace) -> None:
    synced = asyncio.Event()
    async with (
        serving.in_cluster("cert-manager") as client,
        serving.healthy_when(synced, options.healthz_port, "/livez"),
    ):
        await serving.until_told(run(client, options, synced))


def parser() -> argparse.ArgumentParser:
    """The program's options."""
    found = argparse.ArgumentParser(prog="cert-manager", allow_abbrev=False)
    found.add_argument("--cluster-resource-namespace", default="cert-manager", help="Secrets of ClusterIssuers")
    found.add_argument("--acme-http01-solver-image", default="quay.io/jetstack/cert-manager-acmesolver:v1.18.2")
    found.add_argument("--acme-extra-roots-url", default="", help="authorities that are trusted beside the system's")
    found.add_argument("--healthz-port", type=int, default=9403)
    return found


def main(argv: list[str]) -> int:
    """Run with these arguments; the exit code."""
    options = parser().parse_args(argv)
    serving.log_to_stdout()
    asyncio.run(_serve(options))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
