"""A class on this machine, from the roster to the marks, with clusters that run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from instructor import LAB, ROOT, Instructor

# A fixture counts as well: three clusters at once, or a venv of its own and two clusters of other accounts.
pytestmark = pytest.mark.timeout(400)

LEARNERS = ("ada", "grace", "alan")


@pytest.fixture(scope="module")
def instructor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instructor]:
    home = tmp_path_factory.mktemp("class")
    one = Instructor(home)
    roster = home / "roster.csv"
    roster.write_text("name\n" + "\n".join(LEARNERS) + "\n")
    try:
        one.run("class", "up", "--roster", str(roster))
        yield one
    finally:
        one.run("class", "down")


@pytest.mark.kernel
def test_each_learner_has_a_cluster_and_nobody_sees_anothers(instructor: Instructor) -> None:
    assert all(one["cluster"] == {"running": True, "nodes": 3} for one in instructor.status().values())
    assert list(instructor.status()) == list(LEARNERS)
    instructor.run("outside", "--", "ip", "link", "add", "adas", "type", "bridge", learner="ada")
    instructor.run("outside", "--", "ip", "link", "show", "adas", learner="ada")
    missing = subprocess.run(["ip", "link", "show", "adas"], capture_output=True, check=False)
    assert missing.returncode != 0
    assert (
        "does not exist"
        in instructor.run("outside", "--", "ip", "link", "show", "adas", learner="grace", code=1).stderr
    )
    (shown,) = json.loads(instructor.run("status", "--json", learner="grace").stdout)
    assert shown["kubeconfig"].startswith(str(instructor.folder / "learners" / "grace"))


@pytest.mark.kernel
def test_up_again_leaves_running_clusters_alone(instructor: Instructor) -> None:
    done = instructor.run("class", "up", "--roster", str(instructor.home / "roster.csv"))
    assert done.stdout.count("runs already") == len(LEARNERS)


@pytest.mark.kernel
def test_from_a_failed_check_to_a_mark_with_evidence(instructor: Instructor) -> None:
    instructor.run("lab", "start", LAB, learner="ada")
    instructor.run("lab", "check", learner="ada", code=1)
    now = instructor.status()["ada"]["now"]
    assert isinstance(now, dict)
    assert (now["lab"], now["step"], now["checks"]) == (LAB, "the till gets an answer", 1)
    assert now["failingSince"]
    assert "the till gets an answer" in instructor.run("class", "status").stdout

    fix = ROOT / "solutions" / LAB / "fix"
    for path in sorted(fix.iterdir()):
        instructor.kubectl("ada", "apply", "-f", str(path))

    # The learner has not checked again: the collection does.
    instructor.run("class", "collect", "--recheck")
    instructor.run("class", "grades")
    marks = instructor.marks()
    assert (marks["ada"]["file"], marks["ada"]["lab"], marks["ada"]["recheck"]) == ("sealed", LAB, "pass")
    assert marks["ada"]["points"] == marks["ada"]["possible"] == "10"
    assert "✔ the till gets an answer" in marks["ada"]["evidence"]
    assert (marks["grace"]["file"], marks["grace"]["points"]) == ("sealed", "0")
    assert "the till gets an answer" in (instructor.folder / "results" / "grades.html").read_text()


@pytest.mark.kernel
def test_a_changed_file_is_named_and_counts_nothing(instructor: Instructor) -> None:
    instructor.run("class", "collect")
    path = instructor.folder / "results" / "grace.json"
    data = json.loads(path.read_text())
    data["body"]["results"]["labs"] = [{"lab": LAB, "points": 10}]
    path.write_text(json.dumps(data))
    (instructor.folder / "results" / "alan.json").unlink()
    done = instructor.run("class", "grades", code=1)
    assert done.stderr.splitlines() == [
        "podwalk: grace: changed: it is not what was collected",
        "podwalk: alan: missing: nothing was collected",
        "podwalk: 2 of 3 files count nothing; podwalk class collect makes new ones",
    ]
    assert instructor.marks()["grace"]["points"] == "0"


@pytest.mark.kernel
def test_an_account_that_cannot_reach_the_class_is_told(instructor: Instructor) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts clusters for others")
    roster = instructor.home / "accounts.csv"
    roster.write_text("name,user\nmallory,nobody\n")
    with tempfile.TemporaryDirectory() as closed:
        done = instructor.run("class", "up", "--roster", str(roster), "--dir", f"{closed}/class", code=1)
    assert done.stderr == f"podwalk: {closed}: other accounts may not enter it; choose another --dir, as /srv/podwalk\n"


@pytest.mark.kernel
def test_the_board_shows_the_class_until_it_is_interrupted(instructor: Instructor) -> None:
    with subprocess.Popen(
        instructor.argv("class", "board", "--every", "1"), env=instructor.env(), text=True, stdout=subprocess.PIPE
    ) as board:
        try:
            assert board.stdout
            url = board.stdout.readline().strip()
            rows: list[dict[str, object]] = []
            deadline = time.monotonic() + 60
            while not rows:
                assert time.monotonic() < deadline, "the board has heard of nobody"
                with urllib.request.urlopen(url + "board.json", timeout=10) as response:
                    rows = json.load(response)
            assert sorted(str(row["learner"]) for row in rows) == sorted(LEARNERS)
            assert {row["cluster"] for row in rows} == {"up"}
        finally:
            board.send_signal(signal.SIGINT)
        assert board.stdout.read() == "the board is closed\n"
        assert board.wait(60) == 0


@pytest.mark.kernel
def test_learners_with_accounts_own_their_clusters_and_reach_nobody_elses(ordinary_python: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root starts clusters for others")
    # The interpreter is below a folder of its owner's; others are to pass through.
    venv = Path(ordinary_python).parents[1]
    venv.parent.chmod(0o711)
    home = Path(tempfile.mkdtemp(prefix="podwalk-test-"))
    home.chmod(0o711)
    users = {"ada": "nobody", "grace": "games"}
    roster = home / "roster.yaml"
    roster.write_text(json.dumps([{"name": name, "user": user} for name, user in users.items()]))
    one = Instructor(home, ordinary_python)
    try:
        one.run("class", "up", "--roster", str(roster))
        for name, user in users.items():
            folder = one.folder / "learners" / name
            assert (folder.stat().st_mode & 0o777, folder.owner()) == (0o700, user)
            state = json.loads((folder / "clusters" / "podwalk" / "state.json").read_text())
            assert Path(f"/proc/{state['supervisor_pid']}").owner() == user
        theirs = ["ls", str(one.folder / "learners" / "grace")]
        for path in (theirs, ["ls", str(one.folder)], ["cat", str(one.folder / "class.json")]):
            assert subprocess.run(path, user="nobody", extra_groups=[], capture_output=True, check=False).returncode
        one.run("class", "collect", "--recheck")
        one.run("class", "grades")
        assert {name: row["file"] for name, row in one.marks().items()} == {"ada": "sealed", "grace": "sealed"}
    finally:
        one.run("class", "down")
        shutil.rmtree(home)


@pytest.mark.kernel
def test_down_ends_one_or_all_and_keeps_the_work(instructor: Instructor) -> None:
    instructor.run("class", "down", "grace")
    running = {name: one["cluster"]["running"] for name, one in instructor.status().items()}  # type: ignore[index]
    assert running == {"ada": True, "grace": False, "alan": True}
    instructor.run("class", "down")
    status = instructor.status()
    assert not any(one["cluster"]["running"] for one in status.values())  # type: ignore[index]
    assert [lab["lab"] for lab in status["ada"]["labs"]] == [LAB]  # type: ignore[attr-defined]
    assert "not in this class" in instructor.run("class", "down", "mallory", code=1).stderr
