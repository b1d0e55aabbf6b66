"""An interpreter that other accounts can run, as the tests of clusters make it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_CLUSTER = Path(__file__).parents[1] / "cluster"
sys.path.insert(0, str(_CLUSTER))
_spec = importlib.util.spec_from_file_location("conftest_of_clusters", _CLUSTER / "conftest.py")
assert _spec
assert _spec.loader
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

ordinary_python = _module.ordinary_python
