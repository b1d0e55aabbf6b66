"""How a probe ends a step early. Checkers never see these: a step catches them at its end."""

from __future__ import annotations

from podwalk.checks.report import Finding


class NotYetError(Exception):
    """An expectation was not met, and the cluster is not to blame."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"expected {finding.expected}, observed {finding.observed}")
        self.finding = finding


class OvertakenError(NotYetError):
    """The Pod was replaced while the probe was in it: something has just moved, whatever the state says now."""


class CouldNotTellError(Exception):
    """The probe itself failed, so nothing is known about the learner's work."""


class NotTriedError(Exception):
    """The step needs another one that has not passed."""
