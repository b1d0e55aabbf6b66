"""The learner's progress: one SQLite file that the learner owns.

Every fact is one transaction in write-ahead mode, so a process that dies at any moment loses at most the fact it was
writing, and two terminals can write at once. A file that is no database any more is moved aside, never repaired in
place: it may be the only copy of somebody's work.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from podwalk.api.meta import Object
from podwalk.checks.report import Report

VERSION = 3
_BUSY_SECONDS = 10.0

# Migration n brings a file from version n to n + 1. Never edit one that has been released; append the next.
_MIGRATIONS = (
    """
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY,
        lab TEXT NOT NULL,
        cluster TEXT NOT NULL,
        cluster_uid TEXT NOT NULL,
        started TEXT NOT NULL,
        ended TEXT,
        solved TEXT,
        at_start TEXT NOT NULL
    );
    CREATE INDEX attempts_open ON attempts (cluster_uid, lab) WHERE ended IS NULL;
    CREATE TABLE checks (
        id INTEGER PRIMARY KEY,
        attempt INTEGER NOT NULL REFERENCES attempts (id),
        lab TEXT NOT NULL,
        at TEXT NOT NULL,
        verdict TEXT NOT NULL,
        points INTEGER NOT NULL,
        possible INTEGER NOT NULL,
        solved INTEGER NOT NULL,
        report TEXT NOT NULL
    );
    CREATE INDEX checks_lab ON checks (lab);
    CREATE TABLE hints (
        lab TEXT NOT NULL,
        number INTEGER NOT NULL,
        cost INTEGER NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (lab, number)
    );
    CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
    "ALTER TABLE attempts ADD COLUMN parameters TEXT NOT NULL DEFAULT '{}'",
    """
    CREATE TABLE cards (
        question TEXT PRIMARY KEY,
        due TEXT NOT NULL,
        card TEXT NOT NULL
    );
    CREATE INDEX cards_due ON cards (due);
    CREATE TABLE reviews (
        id INTEGER PRIMARY KEY,
        session TEXT NOT NULL,
        question TEXT NOT NULL,
        at TEXT NOT NULL,
        rating INTEGER NOT NULL,
        score REAL NOT NULL,
        seconds REAL NOT NULL,
        hints INTEGER NOT NULL,
        sure INTEGER NOT NULL,
        seed INTEGER NOT NULL,
        answer TEXT NOT NULL
    );
    CREATE INDEX reviews_question ON reviews (question);
    """,
)


class ProgressError(Exception):
    """The progress file cannot be used; the message is one line with a cure."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One time that a lab was started. ``at_start``: the objects as they were then; ``solved``: we repaired it.

    ``parameters``: the values that were drawn for it.
    """

    id: int
    lab: str
    started: str
    solved: bool
    at_start: list[Object]
    parameters: dict[str, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a learner has reached in one lab: ``done`` counts only repairs of their own, ``points`` after hints."""

    done: bool = False
    points: int = 0
    checks: int = 0
    hints: int = 0
    shown: bool = False

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "done": self.done,
            "points": self.points,
            "checks": self.checks,
            "hints": self.hints,
            "solutionShown": self.shown,
        }


class Progress:
    """The progress file. ``notice`` is one line for the learner where a damaged file was moved aside, else empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProgressError(f"{path.parent}: {error.strerror}; set PODWALK_HOME to a writable folder") from None
        try:
            self._db = self._open()
        except sqlite3.OperationalError as error:
            raise ProgressError(f"{path}: {error}; set PODWALK_HOME to a writable folder") from None
        except sqlite3.DatabaseError:
            self._db = self._replace()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # Attempts

    def begin(
        self,
        lab: str,
        cluster: str,
        cluster_uid: str,
        at_start: list[Object],
        parameters: Mapping[str, str] | None = None,
    ) -> int:
        """A lab was started: ends an open attempt at it on this cluster, and is the current lab from now on."""
        with self._transaction() as db:
            self._end(db, lab, cluster_uid)
            row = db.execute(
                "INSERT INTO attempts (lab, cluster, cluster_uid, started, at_start, parameters)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (lab, cluster, cluster_uid, _now(), json.dumps(at_start), json.dumps(dict(parameters or {}))),
            )
            self._set(db, f"current:{cluster_uid}", lab)
            return int(row.lastrowid or 0)

    def remember(self, attempt: int, at_start: list[Object]) -> None:
        """The lab has come to stand as the learner meets it: this is how it looks."""
        with self._transaction() as db:
            db.execute("UPDATE attempts SET at_start = ? WHERE id = ?", (json.dumps(at_start), attempt))

    def end(self, lab: str, cluster_uid: str) -> None:
        """A lab was stopped."""
        with self._transaction() as db:
            self._end(db, lab, cluster_uid)
            db.execute("DELETE FROM settings WHERE key = ? AND value = ?", (f"current:{cluster_uid}", lab))

    def attempt(self, lab: str, cluster_uid: str) -> Attempt | None:
        """The open attempt at a lab on a cluster."""
        row = self._db.execute(
            "SELECT id, lab, started, solved, at_start, parameters FROM attempts"
            " WHERE lab = ? AND cluster_uid = ? AND ended IS NULL ORDER BY id DESC",
            (lab, cluster_uid),
        ).fetchone()
        if row is None:
            return None
        return Attempt(row[0], row[1], row[2], row[3] is not None, json.loads(row[4]), json.loads(row[5]))

    def running(self, cluster_uid: str) -> list[str]:
        """The labs with an open attempt on a cluster, the oldest first."""
        rows = self._db.execute(
            "SELECT lab FROM attempts WHERE cluster_uid = ? AND ended IS NULL ORDER BY id", (cluster_uid,)
        )
        return [row[0] for row in rows]

    def mark_solved(self, attempt: int) -> None:
        """We applied the solution: passes of this attempt do not count."""
        with self._transaction() as db:
            db.execute("UPDATE attempts SET solved = ? WHERE id = ?", (_now(), attempt))

    def current(self, cluster_uid: str) -> str | None:
        """The lab that was started or named last on this cluster."""
        row = self._db.execute("SELECT value FROM settings WHERE key = ?", (f"current:{cluster_uid}",)).fetchone()
        return row[0] if row else None

    def set_current(self, lab: str, cluster_uid: str) -> None:
        """Make a lab the current one."""
        with self._transaction() as db:
            self._set(db, f"current:{cluster_uid}", lab)

    # Checks and hints

    def record(self, attempt: Attempt, report: Report) -> None:
        """A check was made."""
        data = report.to_dict()
        with self._transaction() as db:
            # Asked again inside the transaction: the solution may have been applied while the check was running.
            row = db.execute("SELECT solved FROM attempts WHERE id = ?", (attempt.id,)).fetchone()
            solved = int(attempt.solved or bool(row and row[0]))
            values = (attempt.id, report.lab, _now(), data["verdict"], data["points"], data["possible"], solved)
            db.execute(
                "INSERT INTO checks (attempt, lab, at, verdict, points, possible, solved, report)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, json.dumps(data)),
            )

    def last_report(self, lab: str) -> Report | None:
        """The report of the newest check of a lab."""
        row = self._db.execute("SELECT report FROM checks WHERE lab = ? ORDER BY id DESC LIMIT 1", (lab,)).fetchone()
        return Report.from_dict(json.loads(row[0])) if row else None

    def hints_taken(self, lab: str) -> int:
        """How many hints the learner has read."""
        return int(self._db.execute("SELECT COUNT(*) FROM hints WHERE lab = ?", (lab,)).fetchone()[0])

    def take_hint(self, lab: str, number: int, cost: int) -> None:
        """The learner read hint ``number`` (from 1); reading it again costs nothing."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO hints VALUES (?, ?, ?, ?)", (lab, number, cost, _now()))

    def standing(self, lab: str) -> Standing:
        """What was reached in a lab, over all attempts and clusters."""
        best, checks, passed, shown = self._db.execute(
            "SELECT MAX(CASE WHEN solved = 0 AND verdict = 'pass' THEN points END), COUNT(*),"
            " SUM(solved = 0 AND verdict = 'pass'), SUM(solved = 1) FROM checks WHERE lab = ?",
            (lab,),
        ).fetchone()
        hints, cost = self._db.execute(
            "SELECT COUNT(*), COALESCE(SUM(cost), 0) FROM hints WHERE lab = ?", (lab,)
        ).fetchone()
        return Standing(bool(passed), max((best or 0) - cost, 0), checks, hints, bool(shown))

    # Chapters

    def chapter_begun(self, chapter: str) -> None:
        """A chapter's objects were put into a cluster. One that was finished stays so."""
        with self._transaction() as db:
            db.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (f"chapter:{chapter}", "begun"))

    def chapter_finished(self, chapter: str) -> None:
        """The last cell of a chapter ran."""
        with self._transaction() as db:
            self._set(db, f"chapter:{chapter}", "finished")

    def chapters(self) -> dict[str, bool]:
        """The chapters that were begun, and whether they were finished."""
        rows = self._db.execute("SELECT key, value FROM settings WHERE key LIKE 'chapter:%'")
        return {key.removeprefix("chapter:"): value == "finished" for key, value in rows}

    # For other rooms that keep facts in this file (podwalk.drills.memory)

    def transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        """One fact: all of it is written, or nothing; a second writer waits."""
        return self._transaction()

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self._db.execute(query, values).fetchall()

    # The file

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            if self._version(db) != VERSION:
                # The switch to write-ahead mode needs the file alone, and sqlite does not wait for that by itself.
                with exclusive(self.path.with_name(f"{self.path.name}.setup")):
                    db.execute("PRAGMA journal_mode = WAL")
                    self._migrate(db)
            # NORMAL would be safe against a killed process too; FULL also keeps the last fact over a power cut.
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError(f"{self.path} is damaged")
        except BaseException:
            db.close()
            raise
        return db

    def _version(self, db: sqlite3.Connection) -> int:
        """The file's version; writes nothing. Raises ProgressError (a newer file) or DatabaseError (a foreign one)."""
        with _transaction(db, "DEFERRED"):
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            tables = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]
        if found > VERSION:
            raise ProgressError(
                f"{self.path}: version {found} is of a newer podwalk (this one knows {VERSION}); update podwalk"
            )
        if found == 0 and tables:
            raise sqlite3.DatabaseError(f"{self.path} is a database of something else")
        return found

    @staticmethod
    def _migrate(db: sqlite3.Connection) -> None:
        with _transaction(db):
            found = int(db.execute("PRAGMA user_version").fetchone()[0])
            for script in _MIGRATIONS[found:]:
                for statement in filter(str.strip, script.split(";")):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {VERSION}")

    def _replace(self) -> sqlite3.Connection:
        with exclusive(self.path.with_name(f"{self.path.name}.repair")):
            try:
                # Another process may have met the same damage and already begun a new file: that one is not to go.
                return self._open()
            except sqlite3.DatabaseError:
                self._move_aside()
                return self._open()

    def _move_aside(self) -> None:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        aside = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).replace(aside.with_name(aside.name + suffix))
        with contextlib.suppress(FileNotFoundError):
            self.path.replace(aside)
        self.notice = f"the progress file was damaged and is now {aside}; a new one begins here"

    def _transaction(self) -> contextlib.AbstractContextManager[sqlite3.Connection]:
        return _transaction(self._db)

    @staticmethod
    def _end(db: sqlite3.Connection, lab: str, cluster_uid: str) -> None:
        # How an ended attempt began is of no use any more, and it is by far the largest thing in the file.
        db.execute(
            "UPDATE attempts SET ended = ?, at_start = '[]' WHERE lab = ? AND cluster_uid = ? AND ended IS NULL",
            (_now(), lab, cluster_uid),
        )

    @staticmethod
    def _set(db: sqlite3.Connection, key: str, value: str) -> None:
        db.execute(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )


@contextlib.contextmanager
def exclusive(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock file, alone or ``shared`` with others who only read; the rest waits.

    The kernel frees it when the holder dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    # IMMEDIATE takes the write lock at once: a transaction that upgrades later may fail instead of waiting.
    db.execute(f"BEGIN {kind}")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
