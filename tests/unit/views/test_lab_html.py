"""The panel's HTML: what others wrote is text, and the report is the terminal's."""

from __future__ import annotations

import pytest

from podwalk.checks.report import Finding, Report, StepResult, Verdict
from podwalk.course.catalogue import Hint
from podwalk.views import lab_html

EVIL = '<img src=x onerror="alert(1)">\x1b[31m'
SEEN = Finding("HTTP 200", EVIL, f"curl {EVIL}", EVIL)
NOT_YET = StepResult("the till gets an answer", "step", Verdict.NOT_YET, 0, 3, SEEN, EVIL, EVIL)
PASSED = StepResult("the cluster is well", "control", Verdict.PASS, reason="a control Pod answers")


def report(*steps: StepResult) -> Report:
    return Report("services/x", "X", (PASSED, *steps))


@pytest.mark.parametrize(
    "html",
    [
        lab_html.report(report(NOT_YET)),
        lab_html.hints([Hint(EVIL)], 1),
        lab_html.failed(EVIL),
        lab_html.said(EVIL),
        lab_html.busy(EVIL),
    ],
)
def test_what_others_wrote_is_text(html: str) -> None:
    assert "&lt;img" in html
    assert "<img" not in html
    assert "\x1b" not in html


def test_a_step_shows_what_was_expected_and_seen_and_how_to_see_it() -> None:
    html = lab_html.report(report(NOT_YET))
    assert [label in html for label in ("expected", "observed", "see it", "it died", "0 of 3")] == [True] * 5
    assert "pw-not-yet" in html


def test_a_pass_says_where_the_reasons_are() -> None:
    html = lab_html.report(report(StepResult("it answers", "step", Verdict.PASS, 3, 3)))
    assert "3 of 3 points" in html
    assert "podwalk lab show --solution" in html


def test_an_ill_cluster_blames_nobody() -> None:
    html = lab_html.report(report(StepResult("it answers", "step", Verdict.COULD_NOT_TELL, reason="no node")))
    assert "could not tell" in html
    assert "says nothing about your work" in html
    assert "of 0 points" not in html


def test_the_price_of_the_next_hint_is_told_before_it_is_taken() -> None:
    both = [Hint("look at `kubectl get svc`"), Hint("do it", 2)]
    assert lab_html.hints(both, 0) == ""
    assert "costs 2 points" in lab_html.hints(both, 1)
    assert "<code>kubectl get svc</code>" in lab_html.hints(both, 1)
    assert "no more" in lab_html.hints(both, 2)
