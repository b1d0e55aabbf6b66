"""``podwalk up``."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import click

from podwalk import backends
from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig, ConfigError
from podwalk.backends.base import Fact
from podwalk.cli.common import name_option
from podwalk.cli.errors import USAGE, CliError


@click.command()
@name_option
@click.option(
    "--backend", default="embedded", show_default=True, type=click.Choice(backends.NAMES), help="How to run it."
)
@click.option("--config", "config_file", type=click.File(), help="A kind configuration file (kind.x-k8s.io/v1alpha4).")
@click.option("--wait/--no-wait", default=True, help="Prove the cluster before returning.")
def up(name: str, backend: str, config_file: IO[str] | None, wait: bool) -> None:
    """Start a cluster and prove that it works, one line a fact.

    \b
    podwalk up
    podwalk up --name two --config kind.yaml
    """
    config = _config(name, config_file)
    already = backends.find(config.name)
    if already is not None:
        raise CliError(f"cluster {config.name} is already running; podwalk status shows it, podwalk down ends it")
    cluster = backends.backend(backend).up(config, progress=_print, wait=wait)
    click.echo(f"  kubectl: export KUBECONFIG={cluster.kubeconfig_path}")


def _print(fact: Fact) -> None:
    mark = click.style("✔", fg="green")
    click.echo(f"  {mark} {fact.text:<72} {fact.seconds:6.2f} s")


def _config(name: str, file: IO[str] | None) -> ClusterConfig:
    if file is None:
        return _checked(clusterconfig.default, name)
    import yaml

    try:
        data: Any = yaml.load(file, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        where = Path(file.name).name
        raise CliError(f"{where}: not YAML: {' '.join(str(error).split())}", USAGE) from None
    ctx = click.get_current_context()
    given = ctx.get_parameter_source("name")
    explicit = given is not None and given.name == "COMMANDLINE"
    return _checked(
        lambda n: clusterconfig.parse(data, name=n), name if explicit or "name" not in (data or {}) else None
    )


def _checked(make: Any, name: str | None) -> ClusterConfig:
    try:
        config = make(name)
    except ConfigError as error:
        raise CliError(str(error), USAGE) from None
    assert isinstance(config, ClusterConfig)
    return config
