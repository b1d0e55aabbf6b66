"""Starting, checking, resetting and finishing labs on a cluster.

The cluster says whether a lab runs (its namespaces carry the lab's label); the progress file says how it looked when it
began. Where the two disagree, because a process died in between, the lab is made anew.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from podwalk.api import meta
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import control
from podwalk.checks.report import Report
from podwalk.checks.run import run_check
from podwalk.checks.state import freeze
from podwalk.client.sync import SyncClient
from podwalk.course import addons, answers, catalogue, fitting, leftovers, outside, values
from podwalk.course.addons import AddonError
from podwalk.course.answers import ScriptError
from podwalk.course.catalogue import LAB_LABEL, Hint, LabSpec
from podwalk.course.leftovers import Leftover
from podwalk.course.objects import WaitError, apply_all, delete_labelled, delete_namespaces, wait_ready
from podwalk.course.progress import Attempt, Progress, exclusive

T = TypeVar("T")

_CONTROL_LABEL = "podwalk.dev/control"
_READY_SECONDS = {"embedded": 60.0}
_READY_SECONDS_ELSEWHERE = 300.0


class CourseError(Exception):
    """The learner asked for something that cannot be; the message is one line with a cure."""


class NotRunningError(CourseError):
    """The lab is not running on this cluster."""

    def __init__(self, lab: str) -> None:
        super().__init__(f"{lab} is not running; start it: podwalk lab start {lab.rpartition('/')[2]}")


@dataclass(frozen=True, slots=True)
class Started:
    """``already``: it was running before. ``others``: other labs that run on this cluster too."""

    lab: LabSpec
    already: bool
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HintTaken:
    """A hint with its number (from 1), how many there are, and whether it was new."""

    hint: Hint
    number: int
    count: int
    fresh: bool


class Course:
    """The labs on one cluster. Methods raise CourseError, LabError, ProgressError or BackendError: all are one line."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self.cluster = cluster.for_labs()
        self.progress = progress
        self._uid = self._asking(lambda client: meta.uid(client.get("Namespace", "kube-system")))

    def start(self, lab: LabSpec) -> Started:
        """Put the lab into the cluster, unless it is there, and remember how it looks. It is then the current lab."""
        if self.cluster.backend not in lab.backends:
            raise CourseError(
                f"{lab.name} does not run on {self.cluster.backend}; it runs on {', '.join(lab.backends)}"
            )
        if missing := fitting.complaint(lab, self.cluster):
            raise CourseError(missing)
        with self._lock():
            others = tuple(name for name in self.running() if name != lab.name)
            if self._runs(lab):
                self._asking(self._control)
                self.progress.set_current(lab.name, self._uid)
                return Started(lab, True, others)
            self._make(lab)
            return Started(lab, False, others)

    def check(self, lab: LabSpec) -> Report:
        """Judge the learner's work and record the report. Reads only."""
        # Several checks may run at once, but none while a reset is half done: it would find everything replaced.
        with self._lock(shared=True):
            attempt = self._attempt(lab)
            found = run_check(lab.facts(attempt.parameters), lab.checker(), self.cluster, attempt.at_start)
        report = found.told(self.cluster.shown)
        self.progress.record(attempt, report)
        return report

    def reset(self, lab: LabSpec) -> None:
        """Make this lab anew, as if just started; nothing else changes."""
        with self._lock():
            if not self._present(lab):
                raise NotRunningError(lab.name)
            self._make(lab)

    def stop(self, lab: LabSpec) -> list[Leftover]:
        """Take the lab out of the cluster; with the last lab the control Pods go as well.

        Returns what the learner made meanwhile outside the lab's namespaces: it stays.
        """
        with self._lock():
            present, attempt = self._present(lab), self.progress.attempt(lab.name, self._uid)
            if present:
                self._undo(lab)
            self.progress.end(lab.name, self._uid)
            gone = list(lab.namespaces)
            if not [name for name in self.running() if name != lab.name]:
                gone.append(control.NAMESPACE)
            self._asking(lambda client: self._clear(client, lab, gone))
            if not present:
                raise NotRunningError(lab.name)
            if attempt is None:
                return []
            return self._asking(lambda client: leftovers.since(client, attempt.started, [*gone, *_spaces(client)]))

    def solve(self, lab: LabSpec) -> list[str]:
        """Apply the solution; the names of the files that were applied. Passes of this attempt no longer count."""
        attempt = self._attempt(lab)
        with self._lock():
            # Marked first: whoever ends us half-way has seen the solution at work all the same.
            self.progress.mark_solved(attempt.id)
            return self._apply(lab, attempt, lab.solution / "fix")

    def answer(self, lab: LabSpec, path: Path) -> list[str]:
        """Apply somebody's answer: a file, or a folder of them. Raises CourseError where it does not apply."""
        return self._apply(lab, self._attempt(lab), path)

    def objects(self, lab: LabSpec) -> list[Object]:
        """The objects that the running lab was made of. Raises NotRunningError or LabError."""
        return lab.objects(values.of(self.cluster, self._attempt(lab).parameters))

    def ticket(self, lab: LabSpec) -> str:
        """The lab's ticket, with namespaces as they are called on this cluster. Raises LabError."""
        return self.cluster.shown(lab.ticket())

    def hint(self, lab: LabSpec, number: int | None = None) -> HintTaken:
        """The next hint, or one of those already read. Raises CourseError for one that is further ahead."""
        taken, count = self.progress.hints_taken(lab.name), len(lab.hints)
        wanted = min(taken + 1, count) if number is None else number
        if not 1 <= wanted <= min(taken + 1, count):
            raise CourseError(
                f"{lab.name} has hints 1 to {count}, and you have read {taken}; next: podwalk lab hint"
                if wanted <= count
                else f"{lab.name} has {count} hints; see them again: podwalk lab hint --number N"
            )
        hint = lab.hints[wanted - 1]
        self.progress.take_hint(lab.name, wanted, hint.cost)
        return HintTaken(replace(hint, text=self.cluster.shown(hint.text)), wanted, count, wanted > taken)

    def running(self) -> list[str]:
        """The labs whose namespaces are on this cluster, by name."""
        return self._asking(_labs_on)

    def current(self) -> str | None:
        """The lab that commands mean when they name none: the last one started that still runs."""
        running, chosen = self.running(), self.progress.current(self._uid)
        if chosen in running:
            return chosen
        return running[0] if len(running) == 1 else None

    # Parts

    def _make(self, lab: LabSpec) -> None:
        """Delete what there is of the lab, apply, wait, remember. Raises CourseError where a namespace is foreign."""
        before = self.progress.attempt(lab.name, self._uid)
        # A reset keeps the values: the learner's notes stay true.
        parameters = before.parameters if before else values.draw(lab.parameters)
        filled = values.of(self.cluster, parameters)
        objects = lab.objects(filled)
        seconds = _READY_SECONDS.get(self.cluster.backend, _READY_SECONDS_ELSEWHERE)
        if self._present(lab):
            self._undo(lab)

        def make(client: SyncClient) -> None:
            # First the kinds: what is not served cannot be cleared.
            self._install(client, lab)
            self._clear(client, lab, list(lab.namespaces))
            self._control(client, wait=False)
            apply_all(client, objects)
            wait_ready(client, [*lab.namespaces, control.NAMESPACE], lab.unready, seconds)
            if lab.outside:
                outside.add(self.cluster, client, lab.label, lab.outside, seconds)

        self._asking(make)
        # The values are on record before a script uses them: whoever dies half-way leaves something to mend.
        attempt = self.progress.begin(lab.name, self.cluster.name, self._uid, [], parameters)
        for script in lab.scripts():
            self._run(script, filled, "podwalk doctor shows what is missing")
        self.progress.remember(attempt, self._asking(lambda client: freeze(client, lab.namespaces, lab.kinds())))

    def _install(self, client: SyncClient, lab: LabSpec) -> None:
        """The add-ons that the lab needs; they stay for the next lab."""
        try:
            for name in addons.missing(client, lab.addons):
                addons.install(self.cluster, name)
        except AddonError as error:
            raise CourseError(str(error)) from None

    def _undo(self, lab: LabSpec) -> None:
        """Mend what the lab did outside its namespaces; harmless where the learner has already done so."""
        if lab.outside:
            outside.remove(self.cluster, lab.label)
        if lab.teardown.is_file():
            attempt = self.progress.attempt(lab.name, self._uid)
            filled = values.of(self.cluster, attempt.parameters if attempt else values.draw(lab.parameters))
            cure = f"start over: podwalk down --name {self.cluster.name} && podwalk up --name {self.cluster.name}"
            self._run(lab.teardown, filled, cure)

    def _run(self, script: Path, filled: dict[str, str], cure: str) -> None:
        try:
            answers.run(self.cluster, script, filled)
        except ScriptError as error:
            raise CourseError(f"{error}; {cure}") from None

    def _apply(self, lab: LabSpec, attempt: Attempt, path: Path) -> list[str]:
        try:
            return answers.apply(self.cluster, path, values.of(self.cluster, attempt.parameters))
        except ScriptError as error:
            raise CourseError(f"{error}; see it: podwalk lab reset {lab.id}, then try again") from None

    def _clear(self, client: SyncClient, lab: LabSpec, namespaces: list[str]) -> None:
        """Delete the lab's namespaces, and what it has put beside them."""
        spaces = self._ours(client, lab, namespaces)
        delete_labelled(client, lab.cluster_kinds(), f"{LAB_LABEL}={lab.label}")
        delete_namespaces(client, spaces)

    def _ours(self, client: SyncClient, lab: LabSpec, namespaces: list[str]) -> list[str]:
        """Those of the namespaces that exist. Raises CourseError where one is not of this lab."""
        found = []
        for name in namespaces:
            obj = client.find("Namespace", name)
            if obj is None:
                continue
            labels = meta.labels(obj)
            if labels.get(LAB_LABEL) != lab.label and _CONTROL_LABEL not in labels:
                raise CourseError(
                    f"namespace/{name}: exists and is not of {lab.name}; delete it: kubectl delete ns {name}"
                )
            found.append(name)
        return found

    def _runs(self, lab: LabSpec) -> bool:
        """Whether all of the lab is there and we know how it began."""
        attempt = self.progress.attempt(lab.name, self._uid)
        if attempt is None or not attempt.at_start:
            return False
        spaces = self._asking(lambda client: [client.find("Namespace", n) for n in lab.namespaces])
        return all(
            s is not None and not meta.is_deleting(s) and meta.labels(s).get(LAB_LABEL) == lab.label for s in spaces
        )

    def _present(self, lab: LabSpec) -> bool:
        return lab.name in self.running() or self.progress.attempt(lab.name, self._uid) is not None

    def _attempt(self, lab: LabSpec) -> Attempt:
        attempt = self.progress.attempt(lab.name, self._uid)
        if lab.name not in self.running():
            raise NotRunningError(lab.name)
        if attempt is None or not attempt.at_start:
            raise CourseError(
                f"{lab.name}: your progress file does not know how it began; start over: podwalk lab reset {lab.id}"
            )
        return attempt

    def _control(self, client: SyncClient, wait: bool = True) -> None:
        """Put the control Pods into the cluster where they are not."""
        if client.find("Pod", control.CALLER, control.NAMESPACE) and client.find("Pod", "answerer", control.NAMESPACE):
            return
        objects = catalogue.documents(Path(__file__).with_name("control.yaml"))
        for obj in objects:
            obj["metadata"].setdefault("labels", {})[_CONTROL_LABEL] = "true"
        apply_all(client, objects)
        if wait:
            wait_ready(client, [control.NAMESPACE], (), _READY_SECONDS_ELSEWHERE)

    def _lock(self, *, shared: bool = False) -> AbstractContextManager[None]:
        """One command at a time changes labs, and nobody judges one meanwhile; a second one waits."""
        return exclusive(self.progress.path.with_name("lab.lock"), shared=shared)

    def _asking(self, ask: Callable[[SyncClient], T]) -> T:
        """Ask the API server; whatever goes wrong becomes one line. Raises BackendError."""
        try:
            with self.cluster.client() as client:
                return ask(client)
        except ApiError as error:
            raise BackendError(f"cluster {self.cluster.name}: {error.message}; see: podwalk status") from error
        except WaitError as error:
            raise BackendError(f"cluster {self.cluster.name}: {error}; look: kubectl get events -A") from error
        except OSError as error:
            raise BackendError(
                f"cluster {self.cluster.name}: the API server does not answer ({error}); start it: podwalk up"
            ) from error


def _spaces(client: SyncClient) -> list[str]:
    """The namespaces of all labs, and of the control Pods."""
    return [control.NAMESPACE, *(meta.name(n) for n in client.list("Namespace", label_selector=LAB_LABEL))]


def _labs_on(client: SyncClient) -> list[str]:
    labels = {meta.labels(n)[LAB_LABEL] for n in client.list("Namespace", label_selector=LAB_LABEL)}
    return sorted(label.replace(".", "/", 1) for label in labels)
