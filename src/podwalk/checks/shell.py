"""Running a small script inside a Pod, by `kubectl exec`, as the learner would."""

from __future__ import annotations

import re
import shlex

from podwalk.backends.base import Cluster
from podwalk.checks.report import Finding
from podwalk.checks.signals import CouldNotTellError, NotYetError
from podwalk.checks.state import State, is_ready, split_ref

# What kubectl and the kubelet say when the Pod, not the cluster, is the reason. The learner can see and mend that.
_POD_AT_FAULT = re.compile(
    r'pods "[^"]*" not found|namespaces "[^"]*" not found|container not found|not running|completed pod|unable to find '
    r"container|does not have a host assigned|is not valid for pod|stopped container",
    re.IGNORECASE,
)


class PodShell:
    """Finds Pods and runs scripts in them. A Pod is ``namespace/name`` or ``namespace/deploy/name``."""

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

    def run(self, ref: str, script: str, timeout: float) -> str:
        """Run a POSIX shell script; what it printed. Raises NotYetError (the Pod is at fault) or CouldNotTellError."""
        namespace, pod = self.locate(ref)
        done = self._cluster.kubectl("exec", "-n", namespace, pod, "--", "sh", "-c", script, timeout=timeout)
        if done.ok:
            return done.stdout
        said = _last_line(done.stderr) or f"kubectl exec ended with {done.returncode}"
        if _POD_AT_FAULT.search(done.stderr):
            see_it = f"kubectl -n {namespace} get pod {pod}"
            raise NotYetError(Finding(f"the Pod {namespace}/{pod} runs", said, see_it))
        raise CouldNotTellError(f"kubectl exec into {namespace}/{pod}: {said}")


def see_it(ref: str, *argv: str) -> str:
    """The `kubectl exec` that a learner types to see the same."""
    namespace, name = split_ref(ref)
    return f"kubectl -n {namespace} exec {name} -- {shlex.join(argv)}"


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if not line.startswith("Defaulted container")]
    return lines[-1].strip() if lines else ""
