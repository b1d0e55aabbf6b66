"""The Pods of a Deployment as a set of names that follows the cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Set


class OwnedPods(Set[str]):
    """A set that is read anew whenever it is asked.

    Who compares answers with it while a rollout ends, compares with the Pods that are there then, and not with those
    that were there when the probe was written down. Sets that are made of it (``|``, ``-``) stay as they are.
    """

    def __init__(self, read: Callable[[], frozenset[str]]) -> None:
        self._read = read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __contains__(self, name: object) -> bool:
        return name in self._read()

    def __len__(self) -> int:
        return len(self._read())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self._read() == frozenset(other)

    __hash__ = None  # type: ignore[assignment]  # what changes cannot be hashed

    def __repr__(self) -> str:
        return repr(set(self._read()))

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> frozenset[str]:  # type: ignore[override]
        return frozenset(it)
