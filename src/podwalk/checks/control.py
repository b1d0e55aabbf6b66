"""The control of every check: is the cluster itself well? Only then is a failed step the learner's.

Two Pods of podwalk's own, in a namespace that no lab touches, call each other through a Service by name: that takes the
API server, the kubelet, cluster DNS, kube-proxy and the Pod network. The course room applies their manifest.
"""

from __future__ import annotations

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.report import Finding, StepResult, Verdict
from podwalk.client.sync import SyncClient

NAMESPACE = "podwalk-control"
CALLER = "caller"
SERVICE = "answerer"
TITLE = "the cluster is well"
_URL = f"http://{SERVICE}.{NAMESPACE}.svc.cluster.local./hostname"
_TRIES = 3


class IllError(Exception):
    """The cluster is not well, with what was expected, observed, and how to see or cure it."""

    def __init__(self, expected: str, observed: str, see_it: str) -> None:
        super().__init__(observed)
        self.finding = Finding(expected, observed, see_it)


def check(cluster: Cluster, client: SyncClient) -> StepResult:
    """The control as a line of the report: "pass", or "could not tell". Never raises for an ill cluster."""
    try:
        _nodes(client.list("Node"))
        _call(cluster)
    except IllError as ill:
        return _ill(ill.finding)
    except ApiError as error:
        return _ill(Finding("the API server answers", error.message, "podwalk status"))
    except (BackendError, OSError) as error:
        return _ill(Finding("the API server answers", str(error) or type(error).__name__, "podwalk status"))
    return StepResult(TITLE, "control", Verdict.PASS, reason="a control Pod answers")


def _nodes(nodes: list[Object]) -> None:
    ill = [meta.name(n) for n in nodes if not meta.condition_is_true(n, "Ready")]
    if ill or not nodes:
        observed = f"not Ready: {', '.join(ill)}" if ill else "the cluster has no node"
        raise IllError("every node is Ready", observed, "kubectl get nodes")


def _call(cluster: Cluster) -> None:
    """One request by name between the control Pods; a single lost packet is tried again. Raises IllError."""
    script = f"n=0; until {_curl()} || [ $n -ge {_TRIES - 1} ]; do n=$((n+1)); done"
    done = cluster.kubectl("exec", "-n", NAMESPACE, CALLER, "--", "sh", "-c", script, timeout=20)
    see_it = f"kubectl -n {NAMESPACE} exec {CALLER} -- curl -sSm2 {_URL}"
    expected = "a control Pod answers another by name"
    if not done.ok:
        said = done.stderr.strip().splitlines()
        if "NotFound" in done.stderr or "not found" in done.stderr:
            cure = "podwalk lab start (it puts the control Pods back)"
            raise IllError(expected, f"the control Pods are missing: {said[-1]}", cure)
        raise IllError(expected, said[-1] if said else f"kubectl exec ended with {done.returncode}", see_it)
    answers = http.parse(done.stdout)
    if not answers or answers[-1].status != 200:
        raise IllError(expected, answers[-1].outcome if answers else "no answer", see_it)


def _curl() -> str:
    return http.script(_URL, 1, 2).removesuffix("; true")


def _ill(finding: Finding) -> StepResult:
    return StepResult(TITLE, "control", Verdict.COULD_NOT_TELL, finding=finding, reason="your work was not judged")
