"""``podwalk up``."""

from __future__ import annotations

import getpass
import re
from pathlib import Path
from typing import IO, Any

import click

from podwalk import backends
from podwalk.api import clusterconfig
from podwalk.api.clusterconfig import ClusterConfig, ConfigError
from podwalk.backends import kind_networks
from podwalk.backends.base import Backend
from podwalk.cli.common import name_option, print_fact
from podwalk.cli.errors import USAGE, CliError

_CNI = f"{', '.join(clusterconfig.CNI_PROFILES)}; on kind {', '.join(kind_networks.PROFILES)}."


@click.command()
@name_option
@click.option(
    "--backend", default="embedded", show_default=True, type=click.Choice(backends.NAMES), help="How to run it."
)
@click.option("--config", "config_file", type=click.File(), help="A kind configuration file (kind.x-k8s.io/v1alpha4).")
@click.option("--cni", metavar="PROFILE", help=f"The Pod network: {_CNI} [flannel; on kind kindnet]")
@click.option("--proxy-mode", metavar="MODE", help=f"kube-proxy: {', '.join(clusterconfig.PROXY_MODES)}. [iptables]")
@click.option(
    "--load-balancer/--no-load-balancer",
    default=None,
    help="Give LoadBalancer Services an address. [yes; on kind no: it takes the container engine's socket]",
)
@click.option("--network-policy/--no-network-policy", default=None, help="Enforce NetworkPolicies. [yes]")
@click.option("--node-local-dns", "nodeLocalDNS", is_flag=True, default=None, help="A DNS cache on every node.")
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), help="With context: whose. [yours]")
@click.option("--context", default="", metavar="NAME", help="With context: which cluster. [the current context]")
@click.option("--learner", default="", metavar="WHO", help="With context: what your namespaces begin with. [your name]")
@click.option("--wait/--no-wait", default=True, help="Prove the cluster before returning.")
def up(
    name: str,
    backend: str,
    config_file: IO[str] | None,
    kubeconfig: Path | None,
    context: str,
    learner: str,
    wait: bool,
    **options: Any,
) -> None:
    """Start a cluster and prove that it works, one line a fact.

    With --backend context nothing is started: you join a cluster that there is, as a learner who has namespaces of
    their own and no rights elsewhere. Labs that need a node do not run there.

    \b
    podwalk up
    podwalk up --name two --config kind.yaml
    podwalk up --cni calico
    podwalk up --backend kind --cni cilium
    podwalk up --backend context --context staging --learner ada
    """
    made = config_file is not None or any(value is not None for value in options.values())
    joins = kubeconfig is not None or bool(context or learner)
    if joins if backend != "context" else made:
        why = "--kubeconfig, --context and --learner are for --backend context, which joins a cluster as it is"
        raise CliError(f"{why}; the other options are for clusters that podwalk makes", USAGE)
    how = backends.backend(backend) if backend != "context" else _joining(kubeconfig, context, learner)
    config = _with_options(_config(name, config_file, backend), options, backend)
    already = backends.find(config.name)
    # kind's may be taken as it is: it knows of what it was made.
    if already is not None and not (already.backend == backend == "kind"):
        raise CliError(f"cluster {config.name} is already running; podwalk status shows it, podwalk down ends it")
    cluster = how.up(config, progress=print_fact, wait=wait)
    click.echo(f"  kubectl: export KUBECONFIG={cluster.kubeconfig_path}")


def _joining(kubeconfig: Path | None, context: str, learner: str) -> Backend:
    """Joining a cluster, with the namespaces of all labs that run there. Raises CliError."""
    from podwalk.backends.context import ContextBackend
    from podwalk.checks import control
    from podwalk.course import catalogue
    from podwalk.course.schema import LabError

    try:
        labs = catalogue.all_labs(catalogue.course_root())
    except LabError as error:
        raise CliError(str(error)) from None
    spaces = {name for lab in labs if "context" in lab.backends for name in lab.namespaces}
    return ContextBackend(kubeconfig, context, learner or _me(), spaces | {control.NAMESPACE})


def _me() -> str:
    """This user's name, as far as a namespace can begin with it."""
    return re.sub("[^a-z0-9-]+", "-", getpass.getuser().lower()).strip("-")[:20].strip("-") or "learner"


def _with_options(config: ClusterConfig, options: dict[str, Any], backend: str) -> ClusterConfig:
    """The configuration with the options that were given; their names are those of ClusterConfig.with_options."""
    given = {_camel_case(name): value for name, value in options.items() if value is not None}
    if backend != "kind":
        return _checked(config.with_options, given)
    return _checked(lambda options: kind_networks.checked(config.with_options(options, kind_networks.PROFILES)), given)


def _camel_case(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _config(name: str, file: IO[str] | None, backend: str) -> ClusterConfig:
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
        lambda n: clusterconfig.parse(data, name=n, on_kind=backend == "kind"),
        name if explicit or "name" not in (data or {}) else None,
    )


def _checked(make: Any, argument: Any) -> ClusterConfig:
    try:
        config = make(argument)
    except ConfigError as error:
        raise CliError(str(error), USAGE) from None
    assert isinstance(config, ClusterConfig)
    return config
