"""``podwalk trace``."""

from __future__ import annotations

import itertools
import json
import sys

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from podwalk.cli.common import json_option, name_option, running
from podwalk.cli.errors import AT_FAULT, NOT_PASSED, USAGE, CliError
from podwalk.trace.collect import DEFAULT_TIMEOUT
from podwalk.trace.follow import trace as follow
from podwalk.trace.model import Hop, Walk
from podwalk.trace.target import TraceError

_INDENT = 17
_DIRECTIONS = {"request": "there", "reply": "and back", "error": "an error comes back"}


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("url", metavar="URL")
@name_option
@click.option("--namespace", "-n", default="default", show_default=True, help="The namespace of FROM.")
@click.option(
    "--timeout",
    default=DEFAULT_TIMEOUT,
    show_default=True,
    type=click.FloatRange(0.05, 60),
    metavar="SECONDS",
    help="How long to wait for an answer.",
)
@click.option("--size", type=click.IntRange(0, 65000), metavar="BYTES", help="Send this much, to meet the MTU.")
@click.option("--rules", "all_rules", is_flag=True, help="Show every rule that matched.")
@json_option
def trace(
    source: str, url: str, name: str, namespace: str, timeout: float, size: int | None, all_rules: bool, as_json: bool
) -> None:
    """Follow one real connection, hop by hop, as the kernel saw it.

    FROM is POD, NAMESPACE/POD, node/NAME or outside. URL is http://HOST[:PORT]/PATH, tcp://HOST:PORT, udp://HOST:PORT
    or ping://HOST. Exits with 1 where no answer came.

    \b
    podwalk trace shop/client http://web.shop
    podwalk trace outside tcp://172.18.0.3:30080 --json
    podwalk trace client ping://10.244.2.3 --size 2000
    """
    try:
        walk = follow(running(name), source, url, namespace=namespace, timeout=timeout, size=size)
    except TraceError as error:
        raise CliError(str(error), USAGE if "; use " in str(error) else AT_FAULT) from None
    if as_json:
        click.echo(json.dumps(walk.as_dict(), indent=2))
    else:
        show(walk, Console(highlight=False, soft_wrap=not sys.stdout.isatty()), all_rules)
    if walk.verdict.outcome != "answered":
        raise SystemExit(NOT_PASSED)


def show(walk: Walk, console: Console, all_rules: bool = False) -> None:
    """Print a walk: the hops by direction and place, then how it ended."""
    console.print(Text.assemble((walk.source, "bold"), " → ", (walk.url, "bold")))
    _show_names(walk, console)
    for direction, hops in itertools.groupby(walk.hops, key=lambda h: h.direction):
        console.print(Text(f"\n{_DIRECTIONS[direction]}", style="bold"))
        whole = direction == "request" or walk.verdict.direction == direction != "reply" or (
            direction == "reply" and walk.verdict.outcome != "answered"
        )  # fmt: skip
        for (place, namespace), here in itertools.groupby(hops, key=lambda h: (h.place, h.namespace)):
            console.print(Text(f"  {place}{f' · {namespace}' if namespace else ''}", style="cyan"))
            for hop in here:
                _show_hop(hop, console, whole, all_rules)
    _show_end(walk, console)


def _show_names(walk: Walk, console: Console) -> None:
    names = walk.names
    if names.file:
        console.print(Text(f"name  {names.name} is {names.address}, says {names.file}"))
    for attempt in names.attempts:
        said = ", ".join(attempt.addresses) or attempt.answer
        style = "green" if attempt.addresses else "yellow"
        console.print(Text.assemble("name  ", f"{attempt.name} → ", (said, style), f"   ({attempt.server})"))
    if names.address and names.attempts:
        console.print(Text(f"The name is known now; followed is the connection to {walk.address}.", style="dim"))
    elif names.attempts and walk.hops:
        console.print(Text(f"Nobody answers; followed is the question to {walk.address}.", style="dim"))


def _show_hop(hop: Hop, console: Console, whole: bool, all_rules: bool) -> None:
    style = "red" if hop.dropped or (hop.route and hop.route.error) else "magenta" if hop.rewrite else ""
    line = Text.assemble((f"  {hop.number:>3} {hop.micros:>6} µs  ", "dim"), (f"{_station(hop):<18}", style or "bold"))
    line.append(str(hop.route) if hop.route else str(hop.packet))
    if hop.rewrite:
        line.append(f"   {hop.rewrite.kind} {hop.rewrite.before} → {hop.rewrite.after}", style="magenta")
    if hop.encapsulation and hop.kind != "hook":
        inside = f"VNI {hop.encapsulation.vni}, " if hop.encapsulation.vni else ""
        line.append(f"   in {hop.encapsulation.kind} ({inside}{hop.encapsulation.outer})", style="blue")
    console.print(line)
    if whole:
        _indented(console, hop.sentence, style or "dim")
    if all_rules or hop.dropped:
        for rule in hop.rules if all_rules else hop.rules[-1:]:
            _indented(console, f"{rule.table}: {rule.text}  [{rule.verdict}]", style or "dim")


def _indented(console: Console, words: str, style: str) -> None:
    """Below the station; on a terminal the lines after the first as well, in a pipe on one line."""
    if console.is_terminal:
        console.print(Padding(Text(words, style=style), (0, 0, 0, _INDENT)))
    else:
        console.print(Text(f"{'':{_INDENT}}{words}", style=style))


def _station(hop: Hop) -> str:
    if hop.kind == "route":
        return "route"
    if hop.kind == "hook":
        return hop.hook.upper()
    return f"▸ {hop.device}" if hop.kind == "in" else f"{hop.device} ▸"


def _show_end(walk: Walk, console: Console) -> None:
    verdict = walk.verdict
    good = verdict.outcome == "answered"
    mark, style = ("✔", "green") if good else ("✘", "red")
    console.print(Text.assemble("\n", (f"{mark} {verdict.outcome}  ", f"bold {style}"), verdict.sentence))
    if walk.answer:
        console.print(Text(f"  it said    {walk.answer}"))
    for connection in walk.connections:
        where = f"{connection.place}{f', {connection.namespace}' if connection.namespace else ''}"
        state = connection.state or ("replied" if connection.replied else "UNREPLIED")
        console.print(
            Text(f"  conntrack  {where}: {connection.original}, answers {connection.reply} {state}", style="dim")
        )
    if verdict.see_it:
        console.print(Text(f"  see it     {verdict.see_it}"))
    for words in walk.unseen:
        console.print(Text(f"  not seen   {words}", style="yellow"))
    console.print(Text(f"  took       {walk.seconds:.2f} s", style="dim"))
