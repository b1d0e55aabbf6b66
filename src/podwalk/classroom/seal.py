"""Sealing results: a file that nobody can change afterwards without the key of the class (HMAC, RFC 2104, SHA-256).

A seal says: this is what was collected, under this name, at this time. It says nothing of how the learner came to it:
see docs/instructors.md for what one machine can and cannot prove.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from podwalk.classroom.roster import ClassError

FORMAT = "podwalk-results/1"
ALGORITHM = "HMAC-SHA256"
_MOST_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Opened:
    """A sealed file that was read. ``state``: sealed, changed, other key, unreadable or missing.

    ``body`` is empty unless the state is "sealed"; ``why`` then says nothing, else in one line what is wrong.
    """

    state: str
    body: dict[str, Any]
    why: str = ""


def seal(body: dict[str, Any], key: bytes) -> str:
    """The text of a sealed file."""
    mark = {"algorithm": ALGORITHM, "key": key_id(key), "mac": _mac(body, key)}
    return json.dumps({"body": body, "seal": mark}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def write(path: Path, body: dict[str, Any], key: bytes) -> None:
    """Seal and write in one step: whoever is interrupted leaves the file of before. Raises ClassError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.unlink(missing_ok=True)
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(seal(body, key))
        fresh.replace(path)
    except OSError as error:
        raise ClassError(f"{path}: {error.strerror}; is the disk full?") from None


def read(path: Path, learner: str, key: bytes) -> Opened:
    """Read the sealed file of a learner and say whether it is as it was collected. Raises nothing."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return Opened("missing", {}, "nothing was collected")
    except OSError as error:
        return Opened("unreadable", {}, str(error.strerror))
    try:
        if len(data) > _MOST_BYTES:
            raise ValueError("it is too large")
        found = json.loads(data)
        body, mark = found["body"], found["seal"]
        mac, by, of = str(mark["mac"]), str(mark["key"]), body["learner"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Opened("unreadable", {}, f"not a file of results: {error}")
    if by != key_id(key):
        return Opened("other key", {}, f"sealed with key {by[:16]}, not with {key_id(key)}")
    if mark.get("algorithm") != ALGORITHM or not hmac.compare_digest(mac.encode(), _mac(body, key).encode()):
        return Opened("changed", {}, "it is not what was collected")
    if of != learner or body.get("format") != FORMAT:
        return Opened("changed", {}, f"it was collected for {of}")
    return Opened("sealed", body)


def key_id(key: bytes) -> str:
    """What tells keys apart and says nothing of them."""
    return hashlib.sha256(b"podwalk key id\0" + key).hexdigest()[:16]


def _mac(body: dict[str, Any], key: bytes) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # A lone surrogate is possible in JSON and not in UTF-8; it is to be sealed like all else.
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
