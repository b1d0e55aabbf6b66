"""An interview on disk: one JSON file each, written anew after every answer, and a lock so that there is only one.

Times are sums of what passed while the interview was open, so that neither an interruption nor a clock that is set
changes them.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

VERSION = 1
TIME_UP = "the time was up"


class InterviewError(Exception):
    """An interview cannot be begun, read or kept; one line with a cure."""


@dataclass(slots=True)
class Given:
    """One answer. ``marks``: what an observer gave (0 to 1), None where nobody watched."""

    question: str
    seed: int
    text: str
    score: float
    seconds: float
    ticks: list[bool] = field(default_factory=list)
    hints: int = 0
    marks: float | None = None
    skipped: str = ""


@dataclass(slots=True)
class State:
    """All of an interview. ``part`` and ``step`` say where it stands; ``spent`` are the seconds of each part.

    ``draft``: what has been written to the question that is open, and not been given as an answer yet.
    """

    id: str
    track: str
    seed: int
    began: str
    plan: list[list[str]]
    observed: bool = False
    part: int = 0
    step: int = 0
    spent: list[float] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    live: dict[str, Any] | None = None
    live_skipped: str = ""
    ended: bool = False
    draft: str = ""
    version: int = VERSION


def folder(home: Path) -> Path:
    """Where interviews are kept."""
    return home / "interviews"


@contextlib.contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold the lock. Raises InterviewError where another interview is open."""
    folder(home).mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder(home) / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InterviewError("another interview is open in another window; end that one first") from None
        yield


def save(home: Path, state: State) -> None:
    """Write it so that whoever dies in between leaves the old one. Raises InterviewError."""
    path = folder(home) / f"{state.id}.json"
    new = path.with_suffix(".new")
    try:
        new.write_text(json.dumps(asdict(state), indent=1, ensure_ascii=False), encoding="utf-8")
        os.replace(new, path)
    except OSError as error:
        raise InterviewError(
            f"{path}: cannot be written ({error.strerror}); make room, then: podwalk interview resume"
        ) from None


def load(path: Path) -> State:
    """Read one. Raises InterviewError, which names the file and what is wrong with it; the file is left as it is."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data.get("version") != VERSION:
            raise InterviewError(
                f"{path}: is of version {data.get('version')}, not {VERSION}; move it away, then begin anew"
            )
        given = [Given(**g) for g in data.pop("given")]
        return State(given=given, **data)
    except OSError as error:
        raise InterviewError(
            f"{path}: cannot be read ({error.strerror}); podwalk interview list shows the others"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        why = " ".join(str(error).split())[:80]
        raise InterviewError(f"{path}: is damaged ({why}); move it away, then begin anew") from None


def every(home: Path) -> list[Path]:
    """The files of all interviews, the newest last."""
    return sorted(folder(home).glob("*.json"))


def unfinished(home: Path) -> State | None:
    """The newest interview that was interrupted. Raises InterviewError for one that is damaged."""
    for path in reversed(every(home)):
        state = load(path)
        if not state.ended:
            return state
    return None
