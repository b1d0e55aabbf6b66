"""How a test runs a body of bodies.py."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Runner:
    """A Python with podwalk's source, and the user it runs as."""

    python: str
    source: Path
    bodies: Path
    user: int | None

    @property
    def single_uid(self) -> bool:
        return self.user is not None or os.geteuid() != 0

    def start(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start a body; its standard output is a pipe."""
        identity: dict[str, Any] = {}
        if self.user is not None:
            identity = {"user": self.user, "group": self.user, "extra_groups": []}
        return subprocess.Popen(
            [self.python, "-B", str(self.bodies), name, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(self.source), "HOME": "/tmp"},
            cwd="/",
            **identity,
        )

    def run(self, name: str) -> Any:
        """Run a body to its end; what it returned."""
        with self.start(name) as process:
            out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        answer = json.loads(out)
        assert "error" not in answer, answer.get("error", "") + err
        return answer["result"]
