"""``podwalk node`` and ``podwalk outside``: commands on a node, and beyond the cluster."""

from __future__ import annotations

import os
import sys

import click

from podwalk.backends.base import Completed
from podwalk.cli.common import name_option, running
from podwalk.cli.errors import USAGE, CliError

_SETTINGS = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(context_settings=_SETTINGS)
@name_option
@click.argument("node_name", metavar="NODE")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def node(name: str, node_name: str, command: tuple[str, ...]) -> None:
    """Run a command on a node (without one: a shell). NODE may leave out the cluster's name: worker2.

    \b
    podwalk node worker -- iptables -t nat -S KUBE-SERVICES
    podwalk node podwalk-control-plane -- ip route
    """
    argv = _command(command)
    cluster = running(name)
    known = {n.name for n in cluster.status().nodes}
    full = (
        node_name if node_name in known or f"{cluster.name}-{node_name}" not in known else f"{cluster.name}-{node_name}"
    )
    _finish(cluster.node(full, argv, capture=False))


@click.command(context_settings=_SETTINGS)
@name_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def outside(name: str, command: tuple[str, ...]) -> None:
    """Run a command in the world beyond the cluster: on the network that the nodes are plugged into.

    \b
    podwalk outside -- curl -s http://172.18.0.3:30080/hostname
    podwalk outside -- tcpdump -ni kind0 -c 4 udp port 8472
    """
    argv = _command(command)
    _finish(running(name).outside(argv, capture=False))


def _command(command: tuple[str, ...]) -> list[str]:
    if command[:1] == ("--name",):
        raise CliError("--name comes before the node: podwalk node --name CLUSTER NODE -- COMMAND", USAGE)
    words = list(command[1:] if command[:1] == ("--",) else command)
    return words or [os.environ.get("SHELL", "/bin/sh") if os.access("/bin/bash", os.X_OK) else "/bin/sh"]


def _finish(done: Completed) -> None:
    click.echo(done.stdout, nl=False)
    click.echo(done.stderr, nl=False, err=True)
    sys.stdout.flush()
    raise SystemExit(done.returncode)
