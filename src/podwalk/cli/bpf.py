"""``podwalk bpf``: the maps by which the profile ebpf serves Services, as text."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import podwalk
from podwalk.cli.common import name_option, running
from podwalk.cli.errors import CliError
from podwalk.proxy.ebpf import show

_NO_MAPS = 3
_SOURCE = str(Path(podwalk.__file__).resolve().parents[1])
PROGRAM = f"import sys; sys.path.insert(0, {_SOURCE!r}); from podwalk.proxy.ebpf.show import main; sys.exit(main())"


@click.command()
@name_option
@click.argument("node_name", metavar="NODE")
@click.argument("table", default="services", type=click.Choice(list(show.TABLES)))
def bpf(name: str, node_name: str, table: str) -> None:
    """Show what a node's BPF maps hold (profile ebpf). NODE may leave out the cluster's name: worker2.

    \b
    podwalk bpf worker                 every Service's address, and its endpoints
    podwalk bpf worker connections     who asked which Service, and which endpoint answers
    podwalk bpf worker back            which answers get which Service's address
    """
    cluster = running(name)
    known = {n.name for n in cluster.status().nodes}
    full = node_name if node_name in known else f"{cluster.name}-{node_name}"
    done = cluster.node(full, [sys.executable, "-I", "-S", "-c", PROGRAM, table])
    if done.returncode == _NO_MAPS:
        raise CliError(f"cluster {cluster.name} does not serve Services by BPF; one of podwalk up --cni ebpf does")
    if done.returncode != 0:
        raise CliError(f"cannot read the maps of {full}: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}")
    click.echo(done.stdout, nl=False)
