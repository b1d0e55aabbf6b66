"""A report in the terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from podwalk.checks.render import plain, render
from podwalk.checks.report import Finding, Report, StepResult, Verdict

FINDING = Finding(
    "30 × HTTP 200 within 1 s", "14 × HTTP 200, 16 × timeout", "kubectl -n shop get pod", "on node worker2"
)
REPORT = Report(
    "services/half-empty",
    "Half empty",
    (
        StepResult("the cluster is well", "control", Verdict.PASS, reason="a control Pod answers"),
        StepResult("web answers", "step", Verdict.PASS, 3, 3),
        StepResult("thirty in a row", "step", Verdict.NOT_YET, 0, 3, FINDING, nudge="where do they come from?"),
        StepResult("it survives", "step", Verdict.NOT_TRIED, 0, 2, reason="needs “thirty in a row”"),
        StepResult("left alone", "guard", Verdict.PASS),
    ),
)

EXPECTED = """\
half-empty                                                       3 of 8 points
 ✔ the cluster is well                                 (a control Pod answers)
 ✔ web answers                                                        3 points
 ✘ thirty in a row                                                      0 of 3
     expected   30 × HTTP 200 within 1 s
     observed   14 × HTTP 200, 16 × timeout
     see it     kubectl -n shop get pod
     it died    on node worker2
 · it survives                                                       not tried
     because    needs “thirty in a row”
 ✔ left alone                                                            guard
Next: where do they come from?     (podwalk lab hint)
"""


def test_a_report_is_printed_step_by_step() -> None:
    assert plain(REPORT) == EXPECTED


def test_a_pipe_gets_no_colours_and_long_commands_stay_on_one_line() -> None:
    long = Finding("x", "y", "kubectl " + "very " * 60 + "long")
    report = Report("a/b", "B", (StepResult("s", "step", Verdict.NOT_YET, 0, 1, long),))
    stream = io.StringIO()
    render(report, Console(file=stream, width=80))
    assert "\x1b" not in stream.getvalue()
    assert f"     see it     {long.see_it}\n" in stream.getvalue()


def test_a_terminal_gets_colours_unless_no_color_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> str:
        stream = io.StringIO()
        render(REPORT, Console(file=stream, force_terminal=True, width=100))
        return stream.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[32m✔" in printed()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in printed()


def test_what_a_pod_says_is_text_and_nothing_else() -> None:
    evil = Finding("[red]x[/red]", "\x1b]0;title\x07\x1b[2Jgone\u202eback", ":boom: [link=x]y[/link]")
    report = Report("a/b", "B", (StepResult("[bold]s", "step", Verdict.NOT_YET, 0, 1, evil),))
    stream = io.StringIO()
    render(report, Console(file=stream, force_terminal=True, width=100))
    out = stream.getvalue()
    assert "[red]x[/red]" in out
    assert "[link=x]y[/link]" in out
    assert ":boom:" in out
    for forbidden in ("\x1b]0", "\x1b[2J", "\x07", "\u202e"):
        assert forbidden not in out


def test_a_broken_guard_says_that_it_holds_the_points_back() -> None:
    steps = (
        StepResult("s", "step", Verdict.PASS, 5, 5),
        StepResult("g", "guard", Verdict.NOT_YET, finding=FINDING, nudge="why?"),
    )
    text = plain(Report("a/b", "B", steps))
    assert "0 of 5 points" in text
    assert "guard: holds back all points" in text


def test_an_ill_cluster_is_not_the_learners_fault() -> None:
    ill = StepResult("the cluster is well", "control", Verdict.COULD_NOT_TELL, finding=FINDING, reason="not judged")
    text = plain(Report("a/b", "B", (ill, StepResult("s", "step", Verdict.NOT_TRIED, 0, 5))))
    assert "could not tell" in text.splitlines()[0]
    assert text.splitlines()[-1].startswith("This says nothing about your work.")
