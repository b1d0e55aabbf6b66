"""The command line of an instructor and of the class's learners."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path

LAB = "services/menu-refuses-everyone"
ROOT = Path(__file__).parents[3]


class Instructor:
    """The command line as an instructor has it, and as a learner has it after ``. env``."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.home = home
        self.python = python
        # Seconds for a command; a large class takes longer, all at once.
        self.patience = 110
        self.folder = home / "class"

    def env(self) -> dict[str, str]:
        env = {key: value for key, value in os.environ.items() if not key.startswith(("PODWALK", "KUBECONFIG"))}
        return {**env, "PODWALK_HOME": str(self.home), "PODWALK_COURSE": str(ROOT)}

    def argv(self, *args: str) -> list[str]:
        return [self.python, "-c", "from podwalk.cli.main import main; main()", *args]

    def run(self, *args: str, learner: str = "", code: int = 0) -> subprocess.CompletedProcess[str]:
        env = self.env()
        if learner:
            text = (self.folder / "learners" / learner / "env").read_text()
            env |= dict(re.findall(r"^export (\w+)=(.*)$", text, re.M))
        done = subprocess.run(
            self.argv(*args),
            env=env,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=self.patience,
        )
        assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
        return done

    def kubectl(self, learner: str, *args: str) -> None:
        file = self.folder / "learners" / learner / "clusters" / "podwalk" / "kubeconfig"
        argv = ["kubectl", f"--kubeconfig={file}", *args]
        subprocess.run(argv, check=True, capture_output=True, timeout=self.patience)

    def status(self) -> dict[str, dict[str, object]]:
        return {one["learner"]: one for one in json.loads(self.run("class", "status", "--json").stdout)}

    def marks(self) -> dict[str, dict[str, str]]:
        with (self.folder / "results" / "grades.csv").open(newline="") as file:
            return {row["learner"]: row for row in csv.DictReader(file)}
