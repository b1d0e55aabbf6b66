"""A cluster with the application on it, to be asked and waited for."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from podwalk.api.errors import ApiError
from podwalk.backends.base import Cluster, Completed
from podwalk.client.sync import SyncClient
from podwalk.course.objects import WaitError, wait_ready
from podwalk.faults import app, asking, probes
from podwalk.faults import facts as reading
from podwalk.faults.facts import NAMESPACES, Facts
from podwalk.faults.model import FaultError

log = logging.getLogger(__name__)

_LOOK = 0.2
_SCRIPT_SECONDS = 30.0


class Bench:
    """The application on one cluster. Use it as a context manager: it holds one client."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.client: SyncClient = cluster.client()

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *exc: object) -> None:
        self.client.close()

    def node(self, node: str, script: str) -> Completed:
        """Run a shell script on a node."""
        return self.cluster.node(node, ["sh", "-c", script], timeout=_SCRIPT_SECONDS)

    def facts(self) -> Facts:
        """Who is where. Raises FaultError on a cluster with fewer than two workers."""
        try:
            return reading.read(self.client, self.cluster.status())
        except LookupError as error:
            raise FaultError(f"{error}, and the faults need two; podwalk up without --config makes them") from None

    def put(self, parts: Collection[str] = ()) -> None:
        """Put the application and these parts on the cluster where they are not. Raises FaultError."""
        app.put(self.cluster, self.client, self.facts(), parts)

    def questions(self) -> list[str]:
        """The names of the probes that the application's parts allow."""
        return [p.name for p in probes.of_parts(app.parts(self.client))]

    def ask(self, names: Collection[str]) -> dict[str, str]:
        """What these probes see now."""
        return asking.ask(self.cluster, self.facts(), [probes.PROBES[n] for n in names])

    def sick(self, seconds: float) -> dict[str, str]:
        """What is not well after at most so many seconds of looking again; empty where everything is well at once."""
        return probes.sick(self.look(seconds))

    def look(self, seconds: float) -> dict[str, str]:
        """What every probe sees, looked at again for at most so many seconds until all are well at once.

        Rollouts have as many seconds to end before that.
        """
        self._settle(seconds)
        # Only now: what has just become ready may be a moment from answering everybody.
        deadline = time.monotonic() + seconds
        todo = everything = self.questions()
        seen: dict[str, str] = {}
        while True:
            asked = self.ask(todo)
            seen |= asked
            left = probes.sick(asked)
            if not left and len(todo) == len(everything):
                return seen
            if left and time.monotonic() > deadline:
                return seen
            # Once what was ill has recovered everything is asked again: the others may have suffered meanwhile.
            todo = list(left) or everything
            time.sleep(_LOOK)

    def _settle(self, seconds: float) -> None:
        """Wait for rollouts, which is cheaper than to ask Pods that are about to go."""
        try:
            wait_ready(self.client, (*NAMESPACES, "kube-system"), (), seconds)
        except WaitError as error:
            log.info("the tramway does not settle: %s", error)

    def wait_to_see(self, wanted: Mapping[str, str], seconds: float) -> dict[str, str]:
        """The answers of these probes, looked at until each matches its pattern, or until the seconds are over."""
        deadline = time.monotonic() + seconds
        while True:
            seen = self.ask(list(wanted))
            if matches(seen, wanted) or time.monotonic() > deadline:
                return seen
            time.sleep(_LOOK)


def matches(seen: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether each answer matches its pattern."""
    return all(re.fullmatch(pattern, seen[name]) for name, pattern in wanted.items())


@contextmanager
def open_bench(cluster: Cluster) -> Iterator[Bench]:
    """The bench of a cluster; what the API server refuses becomes one line. Raises FaultError."""
    try:
        with Bench(cluster) as bench:
            yield bench
    except ApiError as error:
        raise FaultError(f"cluster {cluster.name}: {error.message}; see: podwalk status") from error
