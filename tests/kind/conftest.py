"""The stand-ins for kind and docker without a cluster behind them: what is run is shown, and remembered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kind_standin import STANDIN
from podwalk.backends.base import Fact


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine where kind and docker are the stand-ins; returns the folder of their state."""
    state, tools = tmp_path / "standin", tmp_path / "tools"
    state.mkdir()
    tools.mkdir()
    kubectl = tools / "kubectl"
    kubectl.write_text('#!/bin/sh\necho "kubectl $@" >>"$KIND_STANDIN/calls"; echo "$@"\n')
    kubectl.chmod(0o755)
    (tools / "python3").symlink_to(sys.executable)
    python = Path(sys.executable).parent
    monkeypatch.setenv("PATH", f"{STANDIN}:{tools}:{python}:/usr/bin:/bin")
    monkeypatch.setenv("KIND_STANDIN", str(state))
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path / "home"))
    for name in ("KIND_EXPERIMENTAL_PROVIDER", "KIND_DOWNLOAD_URL", "PODWALK_KUBECTL", "DOCKER_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return state


@pytest.fixture
def facts() -> list[Fact]:
    return []
