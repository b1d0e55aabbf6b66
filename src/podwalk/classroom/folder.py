"""The folder of a class: who is in it, each learner's own folder, the key that seals results, and the results.

```
DIR/class.json          the learners (0600)
DIR/learners/NAME/      a learner's $PODWALK_HOME (0700, of the learner's account where the roster names one)
DIR/key                 what seals results (0600)
DIR/results/NAME.json   sealed results (0700)
```
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from podwalk.classroom.roster import ClassError, Learner

_FORMAT = 1
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class ClassDir:
    """A class's folder."""

    path: Path

    @property
    def results(self) -> Path:
        """Where sealed results are."""
        return self.path / "results"

    @property
    def key_file(self) -> Path:
        """Where the key is, unless the instructor keeps it elsewhere."""
        return self.path / "key"

    def home(self, learner: Learner) -> Path:
        """A learner's ``$PODWALK_HOME``."""
        return self.path / "learners" / learner.name

    def learners(self) -> list[Learner]:
        """Who is in the class. Raises ClassError where there is none."""
        try:
            data = json.loads((self.path / "class.json").read_text())
            if data["format"] != _FORMAT:
                raise ClassError(f"{self.path}: the class is of a newer podwalk; update podwalk")
            return [Learner(**entry) for entry in data["learners"]]
        except FileNotFoundError:
            raise ClassError(f"{self.path}: no class here; begin one: podwalk class up --roster FILE") from None
        except OSError as error:
            raise ClassError(f"{self.path}: {error.strerror}; a class belongs to who began it") from None
        except (ValueError, KeyError, TypeError):
            raise ClassError(
                f"{self.path / 'class.json'}: is damaged; remove it and give the roster again: "
                "podwalk class up --roster FILE"
            ) from None

    def enrol(self, fresh: Sequence[Learner]) -> list[Learner]:
        """Add learners and make their folders; those that are in the class already stay. All of them.

        Raises ClassError: an account does not exist, is not ours to use, or cannot reach its folder.
        """
        known = {one.name: one for one in (self.learners() if (self.path / "class.json").exists() else [])}
        for one in fresh:
            before = known.setdefault(one.name, one)
            if before.user != one.user:
                raise ClassError(
                    f"{one.name}: is in this class with user {before.user or '(none)'}, not {one.user or '(none)'}; "
                    "use another name, or another class: --dir DIR"
                )
            if one.user:
                account(one)
        shared = any(one.user for one in known.values())
        try:
            self._make(shared)
            for one in known.values():
                self._make_home(one)
            self._write(list(known.values()))
        except OSError as error:
            raise ClassError(f"{error.filename or self.path}: {error.strerror}; choose another --dir") from None
        return list(known.values())

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One command at a time changes the class. Raises ClassError where another one does."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            fd = os.open(self.path / "class.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ClassError(f"{self.path}: {error.strerror}; choose another --dir") from None
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise ClassError(f"{self.path}: another podwalk class command is at work; wait for its end") from None
        finally:
            os.close(fd)

    def key(self, path: Path | None = None, *, make: bool = False) -> bytes:
        """The key that seals results; with ``make``, made where it is missing. Raises ClassError."""
        file = path or self.key_file
        if make:
            with contextlib.suppress(FileExistsError):
                _write_private(file, secrets.token_hex(_KEY_BYTES) + "\n")
        try:
            key = bytes.fromhex(file.read_text().strip())
        except FileNotFoundError:
            raise ClassError(
                f"{file}: no key here; podwalk class collect makes one, --key FILE names another"
            ) from None
        except (OSError, ValueError) as error:
            raise ClassError(f"{file}: is no key of a class ({error}); --key FILE names the right one") from None
        if len(key) < _KEY_BYTES:
            raise ClassError(f"{file}: is too short for a key; --key FILE names the right one")
        return key

    def _make(self, shared: bool) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        # Accounts pass through to their own folders and see nothing on the way.
        for folder in (self.path, self.path / "learners"):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711 if shared else 0o700)
        self.results.mkdir(exist_ok=True)
        self.results.chmod(0o700)
        if shared:
            closed = next((p for p in self.path.resolve().parents if not p.stat().st_mode & 0o001), None)
            if closed is not None:
                raise ClassError(f"{closed}: other accounts may not enter it; choose another --dir, as /srv/podwalk")

    def _make_home(self, learner: Learner) -> None:
        home = self.home(learner)
        home.mkdir(exist_ok=True, mode=0o700)
        if learner.user:
            entry = account(learner)
            os.chown(home, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
        home.chmod(0o700)

    def _write(self, learners: Sequence[Learner]) -> None:
        fresh = self.path / "class.json.new"
        fresh.unlink(missing_ok=True)
        data = {"format": _FORMAT, "learners": [asdict(one) for one in learners]}
        _write_private(fresh, json.dumps(data, indent=1) + "\n")
        fresh.replace(self.path / "class.json")


def account(learner: Learner) -> pwd.struct_passwd:
    """The system account of a learner who has one. Raises ClassError where it cannot be used."""
    try:
        entry = pwd.getpwnam(learner.user)
    except KeyError:
        raise ClassError(
            f"{learner.name}: no account {learner.user} on this machine; make it: useradd -m {learner.user}"
        ) from None
    if entry.pw_uid == 0:
        raise ClassError(f"{learner.name}: account {learner.user} is root; give learners accounts without privileges")
    if os.geteuid() not in (0, entry.pw_uid):
        raise ClassError(
            f"{learner.name}: only root starts clusters for account {learner.user}; "
            "run as root, or leave the column user out"
        )
    return entry


def _write_private(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
