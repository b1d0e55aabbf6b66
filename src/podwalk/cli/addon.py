"""``podwalk addon``: kinds and controllers that a cluster gets on demand."""

from __future__ import annotations

import click

from podwalk.cli.common import name_option, running
from podwalk.cli.errors import AT_FAULT, USAGE, CliError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def addon() -> None:
    """List and install add-ons: kinds and controllers that many clusters have and a new one has not.

    \b
    podwalk addon list
    podwalk addon install gateway-api
    """


@addon.command("list")
def list_addons() -> None:
    """List the add-ons: the kinds that they bring, or what they run.

    \b
    podwalk addon list
    """
    from podwalk.cluster import bundles, workloads

    for name in bundles.BUNDLES:
        if name in workloads.WORKLOADS:
            continue
        kinds = ", ".join(crd["spec"]["names"]["kind"] for crd in bundles.definitions(name))
        click.echo(f" {name:<24} {kinds}")
    for name, workload in workloads.WORKLOADS.items():
        click.echo(f" {name:<24} {workload.summary}")


@addon.command()
@click.argument("addon_name", metavar="ADDON")
@name_option
def install(addon_name: str, name: str) -> None:
    """Install an add-on, and wait until it is ready. Installing it again changes nothing.

    \b
    podwalk addon install gateway-api && kubectl explain httproute.spec
    podwalk addon install ingress-nginx && kubectl get ingressclass
    podwalk addon install cert-manager && kubectl explain certificate.spec
    """
    from podwalk.cluster import workloads
    from podwalk.course import addons

    try:
        lines = addons.install(running(name), addon_name)
    except addons.UnknownAddonError as error:
        raise CliError(str(error), USAGE) from error
    except addons.AddonError as error:
        raise CliError(str(error), AT_FAULT) from error
    for line in lines:
        click.echo(f"  {click.style('✔', fg='green')} {line}")
    if lack := workloads.lack(addon_name):
        click.echo(f"  {click.style('·', fg='red')} {lack}")
