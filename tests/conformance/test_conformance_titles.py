"""Every conformance spec of sig-network in Kubernetes v1.36 has its test: the spec's title is the test's docstring."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

_HERE = Path(__file__).parent


def _docstrings() -> Counter[str]:
    found: Counter[str] = Counter()
    for file in _HERE.glob("test_*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                found[ast.get_docstring(node) or ""] += 1
    return found


def test_each_spec_has_one_test() -> None:
    titles = (_HERE / "specs.txt").read_text().splitlines()
    found = _docstrings()
    assert len(titles) == len(set(titles)) == 47
    assert [(title, found[title]) for title in titles if found[title] != 1] == []
    named = {text for text in found if text.endswith("[Conformance]")}
    assert named - set(titles) == set()
