"""Runs a cluster's supervisor: ``python -m podwalk.cluster HOME NAME REPORT_FD LIFELINE_FD`` with JSON on stdin.

The backend starts it as a fresh process, because a fork needs a single-threaded one and a notebook's kernel is not.
"""

from __future__ import annotations

import sys
from pathlib import Path

from podwalk.cluster import supervisor
from podwalk.cluster.state import ClusterDir


def main() -> int:
    """Parse the four arguments and supervise."""
    home, name, report_fd, lifeline_fd = sys.argv[1:5]
    config_text = sys.stdin.read()
    images_file = str(Path(home) / "images.yaml")
    return supervisor.main(ClusterDir(Path(home), name), config_text, images_file, int(report_fd), int(lifeline_fd))


if __name__ == "__main__":
    sys.exit(main())
