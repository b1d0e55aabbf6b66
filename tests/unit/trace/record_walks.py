"""Records the walks that the unit tests read, into the folder beside it.

`podwalk up --name walks && .venv/bin/python tests/unit/trace/record_walks.py && podwalk down --name walks`
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernel" / "trace"))

from walk_scenarios import NAMESPACE, SCENARIOS, App

from podwalk import backends
from podwalk.trace import collect
from podwalk.trace.target import Source, Target

FOLDER = Path(__file__).parent / "recordings"


def main() -> None:
    cluster = backends.find("walks")
    if cluster is None:
        sys.exit("there is no cluster named walks; make it: podwalk up --name walks")
    app = App(cluster)
    app.up()
    FOLDER.mkdir(exist_ok=True)
    for name, scenario in SCENARIOS.items():
        source, target = Source.parse(scenario.source, NAMESPACE), Target.parse(app.url(scenario))
        with app.broken(scenario):
            recording = collect.record(cluster, source, target)
        data = json.dumps(recording, separators=(",", ":")).encode()
        (FOLDER / f"{name}.json.gz").write_bytes(gzip.compress(data, mtime=0))
        print(f"{name}: {len(data) // 1024} KB")
    app.down()


if __name__ == "__main__":
    main()
