"""Fixtures that several folders share."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from podwalk.api import clusterconfig
from podwalk.backends.base import Cluster
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.course.catalogue import all_labs

ROOT = Path(__file__).resolve().parents[1]

# How long an example takes says how busy the machine is. In CI a run tries what the last one tried.
settings.register_profile(
    "podwalk",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("podwalk")

_HOME = pytest.StashKey[Path]()


@pytest.fixture(scope="session")
def podwalk_home(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Path]:
    """A $PODWALK_HOME of this run's own, so that no test sees or touches the learner's clusters and progress."""
    home = pytestconfig.stash[_HOME] = tmp_path_factory.mktemp("podwalk-home")
    before = os.environ.get("PODWALK_HOME")
    os.environ["PODWALK_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["PODWALK_HOME"]
    else:
        os.environ["PODWALK_HOME"] = before


@pytest.fixture(scope="module", autouse=True)
def nothing_learned(pytestconfig: pytest.Config) -> None:
    """Each file begins as somebody who has done no lab: which files one process runs, one after another, is chance."""
    if (home := pytestconfig.stash.get(_HOME, None)) is not None:
        for path in home.glob("progress.sqlite*"):
            path.unlink()


@pytest.fixture(scope="session")
def cluster(podwalk_home: Path) -> Iterator[Cluster]:
    """One embedded cluster for the whole run: a control-plane node and two workers."""
    if shutil.which("kubectl") is None:
        pytest.fail("kubectl is missing; scripts/get-kubectl installs one")
    running = EmbeddedBackend().up(clusterconfig.default("test"), progress=lambda fact: None)
    yield running
    running.down()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Where tests run in several processes (``-n``), those of a file, or of a lab, stay in one, in their order."""
    from xdist.scheduler import LoadScopeScheduling  # only the controller of several processes needs it

    labs = sorted((lab.id for lab in all_labs(ROOT)), key=len, reverse=True)

    class ByFileOrLab(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file, _, test = nodeid.partition("::")
            of = test.partition("[")[2] if file.startswith("tests/labs/") else ""
            return next((f"{file}[{lab}]" for lab in labs if of.startswith(lab)), file)

    return ByFileOrLab(config, log)
