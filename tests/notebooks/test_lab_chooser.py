"""The list of a layer's labs above a panel: choosing changes the panel, and a panel once made is kept."""

from __future__ import annotations

import pytest

from podwalk.backends.base import Cluster
from podwalk.course.schema import LabError
from podwalk.views.lab_chooser import LabChooser

FIRST = "services/menu-refuses-everyone"
_SECONDS = 60.0

pytestmark = pytest.mark.cluster


def test_choosing_changes_the_panel(cluster: Cluster) -> None:
    chooser = LabChooser("services", cluster, first=FIRST)
    first = chooser.panel
    other = next(name for _, name in chooser.choice.options if name != FIRST)
    assert first.lab.name == FIRST
    assert first.wait(_SECONDS)

    chooser.choice.value = other
    assert chooser.panel.lab.name == other
    assert chooser.children == (chooser.choice, chooser.panel)
    assert chooser.panel.wait(_SECONDS)

    chooser.choice.value = FIRST
    assert chooser.panel is first
    assert "podwalk lab list" in repr(chooser)


def test_a_lab_that_there_is_not(cluster: Cluster) -> None:
    with pytest.raises(LabError, match="no-such-lab"):
        LabChooser("services", cluster, first="services/no-such-lab")
