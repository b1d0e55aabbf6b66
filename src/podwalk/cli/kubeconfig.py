"""``podwalk kubeconfig``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from podwalk.backends.base import Cluster, run_host
from podwalk.cli.common import name_option, running
from podwalk.cli.errors import AT_FAULT, USAGE, CliError


@click.command()
@name_option
@click.option("--path", "only_path", is_flag=True, help="Print the file's path.")
@click.option("--merge", is_flag=True, help="Merge it into your own kubeconfig and make it the current context.")
@click.option("--learner", metavar="WHO", help="Print one for somebody who may do everything in one namespace only.")
@click.option(
    "--namespace", "-n", metavar="NS", help="With --learner: the namespace; it has the learner's name if not given."
)
@click.option(
    "--role", default="admin", show_default=True, metavar="ROLE", help="With --learner: the ClusterRole there."
)
def kubeconfig(name: str, only_path: bool, merge: bool, learner: str | None, namespace: str | None, role: str) -> None:
    """Print the cluster's kubeconfig.

    \b
    export KUBECONFIG=$(podwalk kubeconfig --path)
    podwalk kubeconfig --merge
    podwalk kubeconfig --learner ada > ada.kubeconfig
    """
    cluster = running(name)
    if learner:
        click.echo(_for_learner(cluster, learner, namespace or learner, role), nl=False)
    elif merge:
        click.echo(f"context {cluster.context} is in {_merge(cluster)} and current")
    elif only_path:
        click.echo(str(cluster.kubeconfig_path))
    else:
        click.echo(cluster.kubeconfig_path.read_text(), nl=False)


def _for_learner(cluster: Cluster, learner: str, namespace: str, role: str) -> str:
    """Admit the learner and render what proves it. Raises ApiError, or CliError for an impossible name."""
    import asyncio

    import yaml

    from podwalk.client.rest import Client, ClientConfig
    from podwalk.client.sync import SyncConfig
    from podwalk.cluster import learners

    if cluster.backend != "embedded":
        raise CliError(
            f"--learner: runs on the embedded cluster only, and {cluster.name} is of {cluster.backend}", USAGE
        )
    own = SyncConfig.from_kubeconfig(yaml.load(cluster.kubeconfig_path.read_text(), Loader=yaml.CSafeLoader))
    token, ca_cert = own.token or "", own.ca_cert or b""

    async def admit() -> str:
        async with Client(ClientConfig(own.server, token, ca_cert, "podwalk")) as client:
            found = await learners.admit(client, learner, namespace, role=role)
        return found.kubeconfig(cluster.name, int(own.server.rpartition(":")[2]), ca_cert)

    return asyncio.run(admit())


def _merge(cluster: Cluster) -> Path:
    """Merge with kubectl's own rules, ours first, into the first file of $KUBECONFIG or ~/.kube/config."""
    from podwalk.backends.base import kubectl_path

    listed = [p for p in os.environ.get("KUBECONFIG", "").split(os.pathsep) if p and p != str(cluster.kubeconfig_path)]
    target = Path(listed[0]) if listed else Path.home() / ".kube" / "config"
    joined = os.pathsep.join([str(cluster.kubeconfig_path), str(target)])
    done = run_host(["env", f"KUBECONFIG={joined}", kubectl_path(), "config", "view", "--flatten"], timeout=30)
    if not done.ok:
        raise CliError(f"{target}: kubectl could not merge: {done.stderr.strip()}", AT_FAULT)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.podwalk")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(done.stdout)
    fresh.replace(target)
    return target
