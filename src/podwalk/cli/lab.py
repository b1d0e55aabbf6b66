"""``podwalk lab``: start, check and finish labs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from podwalk.backends.base import BackendError
from podwalk.cli.common import json_option, name_option, print_fact, running
from podwalk.cli.errors import AT_FAULT, NOT_PASSED, CliError

if TYPE_CHECKING:
    from rich.console import Console

    from podwalk.course.catalogue import LabSpec
    from podwalk.course.engine import Course
    from podwalk.course.progress import Progress, Standing


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def lab() -> None:
    """Start, check and finish labs.

    A lab is a cluster with something wrong in it, and a ticket that tells you the symptom. LAB is layer/id, the id, or
    the beginning of one; without it a command means the lab you started last.

    \b
    podwalk lab list
    podwalk lab start menu
    podwalk lab check
    """


lab_argument = click.argument("lab_name", metavar="[LAB]", required=False)


@lab.command("list")
@name_option
@json_option
def list_labs(name: str, as_json: bool) -> None:
    """List the labs by layer, with what you have reached.

    \b
    podwalk lab list
    podwalk lab list --json
    """
    from podwalk import backends
    from podwalk.course import catalogue

    with _errors(), _progress() as progress:
        labs = catalogue.all_labs(catalogue.course_root())
        on: list[str] = []
        backend = ""
        # A list without a cluster, or with an ill one, is still a list: what runs is said where it is known.
        with contextlib.suppress(BackendError):
            if (cluster := backends.find(name)) is not None:
                from podwalk.course.engine import Course

                backend = cluster.backend
                on = Course(cluster, progress).running()
        rows = [(spec, progress.standing(spec.name), spec.name in on) for spec in labs]
    if as_json:
        click.echo(json.dumps([_as_dict(*row) for row in rows], indent=2))
        return
    width = max((len(spec.id) for spec, _, _ in rows), default=0)
    for layer, group in groupby(rows, key=lambda row: row[0].layer):
        click.secho(layer, bold=True)
        for spec, standing, runs in group:
            elsewhere = f"  runs on {', '.join(spec.backends)}" if backend and backend not in spec.backends else ""
            click.echo(_line(spec, standing, runs, width) + elsewhere)
    if not rows:
        click.echo("there are no labs here")


@lab.command()
@click.argument("lab_name", metavar="LAB")
@click.option("--boot", is_flag=True, help="End the cluster if it is not of the kind that the lab needs, and boot one.")
@name_option
def start(lab_name: str, boot: bool, name: str) -> None:
    """Put a lab into the cluster and show its ticket. Starting a lab that runs changes nothing.

    Some labs need another network plugin or another mode of kube-proxy than the usual one. They say so, and --boot puts
    such a cluster in the place of yours; all that was in it is gone then.

    \b
    podwalk lab start menu-refuses-everyone
    podwalk lab start services/menu-refuses-everyone
    """
    from podwalk.course import catalogue

    with _errors():
        spec = catalogue.find(catalogue.course_root(), lab_name)
        if boot:
            _boot(spec, name)
    with _errors(), _course(name) as course:
        started = course.start(spec)
        _ticket(course.ticket(spec), spec)
    if started.already:
        click.echo(f"{spec.name} is already running; begin anew with: podwalk lab reset {spec.id}")
    for other in started.others:
        click.echo(f"{other} runs as well; end it with: podwalk lab stop {other.rpartition('/')[2]}")


@lab.command()
@lab_argument
@click.option("--solution", is_flag=True, help="Show the solution instead of the ticket.")
@name_option
@json_option
def show(lab_name: str | None, solution: bool, name: str, as_json: bool) -> None:
    """Show the ticket of a lab, or why it was so.

    \b
    podwalk lab show menu
    podwalk lab show menu --solution
    """
    from podwalk import backends
    from podwalk.course import catalogue

    with _errors():
        spec = _named_or_current(lab_name, name)
        text = catalogue.read(spec.solution / "README.md") if solution else spec.ticket()
        with contextlib.suppress(BackendError):
            if (cluster := backends.find(name)) is not None:
                text = cluster.for_labs().shown(text)
    if as_json:
        about = {"lab": spec.name, "title": spec.title, "minutes": spec.minutes, "objectives": spec.objectives}
        click.echo(json.dumps({**about, "references": spec.references, "text": text}, indent=2))
    else:
        _ticket(text, spec)


@lab.command()
@lab_argument
@name_option
@json_option
@click.pass_context
def check(ctx: click.Context, lab_name: str | None, name: str, as_json: bool) -> None:
    """Judge your work: each step passes, is not there yet, or could not be told. Changes nothing.

    Exit code 0: passed; 1: not yet; 3: the cluster is ill, so nothing can be told.

    \b
    podwalk lab check
    podwalk lab check menu --json
    """
    with _errors(), _course(name) as course:
        report = course.check(_pick(course, lab_name))
    if as_json:
        click.echo(json.dumps(report.to_dict(), indent=2))
    else:
        from podwalk.checks import render

        render.render(report, _console())
    codes = {"pass": 0, "not yet": NOT_PASSED}
    ctx.exit(codes.get(str(report.verdict), AT_FAULT))


@lab.command()
@lab_argument
@click.option("--number", type=click.IntRange(min=1), help="Read this hint again.")
@name_option
@json_option
def hint(lab_name: str | None, number: int | None, name: str, as_json: bool) -> None:
    """Give the next hint: from a gentle question to what to do.

    \b
    podwalk lab hint
    podwalk lab hint --number 1
    """
    with _errors(), _course(name) as course:
        taken = course.hint(_pick(course, lab_name), number)
    if as_json:
        data = {"number": taken.number, "of": taken.count, "text": taken.hint.text, "cost": taken.hint.cost}
        click.echo(json.dumps({**data, "new": taken.fresh}))
        return
    cost = f", costs {_points(taken.hint.cost)}" if taken.fresh and taken.hint.cost else ""
    click.secho(f"Hint {taken.number} of {taken.count}{cost}", bold=True)
    click.echo(taken.hint.text.strip())


@lab.command()
@lab_argument
@name_option
def reset(lab_name: str | None, name: str) -> None:
    """Make one lab anew, as if just started. Other labs and your progress stay as they are.

    \b
    podwalk lab reset
    """
    with _errors(), _course(name) as course:
        spec = _pick(course, lab_name)
        course.reset(spec)
    click.echo(f"{spec.name} is as it was when it began")


@lab.command()
@lab_argument
@name_option
def solve(lab_name: str | None, name: str) -> None:
    """Apply the solution and tell why it is one. Passing this attempt does not count; reset to do it yourself.

    \b
    podwalk lab solve
    podwalk lab check
    """
    from podwalk.course import catalogue

    with _errors(), _course(name) as course:
        spec = _pick(course, lab_name)
        files = course.solve(spec)
        _ticket(course.cluster.shown(catalogue.read(spec.solution / "README.md")), spec)
    click.echo(f"applied {', '.join(files)}; look at it, check it, then do it yourself: podwalk lab reset {spec.id}")


@lab.command()
@lab_argument
@name_option
def stop(lab_name: str | None, name: str) -> None:
    """Take a lab out of the cluster; your progress stays.

    \b
    podwalk lab stop
    """
    with _errors(), _course(name) as course:
        spec = _pick(course, lab_name)
        left = course.stop(spec)
    click.echo(f"{spec.name} is gone from the cluster")
    if left:
        click.echo("You made these while it ran, and they are still there:")
        for one in left:
            click.echo(f"  {one.delete}")


@lab.command()
@name_option
@json_option
def status(name: str, as_json: bool) -> None:
    """Show the labs that run here and what you have reached in them.

    \b
    podwalk lab status
    podwalk lab status --json
    """
    from podwalk.course import catalogue

    with _errors(), _course(name) as course:
        current = course.current()
        on = course.running()
        specs = [spec for spec in catalogue.all_labs(catalogue.course_root()) if spec.name in on]
        rows = [(spec, course.progress.standing(spec.name)) for spec in specs]
    if as_json:
        click.echo(json.dumps([{**_as_dict(s, st, True), "current": s.name == current} for s, st in rows], indent=2))
        return
    for spec, standing in rows:
        click.echo(_line(spec, standing, True, len(spec.id)) + ("  (current)" if spec.name == current else ""))
    if not rows:
        click.echo("no lab runs; choose one: podwalk lab list")


@lab.command()
@click.argument("lab_name", metavar="LAYER/ID")
def new(lab_name: str) -> None:
    """Write the files of a new lab, ready to be filled in.

    \b
    podwalk lab new services/web-times-out
    make lab ID=services/web-times-out
    """
    from podwalk.course import catalogue, scaffold

    with _errors():
        files = scaffold.new_lab(catalogue.course_root(), lab_name)
    for path in files:
        click.echo(path)
    click.echo(f"fill them in (docs/add-a-lab.md), then prove it: make lab ID={lab_name}")


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """The course's errors as the command line's."""
    from podwalk.course.engine import CourseError
    from podwalk.course.progress import ProgressError
    from podwalk.course.schema import LabError

    try:
        yield
    except (CourseError, LabError) as error:
        raise CliError(str(error), NOT_PASSED) from error
    except ProgressError as error:
        raise CliError(str(error), AT_FAULT) from error


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    from podwalk.backends.base import home
    from podwalk.course.progress import Progress

    with Progress(home() / "progress.sqlite") as progress:
        if progress.notice:
            click.echo(f"podwalk: {progress.notice}", err=True)
        yield progress


def _boot(spec: LabSpec, name: str) -> None:
    """Put a cluster that fits in the place of the one that runs, unless that one fits."""
    from podwalk import backends
    from podwalk.course import fitting

    cluster = backends.find(name)
    if cluster is None or fitting.differences(spec, cluster):
        fitting.boot(spec, name, print_fact)


@contextlib.contextmanager
def _course(name: str) -> Iterator[Course]:
    from podwalk.course.engine import Course

    cluster = running(name)
    with _progress() as progress:
        yield Course(cluster, progress)


def _pick(course: Course, lab_name: str | None) -> LabSpec:
    """The lab that was named, or the current one. Raises CliError where there is neither."""
    from podwalk.course import catalogue

    chosen = lab_name or course.current()
    if chosen is None:
        on = course.running()
        why = f"several labs run ({', '.join(on)}); name one" if on else "no lab runs; choose one: podwalk lab list"
        raise CliError(why, NOT_PASSED)
    return catalogue.find(catalogue.course_root(), chosen)


def _named_or_current(lab_name: str | None, name: str) -> LabSpec:
    """As :func:`_pick`; a lab that is named needs no cluster."""
    from podwalk.course import catalogue

    if lab_name:
        return catalogue.find(catalogue.course_root(), lab_name)
    with _course(name) as course:
        return _pick(course, None)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _ticket(text: str, spec: LabSpec) -> None:
    """Markdown for a reader: rendered in a terminal, as it is in a pipe."""
    console = _console()
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(text), width=min(console.width, 100))
    else:
        click.echo(text.rstrip())
    low, high = spec.minutes
    click.echo(f"\n{spec.name}  {spec.difficulty}  {low} to {high} minutes  {_points(spec.possible)}")


def _line(spec: LabSpec, standing: Standing, runs: bool, width: int) -> str:
    mark = "✔" if standing.done else "▸" if runs else " "
    low, high = spec.minutes
    score = f"{standing.points} of {spec.possible}" if standing.done else _points(spec.possible)
    shown = "  solution shown" if standing.shown and not standing.done else ""
    return f" {mark} {spec.id:<{width}} {spec.difficulty:<7} {low:>2} to {high:>2} min  {score:<10} {spec.title}{shown}"


def _as_dict(spec: LabSpec, standing: Standing, runs: bool) -> dict[str, Any]:
    about = {"lab": spec.name, "title": spec.title, "layer": spec.layer, "order": spec.order}
    size = {"minutes": spec.minutes, "difficulty": spec.difficulty, "possible": spec.possible}
    return {**about, **size, "backends": spec.backends, "running": runs, **standing.to_dict()}


def _points(count: int) -> str:
    return f"{count} point" if count == 1 else f"{count} points"
