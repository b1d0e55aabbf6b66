"""The control of every check: is the cluster itself well? Only then is a failed step the learner's.

Two Pods of podwalk's own, in a namespace that no lab touches, call each other through a Service by name: that takes the
API server, the kubelet, cluster DNS, kube-proxy and the Pod network. The course room applies their manifest.
"""

from __future__ import annotations

from collections.abc import Iterable

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.report import Finding, StepResult, Verdict
from podwalk.client.sync import SyncClient
from podwalk.cluster.workloads import WORKLOADS

NAMESPACE = "podwalk-control"
CALLER = "caller"
SERVICE = "answerer"
TITLE = "the cluster is well"
_ITSELF = "http://127.0.0.1:8080/hostname"
_URL = f"http://{SERVICE}.{NAMESPACE}.svc.cluster.local./hostname"
# What a lab may break by itself, so that its absence is no sign of an ill cluster.
DNS, NETWORK, NODES, ADDONS = BREAKABLE = ("dns", "network", "nodes", "addons")
_TRIES = 3


class IllError(Exception):
    """The cluster is not well, with what was expected, observed, and how to see or cure it."""

    def __init__(self, expected: str, observed: str, see_it: str) -> None:
        super().__init__(observed)
        self.finding = Finding(expected, observed, see_it)


def check(cluster: Cluster, client: SyncClient, breaks: tuple[str, ...] = (), addons: Iterable[str] = ()) -> StepResult:
    """The control as a line of the report: "pass", or "could not tell". Never raises for an ill cluster.

    What the lab breaks by itself is left out: with ``dns`` the call goes to the address of the Service, with
    ``network`` the answerer calls itself, which still takes the API server, the kubelet and a running Pod; with
    ``nodes`` a node may be ill, but not all of them. ``addons`` must run, unless the lab breaks those.
    """
    try:
        _nodes(client.list("Node"), NODES in breaks)
        if ADDONS not in breaks:
            _addons(client, addons)
        _call(cluster, _target(client, breaks))
    except IllError as ill:
        return _ill(ill.finding)
    except ApiError as error:
        return _ill(Finding("the API server answers", error.message, "podwalk status"))
    except (BackendError, OSError) as error:
        return _ill(Finding("the API server answers", str(error) or type(error).__name__, "podwalk status"))
    return StepResult(TITLE, "control", Verdict.PASS, reason="a control Pod answers")


def _target(client: SyncClient, breaks: tuple[str, ...]) -> str:
    if NETWORK in breaks:
        return _ITSELF
    if DNS in breaks:
        service = client.find("Service", SERVICE, NAMESPACE) or {}
        return f"http://{(service.get('spec') or {}).get('clusterIP', SERVICE)}/hostname"
    return _URL


def _nodes(nodes: list[Object], some: bool) -> None:
    ill = [meta.name(n) for n in nodes if not meta.condition_is_true(n, "Ready")]
    if some and len(ill) < len(nodes):
        return
    if ill or not nodes:
        observed = f"not Ready: {', '.join(ill)}" if ill else "the cluster has no node"
        raise IllError("every node is Ready", observed, "kubectl get nodes")


def _addons(client: SyncClient, names: Iterable[str]) -> None:
    """Raises IllError where an add-on is not there or not available."""
    for name in names:
        workload = WORKLOADS.get(name)
        if workload is None:
            continue
        found = client.find("Deployment", workload.name, workload.namespace)
        if found is None or not meta.condition_is_true(found, "Available"):
            see_it = f"kubectl -n {workload.namespace} get pods; to put it back: podwalk addon install {name}"
            raise IllError(f"the add-on {name} runs", "it is not available" if found else "it is not installed", see_it)


def _call(cluster: Cluster, url: str) -> None:
    """One request between the control Pods; what is lost or refused for a moment is tried again. Raises IllError."""
    script = f"n=0; until {_curl(url)} || [ $n -ge {_TRIES - 1} ]; do n=$((n+1)); sleep 0.5; done"
    pod = SERVICE if url == _ITSELF else CALLER
    done = cluster.kubectl("exec", "-n", NAMESPACE, pod, "--", "sh", "-c", script, timeout=20)
    see_it = f"kubectl -n {NAMESPACE} exec {pod} -- curl -sSm2 {url}"
    expected = "a control Pod answers another by name" if url == _URL else "a control Pod answers"
    if not done.ok:
        said = done.stderr.strip().splitlines()
        if "NotFound" in done.stderr or "not found" in done.stderr:
            cure = "podwalk lab start (it puts the control Pods back)"
            raise IllError(expected, f"the control Pods are missing: {said[-1]}", cure)
        raise IllError(expected, said[-1] if said else f"kubectl exec ended with {done.returncode}", see_it)
    answers = http.parse(done.stdout)
    if not answers or answers[-1].status != 200:
        raise IllError(expected, answers[-1].outcome if answers else "no answer", see_it)


def _curl(url: str) -> str:
    return http.script(url, 1, 2).removesuffix("; true")


def _ill(finding: Finding) -> StepResult:
    return StepResult(TITLE, "control", Verdict.COULD_NOT_TELL, finding=finding, reason="your work was not judged")
