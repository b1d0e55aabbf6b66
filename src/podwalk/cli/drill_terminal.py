"""Questions in a terminal: ask, read the answer, then say what it was. The same lines, without colour, in a pipe."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click

from podwalk.checks.render import harmless
from podwalk.drills import schedule
from podwalk.drills.asking import Asked
from podwalk.drills.grading import AnswerError, Remark, proposed
from podwalk.drills.session import Graded, Session

_MARKS = {"right": ("✔", "green"), "wrong": ("✘", "red"), "missed": ("·", "yellow"), "note": ("·", None)}
_LONGEST = 96
_WIDE = re.compile(r"[\u2e80-\ua4cf\uac00-\ud7ff\uf900-\ufaff\ufe30-\uff60]")
_TRIES = 5


class Stopped(Exception):
    """The learner, or the end of a pipe, ended the sitting."""


def sit(session: Session) -> int:
    """Ask until nothing is left or the learner stops; how many were answered."""
    answered = 0
    try:
        while (asked := session.next()) is not None:
            _one(session, asked)
            answered += 1
    except (Stopped, click.Abort, KeyboardInterrupt):
        click.echo()
    return answered


def _one(session: Session, asked: Asked) -> None:
    show(asked, _progress(session))
    begun = time.monotonic()
    hinted = False
    for _ in range(_TRIES):
        text = read(asked)
        if text.strip() == "?":
            hinted = True
            _say(asked.fill(asked.question.hint) if asked.question.hint else "There is no hint for this one.", "   ")
            continue
        sure = text.rstrip().endswith("!") and not asked.question.written
        text = text.rstrip().rstrip("!") if sure else text
        seconds = time.monotonic() - begun
        try:
            ticks = _ticks(asked, text) if asked.question.written and text.strip() else None
            graded = session.answer(asked, text, seconds, hinted=hinted, sure=sure, ticks=ticks)
        except AnswerError as error:
            click.echo(f"   {error}")
            continue
        _feedback(graded)
        return
    raise Stopped


def show(asked: Asked, progress: str = "") -> None:
    """A question without its answer."""
    question = asked.question
    about = f"{question.layer} · {question.level} · {question.type}"
    gap = " " * max(_width() - len(question.id) - len(about) - len(progress) - 4, 2)
    click.echo(f"\n{click.style(question.id, bold=True)}  {about}{gap}{progress}")
    _say(asked.wording, "   ")
    for constraint in question.constraints:
        _say(f"- {asked.fill(constraint)}", "     ")
    if question.artifact is not None:
        click.echo(click.style(f"\n   $ {harmless(question.artifact.command)}", dim=True))
        click.echo("\n".join(f"   {harmless(line)}" for line in question.artifact.text.split("\n")))
    if question.spot is not None:
        click.echo()
        for number, line in enumerate(question.spot.text.split("\n"), 1):
            click.echo(f"   {number:>3}  {harmless(line)}")
    if asked.order:
        click.echo()
        for mark, text in zip(asked.marks, asked.shown, strict=True):
            _say(text, f"   {mark}) ", "      ")


def _feedback(graded: Graded) -> None:
    asked, outcome = graded.asked, graded.outcome
    question = asked.question
    if question.written:
        share = f"{round(100 * outcome.score)} % of the points"
        verdict = click.style(f"✔ {share}", fg="green") if outcome.right else click.style(f"✘ {share}", fg="red")
        click.echo(f" {verdict}")
        _remarks(outcome.remarks)
        click.echo("   A good answer:")
        _say(outcome.expected, "     ")
    else:
        verdict = click.style("✔ right", fg="green") if outcome.right else click.style("✘ wrong", fg="red")
        partly = f" ({round(100 * outcome.score)} % of it)" if 0 < outcome.score < 1 else ""
        _say(f" {verdict}{partly}: {outcome.expected}", "", "     ")
        _remarks(outcome.remarks)
        if question.spot is not None and not outcome.right:
            click.echo("   Repaired:")
            click.echo(textwrap.indent(harmless(question.spot.repair), "     "))
    _say(asked.fill(question.explain), "   ")
    for address in question.refs[:2]:
        click.echo(click.style(f"   {address}", dim=True))
    for lab in question.labs[:1]:
        click.echo(click.style(f"   practise it: podwalk lab start {lab.rpartition('/')[2]}", dim=True))
    again = "once more in this sitting" if graded.again else when(graded.due - datetime.now(UTC))
    click.echo(click.style(f"   {schedule.NAMES[graded.rating]}; again {again}", dim=True))


def _remarks(remarks: tuple[Remark, ...]) -> None:
    for remark in remarks:
        mark, colour = _MARKS[remark.kind]
        _say(remark.text, f"   {click.style(mark, fg=colour)} ", "     ")
        if remark.why:
            _say(remark.why, "        ")


def _ticks(asked: Asked, text: str) -> list[bool]:
    """The points of the rubric that the learner stands by; what the text seems to say is proposed."""
    found = proposed(asked.question.rubric, text)
    if not sys.stdin.isatty():
        return list(found)
    click.echo("   Tick what your answer says. Enter keeps what was found in it.")
    ticks = []
    for point, seems in zip(asked.question.rubric, found, strict=True):
        trap = " (a mistake, if you said so)" if point.antipattern else ""
        ticks.append(click.confirm(f"   {harmless(asked.fill(point.point))}{trap}", default=seems))
    return ticks


def read(asked: Asked) -> str:
    """An answer as it is typed; one in sentences ends with a line that holds a dot. Raises Stopped."""
    prompt = f"\n{_prompt(asked)}: "
    if not asked.question.written:
        return _line(prompt)
    click.echo(prompt.rstrip())
    lines: list[str] = []
    for line in _lines():
        if line == "." or (line.strip() == "?" and not lines):
            return line if line != "." else "\n".join(lines)
        lines.append(line)
    if not lines:
        raise Stopped
    return "\n".join(lines)


def _prompt(asked: Asked) -> str:
    question = asked.question
    if question.written:
        return "Your answer, in a few sentences; a line with a single dot ends it"
    what = {
        "multi": "Letters of all that are right",
        "order": "The order, such as " + " ".join(asked.marks),
        "numeric": "A number" + (f" in {question.numeric.unit}" if question.numeric and question.numeric.unit else ""),
        "spot": "The line",
        "predict": "What you expect",
    }.get(question.type, "A letter")
    return f"{what} (! behind it: I am sure; ? alone: a hint)"


def _line(prompt: str) -> str:
    if sys.stdin.isatty():
        try:
            return input(prompt)
        except EOFError:
            raise Stopped from None
    click.echo(prompt, nl=False)
    line = sys.stdin.readline()
    if not line:
        raise Stopped
    click.echo(harmless(line.rstrip("\n")))
    return line.rstrip("\n")


def _lines() -> Iterator[str]:
    while line := sys.stdin.readline():
        yield line.rstrip("\n")


def _progress(session: Session) -> str:
    return "once more" if session.repeating else f"{session.position} of {len(session.plan)}"


def when(left: timedelta) -> str:
    """How long until a card is due, as one says it."""
    minutes = left.total_seconds() / 60
    if minutes < 90:
        return f"in {max(round(minutes), 1)} min"
    return f"in {round(minutes / 60)} h" if minutes < 36 * 60 else f"in {round(minutes / 1440)} days"


def _say(text: str, first: str, rest: str | None = None) -> None:
    """A paragraph, wrapped; lines that the author broke stay broken."""
    rest = first if rest is None else rest
    for line in harmless_styled(text).split("\n"):
        wrapped = _wide_lines(line, first, rest) if _WIDE.search(line) else _lines_of(line, first, rest)
        click.echo("\n".join(wrapped) if wrapped else "")
        first = rest


def _lines_of(line: str, first: str, rest: str) -> list[str]:
    return textwrap.wrap(line, _width(), initial_indent=first, subsequent_indent=rest, break_long_words=False)


def _wide_lines(line: str, first: str, rest: str) -> list[str]:
    """The same for a script without spaces, whose characters take two columns each: it may break after any of them."""
    lines, current = [], first
    for part in re.findall(rf"{_WIDE.pattern}|[^\s{_WIDE.pattern[1:-1]}]+|\s+", line):
        if _columns(current) + _columns(part) > _width() and current.strip():
            lines.append(current.rstrip())
            current = rest + part.lstrip()
        else:
            current += part
    return [*lines, current.rstrip()]


def _columns(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))


def harmless_styled(text: str) -> str:
    """Harmless text, but for the colours that we put in."""
    return "\x1b".join(harmless(part) for part in text.split("\x1b")) if "\x1b[" in text else harmless(text)


def _width() -> int:
    return min(shutil.get_terminal_size((_LONGEST, 24)).columns, _LONGEST)
