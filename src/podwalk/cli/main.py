"""The ``podwalk`` command: its subcommands live one a file and are imported when they are called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from podwalk import __version__
from podwalk.api.errors import ApiError
from podwalk.backends.base import AlreadyRunningError, BackendError, NotFoundError
from podwalk.cli.errors import AT_FAULT, NOT_PASSED

# Command -> (module below podwalk.cli, attribute, one line for --help): known without importing any of them.
_COMMANDS = {
    "up": ("up", "up", "Start a cluster and prove that it works."),
    "down": ("down", "down", "End a cluster; nothing of it stays."),
    "status": ("status", "status", "Show what runs."),
    "doctor": ("doctor", "doctor", "Say what this machine lacks, and the cure."),
    "kubeconfig": ("kubeconfig", "kubeconfig", "Print the kubeconfig, its path, or merge it into yours."),
    "node": ("node", "node", "Run a command on a node."),
    "outside": ("node", "outside", "Run a command in the world beyond the cluster."),
    "bpf": ("bpf", "bpf", "Show what a node's BPF maps hold (--cni ebpf)."),
    "trace": ("trace", "trace", "Follow one real connection, hop by hop."),
    "policy": ("policy", "policy", "Show who reaches whom, and which NetworkPolicy says so."),
    "addon": ("addon", "addon", "Install kinds that many clusters have: Gateway API and others."),
    "image": ("image", "image", "List the image catalogue, or add a program of yours to it."),
    "init": ("init", "init", "Lay out the course in a folder of yours, or bring it up to date."),
    "lab": ("lab", "lab", "Start, check and finish labs."),
    "fault": ("fault", "fault", "Break the cluster on purpose, and take it back."),
    "interview": ("interview", "interview", "Hold a mock interview against the clock."),
    "drill": ("drill", "drill", "Answer questions, spaced so that you keep what you know."),
    "class": ("class_", "class_", "Run a class: a cluster a learner, who is where, sealed marks."),
}


class _Commands(click.Group):
    """A group that imports a command only when it is needed: `podwalk lab check` must not pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module, attribute, _ = _COMMANDS[name]
        command = getattr(importlib.import_module(f"podwalk.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry[2]) for name, entry in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="podwalk")
def cli() -> None:
    """Walk a packet through Kubernetes networking: a cluster in a second, labs graded by what packets do.

    Begin with: podwalk up, then podwalk lab list.
    """


def main() -> None:
    """Run the command line; every failure is one line on stderr and an exit code that means something."""
    try:
        # https://no-color.org; without it, click writes colours to a terminal only.
        plain: dict[str, Any] = {"color": False} if os.environ.get("NO_COLOR") else {}
        code = cli.main(standalone_mode=False, prog_name="podwalk", **plain)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "podwalk"
        click.echo(f"podwalk: {' '.join(error.format_message().split()).rstrip('.')}; see {path} --help", err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("podwalk: stopped", err=True)
        code = 130
    except (NotFoundError, AlreadyRunningError) as error:
        click.echo(f"podwalk: {error}", err=True)
        code = NOT_PASSED
    except BackendError as error:
        click.echo(f"podwalk: {error}", err=True)
        code = AT_FAULT
    except ApiError as error:
        click.echo(
            f"podwalk: the API server refused: {error}; podwalk status shows whether the cluster is well", err=True
        )
        code = AT_FAULT
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to say, and nobody to say it to.
        sys.stderr.close()
        code = 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        click.echo(f"podwalk: {where}{error.strerror or error}; podwalk doctor says what this machine lacks", err=True)
        code = AT_FAULT
    sys.exit(code if isinstance(code, int) else 0)
