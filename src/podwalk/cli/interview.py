"""``podwalk interview``: a mock interview against the clock, and its report."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from podwalk.cli.common import name_option
from podwalk.cli.errors import AT_FAULT, NOT_PASSED, USAGE, CliError

if TYPE_CHECKING:
    from podwalk.drills.bank import Bank
    from podwalk.interview.report import InterviewReport
    from podwalk.interview.session import Interview
    from podwalk.interview.state import State

_TRACKS = ("junior", "mid", "senior", "netsre", "staff")
_FORMATS = ("md", "html", "json")


class _Tracks(click.Group):
    """``podwalk interview junior`` is ``podwalk interview begin junior``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, ["begin", *args] if args and args[0] in _TRACKS else args)


@click.group(cls=_Tracks, context_settings={"help_option_names": ["-h", "--help"]})
def interview() -> None:
    """Hold a mock interview: junior, mid, senior, netsre or staff.

    Questions of all layers, the call of a Service followed deeper and deeper, something broken in the running cluster,
    a design. Nothing is told before the end. Every answer is kept at once: what was interrupted goes on with resume.

    \b
    podwalk interview junior
    podwalk interview senior --observed
    podwalk interview resume
    podwalk interview report --format html > report.html
    """


@interview.command()
@click.argument("track", type=click.Choice(_TRACKS))
@click.option("--observed", is_flag=True, help="Somebody listens, and gives the marks for what is said.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="The same questions again.")
@click.option("--no-live", is_flag=True, help="Without the part in a running cluster.")
@name_option
def begin(track: str, observed: bool, seed: int | None, no_live: bool, name: str) -> None:
    """Begin an interview.

    \b
    podwalk interview begin junior
    """
    from podwalk.backends.base import home
    from podwalk.interview import desk, session, state

    with _errors(), state.only_one(home()):
        bank = _bank()
        seen, weak = desk.standing(bank)
        held = session.begin(home(), bank, track, seed=seed, observed=observed, seen=seen, weak=weak)
        minutes = held.track.minutes
        click.echo(
            f"{held.track.title}: {minutes} minutes. ? passes a question; Ctrl-C interrupts, and it can be resumed."
        )
        if observed:
            click.echo(f"For whoever asks: podwalk interview script {held.state.id}")
        _hold(held, name, no_live)


@interview.command()
@click.option("--no-live", is_flag=True, help="Without the part in a running cluster.")
@name_option
def resume(no_live: bool, name: str) -> None:
    """Go on with the interview that was interrupted last.

    \b
    podwalk interview resume
    """
    from podwalk.backends.base import home
    from podwalk.interview import session, state

    with _errors(), state.only_one(home()):
        _hold(session.resume(home(), _bank()), name, no_live)


@interview.command("list")
def list_interviews() -> None:
    """List the interviews there were.

    \b
    podwalk interview list
    """
    from podwalk.backends.base import home
    from podwalk.interview import report, state

    with _errors():
        bank = _bank()
        for path in state.every(home()):
            try:
                kept = state.load(path)
            except state.InterviewError as error:
                click.echo(f"  {error}")
                continue
            found = report.make(kept, bank)
            click.echo(f"  {kept.id}  {found.overall:.0%}{'' if kept.ended else '  interrupted'}")


@interview.command("report")
@click.argument("which", required=False, metavar="[ID]")
@click.option("--format", "form", type=click.Choice(_FORMATS), default="md", show_default=True)
def show_report(which: str | None, form: str) -> None:
    """Print the report of an interview, the last one unless named. Exit code 1: not a pass, by our bar.

    \b
    podwalk interview report
    podwalk interview report --format html > report.html
    """
    from podwalk.interview import render

    with _errors():
        found = _report(_chosen(which), _bank())
    written = {"md": render.markdown, "html": render.html, "json": render.as_json}[form](found)
    click.echo(written, nl=not written.endswith("\n"))
    if not found.passed:
        raise SystemExit(NOT_PASSED)


@interview.command("script")
@click.argument("which", required=False, metavar="[ID]")
def show_script(which: str | None) -> None:
    """Print what an interviewer asks and listens for. Not for the eyes of whoever is asked.

    \b
    podwalk interview script > script.md
    """
    from podwalk.interview import script

    with _errors():
        click.echo(script.write(_chosen(which), _bank()), nl=False)


def _hold(held: Interview, name: str, no_live: bool) -> None:
    from podwalk.cli import interview_terminal
    from podwalk.interview import render

    try:
        interview_terminal.hold(held, name, no_live)
    except (*interview_terminal.INTERRUPTIONS, click.Abort, KeyboardInterrupt):
        held.pause()
        click.echo("\nKept. Go on with: podwalk interview resume")
        return
    held.finish()
    found = _report(held.state, held.bank)
    click.echo("\n" + render.markdown(found), nl=False)
    click.echo(f"\nAgain, or as a page: podwalk interview report {held.state.id} --format html")


def _report(kept: State, bank: Bank) -> InterviewReport:
    from podwalk.interview import desk

    return desk.report_of(kept, bank)


def _chosen(which: str | None) -> State:
    from podwalk.backends.base import home
    from podwalk.interview import state

    paths: list[Path] = state.every(home())
    if which is not None:
        paths = [p for p in paths if p.stem == which or p.stem.startswith(which)]
    if not paths:
        raise CliError(f"there is no interview {which or 'yet'}; begin one: podwalk interview junior", USAGE)
    return state.load(paths[-1])


def _bank() -> Bank:
    from podwalk.interview import desk

    return desk.load_bank()


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    from podwalk.course.progress import ProgressError
    from podwalk.course.schema import LabError
    from podwalk.drills.model import QuestionError
    from podwalk.interview.state import InterviewError

    try:
        yield
    except (InterviewError, ProgressError, QuestionError, LabError) as error:
        raise CliError(str(error), AT_FAULT) from error
    except BrokenPipeError:
        sys.stderr.close()
