"""Recorded kubectl commands, typed again at our API server: exit code, output and errors must be the same.

Set PODWALK_RECORDINGS to a folder that holds ``api/`` and ``kubectl/`` (one text file a command). The newest kubectl of
PODWALK_KUBECTLS runs them, or the one on PATH. ``kubectl_world.py`` brings up what they presuppose.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kubectl_world import BEFORE, KC, Text, TextServer, fill, masked, read_text
from recording_world import Harvest
from test_recordings import RECORDINGS

from podwalk.apiserver.store import Store

_ROOT = os.environ.get("PODWALK_RECORDINGS", "")
TEXTS = {file.stem: read_text(file) for file in sorted((Path(_ROOT) / "kubectl").glob("*.txt"))} if _ROOT else {}

KNOWN: dict[str, str] = {
    "api-versions": "groups that docs/limits.md lists as missing, and metrics.k8s.io, which is always there here",
    "get-raw": "upstream's build: commit, date, compiler",
    "describe-sts-sts": "kubectl 1.37 says more of a StatefulSet than 1.36 did",
    "version": "the version of the kubectl that is under test",
    "version-json": "the version of the kubectl that is under test, and upstream's build",
}
"""text -> why it is meant to differ"""


OLDEST = 36
"""Older kubectls say some things in other words than the recorded one."""


@pytest.fixture(scope="module")
def binary() -> str:
    named = [path for path in os.environ.get("PODWALK_KUBECTLS", "").split(":") if path]
    found = named[-1] if named else shutil.which("kubectl")
    assert found is not None, "there is no kubectl; scripts/get-kubectl installs one"
    told = subprocess.run([found, "version", "--client", "-o", "json"], capture_output=True, check=True)
    minor = json.loads(told.stdout)["clientVersion"]["minor"].rstrip("+")
    if int(minor) < OLDEST:
        pytest.skip(f"the texts are of kubectl 1.{OLDEST}, and {found} is 1.{minor}")
    return found


@pytest.fixture(scope="module")
def harvest() -> Harvest:
    found = Harvest()
    for recording in RECORDINGS.values():
        found.take(recording)
    return found


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def _run(binary: str, kubeconfig: Path, home: Path, argv: list[str], stdin: str) -> subprocess.CompletedProcess[str]:
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        [binary, *argv], input=stdin, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(not TEXTS, reason="PODWALK_RECORDINGS names no folder with kubectl texts")
@pytest.mark.parametrize("name", TEXTS or ["none"])
def test_kubectl_says_what_it_said(name: str, binary: str, harvest: Harvest, home: Path, tmp_path: Path) -> None:
    text = TEXTS[name]
    store = Store()
    fill(store, harvest)
    with TextServer(store, tmp_path) as server:
        admin = server.kubeconfig("admintoken")
        for command, stdin in steps_before(text):
            _run(binary, admin, home, command.split(), stdin)
        done = _run(binary, server.kubeconfig(text.token), home, text.argv, text.stdin)
    found = difference(text, done)
    assert name in KNOWN or not found, found


def steps_before(text: Text) -> list[tuple[str, str]]:
    """What must have happened before a command."""
    steps = [("apply -f -", KC % 80)] if " kc" in " ".join(text.argv) or "kc" in text.stdin else []
    return steps + BEFORE.get(text.name, [])


def difference(text: Text, done: subprocess.CompletedProcess[str]) -> str:
    """What differs, as a text; empty where nothing does."""
    told = []
    if done.returncode != text.code:
        told.append(f"exit code {text.code} is {done.returncode} here")
    for what, real, ours in (("stdout", text.out, done.stdout), ("stderr", text.err, done.stderr)):
        if masked(real) != masked(ours):
            told.append(f"--- {what}, recorded\n{masked(real)}\n--- {what}, here\n{masked(ours)}")
    return "\n".join(told)
