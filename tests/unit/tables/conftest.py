"""Between an object and its Table no second passes."""

import pytest
from stopped_clock import Stopped

from podwalk.apiserver.tables import durations


@pytest.fixture(autouse=True)
def stopped(monkeypatch):
    monkeypatch.setattr(durations, "datetime", Stopped)
