"""The live part of an interview in a notebook: look, suppose, repair, answer. It works in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets

from podwalk.checks.render import harmless
from podwalk.faults.drill import LiveDrill
from podwalk.faults.grading import Answer
from podwalk.faults.model import LAYERS
from podwalk.interview import live
from podwalk.interview.session import Interview
from podwalk.interview.state import InterviewError
from podwalk.views import interview_html, lab_html
from podwalk.views.answer_box import WIDE, button

Kept = Callable[[dict[str, Any] | None, str], None]
_TITLE = 90


class LivePanel(widgets.VBox):  # type: ignore[misc]
    """One live part. ``kept`` keeps its report, or why there is none; ``onward`` is called when all is over.

    Both are called in the thread of the work. A fault is taken back whatever happens, in the end by its own keeper.
    """

    def __init__(self, held: Interview, cluster: str, kept: Kept, onward: Callable[[], None]) -> None:
        self._held, self._cluster, self._kept, self._onward = held, cluster, kept, onward
        self.drill: LiveDrill | None = None
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None
        self._status, self._ticket, self._log, self._trouble = (widgets.HTML() for _ in range(4))
        # What stands there is sent when the field is left, hence before the click: no half of a command is ever run.
        late = {"continuous_update": False}
        self._supposed = widgets.Text(placeholder="what do you think it is, and what would show it?", **late)
        self._command = widgets.Text(placeholder="a command to run: kubectl -n tramway get pods", **late)
        self._seen = widgets.Textarea(placeholder="what you saw in a terminal, pasted", rows=2, **late)
        self._forms: list[_Form] = []
        self._buttons = {
            "begin": button("Begin", "play", "primary", self.begin),
            "leave": button("Leave it out", "", "", self.leave_out),
            "suppose": button("I suppose", "question", "", self.suppose, "note a hypothesis"),
            "run": button("Run", "terminal", "", self.run, "run the command, with kubectl set to this cluster"),
            "keep": button("Evidence", "eye", "", self.keep, "keep it as evidence"),
            "hint": button("Hint (costs points)", "lightbulb-o", "", self.hint),
            "repaired": button("It is repaired", "check", "success", self.answer),
            "quit": button("Give up", "", "", self._quit_clicked),
            "hand": button("Hand in", "check", "success", self.hand_in),
            "back": button("Back", "arrow-left", "", self._show_work),
        }
        super().__init__([])
        self._intro()

    def begin(self) -> None:
        """Break something."""
        self._run("Something breaks: the application starts, and then the fault", self._begin)

    def leave_out(self) -> None:
        """Do without this part."""
        self._run("Leaving it out", lambda: self._end(None, live.NOT_WANTED))

    def suppose(self) -> None:
        """Note a hypothesis."""
        if self.drill is not None and not self._busy.locked() and self._supposed.value.strip():
            self.drill.suppose(self._supposed.value.strip())
            self._supposed.value = ""
            self._tell()

    def run(self) -> None:
        """Run the learner's command."""
        command = self._command.value.strip()
        if command:
            self._run("It runs", lambda: self._command_run(command))

    def keep(self) -> None:
        """Keep what was pasted as evidence."""
        if self.drill is not None and not self._busy.locked() and self._seen.value.strip():
            self.drill.paste(self._seen.value.strip())
            self._seen.value = ""
            self._tell()

    def hint(self) -> None:
        """Show the next hint."""
        if self.drill is not None and not self._busy.locked():
            hint = self.drill.hint()
            self._tell()
            self._status.value = "" if hint else lab_html.said("That was the last hint.")

    def answer(self) -> None:
        """Ask what it was."""
        if self.drill is None:
            return
        causes, entries = self.drill.causes(), self.drill.entries
        shown = [(_short(e.text), e.output) for e in entries if e.kind in ("command", "evidence")]
        count = len(self.drill.faults)
        self._forms = [_Form(number if count > 1 else 0, causes, shown) for number in range(1, count + 1)]
        row = self._row("hand", "back")
        self.children = [self._ticket, *(f.box for f in self._forms), row, self._status, self._trouble]

    def hand_in(self) -> None:
        """Be graded by what really was and by what works now."""
        if missing := [f for f in self._forms if not f.complete]:
            self._status.value = lab_html.said(f"Not yet: choose {missing[0].wanting}.")
            return
        self._run("The cluster is asked what works now", self._grade)

    def give_up(self) -> None:
        """End it without an answer."""
        self._run("Taking the fault back", lambda: self._end(None, live.GIVEN_UP))

    def interrupt(self, then: Callable[[], None]) -> None:
        """Take the fault back, without a word to the interview: it begins with it again."""

        def leave() -> None:
            try:
                self._close_drill()
            finally:
                then()

        self._run("Taking the fault back", leave)

    def _close_drill(self) -> None:
        drill, self.drill = self.drill, None
        if drill is not None:
            drill.close()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until what was begun has ended; whether it has. For scripts and tests."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    # In the worker's thread

    def _begin(self) -> None:
        self.drill = live.begin(self._held, self._cluster)
        self._show_work()

    def _command_run(self, command: str) -> None:
        assert self.drill is not None
        self.drill.run(command)
        self._command.value = ""
        self._tell()

    def _grade(self) -> None:
        assert self.drill is not None
        result = self.drill.grade([f.read() for f in self._forms])
        self._end(self.drill.report(result), "")

    def _end(self, report: dict[str, Any] | None, why: str) -> None:
        self._kept(report, why)
        try:
            self._close_drill()
        finally:
            self._onward()

    def _work(self, work: Callable[[], None]) -> None:
        said, trouble = "", ""
        try:
            work()
        except live.LeftOutError as error:
            trouble = lab_html.failed(f"{error}. Then begin, or leave this part out.")
        except InterviewError as error:
            trouble = lab_html.failed(str(error))
        except Exception as error:
            trouble = lab_html.failed(f"{type(error).__name__}: {error}; the log says more: podwalk status")
        finally:
            self._status.value, self._trouble.value = said, trouble
            self._enable(True)
            self._busy.release()

    # Parts

    def _run(self, doing: str, work: Callable[[], None]) -> None:
        if not self._busy.acquire(blocking=False):
            return
        self._calm()
        self._enable(False)
        self._status.value, self._trouble.value = lab_html.busy(doing), ""
        self._thread = threading.Thread(target=self._work, args=(work,), name="podwalk-live", daemon=True)
        self._thread.start()

    def _intro(self) -> None:
        part = self._held.part
        assert part is not None
        text = widgets.HTML(interview_html.before_live(part, self._cluster))
        self.children = [text, self._row("begin", "leave"), self._status, self._trouble]

    def _show_work(self) -> None:
        assert self.drill is not None
        self._ticket.value = interview_html.ticket(self.drill.ticket, self.drill.minutes, len(self.drill.faults))
        self._tell()
        self.children = [
            self._ticket,
            _across(self._supposed, self._buttons["suppose"]),
            _across(self._command, self._buttons["run"]),
            _across(self._seen, self._buttons["keep"]),
            self._row("repaired", "hint", "quit"),
            self._status,
            self._trouble,
            self._log,
        ]

    def _tell(self) -> None:
        assert self.drill is not None
        self._calm()
        self._log.value = interview_html.log(self.drill.entries)

    def _row(self, *names: str) -> widgets.HBox:
        return _across(*(self._buttons[name] for name in names))

    def _enable(self, on: bool) -> None:
        for each in self._buttons.values():
            each.disabled = not on

    def _quit_clicked(self) -> None:
        quit_it = self._buttons["quit"]
        if quit_it.button_style == "warning":
            self.give_up()
            return
        quit_it.description, quit_it.button_style = "Really give up?", "warning"

    def _calm(self) -> None:
        quit_it = self._buttons["quit"]
        quit_it.description, quit_it.button_style = "Give up", ""


@dataclass
class _Form:
    """What the learner says about one fault."""

    number: int
    causes: list[str]
    shown: list[tuple[str, str]]

    def __post_init__(self) -> None:
        # Not a list to type in: JupyterLab takes letters that are typed there for its own keys.
        self.layer = widgets.ToggleButtons(options=list(LAYERS), value=None)
        self.object = widgets.Text(placeholder="kind and name, or the node and what on it", layout=WIDE)
        self.cause = widgets.RadioButtons(options=self.causes, value=None, layout=widgets.Layout(width="auto"))
        self.ticks = [widgets.Checkbox(description=text, indent=False, layout=WIDE) for text, _ in self.shown]
        self.line = widgets.Textarea(placeholder="or a line that you saw", rows=2, layout=WIDE)
        which = f" of fault {self.number}" if self.number else ""
        rows: list[widgets.Widget] = []
        for title, fields in (
            (f"The layer{which}", [self.layer]),
            (f"The object{which}", [self.object]),
            (f"The cause{which}", [self.cause]),
            (f"What shows it{which}", [*self.ticks, self.line]),
        ):
            rows += [widgets.HTML(f"<b>{title}</b>"), *fields]
        self.box = widgets.VBox(rows)

    @property
    def wanting(self) -> str:
        """What has not been chosen."""
        return "the layer" if not self.layer.value else "the cause"

    @property
    def complete(self) -> bool:
        """Whether it can be graded."""
        return bool(self.layer.value) and self.cause.value is not None

    def read(self) -> Answer:
        """It as an answer; what is cited is the output of what was ticked, and the line."""
        cited = [output for tick, (_, output) in zip(self.ticks, self.shown, strict=True) if tick.value]
        cited += [self.line.value] if self.line.value.strip() else []
        return Answer(self.layer.value or "", self.object.value, self.cause.value or "", "\n".join(cited))


def _across(*children: widgets.Widget) -> widgets.HBox:
    row = widgets.HBox(list(children))
    row.add_class("pw-do")
    return row


def _short(text: str) -> str:
    text = " ".join(harmless(text).split())
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"
