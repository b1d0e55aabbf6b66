"""``podwalk drill``: questions about Kubernetes networking, asked again when they are about to be forgotten."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from podwalk.cli.common import json_option
from podwalk.cli.errors import AT_FAULT, NOT_PASSED, CliError
from podwalk.drills.model import LANGUAGES, LAYERS, LEVELS, TYPES

if TYPE_CHECKING:
    from podwalk.drills.bank import Bank
    from podwalk.drills.memory import Memory

# Subcommands that live in files of their own: name -> (module below podwalk.cli, attribute, one line for --help).
_ELSEWHERE = {
    "export": ("drill_exchange", "export", "Write questions for Anki, Moodle, GIFT or jupyterquiz."),
    "import": ("drill_exchange", "import_", "Take questions from a GIFT file."),
    "live": ("drill_live", "live", "Find a fault in your running cluster."),
}


class _Commands(click.Group):
    """A group whose larger subcommands are imported when they are called, and absent where their file is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *(name for name in _ELSEWHERE if _there(name))])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _ELSEWHERE or not _there(name):
            return super().get_command(ctx, name)
        module, attribute, _ = _ELSEWHERE[name]
        command = getattr(importlib.import_module(f"podwalk.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


def _there(name: str) -> bool:
    return Path(__file__).with_name(f"{_ELSEWHERE[name][0]}.py").is_file()


@click.group(cls=_Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--layer", "layers", multiple=True, type=click.Choice(LAYERS), help="Only this layer; may be repeated.")
@click.option("--level", "levels", multiple=True, type=click.Choice(LEVELS), help="Only this level; may be repeated.")
@click.option("--type", "types", multiple=True, type=click.Choice(TYPES), help="Only this type; may be repeated.")
@click.option("--count", default=10, show_default=True, type=click.IntRange(1, 500), help="At most so many questions.")
@click.option(
    "--lang", default="en", show_default=True, type=click.Choice(LANGUAGES), help="Where there is a text in it."
)
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="The same draw again.")
@click.pass_context
def drill(
    ctx: click.Context,
    layers: tuple[str, ...],
    levels: tuple[str, ...],
    types: tuple[str, ...],
    count: int,
    lang: str,
    seed: int | None,
) -> None:
    """Answer questions: those that are due first, then new ones. You answer, then you see.

    What you know comes back later, what you did not know soon. No cluster is needed.

    \b
    podwalk drill
    podwalk drill --layer services --level mid --count 5
    podwalk drill status
    """
    if ctx.invoked_subcommand is not None:
        return
    from podwalk.cli import drill_terminal
    from podwalk.drills import session

    with errors(), _memory() as memory:
        chosen = load_bank().select(layers, levels, types)
        sitting = session.begin(chosen, memory, count, seed=seed, language=lang)
        if not sitting.plan:
            click.echo(_nothing(chosen, memory))
            return
        answered = drill_terminal.sit(sitting)
        for notice in memory.notices:
            click.echo(f"podwalk: {notice}", err=True)
    if not answered:
        click.echo("\nnothing was answered; nothing is kept")
        return
    known = sum(g.outcome.right for g in sitting.graded)
    click.echo(f"\n{known} of {answered} right; everything is kept. How you stand: podwalk drill status")


@drill.command("list")
@click.option("--layer", "layers", multiple=True, type=click.Choice(LAYERS), help="Only this layer; may be repeated.")
@json_option
def list_questions(layers: tuple[str, ...], as_json: bool) -> None:
    """List the questions, without their answers.

    \b
    podwalk drill list --layer dns
    podwalk drill list --json
    """
    with errors():
        bank = load_bank().select(layers)
    if as_json:
        rows = [
            {"id": q.id, "type": q.type, "layer": q.layer, "level": q.level, "exam": q.exam, "stem": q.stem.en}
            for q in bank
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    for layer in LAYERS:
        questions = [q for q in bank if q.layer == layer]
        if questions:
            click.secho(f"{layer} ({len(questions)})", bold=True)
        for question in questions:
            stem = " ".join(question.stem.en.split())
            stem = stem if len(stem) <= 66 else f"{stem[:65]}…"
            click.echo(f"   {question.id:<20} {question.level:<7} {question.type:<8} {stem}")


@drill.command()
@json_option
def status(as_json: bool) -> None:
    """Show how you stand in each layer: seen, due, and the share that was right.

    \b
    podwalk drill status
    """
    with errors(), _memory() as memory:
        bank = load_bank()
        now = datetime.now(UTC)
        seen, due = memory.seen(), set(memory.due(now))
        last = {review.question: review for _, review in memory.reviews()}
    rows = []
    for layer in LAYERS:
        names = [q.id for q in bank if q.layer == layer and q.type != "drill"]
        answered = [last[n] for n in names if n in last]
        rows.append(
            {
                "layer": layer,
                "questions": len(names),
                "seen": sum(n in seen for n in names),
                "due": sum(n in due for n in names),
                "right": sum(r.rating > 1 for r in answered),
            }
        )
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(f"{'':<16} {'questions':>9} {'seen':>6} {'known':>6} {'due':>6}")
    for row in rows:
        click.echo(f"{row['layer']:<16} {row['questions']:>9} {row['seen']:>6} {row['right']:>6} {row['due']:>6}")
    click.echo("known: right when it was asked last" if any(r["seen"] for r in rows) else "begin: podwalk drill")


@drill.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def check(files: tuple[Path, ...]) -> None:
    """Check files of questions by the schema and every rule; without FILES, all of the course's.

    \b
    podwalk drill check
    podwalk drill check drills/questions/dns.yaml
    """
    from podwalk.course import catalogue
    from podwalk.drills import bank

    with errors():
        root = catalogue.course_root()
        chosen = files or tuple(sorted((root / "drills" / "questions").glob("*.yaml")))
        counts: Counter[str] = Counter()
        for path in chosen:
            counts.update(q.type for q in bank.read_file(path, root, strict=True))
        if not files:
            bank.load(root)
    said = ", ".join(f"{count} {name}" for name, count in counts.most_common())
    click.echo(f"{counts.total()} questions in {len(chosen)} files are well: {said}")


def load_bank() -> Bank:
    """All questions: the course's, and the learner's own in $PODWALK_HOME/questions. Raises QuestionError, LabError."""
    from podwalk.course import catalogue
    from podwalk.drills import bank

    return bank.load(catalogue.course_root(), own_folder())


def own_folder() -> Path:
    """Where questions of the learner's own are kept."""
    from podwalk.backends.base import home

    return home() / "questions"


@contextlib.contextmanager
def errors() -> Iterator[None]:
    """The bank's errors as the command line's."""
    from podwalk.course.progress import ProgressError
    from podwalk.course.schema import LabError
    from podwalk.drills.model import QuestionError

    try:
        yield
    except (QuestionError, LabError) as error:
        raise CliError(str(error), NOT_PASSED) from error
    except ProgressError as error:
        raise CliError(str(error), AT_FAULT) from error


@contextlib.contextmanager
def _memory() -> Iterator[Memory]:
    from podwalk.backends.base import home
    from podwalk.course.progress import Progress
    from podwalk.drills.memory import Memory

    with Progress(home() / "progress.sqlite") as progress:
        if progress.notice:
            click.echo(f"podwalk: {progress.notice}", err=True)
        yield Memory(progress)


def _nothing(chosen: Bank, memory: Memory) -> str:
    if len(chosen) and all(q.type == "drill" for q in chosen):
        return "these are looked for in a running cluster: podwalk drill live"
    dues = [due for name, due in memory.seen().items() if name in chosen.questions]
    if not dues:
        return "there are no such questions; see: podwalk drill list"
    from podwalk.cli.drill_terminal import when

    return f"nothing is due and nothing is new; the next one comes {when(min(dues) - datetime.now(UTC))}"
