"""``podwalk drill export`` and ``import``: questions to and from other programs."""

from __future__ import annotations

import importlib
import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from podwalk.cli.drill import errors, load_bank, own_folder
from podwalk.cli.errors import NOT_PASSED, CliError
from podwalk.drills.model import LANGUAGES, LAYERS, LEVELS

if TYPE_CHECKING:
    from podwalk.drills.exchange import Loss

# Format -> module below podwalk.drills whose `write` makes it.
_FORMATS = {"anki": "anki", "gift": "gift", "jupyterquiz": "jupyterquiz", "moodle": "moodle"}
_SHOWN = 12


@click.command()
@click.argument("form", metavar="FORMAT", type=click.Choice(sorted(_FORMATS)))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--layer", "layers", multiple=True, type=click.Choice(LAYERS), help="Only this layer; may be repeated.")
@click.option("--level", "levels", multiple=True, type=click.Choice(LEVELS), help="Only this level; may be repeated.")
@click.option(
    "--lang", default="en", show_default=True, type=click.Choice(LANGUAGES), help="Where there is a text in it."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def export(form: str, file: Path, layers: tuple[str, ...], levels: tuple[str, ...], lang: str, force: bool) -> None:
    """Write questions for another program, and say what its format cannot hold.

    FORMAT is anki (a text file that Anki imports; a second import updates and makes no duplicates), moodle (XML), gift
    or jupyterquiz (JSON).

    \b
    podwalk drill export anki podwalk.txt
    podwalk drill export moodle dns.xml --layer dns
    """
    from podwalk.drills import exchange

    if file.exists() and not force:
        raise CliError(f"{file} exists; choose another name, or --force", NOT_PASSED)
    with errors():
        chosen = load_bank().select(layers, levels)
        done = importlib.import_module(f"podwalk.drills.{_FORMATS[form]}").write(exchange.drawn(chosen, lang))
    _write(file, done.text)
    click.echo(f"{done.count} of {len(chosen)} questions are in {file}")
    _tell(done.losses)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--layer", type=click.Choice(LAYERS), help="Their layer, where no $CATEGORY names one.")
@click.option("--level", default="mid", show_default=True, type=click.Choice(LEVELS), help="Their level.")
@click.option("--force", is_flag=True, help="Replace what was imported from a file of this name before.")
def import_(file: Path, layer: str | None, level: str, force: bool) -> None:
    """Take questions from a GIFT file into your own, in $PODWALK_HOME/questions, and say what was not taken.

    \b
    podwalk drill import quiz.gift --layer services
    podwalk drill --count 5
    """
    import yaml

    from podwalk.course import catalogue
    from podwalk.drills import bank, gift_reader

    slug = re.sub(r"[^a-z0-9]+", "-", file.stem.lower()).strip("-")[:12].strip("-") or "quiz"
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise CliError(f"{file}: the file: is no UTF-8; save it as UTF-8", NOT_PASSED) from None
    with errors():
        taken = gift_reader.read(text, f"own-{slug}", layer=layer, level=level)
        folder = own_folder()
        targets = {name: folder / f"{slug}-{name}.yaml" for name in taken.layers}
        if (there := [p for p in targets.values() if p.exists()]) and not force:
            raise CliError(f"{there[0]} exists; rename {file.name}, or --force to replace it", NOT_PASSED)
        folder.mkdir(parents=True, exist_ok=True)
        for name, questions in taken.layers.items():
            data = {"layer": name, "questions": questions}
            said = yaml.safe_dump(data, allow_unicode=True, sort_keys=False, width=110)
            # Read before it takes its place: a question that cannot be read would stop every later drill.
            with tempfile.TemporaryDirectory() as aside:
                draft = Path(aside) / targets[name].name
                draft.write_text(said, encoding="utf-8")
                bank.read_file(draft, catalogue.course_root(), strict=True)
            _write(targets[name], said)
        load_bank()
    where = ", ".join(str(p) for p in targets.values()) or "nothing"
    click.echo(f"{taken.count} questions were taken: {where}")
    _tell(taken.losses)


def _write(path: Path, text: str) -> None:
    """All of it, or the file as it was."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(file.name, 0o666 & ~mask)
    os.replace(file.name, path)


def _tell(losses: Iterable[Loss]) -> None:
    """What could not be carried: each reason once, with the questions."""
    reasons: dict[tuple[bool, str], list[str]] = {}
    for loss in losses:
        reasons.setdefault((not loss.whole, loss.reason), []).append(loss.question)
    for (partly, reason), names in sorted(reasons.items()):
        what = "carried in part" if partly else "left out"
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        click.echo(f"  {what} ({len(names)}): {reason}: {', '.join(names[:_SHOWN])}{more}")
