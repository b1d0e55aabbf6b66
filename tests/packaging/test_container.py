"""The container image and Binder's environment agree with the rest, as far as that can be seen without an engine."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml
from installation import LAB, ROOT, Installed, run

pytestmark = pytest.mark.timeout(300)

ENTRYPOINT = ROOT / "container" / "entrypoint"
CONTAINERFILE = (ROOT / "container" / "Containerfile").read_text()


@pytest.fixture(scope="module")
def packages() -> set[str]:
    """What ./start installs."""
    told = run("sh", "-c", f". '{ROOT}/scripts/setup.sh'; echo $PODWALK_PACKAGES", cwd=ROOT)
    return set(told.split())


def test_the_image_has_what_start_installs(packages: set[str]) -> None:
    (block,) = re.findall(r"apt-get install -y --no-install-recommends(.*?)&& rm", CONTAINERFILE, re.DOTALL)
    installed = set(block.replace("\\", "").split())
    assert packages - installed == set()
    assert {"bird2", "nginx-light", "haproxy", "pebble"} <= installed


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    sources = [
        name
        for line in re.findall(r"^COPY (?:--\S+ )?(.*)$", CONTAINERFILE, re.MULTILINE)
        for name in line.split()[:-1]
    ]
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert len(sources) > 8
    for name in sources:
        assert (ROOT / name).exists(), name
        assert name.partition("/")[0] in let_in, name


def test_binder_has_what_start_installs(packages: set[str]) -> None:
    assert set((ROOT / ".binder" / "apt.txt").read_text().split()) == packages


def test_binder_has_the_same_environment() -> None:
    ours, binders = (
        yaml.safe_load((ROOT / name).read_text()) for name in ("environment.yml", ".binder/environment.yml")
    )
    pips = [entry["pip"] for each in (ours, binders) for entry in each["dependencies"] if isinstance(entry, dict)]
    # The path is seen from the folder that the file is in.
    pips[1][pips[1].index("-e ..")] = "-e ."
    assert ours == binders


@pytest.mark.parametrize("script", ["container/entrypoint", ".binder/postBuild"])
def test_scripts_are_scripts(script: str) -> None:
    run("sh", "-n", script, cwd=ROOT)
    assert (ROOT / script).stat().st_mode & 0o111


@pytest.fixture
def learner(installed: Installed, tmp_path: Path) -> Installed:
    """Somebody in a container that was just started."""
    return Installed(installed.python, tmp_path)


def environment(learner: Installed) -> dict[str, str]:
    env = learner.environment()
    del env["PODWALK_HOME"]
    return {**env, "PODWALK_COURSE_FOLDER": str(learner.home / "podwalk")}


@pytest.mark.cluster
def test_the_entrypoint_has_a_cluster_for_its_command(learner: Installed) -> None:
    script = f"podwalk lab start {LAB} && kubectl -n canteen get pods -o name && exit 7"
    said = run(str(ENTRYPOINT), "sh", "-c", script, cwd=learner.home, env=environment(learner), code=7)
    assert "pod/till" in said
    assert (learner.home / "podwalk" / "notebooks" / "index.ipynb").exists()
    state = {**environment(learner), "PODWALK_HOME": str(learner.home / "podwalk" / ".podwalk")}
    assert "no cluster runs" in run("podwalk", "status", cwd=learner.home, env=state)


@pytest.mark.cluster
def test_a_container_that_is_stopped_ends_its_cluster(learner: Installed) -> None:
    argv = [str(ENTRYPOINT), "sh", "-c", "echo ready; exec sleep 300"]
    with subprocess.Popen(
        argv, cwd=learner.home, env=environment(learner), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any(line == "ready\n" for line in process.stdout)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    clusters = learner.home / "podwalk" / ".podwalk" / "clusters"
    assert not list(clusters.glob("*/state.json"))
