"""The panel on a live cluster: every button does its work beside the notebook, and says how it went."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from podwalk.backends.base import Cluster, home
from podwalk.course.engine import Course, NotRunningError
from podwalk.course.progress import Progress
from podwalk.views import LabPanel

LAB = "services/menu-refuses-everyone"
_SECONDS = 60.0

pytestmark = pytest.mark.cluster


@pytest.fixture
def panel(cluster: Cluster) -> Iterator[LabPanel]:
    made = LabPanel(LAB, cluster)
    assert made.wait(_SECONDS)
    yield made
    made.wait(_SECONDS)
    with Progress(home() / "progress.sqlite") as progress:
        try:
            Course(cluster, progress).stop(made.lab)
        except NotRunningError:
            pass
    made.close()


def seen(panel: LabPanel) -> str:
    assert panel.wait(_SECONDS)
    return " ".join(part.value for part in (panel._head, panel._status, panel._report, panel._hints))


def test_a_lab_from_its_ticket_to_full_marks(panel: LabPanel, cluster: Cluster) -> None:
    assert "It is not running yet" in seen(panel)
    assert "screens above the counter" in str(panel._ticket.outputs)

    panel.check()
    assert "is not running; start it" in seen(panel)

    panel.start()
    assert panel._buttons["check"].disabled or "It is running" in panel._status.value
    assert "It is running. Find out" in seen(panel)
    assert not panel._buttons["check"].disabled

    panel.check()
    assert "0 of 10 points" in seen(panel)
    assert "connection refused" in seen(panel)

    panel.hint()
    assert "3 more" in seen(panel)

    patch = '{"spec":{"selector":{"tier":"backend"}}}'
    assert cluster.kubectl("-n", "canteen", "patch", "service", "menu", "-p", patch).ok
    panel.check()
    assert "podwalk lab show --solution" in seen(panel)
    assert "10 of 10 points" in seen(panel)

    panel._buttons["reset"].click()
    assert panel._buttons["reset"].description == "Lose my changes?"
    panel._buttons["reset"].click()
    assert "It is as it was" in seen(panel)
    assert panel._buttons["reset"].description == "Reset"
    panel.check()
    assert "connection refused" in seen(panel)


def test_a_click_is_answered_at_once_and_a_second_one_waits_for_nobody(panel: LabPanel) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(course: Course) -> str:
        begun.set()
        go_on.wait(_SECONDS)
        return "the slow one"

    panel._run("Waiting", slow)
    assert begun.wait(_SECONDS)
    try:
        assert "pw-spin" in panel._status.value
        assert all(button.disabled for button in panel._buttons.values())
        panel.check()
        assert "Waiting" in panel._status.value
    finally:
        go_on.set()
    assert "the slow one" in seen(panel)
    assert "pw-spin" not in panel._status.value


def test_without_a_cluster_it_says_how_to_get_one(panel: LabPanel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panel, "_cluster", None)
    monkeypatch.setenv("PODWALK_CLUSTER", "no-such")
    panel.check()
    assert "podwalk up --name no-such" in seen(panel)
