"""``podwalk init``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from podwalk import __version__
from podwalk.cli.errors import NOT_PASSED, CliError

if TYPE_CHECKING:
    from podwalk.course.layout import Change

_WORDS = {
    "added": "new",
    "updated": "brought up to date",
    "removed": "not part of the course any more",
    "kept": "yours",
}


@click.command()
@click.argument("folder", metavar="[DIR]", default="podwalk-course", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
def init(folder: Path, dry_run: bool) -> None:
    """Lay out the course in a folder of your own, or bring such a folder up to date.

    What you changed stays: where podwalk has a newer version of such a file, it is put beside yours. To get a file back
    as it was, remove it and run this again.

    \b
    podwalk init
    podwalk init ~/podwalk-course
    """
    from podwalk.course import catalogue, layout
    from podwalk.course.schema import LabError

    known = (folder / layout.RECORD).exists()
    try:
        changes = layout.lay_out(catalogue.course_root(), folder, __version__, dry_run=dry_run)
    except LabError as error:
        raise CliError(str(error), NOT_PASSED) from None
    said = [change for change in changes if change.what]
    for change in said:
        if known:
            click.echo(_line(change))
    count = sum(change.what in ("added", "updated", "removed") for change in said)
    if dry_run:
        click.echo(f"{folder}: {count} files would change")
    elif known:
        click.echo(f"{folder}: {count} files changed" if count else f"{folder} is up to date")
    else:
        click.echo(f"{folder}: the course, {count} files. Next:\n")
        click.echo(f"  cd {folder}\n  podwalk doctor\n  jupyter lab notebooks/index.ipynb\n")
        click.echo("Is kubectl missing? python get-kubectl")


def _line(change: Change) -> str:
    beside = f"; podwalk's new version is {change.beside}" if change.beside else ""
    return f"  {change.path}: {_WORDS[change.what]}{beside}"
