"""An interview in a terminal: a question, an answer, the next one. The same lines, without colour, in a pipe."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from podwalk.cli import drill_terminal
from podwalk.drills.asking import Asked
from podwalk.drills.grading import AnswerError, proposed
from podwalk.interview.model import ladders
from podwalk.interview.session import Interview

_TRIES = 5


class Interrupted(Exception):
    """The end of a pipe, or too many answers that were none."""


INTERRUPTIONS = (Interrupted, drill_terminal.Stopped)
"""What ends an interview before its end, besides the keyboard."""


def hold(held: Interview, cluster_name: str, no_live: bool) -> None:
    """Ask until the end. Raises Interrupted; everything that was answered is kept."""
    told = -1
    while True:
        asked = held.next()
        part = held.part
        if part is None:
            return
        if held.state.part != told:
            told = held.state.part
            click.echo(f"\n{click.style(part.title, bold=True)}  ({part.minutes} minutes)")
        if asked is None:
            _live(held, cluster_name, no_live)
        else:
            _one(held, asked)


def _one(held: Interview, asked: Asked) -> None:
    left = max(0, round(held.left / 60))
    drill_terminal.show(asked, f"{left} min left")
    hints = list(ladders().get(asked.question.id, ()))
    taken = 0
    for _ in range(_TRIES):
        text = drill_terminal.read(asked)
        if text.strip() == "?":
            held.pass_by(asked)
            return
        if text.strip() == "hint" and hints:
            taken += 1
            click.echo(f"   {hints.pop(0)}")
            continue
        try:
            marks = _marks(held, asked)
            held.answer(asked, text, _ticks(held, asked, text), hints=taken, marks=marks)
        except AnswerError as error:
            click.echo(f"   {error}")
            continue
        return
    raise Interrupted


def _ticks(held: Interview, asked: Asked, text: str) -> Sequence[bool] | None:
    """What the patterns find; whoever answers has no say before the end, whoever listens has the marks."""
    return proposed(asked.question.rubric, text) if asked.question.written and text.strip() else None


def _marks(held: Interview, asked: Asked) -> float | None:
    """The observer's mark, 1 to 4, for what was said in one's own words."""
    if not held.state.observed or not asked.question.written:
        return None
    if not sys.stdin.isatty():
        line = sys.stdin.readline().strip()
        return (int(line) - 1) / 3 if line in ("1", "2", "3", "4") else None
    given: int = click.prompt("   For the observer: 1 to 4", type=click.IntRange(1, 4))
    return (given - 1) / 3


def _live(held: Interview, cluster_name: str, no_live: bool) -> None:
    """The part in a cluster; left out, with the reason, where there is none."""
    from podwalk.cli import drill_live
    from podwalk.interview import live

    try:
        if no_live:
            raise live.LeftOutError(live.NOT_WANTED)
        started = live.begin(held, cluster_name)
    except live.LeftOutError as why:
        click.echo(f"   Left out: {why}.")
        held.live_done(None, str(why))
        return
    try:
        report = drill_live.converse(started)
    finally:
        started.close()
    held.live_done(report, "" if report else live.GIVEN_UP)
