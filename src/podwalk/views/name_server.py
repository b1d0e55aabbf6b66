"""The cluster's name server at work: its log switched on, and the questions that one command in a Pod made it answer.

The log is CoreDNS' own plugin (plugin/log): one line a question, with the client, the name, the type and the answer.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks.state import split_ref
from podwalk.client.sync import SyncClient
from podwalk.course.objects import WaitError, wait_for
from podwalk.views.callers import run_at
from podwalk.views.table import Cell, Table

_SECONDS = 60.0
_SELECTOR = "k8s-app=kube-dns"
_LINE = re.compile(
    r'^\[INFO\] (?P<client>[\d.]+):\d+ - \d+ "(?P<type>\S+) IN (?P<name>\S+) (?P<protocol>\w+) [^"]*"'
    r" (?P<code>\S+) \S+ \d+ (?P<seconds>[\d.]+)s$"
)


@dataclass(frozen=True, slots=True)
class Question:
    """One line of the log."""

    client: str
    type: str
    name: str
    code: str
    seconds: float


def parse(lines: list[str]) -> list[Question]:
    """The questions in lines of a log."""
    found = (_LINE.match(line.strip()) for line in lines)
    return [Question(m["client"], m["type"], m["name"], m["code"], float(m["seconds"])) for m in found if m]


def switch_log(cluster: Cluster, on: bool) -> str:
    """Put the plugin ``log`` into the Corefile, or take it out; wait until the server has read it. What was done."""
    with cluster.client() as client:
        config = client.get("ConfigMap", "coredns", "kube-system")
        corefile = str(config["data"]["Corefile"])
        without = re.sub(r"^[ \t]*log[ \t]*\n", "", corefile, flags=re.MULTILINE)
        wanted = re.sub(r"^([ \t]*)errors[ \t]*$", r"\1log\n\1errors", without, flags=re.MULTILINE) if on else without
        if wanted == corefile:
            return f"the log is {'on' if on else 'off'} already"
        before = {meta.name(p): len(_log(cluster, p)) for p in _servers(client)}
        client.patch("ConfigMap", "coredns", {"data": {"Corefile": wanted}}, "kube-system")
        try:
            wait_for(lambda: _not_reloaded(cluster, client, before), _SECONDS)
        except WaitError as error:
            raise BackendError(f"{error}; look: kubectl -n kube-system logs deployment/coredns") from error
    return f"the log is {'on' if on else 'off'}"


def questions(cluster: Cluster, pod: str, command: str) -> Table:
    """Run a command in a Pod and show what the name server was asked by it. The log has to be on."""
    namespace, name = split_ref(pod)
    with cluster.client() as client:
        address = str(client.get("Pod", name, namespace)["status"]["podIP"])
        servers = _servers(client)
    before = {meta.name(p): len(_log(cluster, p)) for p in servers}
    done = run_at(cluster, pod, command)
    # A log is read behind the server's back; a last question of our own says that everything before it is there.
    end = f"the-end-{time.monotonic_ns()}.invalid."
    run_at(cluster, pod, f"getent ahostsv4 {end}; true")
    lines: list[str] = []

    def not_there() -> str:
        lines[:] = [line for p in servers for line in _log(cluster, p)[before[meta.name(p)] :]]
        return "" if any(f" {end} " in line for line in lines) else "the name server's log holds no questions"

    try:
        wait_for(not_there, _SECONDS / 4)
    except WaitError as error:
        raise BackendError(
            f"{error}; is it switched on? kubectl -n kube-system get configmap coredns -o yaml"
        ) from error
    asked = [q for q in parse(lines) if q.client == address and q.name != end]
    rows = [
        [Cell(q.name), Cell(q.type), Cell(q.code, bad=q.code != "NOERROR"), Cell(f"{q.seconds * 1000:.2f} ms")]
        for q in asked
    ]
    wasted = sum(q.code != "NOERROR" for q in asked)
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()[:1]
    foot = f"{len(asked)} questions, {wasted} in vain. The command said: {said[0] if said else 'nothing'}"
    return Table(f"What the name server was asked by: {command}", ["name", "type", "answer", "took"], rows, foot)


def _servers(client: SyncClient) -> list[Object]:
    pods = client.list("Pod", "kube-system", label_selector=_SELECTOR)
    return [p for p in pods if not p["metadata"].get("deletionTimestamp")]


def _log(cluster: Cluster, pod: Object) -> list[str]:
    done = cluster.kubectl("logs", "-n", "kube-system", meta.name(pod))
    if not done.ok:
        raise BackendError(f"pod/{meta.name(pod)}: {done.stderr.strip()}; look: kubectl -n kube-system get pods")
    return done.stdout.splitlines()


def _not_reloaded(cluster: Cluster, client: SyncClient, before: dict[str, int]) -> str:
    for pod in _servers(client):
        name = meta.name(pod)
        if not any("Reloading complete" in line for line in _log(cluster, pod)[before.get(name, 0) :]):
            return f"pod/{name}: the Corefile is not read yet"
    return ""
