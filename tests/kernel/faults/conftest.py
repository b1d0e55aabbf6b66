"""A cluster of the faults' own: what they break must not be met by others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend


@pytest.fixture(scope="module")
def faulty(podwalk_home: Path) -> Iterator[Cluster]:
    running = EmbeddedBackend().up(clusterconfig.default("faulty"), progress=lambda fact: None)
    yield running
    running.down()
