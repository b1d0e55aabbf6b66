"""What the stand-ins for kind and docker share: where clusters are remembered, and how the embedded ones are reached.

``$KIND_STANDIN`` is a folder with one folder a cluster: ``config.yaml`` and ``nodes.json`` (node name to address), and
``containers.json`` with the containers that are no nodes. With ``$KIND_STANDIN_EMBEDDED`` an embedded cluster of the
same name runs behind each, with a $PODWALK_HOME of its own; without it commands are shown instead of run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

STATE = Path(os.environ["KIND_STANDIN"])
EMBEDDED = bool(os.environ.get("KIND_STANDIN_EMBEDDED"))
HOME = STATE / "home"
CONTAINERS = STATE / "containers.json"
_COMMAND = [sys.executable, "-c", "from podwalk.cli.main import main; main()"]


def clusters() -> dict[str, dict[str, str]]:
    """Return the clusters by name, each its nodes' addresses by name."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(STATE.glob("*/nodes.json"))}


def containers() -> list[str]:
    """Return the names of the containers that are no nodes."""
    return list(json.loads(CONTAINERS.read_text())) if CONTAINERS.exists() else []


def podwalk(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run podwalk with the embedded clusters' home, and capture what it prints."""
    return subprocess.run([*_COMMAND, *arguments], env=_environment(), capture_output=True, text=True, check=False)


def become_podwalk(*arguments: str) -> NoReturn:
    """Be podwalk with the embedded clusters' home from now on."""
    os.execve(sys.executable, [*_COMMAND, *arguments], _environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "PODWALK_HOME": str(HOME)}


def fail(message: str) -> int:
    """Print an error as kind does."""
    print(f"ERROR: {message}", file=sys.stderr)
    return 1


def note(line: str) -> None:
    """Remember how a stand-in was called, for the tests to read."""
    with (STATE / "calls").open("a") as file:
        file.write(line + "\n")
