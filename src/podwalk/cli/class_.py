"""``podwalk class``: environments for a roster of learners on one machine, and what they have reached."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from podwalk.cli.common import json_option
from podwalk.cli.errors import AT_FAULT, NOT_PASSED, CliError

if TYPE_CHECKING:
    from podwalk.classroom.crew import Outcome
    from podwalk.classroom.folder import ClassDir
    from podwalk.classroom.roster import Learner

_KEY = click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file of the key that seals results. [DIR/key]",
)
_AT_ONCE = click.option("--at-once", type=click.IntRange(1, 64), help="How many side by side. [one a processor]")
_NAMES = click.argument("names", metavar="[LEARNER]...", nargs=-1)


def _dir_option(function: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path, file_okay=False),
        help="The folder of the class. [$PODWALK_HOME/class]",
    )(function)


@click.group("class")
def class_() -> None:
    """Run a class: a cluster for each learner of a roster, who is where, and marks from sealed results.

    \b
    podwalk class up --roster learners.csv
    podwalk class status
    podwalk class board
    podwalk class collect --recheck
    podwalk class grades
    podwalk class down
    """


@class_.command()
@click.option(
    "--roster",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV (first line: name,user) or YAML (a list); user is optional: the account that owns the cluster.",
)
@_dir_option
@_AT_ONCE
def up(roster: Path, folder: Path | None, at_once: int | None) -> None:
    """Start a cluster for each learner of a roster, each in a folder of their own; those that run stay.

    A learner who is in the class and not in the roster stays in the class.

    \b
    podwalk class up --roster learners.csv
    sudo podwalk class up --roster learners.csv --dir /srv/podwalk
    """
    from podwalk.classroom import roster as rosters
    from podwalk.classroom.crew import Crew

    with _errors():
        fresh = rosters.read(roster)
        one = _folder(folder)
        with one.lock():
            one.enrol(fresh)
            outcomes = Crew(one, at_once).do("up", fresh, _say(lambda o: _started(o, one)))
    if any(not learner.user for learner in fresh):
        click.echo("learners without a user share your account: each can read the others' folders and the key")
    _fail(outcomes, "started")


@class_.command()
@_dir_option
@json_option
@_AT_ONCE
def status(folder: Path | None, as_json: bool, at_once: int | None) -> None:
    """Show who runs, in which lab each is, and which step fails.

    \b
    podwalk class status
    podwalk class status --json
    """
    from podwalk.classroom.crew import Crew

    with _errors():
        one = _folder(folder)
        outcomes = Crew(one, at_once).do("standing", one.learners())
    if as_json:
        click.echo(json.dumps([_as_dict(outcome) for outcome in outcomes], indent=2))
        return
    width = max(len(outcome.learner.name) for outcome in outcomes)
    for outcome in outcomes:
        click.echo(_line(outcome, width))
    _fail(outcomes, "asked")


@class_.command()
@_NAMES
@_dir_option
@_AT_ONCE
def down(names: tuple[str, ...], folder: Path | None, at_once: int | None) -> None:
    """End the clusters of the class, or of some learners; their progress stays.

    \b
    podwalk class down
    podwalk class down ada
    """
    from podwalk.classroom.crew import Crew

    with _errors():
        one = _folder(folder)
        with one.lock():
            outcomes = Crew(one, at_once).do("down", _chosen(one, names), _say(lambda o: "is down"))
    _fail(outcomes, "ended")


@class_.command()
@_NAMES
@_dir_option
@_KEY
@click.option("--recheck", is_flag=True, help="First check each lab that runs, with the checkers of this installation.")
@_AT_ONCE
def collect(
    names: tuple[str, ...], folder: Path | None, key_file: Path | None, recheck: bool, at_once: int | None
) -> None:
    """Write each learner's results into a sealed file: DIR/results/LEARNER.json.

    \b
    podwalk class collect
    podwalk class collect --recheck ada
    """
    from podwalk.classroom import grades as marks
    from podwalk.classroom import seal
    from podwalk.classroom.crew import Crew

    with _errors():
        one = _folder(folder)
        with one.lock():
            learners = _chosen(one, names)
            key = one.key(key_file, make=True)

            def keep(outcome: Outcome) -> str:
                at = datetime.now(UTC).isoformat(timespec="seconds")
                path = one.results / f"{outcome.learner.name}.json"
                seal.write(path, marks.body(outcome.learner, outcome.answer, at), key)
                return str(path)

            outcomes = Crew(one, at_once).do("recheck" if recheck else "standing", learners, _say(keep))
    _fail(outcomes, "collected")


@class_.command()
@_dir_option
@_KEY
@click.option("--csv", "csv_file", type=click.Path(path_type=Path), help="Where to write CSV. [DIR/results/grades.csv]")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Where to write HTML. [… grades.html]")
def grades(folder: Path | None, key_file: Path | None, csv_file: Path | None, html_file: Path | None) -> None:
    """Make a sheet and a page of marks with evidence from the sealed files. A changed file counts nothing.

    Exit code 1 says that a file is changed, missing or unreadable.

    \b
    podwalk class grades
    podwalk class grades --csv marks.csv --html marks.html
    """
    from podwalk.classroom import grades as marks
    from podwalk.classroom.page import page
    from podwalk.course import catalogue

    with _errors():
        one = _folder(folder)
        learners, key = one.learners(), one.key(key_file)
        possible = {spec.name: spec.possible for spec in catalogue.all_labs(catalogue.course_root())}
        found = marks.grade(one, learners, key, possible)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    texts = ((csv_file, "csv", marks.sheet(found)), (html_file, "html", page(found, now)))
    for chosen, ending, text in texts:
        path = chosen or one.results / f"grades.{ending}"
        path.write_text(text, encoding="utf-8", newline="")
        click.echo(path)
    bad = [grade for grade in found if grade.file != "sealed"]
    for grade in bad:
        click.echo(f"podwalk: {grade.learner.name}: {grade.file}: {grade.why}", err=True)
    if bad:
        raise CliError(f"{len(bad)} of {len(found)} files count nothing; podwalk class collect makes new ones")


@class_.command()
@_dir_option
@click.option("--listen", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to serve it.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="The TCP port. [a free one]")
@click.option("--every", default=5.0, type=click.FloatRange(1, 600), show_default=True, help="Seconds between looks.")
@click.option("--hub", is_flag=True, help="Serve it as a service that a JupyterHub starts, to its admins.")
@_AT_ONCE
def board(folder: Path | None, listen: str, port: int, every: float, hub: bool, at_once: int | None) -> None:
    """Serve a page of who is where, which step fails and for how long, until Ctrl-C.

    Whoever has its URL may read it. It is plain HTTP: from elsewhere, come by `ssh -L`. With --hub the JupyterHub
    says where to listen, and who may read it.

    \b
    podwalk class board
    podwalk class board --port 8890
    """
    from podwalk.classroom import hub as behind_a_hub
    from podwalk.classroom.board import Board, Watch
    from podwalk.classroom.crew import Crew

    with _errors():
        one = _folder(folder)
        one.learners()
        crew = Crew(one, at_once)

        def ask() -> list[Outcome]:
            return crew.do("standing", one.learners())

        if hub:
            behind_a_hub.serve(Watch(ask, every, crew.stop))
            return
        try:
            made = Board(ask, listen, port, every, crew.stop)
        except OSError as error:
            raise CliError(
                f"{listen} port {port}: {error.strerror or error}; choose another --port", AT_FAULT
            ) from None
        with made:
            try:
                # Whoever reads the URL may interrupt at once.
                click.echo(made.url)
                made.wait()
            except KeyboardInterrupt:
                click.echo("the board is closed")


def _folder(chosen: Path | None) -> ClassDir:
    from podwalk.backends.base import home
    from podwalk.classroom.folder import ClassDir

    return ClassDir((chosen or home() / "class").absolute())


def _chosen(folder: ClassDir, names: Sequence[str]) -> list[Learner]:
    """The learners of these names, or all. Raises CliError for one who is not in the class."""
    learners = folder.learners()
    known = {one.name for one in learners}
    for name in names:
        if name not in known:
            raise CliError(f"{name}: not in this class; it has: {', '.join(sorted(known))}")
    return [one for one in learners if not names or one.name in names]


def _say(fact: Callable[[Outcome], str]) -> Callable[[Outcome], None]:
    """Print a line for each learner that is through; of one who failed, why."""

    def say(outcome: Outcome) -> None:
        text = outcome.error or fact(outcome)
        mark = click.style("✘", fg="red") if outcome.error else click.style("✔", fg="green")
        click.echo(f"  {mark} {outcome.learner.name:<16} {text:<72} {outcome.seconds:6.2f} s")

    return say


def _started(outcome: Outcome, folder: ClassDir) -> str:
    from podwalk.classroom.member import ENV_FILE

    already = "runs already" if outcome.answer.get("already") else "runs"
    return f"{already}: . {folder.home(outcome.learner) / ENV_FILE}"


def _line(outcome: Outcome, width: int) -> str:
    name = f"{outcome.learner.name:<{width}}"
    if outcome.error:
        return f"{name}  {click.style('✘', fg='red')} {outcome.error}"
    labs, now = outcome.answer["labs"], outcome.answer["now"]
    runs = "up  " if outcome.answer["cluster"]["running"] else "down"
    score = f"{sum(lab['points'] for lab in labs)} points, {sum(lab['done'] for lab in labs)} done"
    step = f": {now['step']}" if now and now["step"] else ""
    place = f"{now['lab']}{step}" if now else ""
    return f"{name}  {runs}  {score:<22} {place}".rstrip()


def _as_dict(outcome: Outcome) -> dict[str, Any]:
    who = {"learner": outcome.learner.name, "user": outcome.learner.user, "error": outcome.error}
    return {**who, **outcome.answer}


def _fail(outcomes: Sequence[Outcome], what: str) -> None:
    """Raise CliError (3) where a learner's process failed; each has had a line of its own."""
    bad = [outcome for outcome in outcomes if outcome.error]
    if bad:
        names = ", ".join(outcome.learner.name for outcome in bad)
        raise CliError(f"not {what}: {names}; the lines above say why", AT_FAULT)


@contextlib.contextmanager
def _errors() -> Iterator[None]:
    """The class's errors as the command line's."""
    from podwalk.classroom.roster import ClassError
    from podwalk.course.schema import LabError

    try:
        yield
    except (ClassError, LabError) as error:
        raise CliError(str(error), NOT_PASSED) from error
