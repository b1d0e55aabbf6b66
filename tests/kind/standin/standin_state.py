"""What the stand-ins for kind and docker share: where clusters are remembered, and how the embedded ones are reached.

``$KIND_STANDIN`` is a folder with one folder a cluster: ``config.yaml`` and ``nodes.json`` (node name to address). With
``$KIND_STANDIN_EMBEDDED`` an embedded cluster of the same name runs behind it, with a $PODWALK_HOME of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

STATE = Path(os.environ["KIND_STANDIN"])
EMBEDDED = bool(os.environ.get("KIND_STANDIN_EMBEDDED"))
HOME = STATE / "home"


def clusters() -> dict[str, dict[str, str]]:
    """Return the clusters by name, each its nodes' addresses by name."""
    return {path.parent.name: json.loads(path.read_text()) for path in sorted(STATE.glob("*/nodes.json"))}


def podwalk(*arguments: str, capture: bool = True) -> subprocess.CompletedProcess[str]:
    """Run podwalk with the embedded clusters' home."""
    environment = {**os.environ, "PODWALK_HOME": str(HOME)}
    command = [sys.executable, "-c", "from podwalk.cli.main import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=capture, text=True, check=False)


def fail(message: str) -> int:
    """Print an error as kind does."""
    print(f"ERROR: {message}", file=sys.stderr)
    return 1


def note(line: str) -> None:
    """Remember how a stand-in was called, for the tests to read."""
    with (STATE / "calls").open("a") as file:
        file.write(line + "\n")
