"""A learner's machine for the browser: a cluster, JupyterLab and Chromium, all of them of this run only."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if importlib.util.find_spec("selenium"):
    from jupyterlab_page import ROOT, Page, Server, Terminal, browse, serve, what_is_missing
else:
    collect_ignore_glob = ["test_*.py"]

NAME = "browser"


@pytest.fixture(scope="session")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A cluster with progress of its own, so that nothing is done yet."""
    if missing := what_is_missing():
        pytest.skip(missing)
    home = tmp_path_factory.mktemp("learner")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    here = Terminal({**os.environ, "PODWALK_HOME": str(home), "PODWALK_CLUSTER": NAME, "PATH": tools})
    here.run("podwalk", "up", "--name", NAME)
    here.env["KUBECONFIG"] = here.run("podwalk", "kubeconfig", "--path", "--name", NAME).strip()
    yield here
    here.run("podwalk", "down", "--name", NAME)


@pytest.fixture(scope="session")
def server(terminal: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab on a copy of the notebooks."""
    with serve(tmp_path_factory.mktemp("jupyter"), terminal.env) as running:
        yield running


@pytest.fixture(scope="session")
def browser(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The browser; its pictures go to $PODWALK_SCREENSHOTS, else build/screenshots."""
    pictures = Path(os.environ.get("PODWALK_SCREENSHOTS") or ROOT / "build" / "screenshots")
    profile = tmp_path_factory.mktemp("profile")
    with browse(server, pictures, profile) as page:
        yield page
    shutil.rmtree(profile, ignore_errors=True)


@pytest.fixture
def page(browser: Page) -> Iterator[Page]:
    """The browser, which must not have complained when the test is over."""
    browser.console()
    yield browser
    assert browser.console() == []
