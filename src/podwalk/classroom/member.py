"""What is done in one learner's name: ``python -m podwalk.classroom.member up|down|standing|recheck``.

A process of the learner's account with the learner's ``$PODWALK_HOME``, so that nothing a learner has put there (a
link, a kubeconfig that runs a program, a file of another shape) is ever opened with the instructor's rights. Its last
line of output is a JSON object: the answer, or ``{"error": …}``.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import sys
from pathlib import Path
from typing import Any

from podwalk.api import clusterconfig
from podwalk.api.errors import ApiError
from podwalk.backends.base import BackendError, home
from podwalk.backends.embedded import EmbeddedBackend
from podwalk.classroom.standing import CLUSTER, standing
from podwalk.course.progress import ProgressError
from podwalk.course.schema import LabError

ENV_FILE = "env"


def up() -> dict[str, Any]:
    """Start the learner's cluster, unless it runs, and write the file that leads a shell to it. Raises BackendError."""
    backend = EmbeddedBackend()
    found = backend.find(CLUSTER)
    already = found is not None
    cluster = found or backend.up(clusterconfig.default(CLUSTER), progress=lambda fact: None)
    lines = {"PODWALK_HOME": str(home()), "KUBECONFIG": str(cluster.kubeconfig_path)}
    (home() / ENV_FILE).write_text("".join(f"export {key}={shlex.quote(value)}\n" for key, value in lines.items()))
    return {"already": already, "context": cluster.context}


def down() -> dict[str, Any]:
    """End the learner's clusters. Raises BackendError."""
    names = []
    for cluster in EmbeddedBackend().clusters():
        cluster.down()
        names.append(cluster.name)
    return {"ended": names}


def main(verb: str) -> int:
    """Do it and print the answer."""
    os.umask(0o077)
    try:
        match verb:
            case "up":
                answer = up()
            case "down":
                answer = down()
            case _:
                answer = standing(Path(home()), recheck=verb == "recheck")
    except (BackendError, ProgressError, LabError, ApiError) as error:
        answer = {"error": str(error)}
    except (OSError, sqlite3.Error) as error:
        answer = {"error": f"{error}; look into {home()}"}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
