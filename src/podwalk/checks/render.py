"""A report in the terminal. Whatever a Pod or the API said is printed as text: no markup, no control characters."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from podwalk.checks.report import Report, StepResult, Verdict

_WIDTH = 78
_MARKS = {
    Verdict.PASS: ("✔", "green"),
    Verdict.NOT_YET: ("✘", "red"),
    Verdict.COULD_NOT_TELL: ("?", "yellow"),
    Verdict.NOT_TRIED: ("·", "dim"),
}
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    """Text without what could move a cursor, ring a bell or turn the line around."""
    return _UNPRINTABLE.sub("�", text)


def render(report: Report, console: Console) -> None:
    """Print a report. Colours follow the console: none when piped, none with NO_COLOR."""
    for line in lines(report):
        console.print(line, soft_wrap=True, highlight=False)


def plain(report: Report) -> str:
    """The same without colours."""
    return "".join(f"{line.plain}\n" for line in lines(report))


def lines(report: Report) -> list[Text]:
    """The lines of a report."""
    out = [_row(Text(report.lab.rpartition("/")[2], style="bold"), _score(report))]
    for step in report.steps:
        out.append(_step(step))
        out.extend(_details(step))
    closing = _closing(report)
    if closing is not None:
        out.append(closing)
    return out


def _score(report: Report) -> Text:
    if report.verdict is Verdict.COULD_NOT_TELL:
        return Text("could not tell", style="yellow")
    style = "green" if report.passed else ""
    return Text(f"{report.points} of {_points(report.possible)}", style=style)


def _points(count: int) -> str:
    return f"{count} point" if count == 1 else f"{count} points"


def _row(left: Text, right: Text) -> Text:
    gap = max(_WIDTH - left.cell_len - right.cell_len, 2)
    return Text.assemble(left, " " * gap, right)


def _step(step: StepResult) -> Text:
    mark, style = _MARKS[step.verdict]
    left = Text.assemble(" ", (mark, style), " ", harmless(step.title))
    return _row(left, Text(_right(step), style="dim"))


def _right(step: StepResult) -> str:
    if step.kind == "control":
        return f"({harmless(step.reason)})"
    if step.verdict is Verdict.NOT_TRIED:
        return "not tried"
    if step.kind == "guard":
        return "guard: holds back all points" if step.verdict is Verdict.NOT_YET else "guard"
    if step.verdict is Verdict.COULD_NOT_TELL:
        return "could not tell"
    return _points(step.points) if step.passed else f"{step.points} of {step.possible}"


def _details(step: StepResult) -> list[Text]:
    found = step.finding
    rows = []
    if found is not None:
        rows = [("expected", found.expected), ("observed", found.observed)]
        rows += [(label, value) for label, value in (("see it", found.see_it), ("it died", found.died)) if value]
    elif step.reason and step.kind != "control":
        rows = [("because", step.reason)]
    return [Text.assemble("     ", (f"{label:<11}", "dim"), harmless(value)) for label, value in rows]


def _closing(report: Report) -> Text | None:
    if report.passed:
        return Text(
            "Done. Why it was so, and what else would have been right: podwalk lab show --solution", style="green"
        )
    if report.verdict is Verdict.COULD_NOT_TELL:
        return Text(
            "This says nothing about your work. When the cluster is well again, check once more.", style="yellow"
        )
    if not report.next:
        return Text(f"({report.hint_command})", style="dim")
    return Text.assemble("Next: ", harmless(report.next), (f"     ({report.hint_command})", "dim"))
