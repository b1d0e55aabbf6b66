"""Who answers whom through our kube-proxy, against what was seen with the real one.

``PODWALK_RECORDINGS`` names a folder with ``behaviour/MODE.json``: case -> caller -> ``address:port/protocol`` -> what
came back in ten calls (``server:port source``, TIMEOUT, ECONNREFUSED) -> how often. A sample of the cases runs by
default, all of them where ``PODWALK_RECORDINGS_ALL`` is set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

_ROOT = os.environ.get("PODWALK_RECORDINGS", "")
_FILES = sorted(Path(_ROOT, "behaviour").glob("*.json")) if _ROOT else []
_EVERY = 1 if os.environ.get("PODWALK_RECORDINGS_ALL") else 5

Seen = dict[str, dict[str, int]]


def _recorded(file: Path) -> dict[str, dict[str, Seen]]:
    whole: dict[str, dict[str, Seen]] = json.loads(file.read_text())
    known = {name: said for name, said in whole.items() if (Path(_ROOT, file.stem, name) / "stored.yaml").exists()}
    return {name: known[name] for name in sorted(known)[::_EVERY]}


_WHOLE: dict[str, dict[str, dict[str, Seen]]] = {file.stem: json.loads(file.read_text()) for file in _FILES}
RECORDED = {file.stem: _recorded(file) for file in _FILES}
CASES = [(mode, case) for mode, cases in RECORDED.items() for case in cases]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(700),
    pytest.mark.skipif(not CASES, reason="PODWALK_RECORDINGS names no folder with recorded behaviour"),
]


def _probes(said: dict[str, Seen]) -> list[list[Any]]:
    probes = []
    for caller, targets in said.items():
        if caller == "healthCheckNodePort":
            continue
        place = caller.partition("(")[2].rstrip(")") or "node-a"
        for target, outcomes in targets.items():
            address, _, rest = target.partition(":")
            port, _, protocol = rest.partition("/")
            probes.append([place, address, int(port), protocol, "TIMEOUT" not in outcomes])
    return probes


def _play(mode: str) -> dict[str, list[dict[str, list[str]]]]:
    cases = []
    for name, said in RECORDED[mode].items():
        stored = Path(_ROOT, mode, name, "stored.yaml").read_text()
        objects = [o for o in yaml.safe_load_all(stored) if o]
        cases.append({"name": name, "objects": objects, "probes": _probes(said)})
    program = Path(__file__).with_name("behaviour_world.py")
    done = subprocess.run(
        [sys.executable, str(program), mode],
        input=json.dumps(cases, default=str),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def played() -> dict[str, dict[str, list[dict[str, list[str]]]]]:
    """What our kube-proxy's packets did: mode -> case -> one result a probe."""
    return {mode: _play(mode) for mode in RECORDED}


def _of_any_mode(case: str, caller: str, target: str) -> dict[str, set[str]]:
    """Every endpoint that answered in one of the recordings: ten calls may have missed one by chance."""
    found: dict[str, set[str]] = {}
    for file in _FILES:
        for server, sources in _by_server(_WHOLE[file.stem].get(case, {}).get(caller, {}).get(target, {})).items():
            if ":" in server:
                found.setdefault(server, set()).update(sources)
    return found


def _by_server(outcomes: dict[str, int]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for outcome in outcomes:
        server, _, source = outcome.partition(" ")
        found.setdefault(server, set()).add(source)
    return found


def _is_wrong(recorded: dict[str, set[str]], ours: dict[str, set[str]], sticky: bool) -> bool:
    """Whether the two cannot be the same rules: chance may hide an endpoint, but not change who is seen as source."""
    if any(ours[server] != sources for server, sources in recorded.items() if server in ours):
        return True
    if sticky:
        # A client that sticks met one of them.
        return not ours or bool({"TIMEOUT", "ECONNREFUSED"} & (set(recorded) ^ set(ours)))
    return not ours or not set(ours) <= set(recorded)


@pytest.mark.parametrize(("mode", "case"), CASES, ids=lambda value: str(value))
def test_the_same_servers_answer_and_see_the_same_sources(
    mode: str, case: str, played: dict[str, dict[str, list[dict[str, list[str]]]]]
) -> None:
    said = RECORDED[mode][case]
    rows = [(c, t, outcomes) for c, ts in said.items() if c != "healthCheckNodePort" for t, outcomes in ts.items()]
    wrong = []
    for (caller, target, outcomes), ours in zip(rows, played[mode][case], strict=True):
        recorded = _by_server(outcomes)
        if any(":" in server for server in recorded):
            recorded |= _of_any_mode(case, caller, target)
        mine = {server: set(sources) for server, sources in ours.items()}
        if _is_wrong(recorded, mine, "affinity" in case):
            wrong.append(f"{caller} -> {target}: recorded {outcomes}, ours {ours}")
    assert wrong == []
