"""Two names for one namespace: what a lab calls it, and what it is called on a cluster that several learners share.

A lab says ``bakery`` wherever it runs. On a shared cluster Ada's is ``ada-bakery``: that name has to stand in all that
is sent, and must not stand in what a lab or a checker reads. Pure: names, texts and objects in, the same out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_NAME_LABEL = "kubernetes.io/metadata.name"
_OF_A_NAME = "[a-z0-9-]"


@dataclass(frozen=True)
class Names:
    """``prefix`` (``ada-``; may be empty) before each of ``namespaces``, and before no other."""

    prefix: str
    namespaces: frozenset[str]

    def as_they_are(self) -> Names:
        """For whoever uses the cluster's own names: the same namespaces, and nothing to translate."""
        return Names("", frozenset(map(self.real, self.namespaces)))

    def real(self, namespace: str) -> str:
        """What the cluster calls it."""
        return self.prefix + namespace if namespace in self.namespaces else namespace

    def own(self, real: str) -> str | None:
        """What the labs call a namespace of the cluster; None where it is not one of theirs."""
        name = real.removeprefix(self.prefix)
        return name if real.startswith(self.prefix) and name in self.namespaces else None

    def outgoing(self, value: Any) -> Any:
        """A copy of an object as it is sent: namespaces, what selects them by name, and names of Services in texts."""
        return self._renamed(value) if self.prefix else value

    def incoming(self, value: Any) -> Any:
        """A copy of an object (or list, or text) as a lab knows it."""
        if not self.prefix:
            return value
        if isinstance(value, str):
            return self._real.sub(lambda match: match[1], value)
        if isinstance(value, list):
            return [self.incoming(item) for item in value]
        if isinstance(value, dict):
            return {key: self.incoming(item) for key, item in value.items()}
        return value

    def addressed(self, text: str) -> str:
        """A text in which names of Services are those of the cluster: ``oven.bakery.svc`` is ``oven.ada-bakery.svc``.

        Only a name with a dot before the namespace is taken for one.
        """
        return self._in_host.sub(lambda match: self.prefix + match[0], text) if self.prefix else text

    def shown(self, text: str) -> str:
        """A command or a text for the learner, who types the cluster's names: ``-n bakery``, ``bakery/oven``."""
        if not self.prefix:
            return text
        for pattern in (self._option, self._reference, self._quoted, self._selected):
            text = pattern.sub(lambda match: match[1] + self.prefix + match[2], text)
        return self.addressed(text)

    def _renamed(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return self.real(value) if key in ("namespace", _NAME_LABEL) else self.addressed(value)
        if isinstance(value, list):
            return [self._renamed(item, key) for item in value]
        if not isinstance(value, dict):
            return value
        found = {k: self._renamed(v, k) for k, v in value.items()}
        if value.get("kind") == "Namespace" and isinstance(value.get("metadata"), dict):
            found["metadata"]["name"] = self.real(value["metadata"].get("name", ""))
        if value.get("key") == _NAME_LABEL and isinstance(value.get("values"), list):
            found["values"] = [self.real(name) for name in value["values"]]
        return found

    @cached_property
    def _any(self) -> str:
        return _alternatives(self.namespaces)

    @cached_property
    def _real(self) -> re.Pattern[str]:
        return re.compile(f"(?<!{_OF_A_NAME}){re.escape(self.prefix)}({self._any})(?!{_OF_A_NAME})")

    @cached_property
    def _in_host(self) -> re.Pattern[str]:
        # A host ends where its port, its path, a quote or the text begins; "svc" may come between.
        return re.compile(rf"(?<=[a-z0-9]\.)({self._any})(?=\.svc(?!{_OF_A_NAME})|[:/\s\"'`]|$)")

    @cached_property
    def _option(self) -> re.Pattern[str]:
        before = r"(?<!\S)(?:(?:-n|--namespace|ns|namespace)[ =]|(?:ns|namespace)/|namespace: )"
        return re.compile(f"({before})({self._any})(?!{_OF_A_NAME})")

    @cached_property
    def _reference(self) -> re.Pattern[str]:
        return re.compile(rf"((?<![\w./:-]))({self._any})(?=/[a-z0-9])")

    @cached_property
    def _selected(self) -> re.Pattern[str]:
        return re.compile(rf"({re.escape(_NAME_LABEL)}[\"']?\s*[:=]\s*[\"']?)({self._any})(?!{_OF_A_NAME})")

    @cached_property
    def _quoted(self) -> re.Pattern[str]:
        return re.compile(rf"(`)({self._any})(?=`)")


def _alternatives(words: Iterable[str]) -> str:
    # The longest first: of "fair" and "fair-ground" the second is tried before its own beginning.
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True)) or "(?!)"
