"""The labs there are: found because their folders exist, under one id in three trees.

``labs/<layer>/<id>/`` holds the broken cluster and its ticket, ``solutions/<layer>/<id>/`` the repair and wrong
answers, ``checkers/<layer>/<id with underscores>.py`` the checker. Adding a lab changes no other file.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from podwalk.api import added, meta
from podwalk.api.meta import Object
from podwalk.checks.lab import LabFacts
from podwalk.checks.run import Checker
from podwalk.course import schema
from podwalk.course.schema import LabError
from podwalk.course.values import fill

LAB_LABEL = "podwalk.dev/lab"
# Where a wheel keeps the course; pyproject.toml puts it there.
INSTALLED = Path(__file__).resolve().parents[1] / "content"
# Kinds without a namespace that a lab never brings along.
_NOT_OURS = ("Node",)
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
    cluster: Mapping[str, Any] = field(default_factory=dict)
    breaks: tuple[str, ...] = ()
    addons: tuple[str, ...] = ()
    outside: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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

    @property
    def teardown(self) -> Path:
        """The script that undoes what the lab's own scripts did to nodes; there may be none."""
        return self.folder / "teardown.sh"

    def scripts(self) -> list[Path]:
        """``setup/*.sh`` in the order of their names: what is done to the cluster when all objects are there."""
        return sorted((self.folder / "setup").glob("*.sh"))

    def facts(self, parameters: Mapping[str, str] | None = None) -> LabFacts:
        """What a check needs to know of it."""
        return LabFacts(
            self.name, self.title, self.namespaces, self.points, self.breaks, dict(parameters or {}), self.addons
        )

    def ticket(self) -> str:
        """The README of the lab. Raises LabError."""
        return read(self.folder / "README.md")

    def objects(self, values: Mapping[str, str] | None = None) -> list[Object]:
        """The objects of setup/*.yaml in the order of the files, labelled as the lab's. Raises LabError.

        ``values`` fill the places ``${NAME}``; see :mod:`podwalk.course.values`.
        """
        found = []
        for path in sorted((self.folder / "setup").glob("*.yaml")):
            found += [self._checked(obj, path) for obj in documents(path, values)]
        if not found:
            raise LabError(f"{self.folder / 'setup'}: the folder: has no *.yaml; a lab needs something to break")
        return found

    def cluster_kinds(self) -> list[str]:
        """The kinds without a namespace that the lab brings along, besides its namespaces. Raises LabError."""
        kinds = {str(o["kind"]) for o in self.objects()}
        return sorted(k for k in kinds if k != "Namespace" and not added.by_kind(k).namespaced)

    def kinds(self) -> list[str]:
        """The kinds that the lab's namespaces hold at the start, by its files. Raises LabError."""
        kinds = {str(o["kind"]) for o in self.objects()}
        return sorted(k for k in kinds if added.by_kind(k).namespaced)

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
            resource = added.of(obj)
        except KeyError as error:
            raise LabError(
                f"{path}: kind: {error} is unknown; see podwalk.api.resources and podwalk.api.added"
            ) from None
        space = meta.namespace(obj) if resource.namespaced else meta.name(obj) if resource.kind == "Namespace" else None
        # Other kinds without a namespace belong to the cluster; the label says that this lab brought them.
        if space not in self.namespaces and not (space is None and resource.kind not in _NOT_OURS):
            raise LabError(
                f"{path}: {obj['kind']}/{meta.name(obj)}: is outside the lab's namespaces; "
                f"put it into one of {', '.join(self.namespaces)}"
            )
        obj["metadata"].setdefault("labels", {})[LAB_LABEL] = self.label
        return obj


def course_root() -> Path:
    """The folder with labs/. Raises LabError.

    $PODWALK_COURSE; else the repository that this code is in; else the nearest folder above here that has labs in it;
    else what was installed with this code.
    """
    chosen = os.environ.get("PODWALK_COURSE")
    if chosen:
        if (Path(chosen) / "labs").is_dir():
            return Path(chosen)
        raise LabError(
            f"PODWALK_COURSE={chosen}: labs: is not there; set it to the folder that labs/ is in, or unset it"
        )
    repository = Path(__file__).resolve().parents[3]
    if (repository / "labs").is_dir():
        return repository
    for folder in (Path.cwd(), *Path.cwd().parents, INSTALLED):
        if any(lab_folders(folder)):
            return folder
    raise LabError(
        "this installation: labs: is not there; install podwalk again, or set PODWALK_COURSE to its repository"
    )


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
        dict(data.get("cluster", {})),
        tuple(data.get("breaks", ())),
        tuple(data.get("addons", ())),
        dict(data.get("outside", {})),
        {name: tuple(str(v) for v in choices) for name, choices in data.get("parameters", {}).items()},
    )


def chapter_stems(root: Path) -> list[str]:
    """The chapters in their order: the names of ``notebooks/NN-words.ipynb`` without the ending."""
    return sorted(path.stem for path in (root / "notebooks").glob("[0-9]*-*.ipynb"))


def teaches(stem: str, layer: str) -> bool:
    """Whether a chapter leads into a layer's labs: 40-policy-and-egress teaches policy-egress."""
    return set(layer.split("-")) <= set(stem.split("-"))


def all_labs(root: Path) -> list[LabSpec]:
    """Every lab on its place in the course. Raises LabError about the first that is wrong.

    Layers come in the order of their chapters, those without one last; a layer's labs by their ``order``.
    """
    stems = chapter_stems(root)

    def place(lab: LabSpec) -> tuple[int, str, int, str]:
        chapter = next((i for i, stem in enumerate(stems) if teaches(stem, lab.layer)), len(stems))
        return chapter, lab.layer, lab.order, lab.id

    return sorted((load(folder) for folder in lab_folders(root)), key=place)


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


def documents(path: Path, values: Mapping[str, str] | None = None) -> list[Any]:
    """The YAML documents of a file that are not empty, filled with ``values``.

    Raises LabError, with the line where it does not parse.
    """
    try:
        return [doc for doc in yaml.load_all(fill(read(path), values or {}), Loader=_LOADER) if doc is not None]
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
