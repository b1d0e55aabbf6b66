"""A notebook's hold on its cluster: found or started, with kubectl and podwalk ready for the cells that use a shell."""

from __future__ import annotations

import atexit
import dataclasses
import os
import re
import sys
from pathlib import Path
from typing import Any

from podwalk import backends
from podwalk.api import clusterconfig, meta
from podwalk.api.errors import ApiError
from podwalk.backends.base import BackendError, Cluster, Fact, home
from podwalk.checks.state import split_ref
from podwalk.client.sync import SyncClient
from podwalk.course import catalogue
from podwalk.course.engine import Course
from podwalk.course.objects import WaitError, apply_all, delete_namespaces, wait_for, wait_ready
from podwalk.course.progress import Progress
from podwalk.views import interview_panel
from podwalk.views.course_layer7 import Layer7Course
from podwalk.views.course_network import NetworkCourse
from podwalk.views.course_policy import PolicyCourse
from podwalk.views.course_services import ServiceCourse
from podwalk.views.course_troubleshooting import TroubleshootingCourse
from podwalk.views.drill_panel import DrillPanel
from podwalk.views.interview_panel import InterviewPanel
from podwalk.views.lab_chooser import LabChooser
from podwalk.views.lab_panel import LabPanel
from podwalk.views.service_facts import ServiceFacts, read_service
from podwalk.views.service_map import ServiceMap
from podwalk.views.spread import Spread, ask
from podwalk.views.start_page import StartPage

DEFAULT_NAME = "podwalk"
_READY_SECONDS = 120.0


class OpenCourse(ServiceCourse, NetworkCourse, Layer7Course, PolicyCourse, TroubleshootingCourse):
    """What a chapter does with the cluster, one line a cell. Methods raise BackendError, whose message has a cure."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._chapter = ""

    def deploy(self, manifest: str | Path) -> None:
        """Put a chapter's own objects into the cluster, afresh, and wait until they are ready."""
        objects = catalogue.documents(Path(manifest))
        spaces = [meta.name(o) for o in objects if o["kind"] == "Namespace"]
        with self._client() as client:
            try:
                delete_namespaces(client, spaces)
                apply_all(client, objects)
                wait_for(lambda: _daemons_missing(client, spaces), _READY_SECONDS)
                wait_ready(client, spaces, (), _READY_SECONDS)
            except (WaitError, ApiError) as error:
                raise self._told(error) from error
        # A chapter may bring several manifests; the one of its own name begins it.
        if re.match(r"\d+-", Path(manifest).stem) and Path(manifest).with_suffix(".ipynb").is_file():
            self._chapter = Path(manifest).stem
            with Progress(home() / "progress.sqlite") as progress:
                progress.chapter_begun(self._chapter)

    def remove(self, namespace: str) -> None:
        """Take a chapter's namespace away and wait until it is gone: its last cell, so that the chapter is read."""
        with self._client() as client:
            try:
                delete_namespaces(client, [namespace])
            except (WaitError, ApiError) as error:
                raise self._told(error) from error
        if self._chapter:
            with Progress(home() / "progress.sqlite") as progress:
                progress.chapter_finished(self._chapter)

    def wait_for_endpoints(self, service: str, count: int, client: str) -> None:
        """Wait until the rules on the client's node know ``count`` endpoints of a Service, all of them ready.

        With none the rules say that there is nobody, which takes as long to arrive.
        """

        def missing() -> str:
            facts = self.facts(service, client)
            ready = {b.target for b in facts.backends if b.ready}
            known = len([r for r in facts.rules if r.target in ready])
            if known == count == len(facts.rules) and (count or facts.refused):
                return ""
            return f"service/{service}: {known} of {count} ready endpoints are in the rules, {len(facts.rules)} in all"

        try:
            wait_for(missing, _READY_SECONDS)
        except WaitError as error:
            raise self._told(error) from error

    def pods(self, namespace: str, selector: str) -> list[str]:
        """The Pods (``namespace/name``) that a label selector means, in the order of their nodes' names."""
        with self._client() as client:
            found = client.list("Pod", namespace, label_selector=selector)
        return [meta.key(p) for p in sorted(found, key=lambda p: (p["spec"].get("nodeName", ""), meta.name(p)))]

    def node_of(self, pod: str) -> str:
        """The node that a Pod (``namespace/name``) runs on."""
        namespace, name = split_ref(pod)
        with self._client() as client:
            return str(client.get("Pod", name, namespace)["spec"].get("nodeName", ""))

    def ask(self, pod: str, url: str, times: int, connections: int = 0) -> Spread:
        """Send real requests from a Pod, each on its own connection or on so many kept ones; who answered."""
        return ask(self.cluster, pod, url, times, connections)

    def facts(self, service: str, client: str) -> ServiceFacts:
        """What a Service is on the client's node right now: its list of addresses and its rules."""
        return read_service(self.cluster, service, client)

    def service_map(self, service: str, client: str) -> ServiceMap:
        """The way of a call from the client's Pod to the Service, drawn from the rules and objects there are now."""
        return ServiceMap(self.facts(service, client))

    def beside(self, **options: Any) -> OpenCourse:
        """A second cluster with other options (fields of ClusterConfig: ``proxy_mode``, ``cni``, …).

        It is embedded, ends with `down` or with this Python, and leaves the cells' kubectl on the first one.
        """
        name = f"{self.cluster.name}-{'-'.join(_word(k, v) for k, v in options.items())}"
        found = backends.find(name)
        if found is None:
            config = dataclasses.replace(clusterconfig.default(name), **options)
            found = backends.backend("embedded").up(config, progress=_print)
        other = OpenCourse(found)
        atexit.register(other.down)
        return other

    def down(self) -> None:
        """End the cluster, if it still runs. For one that stands beside the learner's own."""
        atexit.unregister(self.down)
        found = backends.find(self.cluster.name)
        if found is not None:
            found.down()

    def lab(self, name: str) -> LabPanel:
        """The panel of a lab."""
        return LabPanel(name, self.cluster)

    def labs(self, layer: str, first: str = "") -> LabChooser:
        """The labs of a layer to choose from; ``first`` is shown to begin with."""
        return LabChooser(layer, self.cluster, first)

    def start_page(self) -> StartPage:
        """Where the learner stands: chapters, labs by layer, and the next step."""
        return StartPage(self.cluster)

    def drills(self, *layers: str, levels: tuple[str, ...] = (), count: int = 10) -> DrillPanel:
        """Questions of some layers, or of all: what is due first, then new ones."""
        return DrillPanel(layers, levels, count)

    def interview(self, track: str = "junior", *, seed: int | None = None) -> InterviewPanel:
        """A mock interview. Where one goes on already, its panel; what was interrupted can be resumed in it."""
        return interview_panel.panel(track, seed=seed, cluster=self.cluster.name)

    def current_lab(self) -> str | None:
        """The lab that runs on this cluster."""
        with Progress(home() / "progress.sqlite") as progress:
            return Course(self.cluster, progress).current()

    def _client(self) -> SyncClient:
        return self.cluster.client()

    def _told(self, error: Exception) -> BackendError:
        return BackendError(f"cluster {self.cluster.name}: {error}; look: kubectl get events -A")


def open_course(name: str | None = None) -> OpenCourse:
    """Find the cluster, or start it, and let the cells that follow use it.

    ``name`` is the cluster's; without it, $PODWALK_CLUSTER or "podwalk". Sets KUBECONFIG and PODWALK_CLUSTER, and puts
    the folder of this Python (where kubectl and podwalk are) at the front of PATH. Raises BackendError.
    """
    name = name or os.environ.get("PODWALK_CLUSTER") or DEFAULT_NAME
    tools = str(Path(sys.executable).parent)
    if tools not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ.get('PATH', '')}"
    cluster = backends.find(name)
    if cluster is None:
        print(f"Cluster {name} is not running; starting it.")
        cluster = backends.backend("embedded").up(clusterconfig.default(name), progress=_print)
    os.environ["KUBECONFIG"] = str(cluster.kubeconfig_path)
    os.environ["PODWALK_CLUSTER"] = name
    print(f"Cluster {name} is up: {', '.join(node.name for node in cluster.status().nodes)}.")
    _note_chapter_without_objects()
    return OpenCourse(cluster)


def _note_chapter_without_objects() -> None:
    """A chapter that puts nothing into the cluster has no last cell that says so: opening it is reading it."""
    # Jupyter's server tells the kernel which notebook it is for.
    notebook = Path(os.environ.get("JPY_SESSION_NAME", "")).name
    if re.fullmatch(r"\d+-.*\.ipynb", notebook) and not Path(notebook).with_suffix(".yaml").exists():
        with Progress(home() / "progress.sqlite") as progress:
            progress.chapter_finished(Path(notebook).stem)


def _word(option: str, value: Any) -> str:
    """An option as a part of a cluster's name."""
    return f"{'' if value else 'no-'}{option.replace('_', '-')}" if isinstance(value, bool) else str(value)


def _print(fact: Fact) -> None:
    print(f"  ✔ {fact.text:<72} {fact.seconds:6.2f} s")


def _daemons_missing(client: SyncClient, namespaces: list[str]) -> str:
    for namespace in namespaces:
        for daemons in client.list("DaemonSet", namespace):
            status = daemons.get("status") or {}
            wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
            if not wanted or ready < wanted:
                return f"daemonset/{meta.name(daemons)}: {ready} of {wanted} Pods are Ready in {namespace}"
    return ""
