"""The start page: chapters, labs by layer, how far the learner has come, and the next step.

A lab opens below its line as a panel, so that the page is all that one needs to work through the labs.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import ipywidgets as widgets

from podwalk import backends
from podwalk.backends.base import BackendError, Cluster, home
from podwalk.course import catalogue, path
from podwalk.course.catalogue import LabSpec
from podwalk.course.engine import Course
from podwalk.course.progress import Progress, Standing
from podwalk.drills.memory import Memory
from podwalk.views import start_page_html
from podwalk.views.lab_panel import LabPanel


class StartPage(widgets.VBox):  # type: ignore[misc]
    """The page for a cluster. Raises LabError where the course's files are broken, ProgressError where progress is."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._root: Path = catalogue.course_root()
        self._labs = catalogue.all_labs(self._root)
        self._course = path.chapters(self._root)
        self._standings: dict[str, Standing] = {}
        self._running: list[str] = []
        self.step = path.Step("")
        self._lines: dict[str, widgets.HBox] = {}
        self._panels: dict[str, LabPanel] = {}
        self._facts: dict[str, widgets.HTML] = {lab.name: widgets.HTML() for lab in self._labs}
        # Links in an output are JupyterLab's own: they open a chapter in a tab. Links in a widget would leave the lab.
        self._top, self._chapters = widgets.Output(), widgets.Output()
        layers = list(dict.fromkeys(lab.layer for lab in self._labs))
        self.layers = widgets.ToggleButtons(options=layers, tooltips=[f"The labs of {layer}" for layer in layers])
        self.layers.observe(lambda _: self._show_layer(), "value")
        heading = widgets.HTML('<div class="pw-heading">Labs</div>')
        self._rows = widgets.VBox()
        self._rows.add_class("podwalk-labs")
        self._opened: str = ""
        super().__init__([self._top, self._chapters, heading, self.layers, self._rows])
        self.add_class("podwalk-start")
        self.refresh()
        if self.step.lab:
            self.layers.value = self.step.lab.layer
            self._opened = self.step.lab.name if self.step.lab.name in self._running else ""
        self._show_layer()

    def __repr__(self) -> str:
        done = sum(standing.done for standing in self._standings.values())
        return f"{len(self._course)} chapters, {done} of {len(self._labs)} labs done; in a terminal: podwalk lab list"

    @property
    def panel(self) -> LabPanel | None:
        """The panel of the lab that is open."""
        return self._panels.get(self._opened)

    def refresh(self) -> None:
        """Say anew how far the learner has come, and what is next."""
        with Progress(home() / "progress.sqlite") as progress:
            self._standings = {lab.name: progress.standing(lab.name) for lab in self._labs}
            seen = progress.chapters()
            memory = Memory(progress)
            due = len(memory.due(datetime.now(UTC))) if memory.seen() else None
            # Without its cluster, or with an ill one, the page still shows what was reached.
            with contextlib.suppress(BackendError):
                cluster = backends.find(self._cluster.name)
                self._running = Course(cluster, progress).running() if cluster else []
        self.step = path.next_step(self._course, self._labs, seen, self._standings, self._running)
        _say(self._top, start_page_html.top(self.step, self._labs, self._standings, due))
        _say(self._chapters, start_page_html.chapters(self._course, self._labs, seen, self._standings))
        for lab in self._labs:
            runs = lab.name in self._running
            self._facts[lab.name].value = start_page_html.lab(lab, self._standings[lab.name], runs)

    def open_lab(self, name: str) -> None:
        """Show the panel of a lab (``layer/id``) below its line, instead of any other; close it if it is there."""
        self._opened = "" if self._opened == name else name
        self._show_layer()

    def _show_layer(self) -> None:
        self._rows.children = [w for lab in self._labs if lab.layer == self.layers.value for w in self._row(lab)]

    def _row(self, lab: LabSpec) -> list[widgets.Widget]:
        if lab.name not in self._lines:
            button = widgets.Button(description=lab.title, tooltip=f"Open {lab.name}")
            button.on_click(lambda _: self.open_lab(lab.name))
            self._lines[lab.name] = widgets.HBox([button, self._facts[lab.name]])
        if self._opened != lab.name:
            return [self._lines[lab.name]]
        if lab.name not in self._panels:
            self._panels[lab.name] = LabPanel(lab.name, self._cluster, changed=self.refresh)
        return [self._lines[lab.name], self._panels[lab.name]]


def _say(output: widgets.Output, html: str) -> None:
    output.outputs = ({"output_type": "display_data", "data": {"text/html": html}, "metadata": {}},)
