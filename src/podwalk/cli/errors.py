"""How the command line fails: one line with a cure, and an exit code that means something."""

from __future__ import annotations

import click

NOT_PASSED = 1
USAGE = 2
AT_FAULT = 3


class CliError(click.ClickException):
    """An error for the learner: ``podwalk: message``.

    Codes: 1 not passed or not found, 2 usage, 3 the cluster or the machine is at fault.
    """

    def __init__(self, message: str, code: int = NOT_PASSED) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]

    def show(self, file: object = None) -> None:
        """Print the one line."""
        click.echo(f"podwalk: {self.message}", err=True)
