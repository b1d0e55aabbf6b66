"""One lab in a notebook: its ticket, buttons, and the steps of the last check in colour.

The work runs in a thread of its own and the panel says what it is doing, so that a click is always answered at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import ipywidgets as widgets

from podwalk import backends
from podwalk.backends.base import BackendError, Cluster, home
from podwalk.checks.report import Report
from podwalk.course import catalogue
from podwalk.course.engine import Course, CourseError
from podwalk.course.progress import Progress, ProgressError
from podwalk.course.schema import LabError
from podwalk.views import lab_html

_SURE_SECONDS = 5.0
_ONE_LINE = (CourseError, LabError, ProgressError, BackendError)


class LabPanel(widgets.VBox):  # type: ignore[misc]
    """The panel of a lab, by ``layer/id``. Raises LabError for a lab that there is not.

    ``changed`` is called, in the panel's own thread, after each piece of work: the standing may be another.
    """

    def __init__(self, name: str, cluster: Cluster | None = None, changed: Callable[[], None] = lambda: None) -> None:
        self.lab = catalogue.find(catalogue.course_root(), name)
        self._cluster = cluster
        self._changed = changed
        self._busy = threading.Lock()
        self._thread: threading.Thread | None = None
        self._sure: threading.Timer | None = None
        self._head, self._status, self._report, self._hints = (widgets.HTML() for _ in range(4))
        self._why = widgets.Output()
        self._reasons = widgets.Accordion([self._why], titles=("Why it was so, and what else would have been right",))
        self._reasons.layout.display = "none"
        ticket = self.lab.ticket()
        self._ticket = widgets.Output(outputs=[_markdown(cluster.for_labs().shown(ticket) if cluster else ticket)])
        self._buttons = {
            "start": _button("Start", "play", "primary", self.start),
            "check": _button("Check", "check", "success", self.check),
            "hint": _button("Hint", "lightbulb-o", "", self.hint),
            "reset": _button("Reset", "refresh", "", self._reset_clicked),
        }
        row = widgets.HBox(list(self._buttons.values()), layout=widgets.Layout(flex_flow="row wrap", margin="4px 0"))
        super().__init__([self._head, self._ticket, row, self._status, self._report, self._reasons, self._hints])
        self.add_class("podwalk-lab")
        self._run("Looking whether it runs", self._look)

    def __repr__(self) -> str:
        return f"{self.lab.title}; in a terminal: podwalk lab start {self.lab.id}"

    def start(self) -> None:
        """Put the lab into the cluster."""
        self._run("Starting: the Pods come up", self._start)

    def check(self) -> None:
        """Judge the work so far."""
        self._run("Checking: real requests are on their way", self._check)

    def hint(self) -> None:
        """Show one hint more."""
        self._run("Fetching a hint", self._hint)

    def reset(self) -> None:
        """Make the lab anew, as if just started."""
        self._run("Starting over: the Pods come up", self._reset)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until what was begun has ended; whether it has. For scripts and tests."""
        if self._thread is not None:
            self._thread.join(seconds)
        return self._thread is None or not self._thread.is_alive()

    # Each of these runs in the worker's thread and returns what to say when it is done.

    def _look(self, course: Course) -> str:
        running = self.lab.name in course.running()
        last = course.progress.last_report(self.lab.name) if running else None
        if last is not None:
            self._show(last)
        self._tell_hints(course)
        self._started(running)
        return "It is running on your cluster." if running else "It is not running yet."

    def _start(self, course: Course) -> str:
        started = course.start(self.lab)
        self._started(True)
        return "It was running already." if started.already else "It is running. Find out what is wrong."

    def _check(self, course: Course) -> str:
        report = course.check(self.lab)
        self._show(report)
        return f"Checked in {report.seconds:.1f} s."

    def _hint(self, course: Course) -> str:
        taken = course.hint(self.lab)
        self._tell_hints(course)
        return "" if taken.fresh else "There are no more hints than these."

    def _reset(self, course: Course) -> str:
        course.reset(self.lab)
        self._report.value = ""
        self._tell_why(False)
        self._started(True)
        return "It is as it was in the beginning."

    # Parts

    def _run(self, doing: str, work: Callable[[Course], str]) -> None:
        if not self._busy.acquire(blocking=False):
            return
        self._unsure()
        for button in self._buttons.values():
            button.disabled = True
        self._status.value = lab_html.busy(doing)
        self._thread = threading.Thread(target=self._work, args=(work,), name="podwalk-lab", daemon=True)
        self._thread.start()

    def _work(self, work: Callable[[Course], str]) -> None:
        try:
            # A connection to the progress file belongs to one thread, and the cluster may be another than before.
            with Progress(home() / "progress.sqlite") as progress:
                said = lab_html.said(work(Course(self._find(), progress)))
                self._head.value = lab_html.head(self.lab, progress.standing(self.lab.name))
        except _ONE_LINE as error:
            said = lab_html.failed(str(error))
        except Exception as error:
            said = lab_html.failed(f"{type(error).__name__}: {error}; the log says more: podwalk status")
            raise
        finally:
            self._status.value = said
            for button in self._buttons.values():
                button.disabled = False
            self._busy.release()
        self._changed()

    def _find(self) -> Cluster:
        name = self._cluster.name if self._cluster else os.environ.get("PODWALK_CLUSTER", "podwalk")
        found = backends.find(name)
        if found is None:
            raise BackendError(f"cluster {name} is not running; run the first cell again, or: podwalk up --name {name}")
        return found

    def _show(self, report: Report) -> None:
        self._report.value = lab_html.report(report)
        self._tell_why(report.passed)

    def _tell_why(self, passed: bool) -> None:
        """The solution's reasons, folded, for whoever has found one."""
        if passed and not self._why.outputs:
            self._why.outputs = (_markdown(catalogue.read(self.lab.solution / "README.md")),)
        self._reasons.layout.display = None if passed else "none"

    def _tell_hints(self, course: Course) -> None:
        self._hints.value = lab_html.hints(self.lab.hints, course.progress.hints_taken(self.lab.name))

    def _started(self, running: bool) -> None:
        self._buttons["start"].button_style = "" if running else "primary"

    def _reset_clicked(self) -> None:
        if self._sure is not None:
            self.reset()
            return
        button = self._buttons["reset"]
        button.description, button.button_style = "Lose my changes?", "warning"
        self._sure = threading.Timer(_SURE_SECONDS, self._unsure)
        self._sure.daemon = True
        self._sure.start()

    def _unsure(self) -> None:
        timer, self._sure = self._sure, None
        if timer is not None:
            timer.cancel()
        button = self._buttons["reset"]
        button.description, button.button_style = "Reset", ""


def _button(words: str, icon: str, style: str, click: Callable[[], None]) -> widgets.Button:
    button = widgets.Button(description=words, icon=icon, button_style=style)
    button.on_click(lambda _: click())
    return button


def _markdown(text: str) -> dict[str, object]:
    return {"output_type": "display_data", "data": {"text/markdown": text, "text/plain": text}, "metadata": {}}
