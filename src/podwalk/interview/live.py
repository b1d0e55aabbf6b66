"""The live part of an interview: a drill in the learner's cluster, or the reason why there is none."""

from __future__ import annotations

from podwalk import backends
from podwalk.backends.base import BackendError
from podwalk.faults import drill
from podwalk.faults.drill import LiveDrill
from podwalk.interview.session import Interview

NOT_WANTED = "it was not wanted"
GIVEN_UP = "it was given up"


class LeftOutError(Exception):
    """The live part cannot be held; the message says why."""


def begin(held: Interview, cluster_name: str) -> LiveDrill:
    """Break something for the part that the interview is in, the same again after an interruption.

    Raises LeftOutError. Whoever calls it closes the drill, whatever happens.
    """
    part = held.part
    assert part is not None
    cluster = backends.find(cluster_name)
    if cluster is None:
        raise LeftOutError(f"cluster {cluster_name} does not run; podwalk up starts one")
    try:
        return drill.begin(cluster, level=part.level, stacked=part.stacked, seed=held.state.seed)
    except BackendError as error:
        raise LeftOutError(str(error)) from error
