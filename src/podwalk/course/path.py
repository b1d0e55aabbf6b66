"""The way through the course: the chapters there are, and what to do next.

A chapter is found because its notebook exists, ``notebooks/NN-words.ipynb``. The one whose name has the words of a
layer of labs in it leads into that layer's labs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from podwalk.course.catalogue import LabSpec, chapter_stems, read, teaches
from podwalk.course.progress import Standing
from podwalk.course.schema import LabError

# So many labs of a layer make sense before the next chapter; the others wait for whoever likes to practise.
_LABS_BEFORE_THE_NEXT_CHAPTER = 3


@dataclass(frozen=True, slots=True)
class Chapter:
    """One notebook: ``stem`` is its file's name without the ending, ``title`` its first heading."""

    stem: str
    title: str

    @property
    def file(self) -> str:
        """Its file, seen from the other notebooks."""
        return f"{self.stem}.ipynb"

    def teaches(self, layer: str) -> bool:
        """Whether it leads into this layer's labs."""
        return teaches(self.stem, layer)


@dataclass(frozen=True, slots=True)
class Step:
    """What to do next: ``words`` for a reader, and the chapter or the lab that is meant, if any."""

    words: str
    chapter: Chapter | None = None
    lab: LabSpec | None = None


def chapters(root: Path) -> list[Chapter]:
    """The chapters in their order. Raises LabError about one that cannot be read."""
    return [Chapter(stem, _title(root / "notebooks" / f"{stem}.ipynb")) for stem in chapter_stems(root)]


def next_step(
    course: Sequence[Chapter],
    labs: Sequence[LabSpec],
    seen: Mapping[str, bool],
    standings: Mapping[str, Standing],
    running: Sequence[str] = (),
) -> Step:
    """The one thing to do next.

    ``seen`` says of chapters that were begun whether they were finished, ``standings`` what was reached in a lab by its
    name, ``running`` which labs are on the cluster.
    """
    todo = [lab for lab in labs if not standings.get(lab.name, Standing()).done]
    for lab in todo:
        if lab.name in running:
            return Step(f"Go on with the lab you started: {lab.title}.", lab=lab)
    for chapter in course:
        if not seen.get(chapter.stem, False):
            verb = "Finish" if chapter.stem in seen else "Read"
            return Step(f"{verb} the chapter {chapter.title}", chapter=chapter)
        own = [lab for lab in labs if chapter.teaches(lab.layer)]
        left = [lab for lab in own if lab in todo]
        if left and len(own) - len(left) < _LABS_BEFORE_THE_NEXT_CHAPTER:
            return Step(f"Practise what you have read: {left[0].title}.", lab=left[0])
    if todo:
        return Step(f"All chapters are read. The next lab: {todo[0].title}.", lab=todo[0])
    return Step("You have been everywhere. Show somebody else the way.")


def _title(path: Path) -> str:
    try:
        cells = json.loads(read(path))["cells"]
        lines = "".join(
            "".join(cell["source"]) + "\n" for cell in cells if cell["cell_type"] == "markdown"
        ).splitlines()
    except (ValueError, KeyError, TypeError):
        raise LabError(f"{path}: the file: is no notebook; get it back: podwalk init, or git checkout") from None
    return next((line.removeprefix("# ").strip() for line in lines if line.startswith("# ")), path.stem)
