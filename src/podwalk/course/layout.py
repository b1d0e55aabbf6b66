"""A learner's own folder of the course, and how it is brought up to date without losing what the learner wrote.

For each file the folder remembers what it was when podwalk wrote it (``.podwalk-course.json``). From that, from what
the file is now and from what podwalk brings follows whose change it is, as in a three-way merge: what only podwalk
changed is replaced, what only the learner changed stays, and where both did the learner's file stays and the new one is
put beside it. Of a notebook only the cells count: having run it is no change.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podwalk.course.progress import exclusive
from podwalk.course.schema import LabError

RECORD = ".podwalk-course.json"
_FORMAT = 1
# What a learner reads and runs. Labs, checkers and solutions stay where podwalk is: nobody is to edit them by mistake.
_TREES = ("notebooks", "docs")
# Pages for those who work on podwalk are not among them.
_NOT_FOR_LEARNERS = (
    "docs/architecture.md",
    "docs/benchmarks.md",
    "docs/add-a-lab.md",
    "docs/instructors.md",
    "docs/jupyterhub.md",
)
_ENDINGS = (".ipynb", ".yaml", ".md", ".png")
_FILES = ("get-kubectl",)


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one file: ``what`` is added, updated, removed, kept (it is the learner's) or beside.

    ``beside`` is the file with podwalk's new version, where the learner's was kept although both changed.
    """

    path: str
    what: str
    beside: str = ""


def lay_out(content: Path, folder: Path, version: str, *, dry_run: bool = False) -> list[Change]:
    """Write the course's files into ``folder``, or bring them up to date; what changed.

    ``content`` is the root of the course's trees, ``version`` podwalk's. Raises LabError where the folder is none of
    ours or cannot be written.
    """
    _refuse(content, folder)
    try:
        if dry_run:
            return [change for change, _ in _plan(content, folder, version)]
        folder.mkdir(parents=True, exist_ok=True)
        with exclusive(folder / f"{RECORD}.lock"):
            return _carry_out(content, folder, version)
    except OSError as error:
        raise LabError(
            f"{error.filename or folder}: {error.strerror}; choose a folder of yours: podwalk init DIR"
        ) from None


def shipped(content: Path) -> dict[str, Path]:
    """The files that a course folder gets, by their paths in it."""
    found = {name: content / name for name in _FILES if (content / name).is_file()}
    found |= {name: content / "scripts" / name for name in _FILES if (content / "scripts" / name).is_file()}
    for tree in _TREES:
        for path in sorted((content / tree).rglob("*")):
            relative = path.relative_to(content)
            hidden = any(part.startswith(".") for part in relative.parts)
            if hidden or path.suffix not in _ENDINGS or relative.as_posix() in _NOT_FOR_LEARNERS:
                continue
            if path.is_file():
                found[relative.as_posix()] = path
    return found


def fingerprint(data: bytes, name: str) -> str:
    """What tells two versions of a file apart; of a notebook, its cells without what running them left."""
    if name.endswith(".ipynb"):
        try:
            cells = [(cell["cell_type"], "".join(cell["source"])) for cell in json.loads(data)["cells"]]
            data = json.dumps(cells).encode()
        except (ValueError, KeyError, TypeError):
            pass  # Not a notebook any more: then every byte counts.
    return hashlib.sha256(data).hexdigest()


def _refuse(content: Path, folder: Path) -> None:
    if (folder / "src" / "podwalk").is_dir() or folder.resolve() == content.resolve():
        raise LabError(f"{folder}: is podwalk's own repository, where the course is already; name another folder")
    if folder.exists() and not folder.is_dir():
        raise LabError(f"{folder}: is a file; name a folder")
    if folder.is_dir() and not (folder / RECORD).exists() and any(p.name != f"{RECORD}.lock" for p in folder.iterdir()):
        raise LabError(f"{folder}: holds other things and no course; name a new folder: podwalk init {folder}/podwalk")


def _carry_out(content: Path, folder: Path, version: str) -> list[Change]:
    record = _recorded(folder)
    # The record comes first, so that a folder whose laying out was interrupted is known as ours.
    _write_record(folder, version, record)
    sources, changes = shipped(content), []
    for change, new in _plan(content, folder, version):
        if change.what == "removed":
            (folder / change.path).unlink(missing_ok=True)
        elif change.what in ("added", "updated"):
            _write(folder / change.path, sources[change.path])
        elif change.beside:
            _write(folder / change.beside, sources[change.path])
        if new:
            record[change.path] = new
        else:
            record.pop(change.path, None)
        if change.what:
            changes.append(change)
    _write_record(folder, version, record)
    return changes


def _plan(content: Path, folder: Path, version: str) -> Iterator[tuple[Change, str]]:
    """Each file's change (``what`` is empty where all is well) with the fingerprint to remember."""
    record, sources = _recorded(folder), shipped(content)
    for path, source in sources.items():
        new = fingerprint(source.read_bytes(), path)
        yield _merged(folder, path, record.get(path), new, version), new
    for path in sorted(record.keys() - sources.keys()):
        ours = _fingerprint_of(folder, path) == record[path]
        yield Change(path, "removed" if ours else ""), ""


def _merged(folder: Path, path: str, base: str | None, new: str, version: str) -> Change:
    mine = _fingerprint_of(folder, path)
    if mine is None:
        return Change(path, "added")
    if mine == new:
        return Change(path, "")
    if mine == base:
        return Change(path, "updated")
    if base == new:
        return Change(path, "kept")
    stem, dot, ending = path.rpartition(".")
    return Change(path, "kept", f"{stem}.podwalk-{version}{dot}{ending}" if dot else f"{path}.podwalk-{version}")


def _fingerprint_of(folder: Path, path: str) -> str | None:
    try:
        return fingerprint((folder / path).read_bytes(), path)
    except FileNotFoundError:
        return None


def _recorded(folder: Path) -> dict[str, str]:
    path = folder / RECORD
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError:
        data = None
    if not isinstance(data, dict) or not isinstance(data.get("files"), dict):
        raise LabError(f"{path}: the file: cannot be read; remove it, and podwalk takes every file for yours")
    if data.get("format") != _FORMAT:
        raise LabError(f"{path}: format {data.get('format')} is of another podwalk; update podwalk")
    return {str(k): str(v) for k, v in data["files"].items() if _inside(str(k))}


def _inside(path: str) -> bool:
    return not os.path.isabs(path) and ".." not in Path(path).parts


def _write_record(folder: Path, version: str, files: dict[str, str]) -> None:
    data = {"format": _FORMAT, "version": version, "files": dict(sorted(files.items()))}
    _replace(folder / RECORD, (json.dumps(data, indent=1) + "\n").encode(), 0o644)


def _write(target: Path, source: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A wheel may have lost the bit that makes a script a command.
    _replace(target, source.read_bytes(), 0o755 if target.name in _FILES else 0o644)


def _replace(target: Path, data: bytes, mode: int) -> None:
    """The new file is there as a whole, or the old one is."""
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, mode)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
