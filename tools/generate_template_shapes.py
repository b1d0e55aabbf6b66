"""Lists the fields of the Go structs below PodTemplateSpec, for podwalk.controllers.template_hash.

    python tools/generate_template_shapes.py SOURCE > src/podwalk/controllers/template_shapes.json

SOURCE is a folder with k8s.io/api and k8s.io/apimachinery of the wanted Kubernetes version. Only names, types and the
order of fields are read.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

_FILES = {"core": "k8s.io/api/core/v1/types.go", "meta": "k8s.io/apimachinery/pkg/apis/meta/v1/types.go"}
_SCALARS = {"string", "bool", "int32", "int64", "int", "uint8"}
_PACKAGES = {"metav1": "meta", "v1": "core"}
_STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.S | re.M)
_NAMED = re.compile(r"^type (\w+) (\S+)$", re.M)
_FIELD = re.compile(r'(\w+)\s+(\S+)\s+`json:"([^"]*)"')
_EMBEDDED = re.compile(r'([\w.]+)\s+`json:"([^"]*)"')


class Shapes:
    """The structs that were reached, by package and name."""

    def __init__(self, source: Path) -> None:
        texts = {package: (source / file).read_text() for package, file in _FILES.items()}
        self.structs = {(p, m[1]): m[2] for p, text in texts.items() for m in _STRUCT.finditer(text)}
        self.named = {(p, m[1]): m[2] for p, text in texts.items() for m in _NAMED.finditer(text)}
        self.reached: dict[str, list[list[str | None]]] = {}

    def resolve(self, package: str, kind: str) -> str:
        """A type in the notation of template_shapes.json; structs on the way are added."""
        if kind.startswith("*"):
            return "*" + self.resolve(package, kind[1:])
        if kind.startswith("[]"):
            return "[]" + self.resolve(package, kind[2:])
        if kind.startswith("map["):
            key, value = kind[4:].split("]", 1)
            return f"map[{self.resolve(package, key)}]{self.resolve(package, value)}"
        if kind in _SCALARS:
            return kind
        if "." in kind:
            prefix, name = kind.split(".")
            if prefix in _PACKAGES:
                return self.resolve(_PACKAGES[prefix], name)
            return f"{kind}=string" if prefix == "types" else kind
        if (package, kind) in self.structs:
            return self._struct(package, kind)
        if kind in ("Time", "FieldsV1"):
            return f"{package}.{kind}"
        return f"v1.{kind}={self.resolve(package, self.named[package, kind])}"

    def _struct(self, package: str, kind: str) -> str:
        name = f"{package}.{kind}"
        if name not in self.reached:
            self.reached[name] = []
            fields = _fields(self.structs[package, kind])
            self.reached[name] = [[field, self.resolve(package, of), key] for field, of, key in fields]
        return name


def _fields(body: str) -> Iterator[tuple[str, str, str | None]]:
    for line in body.splitlines():
        line = line.strip()
        if line.startswith("//"):
            continue
        if found := _FIELD.match(line):
            yield found[1], found[2], found[3].split(",")[0]
        elif found := _EMBEDDED.match(line):
            yield found[1].split(".")[-1], found[1], found[2].split(",")[0] or None


if __name__ == "__main__":
    shapes = Shapes(Path(sys.argv[1]))
    shapes.resolve("core", "PodTemplateSpec")
    print(json.dumps(shapes.reached, separators=(",", ":")))
