"""A mock interview in a notebook: what `podwalk interview` does, by widgets. The interview's room has all the rules."""

from __future__ import annotations

import atexit
import contextlib
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from podwalk.backends.base import home
from podwalk.drills.asking import Asked
from podwalk.drills.grading import AnswerError
from podwalk.interview import desk, session, state
from podwalk.interview.model import ladders, tracks
from podwalk.interview.presence import PATIENCE, Presence
from podwalk.interview.session import Interview
from podwalk.interview.state import InterviewError, State
from podwalk.views import drill_html, interview_html, lab_html
from podwalk.views.answer_box import AnswerBox, answer_box, button
from podwalk.views.interview_live import LivePanel
from podwalk.views.interview_review import ONE_LINE, Review

# In the live part one may well work in a terminal for a while.
_LIVE_PATIENCE = 60 * 60.0
_MARKS = [("not yet", None), *((str(n), n) for n in (1, 2, 3, 4))]


class Clock(widgets.HTML):  # type: ignore[misc]
    """The time that is left. A page that is loaded anew is told what it is then, not what it was when last shown."""

    read: Callable[[], str] = staticmethod(lambda: "")

    def refresh(self) -> None:
        """Show it as it is now."""
        self.value = self.read()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """The widget's state, as a page asks for it."""
        found: dict[str, Any] = super().get_state(key, drop_defaults)
        return {**found, "value": self.read()} if "value" in found and key is None else found


class InterviewPanel(widgets.VBox):  # type: ignore[misc]
    """An interview: choose a track, answer task by task, look back. ``track`` is chosen to begin with.

    Every answer, and what is being written, is kept at once. Everything works by keys: Tab, Space and Enter.
    """

    def __init__(
        self,
        track: str = "junior",
        *,
        seed: int | None = None,
        cluster: str = "podwalk",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seed, self._cluster = seed, cluster
        self.held: Interview | None = None
        self.live: LivePanel | None = None
        self.review: Review | None = None
        self._presence = Presence(clock)
        self._lock = contextlib.ExitStack()
        self._asked: Asked | None = None
        self._box: AnswerBox | None = None
        self._place_of: tuple[int, int] | None = None
        self._hints: list[str] = []
        self._taken = 0
        self._top, self._task, self._said, self._trouble, self._welcome, self._waiting = (
            widgets.HTML() for _ in range(6)
        )
        self._time = Clock()
        self._time.read = self._clock_html
        self._place = widgets.VBox()
        self._mark = widgets.ToggleButtons(options=_MARKS, value=None)
        self._observer = widgets.HBox([widgets.HTML("For the observer:"), self._mark])
        self._observer.add_class("pw-do")
        self._track = widgets.ToggleButtons(
            options=[(t.title, name) for name, t in tracks().items()], value=track if track in tracks() else "junior"
        )
        self._track.observe(lambda _: self._describe(), names="value")
        self._observed = widgets.Checkbox(
            description="Somebody listens, and gives the marks for what is said", indent=False
        )
        self._buttons = {
            "start": button("Begin", "play", "primary", self.start),
            "resume": button("Go on", "play", "primary", self.resume),
            "last": button("The last report", "bar-chart", "", self.last_report),
            "answer": button("Answer", "check", "primary", self.submit),
            "pass": button("I do not know", "", "", self.pass_by),
            "hint": button("Hint", "lightbulb-o", "", self.hint),
            "pause": button("Interrupt", "pause", "", self.pause, "it can be resumed"),
            "another": button("Another interview", "refresh", "", self._show_start),
        }
        self._style = widgets.HTML(interview_html.STYLE)
        self._now: tuple[widgets.Widget, ...] = ()
        space = widgets.Layout(justify_content="space-between", align_items="center")
        self._head = widgets.HBox([self._top, self._time], layout=space)
        self._answering = _row(*(self._buttons[name] for name in ("answer", "pass", "hint", "pause")))
        super().__init__([self._style])
        self.add_class("podwalk-drill")
        self.add_class("podwalk-interview")
        self._show_start()
        if track not in tracks():
            self._trouble.value = lab_html.failed(f"there is no track {track}; known: {', '.join(tracks())}")

    def __repr__(self) -> str:
        if self.held is not None:
            return f"Interview: {self.held.track.title}; in a terminal: podwalk interview resume"
        return "A mock interview; in a terminal: podwalk interview junior"

    def start(self) -> None:
        """Begin an interview of the chosen track."""

        def begin() -> Interview:
            bank = desk.load_bank()
            seen, weak = desk.standing(bank)
            return session.begin(
                home(), bank, self._track.value, seed=self._seed, observed=self._observed.value, seen=seen, weak=weak,
                clock=self._presence,
            )  # fmt: skip

        def open_it() -> None:
            self._open(begin)
            if self.held is not None and self.held.state.observed:
                script = f"podwalk interview script {self.held.state.id}"
                self._said.value = drill_html.said(f"For whoever asks: {script}")

        self._do(open_it)

    def resume(self) -> None:
        """Go on with the one that was interrupted."""
        self._do(lambda: self._open(lambda: session.resume(home(), desk.load_bank(), self._presence)))

    def submit(self) -> None:
        """Give the answer that stands there."""
        self._do(self._submit)

    def pass_by(self) -> None:
        """Say that one does not know."""

        def pass_it() -> None:
            if self.held is not None and self._asked is not None:
                self.held.pass_by(self._asked)
                self._show()

        self._do(pass_it)

    def hint(self) -> None:
        """Take a hint; it is noted."""

        def take() -> None:
            self._taken = min(self._taken + 1, len(self._hints))
            self._tell_hints()

        self._do(take)

    def pause(self) -> None:
        """Interrupt it; another window may go on with it."""

        def leave() -> None:
            self._let_go()
            self._show_start()

        if self.live is not None:
            self.live.interrupt(lambda: self._do(leave))
        else:
            self._do(leave)

    def last_report(self) -> None:
        """The report of the interview that was finished last."""

        def look() -> None:
            kept = desk.last_finished()
            if kept is not None:
                self._show_report(kept)

        self._do(look)

    def refresh(self) -> None:
        """Show the clock as it is now: for a panel that is shown a second time."""
        self._time.refresh()

    def release(self) -> None:
        """Keep the time that has passed, and let others hold an interview: when Python ends."""
        with contextlib.suppress(InterviewError):
            self._let_go()

    # What the buttons do

    def _do(self, act: Callable[[], None]) -> None:
        """Do it, and tell in one line what went wrong; then the interview is as it was kept last."""
        self._presence.heard()
        self._said.value = self._trouble.value = ""
        try:
            try:
                act()
            except AnswerError as error:
                self._said.value = drill_html.said(f"Not taken yet: {error}")
            except ONE_LINE as error:
                self._as_kept()
                self._trouble.value = lab_html.failed(str(error))
            except KeyboardInterrupt:
                self._as_kept()
                self._said.value = drill_html.said("Interrupted. What was answered is kept; go on.")
            self._time.refresh()
        except ONE_LINE as error:
            # It cannot even be read.
            self._lock.close()
            self.held = None
            self._show_start()
            self._trouble.value = lab_html.failed(str(error))

    def _as_kept(self) -> None:
        if self.held is not None:
            self.held = self.held.as_kept()
            self._show()

    def _open(self, make: Callable[[], Interview]) -> None:
        """Hold the lock for as long as the interview lasts."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(state.only_one(home()))
            self.held = make()
            self._lock = stack.pop_all()
        self._place_of = None
        self._show()

    def _let_go(self) -> None:
        held, self.held, self.live = self.held, None, None
        try:
            if held is not None and not held.state.ended:
                held.pause()
        finally:
            self._lock.close()

    def _submit(self) -> None:
        if self.held is None or self._asked is None or self._box is None:
            return
        marks = None
        if self.held.state.observed and self._asked.question.written:
            if self._mark.value is None:
                raise AnswerError("the observer chooses 1 to 4 first")
            marks = (self._mark.value - 1) / 3
        self.held.answer(self._asked, self._box.read(), hints=self._taken, marks=marks)
        self._show()

    def _drafted(self) -> None:
        """Something was written or chosen."""
        self._presence.heard()
        if self.held is None or self._box is None:
            return
        try:
            self.held.note(self._box.read())
        except InterviewError as error:
            self._trouble.value = lab_html.failed(str(error))

    # What is shown

    def _show_start(self) -> None:
        self._said.value = self._trouble.value = ""
        self.review = None
        rows: list[widgets.Widget] = []
        try:
            waiting = state.unfinished(home())
            if waiting is not None:
                title = tracks()[waiting.track].title if waiting.track in tracks() else waiting.track
                self._waiting.value = interview_html.unfinished(waiting, title)
                rows = [self._waiting, _row(self._buttons["resume"])]
            last = desk.last_finished()
        except InterviewError as error:
            self._trouble.value, last = lab_html.failed(str(error)), None
        self._buttons["start"].button_style = "" if rows else "primary"
        self._describe()
        begin = _row(self._buttons["start"], *([self._buttons["last"]] if last is not None else []))
        self._put(*rows, self._track, self._welcome, self._observed, begin, self._said, self._trouble)

    def _describe(self) -> None:
        self._welcome.value = interview_html.welcome(tracks()[self._track.value])

    def _show(self) -> None:
        """The task that the interview is at."""
        held = self.held
        if held is None:
            return
        before = len(held.state.given)
        asked = held.next()
        self._tell_left_out(before)
        if held.part is None:
            self._finish()
            return
        self._top.value = interview_html.parts(held.track, held.state.part)
        place = (held.state.part, held.state.step)
        if asked is None:
            self._show_live(place)
        elif place != self._place_of or self._asked is None:
            self.live = None
            self._show_question(asked)
        self._place_of = place
        self._time.refresh()

    def _show_question(self, asked: Asked) -> None:
        assert self.held is not None
        kept = self.held.state
        self._presence.patience = PATIENCE
        self._asked = asked
        self._task.value = interview_html.task(asked, kept.step, len(kept.plan[kept.part]))
        self._box = answer_box(asked, self._drafted)
        self._box.write(kept.draft)
        self._box.on_change(self._drafted)
        self._place.children = self._box.parts
        self._hints, self._taken = list(ladders().get(asked.question.id, ())), 0
        self._mark.value = None
        self._tell_hints()
        self._observer.layout.display = "" if kept.observed and asked.question.written else "none"
        self._put(self._head, self._task, self._place, self._observer, self._answering, self._said, self._trouble)
        if asked.question.written:
            self._box.parts[0].focus()

    def _show_live(self, place: tuple[int, int]) -> None:
        assert self.held is not None
        if self.live is None or place != self._place_of:
            self._asked, self._presence.patience = None, _LIVE_PATIENCE
            self.live = LivePanel(self.held, self._cluster, self._live_kept, self._live_over)
        self._put(self._head, self.live, _row(self._buttons["pause"]), self._said, self._trouble)

    def _live_kept(self, report: dict[str, Any] | None, why: str) -> None:
        """In the thread of the live part."""
        self._presence.heard()
        if self.held is None:
            return
        try:
            self.held.live_done(report, why)
        except InterviewError:
            self.held = self.held.as_kept()
            raise

    def _live_over(self) -> None:
        self._do(self._show)

    def _finish(self) -> None:
        assert self.held is not None
        self.held.finish()
        kept = self.held.state
        self._let_go()
        self._show_report(kept)

    def _show_report(self, kept: State) -> None:
        self.review = Review(kept, desk.load_bank())
        self._asked, self._place_of = None, None
        self._put(self.review, _row(self._buttons["another"]), self._said, self._trouble)

    def _tell_left_out(self, before: int) -> None:
        assert self.held is not None
        late = sum(g.skipped == state.TIME_UP for g in self.held.state.given[before:])
        if late:
            many = "questions were" if late > 1 else "question was"
            self._said.value = drill_html.said(f"The time of that part was up; {late} {many} left out.")

    def _tell_hints(self) -> None:
        left = len(self._hints) - self._taken
        if self._taken:
            self._said.value = interview_html.hints(self._hints[: self._taken])
        self._buttons["hint"].layout.display = "" if left else "none"

    def _clock_html(self) -> str:
        if self.held is None or self.held.part is None:
            return ""
        return interview_html.clock(self.held.left, self._presence.runs_for)

    def _put(self, *children: widgets.Widget) -> None:
        # What is shown already is left alone, so that the focus stays where it is.
        if self._now != children:
            self._now, self.children = children, [self._style, *children]


def _row(*children: widgets.Widget) -> widgets.HBox:
    return widgets.HBox(list(children), layout=widgets.Layout(flex_flow="row wrap", align_items="center"))


_shown: InterviewPanel | None = None


def panel(track: str = "junior", *, seed: int | None = None, cluster: str = "podwalk") -> InterviewPanel:
    """The panel of the interview that goes on in this Python, wherever it was shown before; else a new one."""
    global _shown
    if _shown is not None and _shown.held is not None:
        _shown.refresh()
        return _shown
    if _shown is not None:
        atexit.unregister(_shown.release)
    _shown = InterviewPanel(track, seed=seed, cluster=cluster)
    atexit.register(_shown.release)
    return _shown
