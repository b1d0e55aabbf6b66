"""A class on a real JupyterHub: servers in the learners' folders, nobody in another's, the board for the instructor."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from instructor import LAB, ROOT, Instructor
from jupyterhub_run import ADMIN, BIN, Hub, browser, running_hub

if not importlib.util.find_spec("jupyterhub") or not (BIN / "jupyterhub-singleuser").exists():
    pytest.skip("JupyterHub is not installed here: pip install 'podwalk[hub]'", allow_module_level=True)

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

LEARNERS = ("ada", "grace")


@pytest.fixture(scope="module")
def instructor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instructor]:
    one = Instructor(tmp_path_factory.mktemp("class"))
    roster = one.home / "roster.csv"
    roster.write_text("name\n" + "\n".join(LEARNERS) + "\n")
    try:
        one.run("class", "up", "--roster", str(roster))
        # She is to start it herself.
        one.run("class", "down", "grace")
        yield one
    finally:
        one.run("class", "down")


@pytest.fixture(scope="module")
def hub(instructor: Instructor) -> Iterator[Hub]:
    with running_hub(instructor) as running:
        yield running


async def test_from_a_terminal_in_the_browser_to_marks(hub: Hub, instructor: Instructor) -> None:
    fix = ROOT / "solutions" / LAB / "fix"

    async def learn(name: str) -> None:
        async with browser(hub, name) as one:
            await one.start()
            async with one.terminal() as terminal:
                home = instructor.folder / "learners" / name
                assert f"{home}/course\r" in await terminal.run("pwd")
                if name == "grace":
                    await terminal.run("podwalk up")
                await terminal.run(f"podwalk lab start {LAB}")
                assert "the till gets an answer" in await terminal.run("podwalk lab check", code=1)
                if name == "ada":
                    await terminal.run(f"kubectl apply -f {fix}")
                    await terminal.run("podwalk lab check")

    await asyncio.gather(*(learn(name) for name in LEARNERS))
    await asyncio.to_thread(instructor.run, "class", "collect", "--recheck")
    await asyncio.to_thread(instructor.run, "class", "grades")
    marks = {name: (row["file"], row["lab"], row["points"], row["recheck"]) for name, row in instructor.marks().items()}
    assert marks == {
        "ada": ("sealed", LAB, "10", "pass"),
        "grace": ("sealed", LAB, "0", "not yet"),
    }


async def test_nobody_reaches_anothers_server(hub: Hub) -> None:
    async with browser(hub, "grace") as owner:
        await owner.start()
        async with browser(hub, "ada") as other:
            await other.start()
            assert (await other.get("/user/ada/api/contents"))[0] == 200
            for path in ("/user/grace/api/contents", "/user/grace/lab", "/hub/spawn/grace"):
                assert (await other.get(path))[0] in (403, 404), path
            status, _ = await other.api("POST", "/user/grace/api/terminals")
            assert status == 403
        async with browser(hub) as nobody:
            assert (await nobody.get("/user/grace/api/contents"))[0] == 403


async def test_the_board_is_the_admins(hub: Hub) -> None:
    async with browser(hub, ADMIN) as admin:
        status, text = await admin.get("/services/board/")
        assert (status, "The class now" in text) == (200, True)
        rows: list[dict[str, object]] = []
        async with asyncio.timeout(60):
            while not rows:  # The service may still be at its first round.
                status, text = await admin.get("/services/board/board.json")
                assert status == 200
                rows = json.loads(text)
        assert {row["learner"] for row in rows} == set(LEARNERS)
        assert (await admin.get("/services/board/nothing"))[0] == 404
    async with browser(hub, "ada") as learner:
        for path in ("/services/board/", "/services/board/board.json"):
            status, text = await learner.get(path)
            assert (status, "grace" in text) == (403, False)
    async with browser(hub) as nobody:
        status, text = await nobody.get("/services/board/")
        assert (status, 'name="username"' in text, "grace" in text) == (200, True, False)


async def test_who_is_not_in_the_class_does_not_come_in(hub: Hub) -> None:
    async with browser(hub) as one:
        one.name = "mallory"
        with pytest.raises(AssertionError, match="403"):
            await one.log_in()


def test_what_the_hub_signs_with_is_nobody_elses(hub: Hub, instructor: Instructor) -> None:
    state = instructor.folder / "hub"
    assert hub.ready
    assert state.stat().st_mode & 0o077 == 0
    assert {path.name for path in state.iterdir()} >= {"cookie_secret", "hub.sqlite"}
    assert not list(Path(instructor.home).glob("jupyterhub*"))
