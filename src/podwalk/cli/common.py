"""Options and look-ups that several commands share."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from podwalk import backends
from podwalk.backends.base import Cluster, Fact
from podwalk.cli.errors import CliError

DEFAULT_NAME = "podwalk"

F = TypeVar("F", bound=Callable[..., Any])


def name_option(function: F) -> F:
    """``--name``: which cluster; $PODWALK_CLUSTER, else "podwalk"."""
    return click.option(
        "--name",
        default=lambda: os.environ.get("PODWALK_CLUSTER", DEFAULT_NAME),
        show_default="$PODWALK_CLUSTER or podwalk",
        metavar="NAME",
        help="The cluster.",
    )(function)


def json_option(function: F) -> F:
    """``--json``: machine-readable output."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(function)


def print_fact(fact: Fact) -> None:
    """One proven fact of a boot, as a line."""
    mark = click.style("✔", fg="green")
    click.echo(f"  {mark} {fact.text:<72} {fact.seconds:6.2f} s")


def running(name: str) -> Cluster:
    """The running cluster of this name. Raises CliError (1) where there is none."""
    found = backends.find(name)
    if found is None:
        raise CliError(
            f"cluster {name} is not running; start it: podwalk up{'' if name == DEFAULT_NAME else f' --name {name}'}"
        )
    return found
