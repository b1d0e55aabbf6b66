"""The values that a lab's files may name: the cluster's nodes, and the parameters drawn for this attempt.

``${WORKER}`` in a YAML file of setup/, fix/, also/ or wrong/ is filled in; scripts have the same names as variables.
Parameters vary from attempt to attempt, so that an answer cannot simply be copied.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping

from podwalk.backends.base import Cluster

_PLACE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def draw(parameters: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """One value for each parameter."""
    return {name: random.choice(choices) for name, choices in parameters.items()}


def of(cluster: Cluster, parameters: Mapping[str, str]) -> dict[str, str]:
    """Names and values: ``CONTROL_PLANE``, ``WORKER``, ``WORKER2``, …; a parameter ``port`` is ``LAB_PORT``."""
    found: dict[str, str] = {}
    count: dict[str, int] = {}
    for node in cluster.status().nodes:
        role = node.role.upper().replace("-", "_")
        count[role] = count.get(role, 0) + 1
        name = role if count[role] == 1 else f"{role}{count[role]}"
        found[name], found[f"{name}_IP"] = node.name, node.address
    return found | {f"LAB_{name.upper()}": value for name, value in parameters.items()}


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with its places filled; what has no value here stays as it is (a shell may know it)."""
    return _PLACE.sub(lambda m: values.get(m[1], m[0]), text)
