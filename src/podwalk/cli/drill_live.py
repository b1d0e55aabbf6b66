"""``podwalk drill live``: find a fault in a running cluster, by hypotheses and evidence, against the clock."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from podwalk.cli.common import json_option, name_option, running
from podwalk.cli.errors import NOT_PASSED, CliError

if TYPE_CHECKING:
    from podwalk.faults.drill import LiveDrill
    from podwalk.faults.grading import Answer, Result

_PASS = 60
_HELP = """\
  ? TEXT       note a hypothesis: what do you think it is, and what would show it?
  $ COMMAND    run a command here, with kubectl and podwalk set to this cluster (or use another terminal)
  e TEXT       paste evidence that you saw elsewhere
  hint         a hint (it costs points)      ticket   the ticket again      log   what you did so far
  done         you have repaired it: answer and be graded
  quit         give up: the fault is taken back"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--layer", metavar="LAYER", help="Only this layer: pod-network, services, ingress, policy, dns.")
@click.option("--level", metavar="LEVEL", help="Only this level: junior, mid, senior, netsre.")
@click.option("--stacked", is_flag=True, help="Two faults at once.")
@click.option("--seed", type=click.IntRange(0, 2**31 - 1), help="The same drill again.")
@name_option
@json_option
def live(layer: str | None, level: str | None, stacked: bool, seed: int | None, name: str, as_json: bool) -> None:
    """Find a fault in your running cluster, and repair it.

    Something breaks that you cannot see; you get a ticket. Note what you suppose, run commands that tell, repair it,
    and say what it was. You are graded by what was really broken and by what works now, and what is still closed. The
    fault is taken back at the end, whatever happens.

    \b
    podwalk drill live
    podwalk drill live --layer services --level junior
    podwalk drill live --stacked
    """
    from podwalk.faults import drill
    from podwalk.faults.model import LAYERS, LEVELS

    for given, known, option in ((layer, LAYERS, "--layer"), (level, LEVELS, "--level")):
        if given is not None and given not in known:
            raise CliError(f"{option} {given}: there is none; known: {', '.join(known)}", 2)
    terminal = _Terminal()

    def say(text: str) -> None:
        terminal.say(f"  · {text}")

    started = drill.begin(running(name), layer=layer, level=level, stacked=stacked, seed=seed, say=say)
    try:
        graded = _hold(started, terminal)
        report = started.report(graded) if graded else None
    finally:
        say("taking the fault back")
        started.close()
    if report is None or graded is None:
        terminal.say(f"You gave up. It was: {'; '.join(f.lesson.cause for f in started.faults)}")
        raise SystemExit(NOT_PASSED)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    if graded.points < _PASS:
        raise SystemExit(NOT_PASSED)


def converse(started: LiveDrill) -> dict[str, Any] | None:
    """Hold a drill that has begun, in this terminal; its report, or None where the learner gave up."""
    graded = _hold(started, _Terminal())
    return started.report(graded) if graded else None


class _Terminal:
    """Questions and remarks go to standard error, so that --json alone has standard output."""

    def say(self, text: str) -> None:
        click.echo(text, err=True)

    def ask(self, prompt: str) -> str | None:
        """One line, or None at the end of the input."""
        if sys.stdin.isatty():
            import readline  # noqa: F401  keys to edit a line, and the lines before it

            try:
                return input(prompt).strip()
            except EOFError:
                return None
        click.echo(prompt, nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            click.echo("", err=True)
        return line.strip() if line else None


def _hold(started: LiveDrill, terminal: _Terminal) -> Result | None:
    """The conversation. None where the learner gives up."""
    many = f", {len(started.faults)} faults" if len(started.faults) > 1 else ""
    terminal.say(f"\n{started.ticket}\n\n{started.minutes} minutes{many}. Write help for what you can do.\n")
    while (line := terminal.ask("drill> ")) is not None:
        word, _, rest = line.partition(" ")
        if line.startswith(("?", "$")):
            word, rest = line[0], line[1:]
        rest = rest.strip()
        if word == "$" and rest:
            terminal.say(started.run(rest).rstrip("\n"))
        elif word == "?" and rest:
            started.suppose(rest)
        elif word == "e" and rest:
            started.paste(rest)
        elif word == "hint":
            terminal.say(started.hint() or "That was the last hint.")
        elif word == "ticket":
            terminal.say(started.ticket)
        elif word == "log":
            terminal.say(
                "\n".join(f"  {e.seconds:5.0f} s  {e.kind}: {e.text}" for e in started.entries) or "  nothing yet"
            )
        elif word == "done":
            answers = _answers(started, terminal)
            return None if answers is None else started.grade(answers)
        elif word in ("quit", "exit"):
            return None
        elif line:
            terminal.say(_HELP)
    return None


def _answers(started: LiveDrill, terminal: _Terminal) -> list[Answer] | None:
    from podwalk.faults.grading import Answer
    from podwalk.faults.model import LAYERS

    found = []
    causes = started.causes()
    for number in range(len(started.faults)):
        which = f" of fault {number + 1}" if len(started.faults) > 1 else ""
        layer = _choose(terminal, f"Layer{which}", list(LAYERS))
        what = terminal.ask(f"Object{which} (kind and name, or node and what on it): ")
        cause = _choose(terminal, f"Cause{which}", causes)
        cited = _cite(started, terminal)
        if layer is None or what is None or cause is None or cited is None:
            return None
        found.append(Answer(layer, what, cause, cited))
    return found


def _choose(terminal: _Terminal, title: str, choices: list[str]) -> str | None:
    terminal.say(f"{title}:")
    for number, text in enumerate(choices, 1):
        terminal.say(f"  {number}  {text}")
    while (line := terminal.ask("number: ")) is not None:
        if line in choices:
            return line
        if line.isdecimal() and 1 <= int(line) <= len(choices):
            return choices[int(line) - 1]
        terminal.say(f"a number from 1 to {len(choices)}")
    return None


def _cite(started: LiveDrill, terminal: _Terminal) -> str | None:
    """The output that the learner cites: the numbers of commands, or a pasted line."""
    shown = [e for e in started.entries if e.kind in ("command", "evidence")]
    for number, entry in enumerate(shown, 1):
        terminal.say(f"  {number}  {entry.text}")
    line = terminal.ask("Evidence (numbers of commands, or a line that you saw): ")
    if line is None:
        return None
    words = line.replace(",", " ").split()
    if words and all(w.isdecimal() and 1 <= int(w) <= len(shown) for w in words):
        return "\n".join(shown[int(w) - 1].output for w in words)
    return line


def _show(report: dict[str, Any]) -> None:
    badge = f"  {report['badge']}" if report["badge"] else ""
    click.secho(
        f"\n{report['points']} of 100{badge}   in {report['seconds'] // 60} of {report['minutes']} minutes", bold=True
    )
    for score, truth in zip(report["faults"], report["truth"], strict=True):
        click.echo(f"  it was: {truth['cause']} ({truth['id']}, {truth['layer']})")
        for part, most in (("layer", 15), ("object", 15), ("cause", 25), ("evidence", 15), ("fix", 30)):
            mark = click.style("✔", fg="green") if score[part] == most else click.style("✘", fg="red")
            click.echo(f"    {mark} {part:<9} {score[part]:>2} of {most}")
        for note in score["notes"]:
            click.echo(f"      {note}")
        click.echo(f"    to see it:    {truth['evidence']}\n    to repair it: {truth['fix']}")
    for each in report["deductions"]:
        click.echo(f"  −{each['points']}  {each['for']}")
    method = report["method"]
    click.echo(f"  {method['hypotheses']} hypotheses, {method['commands']} commands, {method['hints']} hints")
