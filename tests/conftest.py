"""Fixtures that several folders share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend


@pytest.fixture(scope="session")
def podwalk_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A $PODWALK_HOME of this run's own, so that no test sees or touches the learner's clusters and progress."""
    home = tmp_path_factory.mktemp("podwalk-home")
    before = os.environ.get("PODWALK_HOME")
    os.environ["PODWALK_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["PODWALK_HOME"]
    else:
        os.environ["PODWALK_HOME"] = before


@pytest.fixture(scope="session")
def cluster(podwalk_home: Path) -> Iterator[Cluster]:
    """One embedded cluster for the whole run: a control-plane node and two workers."""
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is missing; scripts/get-kubectl installs one")
    running = EmbeddedBackend().up(clusterconfig.default("test"), progress=lambda fact: None)
    yield running
    running.down()
