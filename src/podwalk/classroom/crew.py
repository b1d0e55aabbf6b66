"""Doing the same for every learner, a few at a time, each in a process of the learner's account."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwalk.backends.base import BackendError
from podwalk.classroom.folder import ClassDir, account
from podwalk.classroom.roster import ClassError, Learner
from podwalk.classroom.standing import standing
from podwalk.course.progress import ProgressError

_MODULE = "podwalk.classroom.member"
_MOST_BYTES = 4 * 1024 * 1024
_SECONDS = {"up": 180.0, "down": 60.0, "standing": 60.0, "recheck": 600.0}
# What of the instructor's environment a learner's process gets; the rest is the instructor's business.
_PASSED = ("PATH", "LANG", "LC_ALL", "TZ", "PODWALK_COURSE", "PODWALK_KUBECTL")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one learner's process. ``error`` is one line, empty where all went well."""

    learner: Learner
    answer: dict[str, Any]
    seconds: float
    error: str = ""


Tell = Callable[[Outcome], None]


def at_once() -> int:
    """How many clusters to start side by side: one a processor, for starting one keeps a processor busy."""
    return max(1, len(os.sched_getaffinity(0)))


class Crew:
    """Runs a verb of ``podwalk.classroom.member`` for learners; whoever interrupts it ends what it had under way."""

    def __init__(self, folder: ClassDir, width: int | None = None) -> None:
        self._folder = folder
        self._width = width or at_once()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._guard = threading.Lock()
        self._stopped = False

    def do(self, verb: str, learners: Sequence[Learner], tell: Tell = lambda outcome: None) -> list[Outcome]:
        """Run ``verb`` for each; ``tell`` hears of each as it ends, in this thread. The outcomes in the roster's order.

        Raises nothing for a learner whose process failed: that is an outcome, and the others go on.
        """
        with ThreadPoolExecutor(self._width) as pool:
            futures: dict[Future[Outcome], Learner] = {pool.submit(self._one, verb, one): one for one in learners}
            try:
                waiting = set(futures)
                while waiting:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        tell(future.result())
            except BaseException:
                self.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [future.result() for future in futures]

    def stop(self) -> None:
        """End what is under way; learners who are still to come are not begun."""
        with self._guard:
            self._stopped = True
            for process in self._running:
                _kill(process)

    def _one(self, verb: str, learner: Learner) -> Outcome:
        began = time.monotonic()
        try:
            # A process is for another account's sake, and for what takes long; a look at one's own files needs none.
            near = verb == "standing" and not learner.user
            answer, error = _near(self._folder.home(learner)) if near else _answer(self._run(verb, learner))
        except ClassError as trouble:
            answer, error = {}, str(trouble)
        return Outcome(learner, answer, time.monotonic() - began, error)

    def _run(self, verb: str, learner: Learner) -> str:
        """The output of a learner's process. Raises ClassError: it cannot start, takes too long, or says too much."""
        argv = [sys.executable, "-P", "-m", _MODULE, verb]
        who, env = _identity(learner, self._folder.home(learner))
        try:
            with self._guard:
                if self._stopped:
                    raise ClassError("stopped")
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    cwd="/",
                    env=env,
                    **who,
                )
                self._running.add(process)
        except OSError as error:
            raise ClassError(
                f"account {learner.user or 'of this class'} cannot run {sys.executable} ({error.strerror}); "
                "install podwalk where every account can read it, as /opt/podwalk"
            ) from None
        seconds = _SECONDS[verb]
        late = threading.Event()

        def overdue() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(seconds, overdue)
        timer.start()
        try:
            assert process.stdout is not None
            text: bytes = process.stdout.read(_MOST_BYTES + 1)
        finally:
            timer.cancel()
            with self._guard:
                # Whatever is left of it, as where it went on talking past the limit, ends here.
                _kill(process)
                self._running.discard(process)
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if late.is_set():
            raise ClassError(
                f"not done after {seconds:g} s; the machine may be too small: start fewer with --at-once 1"
            )
        if len(text) > _MOST_BYTES:
            raise ClassError(f"said more than {_MOST_BYTES >> 20} MiB; look into {self._folder.home(learner)}")
        return text.decode(errors="replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    # Not yet waited for, so the number is still this process's (and its group's).
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _identity(learner: Learner, home: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """How to become this learner: arguments of Popen, and the environment."""
    own = {"PODWALK_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    env = {key: value for key, value in os.environ.items() if key in _PASSED}
    if not learner.user:
        return {}, {**env, "HOME": os.environ.get("HOME", "/"), **own}
    entry = account(learner)
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        groups = os.getgrouplist(learner.user, entry.pw_gid)
        who = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
    return who, {**env, "HOME": entry.pw_dir, "USER": learner.user, "LOGNAME": learner.user, **own}


def _near(home: Path) -> tuple[dict[str, Any], str]:
    """What a member's process would answer, without one."""
    try:
        return standing(home), ""
    except (BackendError, ProgressError, OSError, sqlite3.Error, KeyError, TypeError, ValueError) as error:
        return {}, f"{' '.join(str(error).split())}; look into {home}"


def _answer(text: str) -> tuple[dict[str, Any], str]:
    """The answer in the last line of a process's output, and what went wrong."""
    last = text.rstrip().rpartition("\n")[2]
    try:
        answer = json.loads(last)
    except (ValueError, RecursionError):
        return {}, f"ended without an answer: {last[-200:] or 'it said nothing'}"
    if not isinstance(answer, dict):
        return {}, "ended with an answer of another shape"
    if "error" in answer:
        return {}, " ".join(str(answer["error"]).split())[:500]
    return answer, ""
