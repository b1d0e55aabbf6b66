"""``podwalk fault``: break a cluster on purpose, see it, and take it back."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from podwalk.cli.common import json_option, name_option, running
from podwalk.cli.errors import NOT_PASSED, CliError

if TYPE_CHECKING:
    from podwalk.faults.model import Fault
    from podwalk.faults.record import Record


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def fault() -> None:
    """Break a cluster on purpose, see it by real packets, and take it back.

    Faults happen to an application of their own, a tramway in the namespaces tramway and street, that comes with the
    first fault and goes with the last. Each is taken back by itself after half an hour.

    \b
    podwalk fault list
    podwalk fault inject F18
    podwalk fault undo
    """


@fault.command("list")
@click.option("--layer", metavar="LAYER", help="Only this layer.")
@click.option("--level", metavar="LEVEL", help="Only this level.")
@json_option
def list_faults(layer: str | None, level: str | None, as_json: bool) -> None:
    """List the faults by layer, with their causes: not for those who want to find them in a drill.

    \b
    podwalk fault list --layer dns
    """
    from podwalk.faults import catalogue
    from podwalk.faults.model import LAYERS

    chosen = _chosen(layer, level)
    if as_json:
        click.echo(json.dumps([_as_dict(f) for f in chosen], indent=2))
        return
    for each in LAYERS:
        group = [f for f in catalogue.FAULTS.values() if f in chosen and f.layer == each]
        if group:
            click.secho(each, bold=True)
        for f in group:
            needs = f"  (needs {', '.join(sorted(f.needs))})" if f.needs else ""
            click.echo(f"  {f.id}  {f.level:<7} {f.lesson.cause}{needs}")


def _chosen(layer: str | None, level: str | None) -> list[Fault]:
    from podwalk.faults import catalogue
    from podwalk.faults.model import LAYERS, LEVELS

    for given, known, option in ((layer, LAYERS, "--layer"), (level, LEVELS, "--level")):
        if given is not None and given not in known:
            raise CliError(f"{option} {given}: there is none; known: {', '.join(known)}", 2)
    return catalogue.choose(layer, level)


def _as_dict(f: Fault) -> dict[str, object]:
    return {
        "id": f.id, "layer": f.layer, "level": f.level, "cause": f.lesson.cause, "needs": sorted(f.needs),
        "ticket": f.lesson.ticket, "evidence": f.lesson.evidence, "fix": f.lesson.fix, "shows": dict(f.shows),
    }  # fmt: skip


@fault.command()
@click.argument("fault_ids", metavar="FAULT...", nargs=-1, required=True)
@click.option(
    "--minutes", default=30.0, show_default=True, type=click.FloatRange(0.1, 24 * 60), help="It ends by itself."
)
@name_option
def inject(fault_ids: tuple[str, ...], minutes: float, name: str) -> None:
    """Inject a fault into a clean cluster, and show its symptom.

    \b
    podwalk fault inject F18
    podwalk fault inject F13 --minutes 90
    """
    from podwalk.faults import catalogue, engine
    from podwalk.faults.probes import PROBES

    faults = [catalogue.find(each) for each in dict.fromkeys(fault_ids)]
    done, _ = engine.inject(running(name), faults, seconds=minutes * 60, say=_good)
    for f in faults:
        click.echo(f"  {click.style('✘', fg='red')} {f.id} is there: {f.lesson.cause}")
        for probe in f.shows:
            click.echo(f"      {PROBES[probe].what}: {done.seen[probe]}")
        click.echo(
            f"    see it:  {f.lesson.evidence}\n    undo it: podwalk fault undo   (by itself in {minutes:g} minutes)"
        )


def _good(text: str) -> None:
    click.echo(f"  {click.style('✔', fg='green')} {text}")


@fault.command()
@name_option
@json_option
def status(name: str, as_json: bool) -> None:
    """Say what is injected, and until when. Of a drill's fault it tells that there is one, not which.

    \b
    podwalk fault status
    """
    from podwalk.faults import record
    from podwalk.faults.bench import open_bench

    with open_bench(running(name)) as bench:
        found = record.load(bench.client)
    if as_json:
        click.echo(json.dumps([_status(r) for r in found], indent=2))
        return
    for r in found:
        left = max(0, round((r.expires - time.time()) / 60))
        click.echo(
            f"  {_status(r)['fault']:<18} ends by itself in {left} minutes; take it back now: podwalk fault undo"
        )
    if not found:
        click.echo("nothing is injected")


def _status(r: Record) -> dict[str, object]:
    return {"fault": "hidden (a drill)" if r.hidden else r.fault, "hidden": r.hidden, "expires": int(r.expires)}


@fault.command()
@click.option("--keep", is_flag=True, help="Leave the tramway on the cluster.")
@name_option
@json_option
def undo(keep: bool, name: str, as_json: bool) -> None:
    """Take back what is injected, and prove that the cluster is clean. Works from anywhere, whoever injected it.

    \b
    podwalk fault undo
    """
    from podwalk.faults import engine

    done = engine.undo(running(name), keep=keep)
    if as_json:
        told = {
            "undone": [r.fault for r in done.records],
            "ill": done.ill,
            "left": list(done.left),
            "clean": done.clean,
        }
        click.echo(json.dumps(told, indent=2))
    else:
        for r in done.records:
            _good(f"{r.fault} is taken back")
        if done.ill:
            click.echo(f"  {click.style('✘', fg='red')} still ill: {engine.in_words(done.ill)}")
        for line in done.left:
            click.echo(f"  {click.style('✘', fg='red')} a node is not as it was: {line}")
        if done.clean:
            _good("the cluster is clean" if done.records else "nothing was injected")
    if not done.clean:
        raise SystemExit(NOT_PASSED)
