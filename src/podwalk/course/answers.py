"""Applying files to a cluster: answers to labs, and the scripts with which a lab breaks and mends nodes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from podwalk.backends.base import Cluster
from podwalk.course.values import fill

_SECONDS = 300.0
# Not the manager of the setup: server-side apply would take away every field of it that an answer does not repeat.
_MANAGER = "podwalk-answer"


class ScriptError(Exception):
    """A file did not apply; the message is one line: file: what it said last."""


def apply(cluster: Cluster, path: Path, values: Mapping[str, str]) -> list[str]:
    """Apply a .yaml file, a .sh script, or a folder of both in the order of their names. Returns the file names.

    ``${NAME}`` of the values is filled in in YAML; scripts have the values as variables. Raises ScriptError.
    """
    files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".sh")) if path.is_dir() else [path]
    for file in files:
        if file.suffix == ".sh":
            run(cluster, file, values)
        else:
            _apply(cluster, file, values)
    return [f.name for f in files]


def run(cluster: Cluster, script: Path, values: Mapping[str, str]) -> None:
    """Run a script with ``sh -eu``: KUBECONFIG, PODWALK_CLUSTER and the values are set, ``podwalk`` is on PATH.

    Raises ScriptError.
    """
    # The interpreter's own folder holds the podwalk command and the kubectl that ./start put there.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    env = {
        **os.environ,
        "PATH": path,
        "KUBECONFIG": str(cluster.kubeconfig_path),
        "PODWALK_CLUSTER": cluster.name,
        **values,
    }
    # Named by its file in what sh says of it; its text has the namespaces of this cluster.
    text = cluster.shown(script.read_text(encoding="utf-8"))
    try:
        done = subprocess.run(
            ["sh", "-euc", text, str(script)], env=env, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ScriptError(f"{script}: did not end in {_SECONDS:g} s") from None
    _judge(script, done.returncode, done.stderr)


def _apply(cluster: Cluster, file: Path, values: Mapping[str, str]) -> None:
    args = ("apply", "--server-side", "--force-conflicts", f"--field-manager={_MANAGER}", "-f", "-")
    done = cluster.kubectl(*args, input=fill(file.read_text(encoding="utf-8"), values), timeout=_SECONDS)
    _judge(file, done.returncode, done.stderr)


def _judge(file: Path, code: int, said: str) -> None:
    if code:
        last = said.strip().splitlines()[-1:] or [f"exit code {code}"]
        raise ScriptError(f"{file}: {last[0]}")
