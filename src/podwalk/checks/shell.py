"""Running a small script where a probe stands: in a Pod, on a node, or in the world beyond the cluster.

A place is written ``namespace/pod``, ``namespace/deploy/name``, ``node:NAME`` or ``outside``. Scripts run as the
learner would run them: by `kubectl exec`, `podwalk node` and `podwalk outside`.
"""

from __future__ import annotations

import re
import shlex

from podwalk.api import meta
from podwalk.backends.base import Cluster
from podwalk.checks.report import Finding
from podwalk.checks.signals import CouldNotTellError, NotYetError, OvertakenError
from podwalk.checks.state import State, is_ready, split_ref

# What kubectl and the kubelet say when the Pod, not the cluster, is the reason. The learner can see and mend that.
_POD_AT_FAULT = re.compile(
    r'pods "[^"]*" not found|namespaces "[^"]*" not found|container not found|not running|completed pod|unable to find '
    r"container|does not have a host assigned|is not valid for pod|stopped container",
    re.IGNORECASE,
)
# A rollout takes along what runs in an old Pod: SIGKILL or SIGTERM, as exit codes.
_KILLED = (137, 143)

OUTSIDE = "outside"
NODE = "node:"


def is_pod(place: str) -> bool:
    """Whether a place is a Pod."""
    return place != OUTSIDE and not place.startswith(NODE)


def is_deployment(ref: str) -> bool:
    """Whether a place is ``namespace/deploy/name``."""
    return split_ref(ref)[1].startswith("deploy/")


class Shell:
    """Finds the place of a probe and runs scripts there."""

    def __init__(self, cluster: Cluster, state: State) -> None:
        self._cluster = cluster
        self._state = state

    def locate(self, ref: str) -> tuple[str, str]:
        """Namespace and name of the Pod to use; of a Deployment, its newest ready one. Raises NotYetError."""
        namespace, name = split_ref(ref)
        kind, slash, owner = name.partition("/")
        if not slash:
            return namespace, name
        if kind != "deploy":
            raise ValueError(f"{ref!r}: write namespace/pod or namespace/deploy/name")
        pods = self._state.pods_of(f"{namespace}/{owner}")
        best = next((p for p in pods if is_ready(p)), None)
        if best is None:
            observed = f"{len(pods)} Pods, none of them ready" if pods else "it has no Pod"
            see_it = f"kubectl -n {namespace} get deploy,pod"
            raise NotYetError(Finding(f"a ready Pod of deployment/{owner}", observed, see_it))
        return namespace, str(best["metadata"]["name"])

    def run(self, place: str, script: str, timeout: float) -> str:
        """Run a POSIX shell script; what it printed. Raises NotYetError (the Pod is at fault) or CouldNotTellError."""
        return self._in_pod(place, script, timeout) if is_pod(place) else self._beyond(place, script, timeout)

    def _beyond(self, place: str, script: str, timeout: float) -> str:
        argv = ["sh", "-c", script]
        if place == OUTSIDE:
            done = self._cluster.outside(argv, timeout=timeout)
        else:
            done = self._cluster.node(place.removeprefix(NODE), argv, timeout=timeout)
        if done.ok:
            return done.stdout
        said = _last_line(done.stderr) or f"it ended with {done.returncode}"
        raise CouldNotTellError(f"a command {in_place(place)}: {said}")

    def _in_pod(self, ref: str, script: str, timeout: float) -> str:
        namespace, pod = self.locate(ref)
        done = self._cluster.kubectl("exec", "-n", namespace, pod, "--", "sh", "-c", script, timeout=timeout)
        if done.ok:
            return done.stdout
        said = _last_line(done.stderr) or f"kubectl exec ended with {done.returncode}"
        finding = Finding(f"the Pod {namespace}/{pod} runs", said, f"kubectl -n {namespace} get pod {pod}")
        # Of a Deployment it may have been a Pod on its way out: the next look is at its successor.
        if (done.returncode in _KILLED or is_deployment(ref)) and self._is_going(f"{namespace}/{pod}"):
            raise OvertakenError(finding)
        if _POD_AT_FAULT.search(done.stderr):
            raise NotYetError(finding)
        raise CouldNotTellError(f"kubectl exec into {namespace}/{pod}: {said}")

    def _is_going(self, ref: str) -> bool:
        """Whether the Pod ends, or has ended."""
        found = self._state.find("Pod", ref)
        return found is None or meta.is_deleting(found)


def in_place(place: str) -> str:
    """The place in words: ``on node podwalk-worker``, ``outside the cluster``, ``in shop/web``."""
    if place == OUTSIDE:
        return "outside the cluster"
    return f"on node {place.removeprefix(NODE)}" if place.startswith(NODE) else f"in {place}"


def see_it(place: str, *argv: str) -> str:
    """The command that a learner types to see the same."""
    if place == OUTSIDE:
        return f"podwalk outside -- {shlex.join(argv)}"
    if place.startswith(NODE):
        return f"podwalk node {place.removeprefix(NODE)} -- {shlex.join(argv)}"
    namespace, name = split_ref(place)
    return f"kubectl -n {namespace} exec {name} -- {shlex.join(argv)}"


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("Defaulted container")]
    return lines[-1].strip() if lines else ""
