"""``podwalk status``."""

from __future__ import annotations

import json

import click

from podwalk import backends
from podwalk.backends.base import ClusterStatus
from podwalk.cli.common import json_option, running


@click.command()
@click.option("--name", default=None, metavar="NAME", help="One cluster (default: all).")
@json_option
def status(name: str | None, as_json: bool) -> None:
    """Show the clusters that run, their nodes, and where their kubeconfigs are.

    \b
    podwalk status
    podwalk status --json
    """
    if name is not None:
        found = [running(name)]
    else:
        found = [c for each in backends.NAMES for c in backends.backend(each).clusters()]
    if as_json:
        click.echo(
            json.dumps([{**c.status().as_dict(), "kubeconfig": str(c.kubeconfig_path)} for c in found], indent=2)
        )
        return
    if not found:
        click.echo("no cluster runs; start one: podwalk up")
    for cluster in found:
        _print(cluster.status(), str(cluster.kubeconfig_path))


def _print(status: ClusterStatus, kubeconfig: str) -> None:
    click.echo(f"{click.style(status.name, bold=True)}  {status.backend}  {status.server}")
    for node in status.nodes:
        mark = click.style("✔", fg="green") if node.alive else click.style("✘", fg="red")
        click.echo(f"  {mark} {node.name:<32} {node.role:<14} {node.address}{'' if node.alive else '  dead'}")
    click.echo(f"  context {status.context}, kubeconfig {kubeconfig}")
