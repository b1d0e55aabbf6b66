"""The table: a kubectl verb (or a verb of a verb, as ``rollout status``) -> what is checked of it.

The checks stand in ``verbs_*.py``; each takes a Kubectl in a namespace of its own on a running cluster. REFUSED holds
what the cluster does not do: the words with which it says so, and why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], None]

TABLE: dict[str, list[Check]] = {}


def verb(*names: str) -> Callable[[Check], Check]:
    """Put a check into the table, under each of the verbs that it covers."""

    def put(check: Check) -> Check:
        for name in names:
            TABLE.setdefault(name, []).append(check)
        return check

    return put


REFUSED = {
    "autoscale": (
        ["autoscale", "deployment/web", "--max=3"],
        "could not find the requested resource|failed to create autoscaling/v2 HPA",
        "there is no HorizontalPodAutoscaler: nothing here is measured the way it would need",
    ),
    "certificate": (
        ["certificate", "approve", "x"],
        "the server doesn't have a resource type|no matches for kind|could not find the requested resource",
        "identities are tokens; there are no CertificateSigningRequests",
    ),
}
"""verb -> (a command line, a pattern of what it says, why)"""

GROUPS = ("apply", "auth", "cluster-info", "config", "create", "rollout", "set", "top")
"""Verbs whose own verbs stand in the table, too."""
