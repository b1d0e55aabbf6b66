#!/usr/bin/env python3
"""Measure a class on this machine: scripts/bench_class.py --learners 8, or --json.

It starts a cluster for each learner with `podwalk class`, lets all of them start a lab at once, solve it and check it,
and ends them. Memory is PSS (shared pages count once) of every process of the clusters. How many more would fit is
reckoned from the memory that Linux calls available and from what a learner took while the labs ran; a notebook's kernel
and JupyterLab come on top, as a number of yours: --beside.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench import LAB, Trouble, podwalk, pss, tree

# What is left to the machine itself.
_RESERVE_MB = 512
_BESIDE_MB = 150
_SECONDS = 600


def main() -> int:
    """Measure and print."""
    options = parse()
    return in_a_home_of_its_own(lambda home: measure(home, options.learners, options.beside), options.json)


def in_a_home_of_its_own(measured: Callable[[Path], dict[str, float]], as_json: bool) -> int:
    """Print what was measured in a fresh $PODWALK_HOME, whose class is ended; the exit code."""
    with tempfile.TemporaryDirectory(prefix="podwalk-bench-") as home:
        os.environ["PODWALK_HOME"] = home
        try:
            found = measured(Path(home))
        except (Trouble, OSError) as trouble:
            print(f"{Path(sys.argv[0]).stem}: {trouble}", file=sys.stderr)
            return 1
        finally:
            if (Path(home) / "class").is_dir():
                subprocess.run(podwalk("class", "down"), stdout=subprocess.DEVNULL, check=False, timeout=_SECONDS)
    print(json.dumps(found, indent=1) if as_json else render(found))
    return 0


def parse() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description="Measure a class of learners on this machine.")
    parser.add_argument("--learners", type=int, default=8, help="how many [8]")
    parser.add_argument("--beside", type=int, default=_BESIDE_MB, help="MB a learner for JupyterLab and a kernel [150]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def measure(home: Path, count: int, beside: int) -> dict[str, float]:
    """Seconds and megabytes, by name. Raises Trouble."""
    names = [f"learner-{number:02}" for number in range(count)]
    roster = home / "roster.csv"
    roster.write_text("name\n" + "\n".join(names) + "\n")
    load, free_before = os.getloadavg()[0], available()
    up = run(podwalk("class", "up", "--roster", str(roster)))
    idle = memory(home, names)
    start = at_once(home, names, ["lab", "start", LAB])
    busy = memory(home, names)
    check = at_once(home, names, ["lab", "check", LAB], ok=1)
    solve = at_once(home, names, ["lab", "solve", LAB])
    passed = at_once(home, names, ["lab", "check", LAB])
    each = max(statistics.mean(busy), (free_before - available()) / count)
    return {
        "learners": count,
        "load before": load,
        "processors": len(os.sched_getaffinity(0)),
        "all up, s": up,
        "up, s a learner": up / count,
        "lab start, all at once, slowest, s": max(start),
        "lab check, all at once, slowest, s": max(check),
        "lab solve, all at once, slowest, s": max(solve),
        "lab check that passes, all at once, slowest, s": max(passed),
        "PSS a learner, idle, MB": statistics.mean(idle),
        "PSS a learner, lab running, MB": statistics.mean(busy),
        "memory a learner, with the kernel's, MB": each,
        "available before, MB": free_before,
        "learners that fit, terminal only": (free_before - _RESERVE_MB) // each,
        f"learners that fit, {beside} MB each beside": (free_before - _RESERVE_MB) // (each + beside),
    }


def at_once(home: Path, names: list[str], arguments: list[str], ok: int = 0) -> list[float]:
    """Seconds that a command of each learner's took, all of them started together."""
    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: run(podwalk(*arguments), home / "class" / "learners" / name, ok), names))


def run(argv: list[str], home: Path | None = None, ok: int = 0) -> float:
    """Seconds that a command took. Raises Trouble where it ends with another code than ``ok``."""
    env = {**os.environ, "PODWALK_HOME": str(home)} if home else None
    began = time.monotonic()
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=_SECONDS)
    if done.returncode != ok:
        raise Trouble(f"{' '.join(argv[-3:])}: code {done.returncode}: {done.stdout[-500:]}{done.stderr}")
    return time.monotonic() - began


def memory(home: Path, names: list[str]) -> list[float]:
    """MB of each learner's cluster."""
    files = (home / "class" / "learners" / name / "clusters" / "podwalk" / "state.json" for name in names)
    roots = [int(json.loads(file.read_text())["supervisor_pid"]) for file in files]
    return [sum(pss(pid) for pid in tree(root)) / 1024 for root in roots]


def available() -> float:
    """MB that the machine could give away."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) / 1024


def render(found: dict[str, float]) -> str:
    """A line a number."""
    width = max(map(len, found))
    return "\n".join(f"{name:<{width}}  {value:10.1f}" for name, value in found.items())


if __name__ == "__main__":
    sys.exit(main())
