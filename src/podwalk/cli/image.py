"""``podwalk image``: the catalogue that maps images to programs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
import yaml

from podwalk.backends.base import home
from podwalk.cli.common import json_option
from podwalk.cli.errors import USAGE, CliError
from podwalk.kubelet import images


@click.group()
def image() -> None:
    """Images are names in a catalogue of programs: the embedded cluster pulls nothing."""


@image.command("list")
@json_option
def list_images(as_json: bool) -> None:
    """List the images that Pods may name.

    \b
    podwalk image list
    """
    rows = [{"image": ref, "program": program} for ref, program in images.catalogue(home() / "images.yaml")]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['image']:<52} {row['program']}")


@image.command()
@click.argument("ref")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--program", type=click.Path(path_type=Path), help="An executable file of yours, as PATH.")
def add(ref: str, path: Path | None, program: Path | None) -> None:
    """Let Pods name the image REF and run your own program PATH for it.

    \b
    podwalk image add example.com/shop:1 ./shop
    """
    program = program or path
    if program is None:
        raise CliError(f"which program shall {ref} run? `podwalk image add {ref} PATH` names it", USAGE)
    path = program.resolve()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise CliError(f"{program}: is not an executable file; chmod +x it or name another", USAGE)
    file = home() / "images.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    entries = yaml.safe_load(file.read_text()) if file.exists() else None
    kept = [e for e in entries or [] if isinstance(e, dict) and e.get("ref") != ref]
    fresh = file.with_suffix(".new")
    fresh.write_text(yaml.safe_dump([*kept, {"ref": ref, "program": str(path)}], sort_keys=False))
    fresh.replace(file)
    click.echo(f"  {ref} runs {path}")
