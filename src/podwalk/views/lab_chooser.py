"""The labs of a layer in a notebook: a list to choose from, and the panel of the one that is chosen."""

from __future__ import annotations

import ipywidgets as widgets

from podwalk.backends.base import Cluster
from podwalk.course import catalogue
from podwalk.views.lab_panel import LabPanel


class LabChooser(widgets.VBox):  # type: ignore[misc]
    """All labs of a layer, in their order; ``first`` (``layer/id``) is chosen to begin with.

    Raises LabError where ``first`` is no lab of the layer.
    """

    def __init__(self, layer: str, cluster: Cluster | None = None, first: str = "") -> None:
        root = catalogue.course_root()
        labs = [lab for lab in catalogue.all_labs(root) if lab.layer == layer]
        self._cluster = cluster
        self._panels: dict[str, LabPanel] = {}
        options = [(f"{lab.title}  ({lab.minutes[0]} to {lab.minutes[1]} minutes)", lab.name) for lab in labs]
        chosen = catalogue.find(root, first).name if first else labs[0].name
        self.choice = widgets.Dropdown(
            options=options,
            value=chosen,
            description=f"{len(labs)} labs",
            layout=widgets.Layout(width="min(36em, 95%)"),
        )
        self.choice.observe(lambda _: self._show(), "value")
        super().__init__()
        self._show()

    def __repr__(self) -> str:
        return f"{len(self.choice.options)} labs; in a terminal: podwalk lab list"

    @property
    def panel(self) -> LabPanel:
        """The panel that is shown."""
        return self._panels[self.choice.value]

    def _show(self) -> None:
        name = self.choice.value
        if name not in self._panels:
            self._panels[name] = LabPanel(name, self._cluster)
        self.children = [self.choice, self._panels[name]]
