"""The course in a minute: a cluster, a lab, a failing check with its evidence, the solution, full marks, the end.

Everything happens through the ``podwalk`` command, on a cluster of its own and with progress of its own, so that a
learner's cluster and progress stay as they are. Prints what each step took. Exit code 1 where a step is not as told.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time

LAB = "services/menu-refuses-everyone"
NAME = "demo"


class Demo:
    """Runs podwalk commands, shows what they print, and keeps the times."""

    def __init__(self, home: str) -> None:
        self.env = {**os.environ, "PODWALK_HOME": home, "PODWALK_CLUSTER": NAME}
        self.env.pop("KUBECONFIG", None)
        self.times: list[tuple[str, float]] = []

    def step(self, title: str, *args: str, expect: int = 0) -> None:
        """Run ``podwalk ARGS``; its exit code must be ``expect``. Raises SystemExit otherwise."""
        print(f"\n— {title}\n  $ podwalk {' '.join(args)}", flush=True)
        began = time.monotonic()
        code = subprocess.run(["podwalk", *args], env=self.env, check=False).returncode
        self.times.append((title, time.monotonic() - began))
        if code != expect:
            print(f"podwalk: the demo expected exit code {expect} and saw {code}", file=sys.stderr)
            raise SystemExit(1)

    def summary(self) -> None:
        """Print the times."""
        print("\nwhat it took")
        for title, seconds in self.times:
            print(f"  {title:<44} {seconds:6.2f} s")


def main() -> None:
    """Run the demo; whatever happens, the cluster is gone afterwards."""
    if shutil.which("podwalk") is None:
        raise SystemExit("podwalk: the command is not on PATH; run ./demo, which sets it up")
    with tempfile.TemporaryDirectory(prefix="podwalk-demo-") as home:
        demo = Demo(home)
        try:
            demo.step("a cluster, proven", "up", "--name", NAME)
            demo.step("the lab starts", "lab", "start", LAB)
            demo.step("the check of the untouched lab fails", "lab", "check", LAB, expect=1)
            demo.step("the solution is applied", "lab", "solve", LAB)
            demo.step("full marks", "lab", "check", LAB)
            demo.step("the lab is broken again", "lab", "reset", LAB)
            demo.step("and fails again", "lab", "check", LAB, expect=1)
            demo.step("nothing stays", "down", "--name", NAME)
        finally:
            subprocess.run(["podwalk", "down", "--name", NAME], env=demo.env, check=False, capture_output=True)
        demo.summary()


if __name__ == "__main__":
    main()
