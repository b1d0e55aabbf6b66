"""The list of a class: a CSV or YAML file with a name for each learner and, where wanted, a system account."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

MOST_LEARNERS = 200
_MOST_BYTES = 256 * 1024
# A name becomes a folder, a file and a line of a table: that of a DNS label suits them all.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
_COLUMNS = ("name", "user")


class ClassError(Exception):
    """The instructor asked for something that cannot be; the message is one line with a cure."""


@dataclass(frozen=True, slots=True)
class Learner:
    """Somebody in a class. ``user``: the system account that owns their clusters; empty: the instructor's own."""

    name: str
    user: str = ""


def read(path: Path) -> list[Learner]:
    """The learners of a roster file, in its order. ``*.yaml`` and ``*.yml`` are YAML, all else is CSV.

    CSV has a header line with ``name`` and perhaps ``user``; other columns are left alone, so that a sheet of the
    school's can be used as it is. YAML is a list of names, or of mappings with the same two keys. Raises ClassError.
    """
    try:
        data = path.read_bytes()[: _MOST_BYTES + 1]
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ClassError(f"{path}: {error.strerror}; name a CSV or YAML file of your learners") from None
    except UnicodeDecodeError:
        raise ClassError(f"{path}: is not UTF-8 text; save the sheet as CSV in UTF-8") from None
    if len(data) > _MOST_BYTES:
        raise ClassError(f"{path}: is larger than {_MOST_BYTES // 1024} KiB; a roster has a line for each learner")
    entries = _from_yaml(text, path) if path.suffix in (".yaml", ".yml") else _from_csv(text, path)
    return _checked(entries, path)


def _from_csv(text: str, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    try:
        if "name" not in (reader.fieldnames or ()):
            raise ClassError(f"{path}: its first line has no column called name; begin it with: name,user")
        return [(f"line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise ClassError(f"{path}: line {reader.line_num}: {error}; save the sheet as CSV again") from None


def _from_yaml(text: str, path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        data: Any = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise ClassError(f"{path}: not YAML: {' '.join(str(error).split())}; a roster is a list of names") from None
    if not isinstance(data, list):
        raise ClassError(f"{path}: is no list; a roster is a list of names, or of mappings with name and user")
    entries: list[tuple[str, Mapping[str, Any]]] = []
    for number, entry in enumerate(data, 1):
        if isinstance(entry, dict) and (strange := set(entry) - set(_COLUMNS)):
            raise ClassError(f"{path}: entry {number}: unknown key {min(map(str, strange))}; keys are name and user")
        entries.append((f"entry {number}", entry if isinstance(entry, dict) else {"name": entry}))
    return entries


def _checked(entries: Iterable[tuple[str, Mapping[str, Any]]], path: Path) -> list[Learner]:
    learners: list[Learner] = []
    names: set[str] = set()
    users: set[str] = set()
    for where, entry in entries:
        name, user = (_word(entry.get(column)) for column in _COLUMNS)
        if not name and not user:
            continue
        if not _NAME.fullmatch(name):
            raise ClassError(f"{path}: {where}: {name!r} cannot be a name here; {_advice(name)}")
        if name in names:
            raise ClassError(f"{path}: {where}: {name} is there twice; give one of them another name")
        if user and user in users:
            raise ClassError(f"{path}: {where}: user {user} is there twice; each learner needs an account of their own")
        names.add(name)
        users.add(user)
        learners.append(Learner(name, user))
    if not learners:
        raise ClassError(f"{path}: has no learners; write a line for each")
    if len(learners) > MOST_LEARNERS:
        raise ClassError(
            f"{path}: has {len(learners)} learners; one machine takes {MOST_LEARNERS} at most: split the class"
        )
    return learners


def _word(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _advice(name: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    rule = "lower-case letters, digits and hyphens, 40 at most"
    return f"use {rule}" + (f", for example {slug}" if slug else "")
