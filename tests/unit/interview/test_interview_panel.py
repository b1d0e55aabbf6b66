"""The interview's panel: the same interview as in the terminal, by widgets, interrupted wherever one likes."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ipywidgets as widgets
import pytest
from test_interview import LIVE, Clock, right_answer

from podwalk.drills import bank as banks
from podwalk.drills.bank import Bank
from podwalk.faults.drill import Entry
from podwalk.faults.grading import Answer
from podwalk.interview import desk, live, model, plan, state
from podwalk.views import interview_panel
from podwalk.views.interview_panel import InterviewPanel

ROOT = Path(__file__).parents[3]
EVIL = "<script>alert(1)</script></div></pre><img src=x onerror=alert(1)> $(touch /dev/null) kernel"


@pytest.fixture(scope="module")
def bank() -> Bank:
    return banks.load(ROOT)


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, bank: Bank, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path))
    monkeypatch.setattr(desk, "load_bank", lambda: bank)
    monkeypatch.setattr(interview_panel, "_shown", None)
    yield
    if interview_panel._shown is not None:
        interview_panel._shown.release()


def opened(track: str = "junior", **how: Any) -> InterviewPanel:
    found = InterviewPanel(track, **{"seed": 4, **how})
    found._buttons["start"].click()
    assert found.held is not None, found._trouble.value
    return found


def kept(home: Path) -> state.State:
    return state.load(state.every(home)[-1])


def html(widget: widgets.Widget) -> str:
    """All HTML that is shown, without its style."""
    if isinstance(widget, widgets.HTML):
        return "" if widget.value.startswith("<style>") else str(widget.value)
    return "".join(html(child) for child in getattr(widget, "children", ()))


def buttons(widget: widgets.Widget) -> list[str]:
    """The words of all buttons that are shown."""
    if isinstance(widget, widgets.Button):
        return [widget.description] if widget.layout.display != "none" else []
    return [name for child in getattr(widget, "children", ()) for name in buttons(child)]


def answer(found: InterviewPanel) -> None:
    """Answer as somebody who knows it."""
    assert found._asked is not None
    assert found._box is not None
    found._box.write(right_answer(found._asked))
    found._buttons["answer"].click()


def to_live(found: InterviewPanel) -> None:
    while found.live is None:
        answer(found)


class Drill:
    """A live drill without a cluster."""

    def __init__(self) -> None:
        self.ticket, self.minutes, self.faults = "Nothing arrives. </div><script>", 10, (1,)
        self.entries: list[Entry] = []
        self.closed, self.answers = 0, [Answer()]

    def causes(self) -> list[str]:
        return ["the selector", "the port"]

    def suppose(self, text: str) -> None:
        self.entries.append(Entry("hypothesis", text, 1.0))

    def paste(self, text: str) -> None:
        self.entries.append(Entry("evidence", text, 2.0, text))

    def run(self, text: str) -> str:
        self.entries.append(Entry("command", text, 3.0, f"output of {text}"))
        return self.entries[-1].output

    def hint(self) -> str:
        return ""

    def grade(self, answers: list[Answer]) -> SimpleNamespace:
        self.answers = answers
        return SimpleNamespace()

    def report(self, _: object) -> dict[str, Any]:
        return dict(LIVE)

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def drill(monkeypatch: pytest.MonkeyPatch) -> Drill:
    made = Drill()
    monkeypatch.setattr(live, "begin", lambda held, name: made)
    return made


def test_nothing_begins_before_somebody_says_so(tmp_path: Path) -> None:
    found = InterviewPanel("senior")
    assert "60 minutes" in html(found)
    assert buttons(found) == ["Begin"]
    assert state.every(tmp_path) == []
    found._track.value = "junior"
    assert "30 minutes" in html(found)
    assert repr(found) == "A mock interview; in a terminal: podwalk interview junior"


def test_an_unknown_track_is_told_with_those_there_are() -> None:
    found = InterviewPanel("boss")
    assert "there is no track boss; known: junior, mid" in html(found)
    assert buttons(found) == ["Begin"]


def test_a_whole_interview_with_its_live_part(tmp_path: Path, drill: Drill) -> None:
    found = opened()
    explained = re.compile("A good answer|pw-good|✔ right")
    while found.live is None:
        assert not explained.search(html(found)), "nothing is told before the end"
        answer(found)
    panel = found.live
    assert "<script" not in html(found)
    panel._buttons["begin"].click()
    assert panel.wait(10)
    panel._supposed.value, panel._command.value = "the port, </div>", "kubectl get </pre>"
    panel._buttons["suppose"].click()
    panel._buttons["run"].click()
    assert panel.wait(10)
    panel._seen.value = EVIL
    panel._buttons["keep"].click()
    assert [e.kind for e in drill.entries] == ["hypothesis", "command", "evidence"]
    assert "output of kubectl get &lt;/pre&gt;" in html(found)
    assert "<script" not in html(found)
    panel._buttons["repaired"].click()
    panel._buttons["hand"].click()
    assert "Not yet: choose the layer" in html(found)
    [form] = panel._forms
    form.layer.value, form.cause.value, form.object.value = "services", "the port", "service trams"
    form.ticks[0].value = True
    panel._buttons["hand"].click()
    assert panel.wait(10)
    assert drill.answers == [Answer("services", "service trams", "the port", "output of kubectl get </pre>")]
    assert drill.closed == 1
    assert "A pass, by our bar" in html(found)
    assert kept(tmp_path).ended
    assert kept(tmp_path).live == LIVE
    found._buttons["another"].click()
    assert buttons(found) == ["Begin", "The last report"]
    found._buttons["last"].click()
    assert "A pass, by our bar" in html(found)


def test_a_new_python_goes_on_where_it_was_and_with_what_was_being_written(tmp_path: Path) -> None:
    found = opened("staff")
    answer(found)
    assert found._box is not None
    found._box.parts[0].value = "half a thou"
    found._lock.close()  # all that the end of a process does
    again = InterviewPanel()
    assert "Interrupted: <b>Staff</b>" in html(again)
    assert "1 answered" in html(again)
    again._buttons["resume"].click()
    assert again._asked is not None
    assert again._asked.question.id == kept(tmp_path).plan[0][1]
    assert again._box is not None
    assert again._box.read() == "half a thou"
    again._buttons["answer"].click()
    assert [g.text for g in kept(tmp_path).given][1] == "half a thou"
    assert again._box.read() == ""


@pytest.mark.parametrize("kind", ["single", "multi", "order"])
def test_what_was_chosen_is_there_again(kind: str, tmp_path: Path, bank: Bank) -> None:
    mid = model.tracks()["mid"]
    seed = next(n for n in range(99) if kind in [bank.questions[q].type for q in plan.draw(mid, bank, n)[0]])
    found = opened("mid", seed=seed)
    while found._asked is not None and found._asked.question.type != kind:
        answer(found)
    assert found._box is not None
    if kind == "order":
        found._box.parts[0].children[1].click()
    elif kind == "multi":
        found._box.parts[1].value = True
    else:
        found._box.parts[0].value = "b"
    wanted = found._box.read()
    assert kept(tmp_path).draft == wanted
    found._lock.close()
    again = InterviewPanel()
    again._buttons["resume"].click()
    assert again._box is not None
    assert again._box.read() == wanted


def test_the_same_panel_is_shown_where_one_is_open() -> None:
    found = interview_panel.panel("junior", seed=4)
    assert interview_panel.panel() is not found, "nothing was begun in it"
    found = interview_panel.panel("junior", seed=4)
    found._buttons["start"].click()
    assert interview_panel.panel("senior") is found
    found._buttons["pause"].click()
    assert interview_panel.panel("senior") is not found


def test_an_interview_in_another_window_is_not_disturbed() -> None:
    found = opened()
    other = InterviewPanel()
    other._buttons["resume"].click()
    assert "another interview is open in another window" in html(other)
    assert other.held is None
    found._buttons["pause"].click()
    other._buttons["resume"].click()
    assert other.held is not None


def test_no_answer_is_not_taken(tmp_path: Path) -> None:
    found = opened()
    found._buttons["answer"].click()
    assert "Not taken yet: write" in html(found)
    assert kept(tmp_path).given == []
    found._buttons["pass"].click()
    assert [g.skipped for g in kept(tmp_path).given] == ["passed"]


def test_what_cannot_be_kept_was_not_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened()
    assert found._asked is not None
    asked = found._asked.question.id

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(state.os, "replace", full)
        answer(found)
        assert "cannot be written (No space left on device)" in html(found)
    assert found._asked.question.id == asked
    found._buttons["answer"].click()
    assert [g.question for g in kept(tmp_path).given] == [asked]
    assert kept(tmp_path).given[0].score == 1.0, "what was chosen still stood there"


def test_a_kernel_that_is_interrupted_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = opened()
    answer(found)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(state.os, "replace", interrupted)
        found._buttons["pass"].click()
    assert "Interrupted. What was answered is kept" in html(found)
    answer(found)
    assert [g.skipped for g in kept(tmp_path).given] == ["", ""]


def test_a_file_that_is_gone_or_damaged_ends_it_with_a_clear_line(tmp_path: Path) -> None:
    found = opened()
    state.every(tmp_path)[0].write_text("{")
    found._buttons["answer"].click()
    assert "Not taken yet" in html(found)
    again = InterviewPanel()
    assert "is damaged" in html(again)
    assert buttons(again) == ["Begin"]


def test_the_clock_counts_while_somebody_is_there(tmp_path: Path) -> None:
    clock = Clock()
    found = opened(clock=clock)
    assert "--pw-from:480;--pw-to:180" in found._time.value
    clock.now = 60
    # A page that is loaded anew asks for the state.
    assert "--pw-from:420;--pw-to:180" in found._time.get_state()["value"]
    answer(found)
    assert "--pw-from:420;--pw-to:120" in found._time.value
    clock.now = 60 * 60 * 10
    answer(found)
    assert [g.seconds for g in kept(tmp_path).given] == [60.0, 300.0]
    assert "--pw-from:120;--pw-to:0" in found._time.value


def test_the_rest_of_a_part_whose_time_is_up_is_left_out(tmp_path: Path) -> None:
    clock = Clock()
    found = opened(clock=clock)
    for _ in range(2):
        clock.now += 290
        answer(found)
    assert "The time of that part was up; 8 questions were left out" in html(found)
    assert kept(tmp_path).part == 1


def test_hints_and_the_marks_of_an_observer_are_kept(tmp_path: Path) -> None:
    found = InterviewPanel("staff", seed=4)
    found._observed.value = True
    found._buttons["start"].click()
    assert "podwalk interview script" in html(found)
    assert "Hint" in buttons(found)
    found._buttons["hint"].click()
    assert "What does curl know" in html(found)
    assert found._box is not None
    found._box.write("it asks DNS")
    found._buttons["answer"].click()
    assert "the observer chooses 1 to 4 first" in html(found)
    found._mark.value = 3
    found._buttons["answer"].click()
    [given] = kept(tmp_path).given
    assert (given.hints, given.marks) == (1, pytest.approx(2 / 3))
    assert found._mark.value is None


def test_own_words_are_ticked_when_looking_back_and_break_no_page(tmp_path: Path) -> None:
    found = opened("staff")
    assert found._box is not None
    while found.held is not None:
        found._box.write(EVIL)
        found._buttons["answer"].click()
    shown = html(found)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "&lt;script&gt;" in shown
    for kind in ("markdown", "html"):
        [data] = re.findall(rf"text/{kind};charset=utf-8;base64,([^\"]+)", shown)
        assert re.search(r"(?<!\\)<script", base64.b64decode(data).decode()) is None
    [data] = re.findall(r"application/json;charset=utf-8;base64,([^\"]+)", shown)
    before = json.loads(base64.b64decode(data))["overall"]
    review = found.review
    assert review is not None
    number, ticks = next(iter(review.ticks.items()))
    for tick, point in zip(ticks, banks_points(kept(tmp_path), number), strict=True):
        tick.value = not point
    given = kept(tmp_path).given[number]
    assert given.score == 1.0
    assert "✔ 100 %" in html(review.answers.children[number])
    [data] = re.findall(r"application/json;charset=utf-8;base64,([^\"]+)", html(found))
    assert json.loads(base64.b64decode(data))["overall"] > before
    assert "100%" in review.answers.titles[number]


def banks_points(kept: state.State, number: int) -> list[bool]:
    """Which points of an answer's rubric are mistakes."""
    return [p.antipattern for p in plan.resolve(kept.given[number].question, desk.load_bank()).rubric]


def test_without_a_cluster_the_live_part_waits_or_is_left_out(tmp_path: Path) -> None:
    found = opened(cluster="no-such-cluster")
    to_live(found)
    assert found.live is not None
    panel = found.live
    panel._buttons["begin"].click()
    assert panel.wait(10)
    assert "cluster no-such-cluster does not run; podwalk up starts one" in html(found)
    assert not kept(tmp_path).ended
    panel._buttons["leave"].click()
    assert panel.wait(10)
    assert kept(tmp_path).live_skipped == live.NOT_WANTED
    assert kept(tmp_path).ended
    assert "Looking back" in html(found)


def test_a_drill_is_taken_back_when_it_is_interrupted_or_given_up(tmp_path: Path, drill: Drill) -> None:
    found = opened()
    to_live(found)
    assert found.live is not None
    first = found.live
    first._buttons["begin"].click()
    assert first.wait(10)
    found._buttons["pause"].click()
    assert first.wait(10)
    assert drill.closed == 1
    assert "Interrupted: <b>Junior</b>" in html(found)
    found._buttons["resume"].click()
    assert found.live is not None
    second = found.live
    second._buttons["begin"].click()
    assert second.wait(10)
    second._buttons["quit"].click()
    assert "Really give up?" in buttons(found)
    second._buttons["quit"].click()
    assert second.wait(10)
    assert drill.closed == 2
    assert kept(tmp_path).live_skipped == live.GIVEN_UP
    assert kept(tmp_path).ended
