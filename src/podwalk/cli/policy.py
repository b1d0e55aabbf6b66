"""``podwalk policy``: who reaches whom, and which policy says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from podwalk.cli.common import json_option, name_option, running
from podwalk.cli.errors import NOT_PASSED, USAGE, CliError

if TYPE_CHECKING:
    from podwalk.matrix.explain import Explanation


@click.group()
def policy() -> None:
    """Show who reaches whom, and which NetworkPolicy says so."""


@policy.command()
@name_option
@click.option("-n", "--namespace", "namespaces", multiple=True, metavar="NS", help="Only Pods of this namespace.")
@click.option("--pod", "pods", multiple=True, metavar="NS/POD", help="Only this Pod.")
@click.option("--ports", multiple=True, metavar="80,53/UDP", help="Ports to ask. [those that the Pods declare]")
@click.option("--outside", is_flag=True, help="Ask to and from the world beyond the cluster, too.")
@json_option
def matrix(
    name: str, namespaces: tuple[str, ...], pods: tuple[str, ...], ports: tuple[str, ...], outside: bool, as_json: bool
) -> None:
    """Ask by real packets who reaches whom, and compare with what the policies say. Exit code 1 where they disagree.

    \b
    podwalk policy matrix -n shop -n data
    podwalk policy matrix -n shop --ports 80,53/UDP --outside
    """
    from podwalk.matrix.look import look
    from podwalk.matrix.model import parse_ports

    try:
        chosen = parse_ports(ports)
    except ValueError as error:
        raise CliError(f"--ports: {error}", USAGE) from None
    seen = look(running(name), namespaces=namespaces, pods=pods, ports=chosen, outside=outside)
    if as_json:
        click.echo(json.dumps(seen.as_dict(), indent=2))
    else:
        from rich.console import Console

        from podwalk.matrix.table import render

        render(seen, Console())
    if seen.disagreements:
        raise SystemExit(NOT_PASSED)


@policy.command()
@name_option
@click.option("--wait", "seconds", type=float, metavar="SECONDS", help="Wait until every node enforces what is there.")
@json_option
def status(name: str, seconds: float | None, as_json: bool) -> None:
    """Show what each node enforces: rules, and when it last wrote them."""
    from dataclasses import asdict

    from podwalk.matrix import enforced

    found = enforced.statuses(running(name)) if seconds is None else enforced.wait(running(name), seconds)
    if as_json:
        click.echo(json.dumps([{k: v for k, v in asdict(s).items() if k != "seen"} for s in found], indent=2))
        return
    for s in found:
        mark = click.style("✘", fg="red") if s.error else click.style("✔", fg="green")
        took = f", last written in {s.sync_seconds * 1000:.0f} ms" if s.synced_at else ""
        click.echo(f"  {mark} {s.node:<30} {s.error or f'{s.rules} rules{took}'}")


_SAID = {
    "connected": "a real connection was answered",
    "refused": "a real packet was delivered, and nobody listens there",
    "dropped": "a real packet was dropped: no answer within a second",
    "no-route": "the source has no route to that address",
    "not-sent": "none was sent: this cluster's nodes are somebody else's, only its API is yours",
}


@policy.command()
@name_option
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO:PORT")
@json_option
def explain(name: str, source: str, target: str, as_json: bool) -> None:
    """Say which policies decide about a connection, then send one packet and show which counters it moved.

    \b
    podwalk policy explain shop/web data/db:5432
    podwalk policy explain shop/web svc/kube-system/kube-dns:53/UDP
    podwalk policy explain outside 172.18.0.3:30080
    """
    from podwalk.matrix import explain as explaining

    found = explaining.explain(running(name), source, target)
    if as_json:
        click.echo(json.dumps(_plain(found), indent=2))
    else:
        _print(found)
    if found.agrees is False:
        raise SystemExit(NOT_PASSED)


def _plain(found: Explanation) -> dict[str, object]:
    legs = [
        {
            "target": leg.target,
            "port": str(leg.port),
            "allowed": leg.verdict.allowed,
            "egress": str(leg.verdict.egress),
            "ingress": str(leg.verdict.ingress),
        }
        for leg in found.legs
    ]
    moved = {node: {c.meaning: c.packets for c in counts} for node, counts in found.moved.items()}
    return {
        "source": found.source, "target": found.asked, "legs": legs, "outcome": found.outcome, "counters": moved,
        "agrees": found.agrees,
    }  # fmt: skip


def _print(found: Explanation) -> None:
    click.echo(f"{found.source} → {found.asked}")
    for leg in found.legs:
        allowed = leg.verdict.allowed
        mark = click.style("✔ allowed", fg="green") if allowed else click.style("✘ denied", fg="red")
        click.echo(f"  {mark}  {leg.target}:{leg.port}")
        click.echo(f"      {leg.verdict.egress}\n      {leg.verdict.ingress}")
    click.echo(f"  the packet: {_SAID.get(found.outcome, found.outcome)}")
    for node, counts in found.moved.items():
        for c in counts:
            click.echo(f"      {node}: {c.meaning} ({c.packets} packet{'s' if c.packets > 1 else ''})")
    if found.agrees is False:
        click.echo(click.style("  packet and policies disagree", fg="red", bold=True))
