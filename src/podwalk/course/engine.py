"""Starting, checking, resetting and finishing labs on a cluster.

The cluster says whether a lab runs (its namespaces carry the lab's label); the progress file says how it looked when it
began. Where the two disagree, because a process died in between, the lab is made anew.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
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
from podwalk.course import catalogue
from podwalk.course.catalogue import LAB_LABEL, Hint, LabSpec
from podwalk.course.objects import WaitError, apply_all, delete_namespaces, wait_ready
from podwalk.course.progress import Attempt, Progress, exclusive

T = TypeVar("T")

_CONTROL_LABEL = "podwalk.dev/control"
_READY_SECONDS = {"embedded": 60.0}
_READY_SECONDS_ELSEWHERE = 300.0
_FIX_SECONDS = 300.0
# Not the manager of the setup: server-side apply would take away every field of it that an answer does not repeat.
_ANSWER_MANAGER = "podwalk-answer"


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
        self.cluster = cluster
        self.progress = progress
        self._uid = self._asking(lambda client: meta.uid(client.get("Namespace", "kube-system")))

    def start(self, lab: LabSpec) -> Started:
        """Put the lab into the cluster, unless it is there, and remember how it looks. It is then the current lab."""
        if self.cluster.backend not in lab.backends:
            raise CourseError(
                f"{lab.name} does not run on {self.cluster.backend}; it runs on {', '.join(lab.backends)}"
            )
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
            report = run_check(lab.facts(), lab.checker(), self.cluster, attempt.at_start)
        self.progress.record(attempt, report)
        return report

    def reset(self, lab: LabSpec) -> None:
        """Make this lab anew, as if just started; nothing else changes."""
        with self._lock():
            if not self._present(lab):
                raise NotRunningError(lab.name)
            self._make(lab)

    def stop(self, lab: LabSpec) -> None:
        """Take the lab out of the cluster; with the last lab the control Pods go as well."""
        with self._lock():
            present = self._present(lab)
            self.progress.end(lab.name, self._uid)
            gone = list(lab.namespaces)
            if not [name for name in self.running() if name != lab.name]:
                gone.append(control.NAMESPACE)
            self._asking(lambda client: delete_namespaces(client, self._ours(client, lab, gone)))
            if not present:
                raise NotRunningError(lab.name)

    def solve(self, lab: LabSpec) -> list[str]:
        """Apply the solution; the names of the files that were applied. Passes of this attempt no longer count."""
        attempt = self._attempt(lab)
        with self._lock():
            # Marked first: whoever ends us half-way has seen the solution at work all the same.
            self.progress.mark_solved(attempt.id)
            return apply_answer(self.cluster, lab.solution / "fix")

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
        return HintTaken(hint, wanted, count, wanted > taken)

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
        objects = lab.objects()
        seconds = _READY_SECONDS.get(self.cluster.backend, _READY_SECONDS_ELSEWHERE)

        def make(client: SyncClient) -> list[Object]:
            delete_namespaces(client, self._ours(client, lab, list(lab.namespaces)))
            self._control(client, wait=False)
            apply_all(client, objects)
            wait_ready(client, [*lab.namespaces, control.NAMESPACE], lab.unready, seconds)
            return freeze(client, lab.namespaces)

        at_start = self._asking(make)
        self.progress.begin(lab.name, self.cluster.name, self._uid, at_start)

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
        if self.progress.attempt(lab.name, self._uid) is None:
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
        if attempt is None:
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


def _labs_on(client: SyncClient) -> list[str]:
    labels = {meta.labels(n)[LAB_LABEL] for n in client.list("Namespace", label_selector=LAB_LABEL)}
    return sorted(label.replace(".", "/", 1) for label in labels)


def apply_answer(cluster: Cluster, path: Path) -> list[str]:
    """Apply an answer: a .yaml file, a .sh script, or a folder of both in the order of their names.

    Scripts run with sh, KUBECONFIG pointing at the cluster, and nothing else of podwalk's. Returns the file names.
    Raises CourseError where one fails.
    """
    files = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".sh")) if path.is_dir() else [path]
    for file in files:
        if file.suffix == ".sh":
            env = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig_path)}
            done = subprocess.run(
                ["sh", "-eu", str(file)], env=env, capture_output=True, text=True, timeout=_FIX_SECONDS, check=False
            )
            code, said = done.returncode, done.stderr
        else:
            args = (
                "apply",
                "--server-side",
                "--force-conflicts",
                f"--field-manager={_ANSWER_MANAGER}",
                "-f",
                str(file),
            )
            result = cluster.kubectl(*args, timeout=_FIX_SECONDS)
            code, said = result.returncode, result.stderr
        if code:
            last = said.strip().splitlines()[-1:] or [f"exit code {code}"]
            raise CourseError(f"{file}: {last[0]}; see it: podwalk lab reset, then try again")
    return [f.name for f in files]
