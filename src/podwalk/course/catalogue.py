"""The labs there are: found because their folders exist, under one id in three trees.

``labs/<layer>/<id>/`` holds the broken cluster and its ticket, ``solutions/<layer>/<id>/`` the repair and wrong
answers, ``checkers/<layer>/<id with underscores>.py`` the checker. Adding a lab changes no other file.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.checks.lab import LabFacts
from podwalk.checks.run import Checker
from podwalk.course import schema
from podwalk.course.schema import LabError

LAB_LABEL = "podwalk.dev/lab"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Hint:
    """One hint and what it costs."""

    text: str
    cost: int = 0


@dataclass(frozen=True, slots=True)
class LabSpec:
    """One lab, as lab.yaml describes it. ``root`` is the folder of the three trees."""

    layer: str
    id: str
    root: Path
    title: str
    order: int
    minutes: tuple[int, int]
    difficulty: str
    backends: tuple[str, ...]
    objectives: tuple[str, ...]
    namespaces: tuple[str, ...]
    points: dict[str, int]
    hints: tuple[Hint, ...]
    unready: tuple[str, ...] = ()
    references: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``layer/id``."""
        return f"{self.layer}/{self.id}"

    @property
    def label(self) -> str:
        """The value of the label that every object of the lab carries."""
        return f"{self.layer}.{self.id}"

    @property
    def possible(self) -> int:
        """All points."""
        return sum(self.points.values())

    @property
    def folder(self) -> Path:
        """``labs/<layer>/<id>``."""
        return self.root / "labs" / self.layer / self.id

    @property
    def solution(self) -> Path:
        """``solutions/<layer>/<id>``."""
        return self.root / "solutions" / self.layer / self.id

    @property
    def checker_path(self) -> Path:
        """``checkers/<layer>/<id with underscores>.py``."""
        return self.root / "checkers" / self.layer / f"{self.id.replace('-', '_')}.py"

    def facts(self) -> LabFacts:
        """What a check needs to know of it."""
        return LabFacts(self.name, self.title, self.namespaces, self.points)

    def ticket(self) -> str:
        """The README of the lab. Raises LabError."""
        return read(self.folder / "README.md")

    def objects(self) -> list[Object]:
        """The objects of setup/*.yaml in the order of the files, labelled as the lab's. Raises LabError."""
        found = []
        for path in sorted((self.folder / "setup").glob("*.yaml")):
            found += [self._checked(obj, path) for obj in documents(path)]
        if not found:
            raise LabError(f"{self.folder / 'setup'}: the folder: has no *.yaml; a lab needs something to break")
        return found

    def checker(self) -> Checker:
        """The ``check`` function of the lab's checker. Raises LabError."""
        path = self.checker_path
        module_spec = importlib.util.spec_from_file_location(f"checkers.{self.layer}.{path.stem}", path)
        if not path.is_file() or module_spec is None or module_spec.loader is None:
            raise LabError(f"{path}: the file: is missing; write check(lab: Lab) there, see docs/add-a-lab.md")
        module = importlib.util.module_from_spec(module_spec)
        module_spec.loader.exec_module(module)
        check = getattr(module, "check", None)
        if not callable(check):
            raise LabError(f"{path}: check: is no function; write def check(lab: Lab) -> None")
        return cast(Checker, check)

    def _checked(self, obj: Object, path: Path) -> Object:
        try:
            resource = resources.of(obj)
        except KeyError as error:
            raise LabError(f"{path}: kind: {error} is unknown; see podwalk.api.resources") from None
        space = meta.namespace(obj) if resource.namespaced else meta.name(obj) if resource.kind == "Namespace" else None
        if space not in self.namespaces:
            raise LabError(
                f"{path}: {obj['kind']}/{meta.name(obj)}: is outside the lab's namespaces; "
                f"put it into one of {', '.join(self.namespaces)}"
            )
        obj["metadata"].setdefault("labels", {})[LAB_LABEL] = self.label
        return obj


def course_root() -> Path:
    """The folder with labs/: $PODWALK_COURSE, the one this code is in, or the nearest above here. Raises LabError."""
    chosen = os.environ.get("PODWALK_COURSE")
    candidates = [Path(chosen)] if chosen else [Path(__file__).resolve().parents[3], Path.cwd(), *Path.cwd().parents]
    for folder in candidates:
        if (folder / "labs").is_dir():
            return folder
    where = f"PODWALK_COURSE={chosen}" if chosen else "this installation"
    raise LabError(f"{where}: labs: is not there; run podwalk inside its repository, or set PODWALK_COURSE to it")


def lab_folders(root: Path) -> Iterator[Path]:
    """The folders that are labs."""
    return (path.parent for path in sorted(root.glob("labs/*/*/lab.yaml")))


def load(folder: Path) -> LabSpec:
    """The lab in ``labs/<layer>/<id>``. Raises LabError.

    The schema speaks only where a quick look finds fault: jsonschema takes longer to import than a check to run. The
    tests validate every lab in full.
    """
    path = folder / "lab.yaml"
    data = next(iter(documents(path)), None)
    if not schema.plausible(data):
        schema.validate(data, path)
    assert isinstance(data, dict)
    layer, lab_id = folder.parent.name, folder.name
    label = f"{layer}.{lab_id}"
    if len(label) > schema.MAX_LABEL:
        raise LabError(f"{path}: the id: {label} has {len(label)} characters; a label holds {schema.MAX_LABEL}")
    hints = tuple(Hint(h) if isinstance(h, str) else Hint(h["text"], h.get("cost", 0)) for h in data["hints"])
    return LabSpec(
        layer,
        lab_id,
        folder.parents[2],
        data["title"],
        data["order"],
        tuple(data["minutes"]),
        data["difficulty"],
        tuple(data["backends"]),
        tuple(data["objectives"]),
        tuple(data["namespaces"]),
        dict(data["points"]),
        hints,
        tuple(data.get("unready", ())),
        tuple(data.get("references", ())),
    )


def all_labs(root: Path) -> list[LabSpec]:
    """Every lab, by layer and order. Raises LabError about the first that is wrong."""
    return sorted((load(folder) for folder in lab_folders(root)), key=lambda lab: (lab.layer, lab.order, lab.id))


def find(root: Path, name: str) -> LabSpec:
    """A lab by ``layer/id``, by its id, or by the beginning of either if only one begins so. Raises LabError."""
    folders = {f"{f.parent.name}/{f.name}": f for f in lab_folders(root)}
    wanted = name.strip("/")
    exact = [n for n in folders if wanted in (n, n.rpartition("/")[2])]
    found = exact or [n for n in folders if n.startswith(wanted) or n.rpartition("/")[2].startswith(wanted)]
    if len(found) == 1:
        return load(folders[found[0]])
    if not found:
        raise LabError(f"there is no lab {name}; see: podwalk lab list")
    raise LabError(f"{name} could be {' or '.join(sorted(found))}; write more of it")


def documents(path: Path) -> list[Any]:
    """The YAML documents of a file that are not empty. Raises LabError, with the line where it does not parse."""
    try:
        return [doc for doc in yaml.load_all(read(path), Loader=_LOADER) if doc is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}" if mark is not None else "the file"
        raise LabError(f"{path}: {line}: {getattr(error, 'problem', None) or 'is no YAML'}; mend the YAML") from None


def read(path: Path) -> str:
    """A text file. Raises LabError."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise LabError(
            f"{path}: the file: cannot be read ({error.strerror}); write it, see docs/add-a-lab.md"
        ) from None
