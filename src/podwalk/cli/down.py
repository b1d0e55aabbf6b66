"""``podwalk down``."""

from __future__ import annotations

import click

from podwalk import backends
from podwalk.cli.common import name_option


@click.command()
@name_option
@click.option("--all", "everything", is_flag=True, help="End every embedded cluster of yours.")
def down(name: str, everything: bool) -> None:
    """End a cluster; nothing of it stays. A cluster that does not run is fine.

    \b
    podwalk down
    podwalk down --all
    """
    if everything:
        found = list(backends.backend("embedded").clusters())
    else:
        one = backends.find(name)
        found = [one] if one is not None else []
    if not found:
        click.echo("  nothing runs" if everything else f"  cluster {name} does not run")
    for cluster in found:
        cluster.down()
        click.echo(f"  {click.style('✔', fg='green')} cluster {cluster.name} is gone")
