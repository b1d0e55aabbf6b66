"""The indexes of Indexed Jobs: lists like ``1,3-5``, and which index a Pod is for. Pure.

Upstream: indexed_job_utils.go of pkg/controller/job.
"""

from __future__ import annotations

from collections.abc import Iterable

from podwalk.api import meta
from podwalk.api.meta import Object

ANNOTATION = "batch.kubernetes.io/job-completion-index"


def parse(text: str | None, completions: int) -> set[int]:
    """The indexes of a list, those from ``completions`` on left out; what does not parse counts as none."""
    out: set[int] = set()
    for part in (text or "").split(","):
        first, _, last = part.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            continue
        out.update(range(int(first), min(int(last or first), completions - 1) + 1))
    return out


def render(indexes: Iterable[int]) -> str:
    """The list: runs of three and more as ``first-last``, of two as well."""
    runs: list[list[int]] = []
    for index in sorted(set(indexes)):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(
        str(first) if first == last else f"{first},{last}" if last == first + 1 else f"{first}-{last}"
        for first, last in runs
    )


def index_of(pod: Object) -> int:
    """The Pod's completion index, -1 where it has none."""
    text = meta.annotations(pod).get(ANNOTATION, "")
    return int(text) if text.isdigit() else -1


def first_pending(taken: set[int], count: int, completions: int) -> list[int]:
    """The lowest ``count`` indexes that are not taken."""
    out: list[int] = []
    for index in range(completions):
        if len(out) >= count:
            break
        if index not in taken:
            out.append(index)
    return out


def duplicates(pods: Iterable[Object], completions: int) -> list[Object]:
    """Pods without a valid index, and all but the first of each index (the caller sorts by what may stay)."""
    seen: set[int] = set()
    out = []
    for pod in pods:
        index = index_of(pod)
        if not 0 <= index < completions or index in seen:
            out.append(pod)
        seen.add(index)
    return out
