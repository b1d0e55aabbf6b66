"""One server for all the bad input."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from robust_server import Sender, Served


@pytest.fixture(scope="session")
def served() -> Iterator[Served]:
    running = Served()
    running.start()
    yield running
    running.stop()


@pytest.fixture
def send(served: Served) -> Iterator[Sender]:
    sender = Sender(served.port)
    yield sender
    sender.close()
