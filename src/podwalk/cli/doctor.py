"""``podwalk doctor``."""

from __future__ import annotations

import json

import click

from podwalk.cli.common import json_option
from podwalk.cli.errors import AT_FAULT, CliError
from podwalk.netns import system


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Try, in a throwaway sandbox, everything that the embedded cluster needs of this machine; name what is missing.

    \b
    podwalk doctor
    """
    here = system.look()
    if here.kind != "Linux":
        # What tries things out cannot even be imported there.
        raise CliError(f"this is {here.detail}; {here.refusal()}", AT_FAULT)
    from podwalk.netns import probe

    checks = probe.checks()
    if as_json:
        fields = ("name", "ok", "required", "detail", "cure")
        click.echo(json.dumps([{f: getattr(c, f) for f in fields} for c in checks], indent=2))
    else:
        for check in checks:
            good, bad = click.style("✔", fg="green"), click.style("✘" if check.required else "·", fg="red")
            click.echo(f"  {good if check.ok else bad} {check.name:<34} {check.detail}")
            if not check.ok:
                click.echo(f"      {'cure' if check.required else 'optional'}: {check.cure}")
    if any(not c.ok and c.required for c in checks):
        raise SystemExit(AT_FAULT)
