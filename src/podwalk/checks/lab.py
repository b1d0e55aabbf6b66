"""The vocabulary of checkers: steps, guards, and what can be expected in them.

A checker is a function ``check(lab: Lab) -> None``. It reads; it never changes anything. Each ``with lab.step(...)`` is
one line of the report: it passes if every expectation in it is met, and the first that is not ends the step.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType

from podwalk.api import selectors
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http, names
from podwalk.checks.patience import Clock, Patience, seconds
from podwalk.checks.probes import HttpProbe, Means, Observed, in_words
from podwalk.checks.report import Finding, StepKind, StepResult, Verdict
from podwalk.checks.shell import PodShell
from podwalk.checks.signals import CouldNotTellError, NotTriedError, NotYetError
from podwalk.checks.state import Frozen, Live, State, at_path, split_ref
from podwalk.client.sync import SyncClient

_RESOLVER_SCRIPT = "printf '%s\\n' {url}; cat /etc/hosts; echo '<<podwalk>>'; cat /etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class LabFacts:
    """What a check needs to know of its lab: ``layer/id``, title, namespaces, and the points of each step by title."""

    lab: str
    title: str
    namespaces: tuple[str, ...]
    points: Mapping[str, int]


class Step:
    """One line of the report, as a context manager; see :meth:`Lab.step`."""

    def __init__(self, lab: Lab, title: str, kind: StepKind, nudge: str, needs: Collection[Step]) -> None:
        self._lab, self.title, self._kind, self._nudge, self._needs = lab, title, kind, nudge, needs
        self.verdict = Verdict.NOT_TRIED
        self.expectations = 0

    def ask(self) -> None:
        """Called by everything that looks: ends the body at once where the step is not to be tried."""
        if any(step.verdict is not Verdict.PASS for step in self._needs):
            raise NotTriedError

    def __enter__(self) -> Step:
        self._lab._enter(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is not None and not isinstance(error, Exception):
            return False
        finding, reason = None, ""
        if isinstance(error, NotYetError):
            self.verdict, finding = Verdict.NOT_YET, error.finding
        elif isinstance(error, NotTriedError):
            missing = [s.title for s in self._needs if s.verdict is not Verdict.PASS]
            self.verdict, reason = Verdict.NOT_TRIED, f"needs “{missing[0]}”"
        elif error is None and self.expectations:
            self.verdict = Verdict.PASS
        else:
            self.verdict, reason = Verdict.COULD_NOT_TELL, _why(error)
        possible = self._lab.facts.points.get(self.title, 0) if self._kind == "step" else 0
        earned = possible if self.verdict is Verdict.PASS else 0
        self._lab._leave(
            StepResult(self.title, self._kind, self.verdict, earned, possible, finding, reason, self._nudge)
        )
        return True


def _why(error: Exception | None) -> str:
    if error is None:
        return "the checker expected nothing here (a bug of the lab)"
    if isinstance(error, CouldNotTellError | BackendError):
        return str(error)
    if isinstance(error, ApiError):
        return f"the API server answered: {error.message}"
    if isinstance(error, OSError):
        return f"the API server does not answer: {error}"
    return f"the checker stumbled (a bug of the lab): {type(error).__name__}: {error}"


class Lab:
    """A running lab under check. ``at_start`` answers the same questions about the moment when the lab began."""

    def __init__(
        self, facts: LabFacts, cluster: Cluster, client: SyncClient, at_start: list[Object], clock: Clock | None = None
    ) -> None:
        self.facts = facts
        self.at_start = State(Frozen(at_start))
        self.now = State(Live(client))
        self.results: list[StepResult] = []
        grace = 0.4 if cluster.backend == "embedded" else 2.5
        patience = Patience(lambda: self.now.moving(facts.namespaces), clock, grace)
        self._shell = PodShell(cluster, self.now)
        self._means = Means(self._shell, self.now, patience, self._expecting)
        self._step: Step | None = None

    # Structure

    def step(self, title: str, *, nudge: str = "", needs: Step | Collection[Step] = ()) -> Step:
        """A step worth the points that lab.yaml gives this title.

        ``nudge`` is the question that a learner gets to think about if this is the first step that fails; a step that
        ``needs`` others is not tried before they have passed.
        """
        return Step(self, title, "step", nudge, (needs,) if isinstance(needs, Step) else needs)

    def guard(self, title: str, *, nudge: str = "") -> Step:
        """Something that must have stayed as it was; worth no points, but a broken one holds all points back."""
        return Step(self, title, "guard", nudge, ())

    def _enter(self, step: Step) -> None:
        if self._step is not None:
            raise RuntimeError(f"step {step.title!r} is inside step {self._step.title!r}")
        self._step = step

    def _leave(self, result: StepResult) -> None:
        self._step = None
        self.results.append(result)

    def _current(self) -> Step:
        if self._step is None:
            raise RuntimeError("a probe belongs into a `with lab.step(...)`")
        return self._step

    def _ask(self) -> None:
        self._current().ask()

    def _expecting(self) -> None:
        self._current().expectations += 1

    # Behaviour

    def http(self, pod: str, url: str, *, timeout: str | float = "2s") -> HttpProbe:
        """One request from a Pod (``ns/pod`` or ``ns/deploy/name``); ``$NAME`` in the URL is a variable of the Pod."""
        return self.many(pod, url, 1, timeout=timeout)

    def many(self, pod: str, url: str, count: int, *, timeout: str | float = "1s") -> HttpProbe:
        """``count`` requests, each on a connection of its own, so that each is balanced anew."""
        self._ask()
        return HttpProbe(self._means, pod, url, count, seconds(timeout))

    def goes_to(self, pod: str, url: str) -> Observed:
        """Where the host of a URL leads in this Pod: ``service ns/name``, or what it is instead (see checks.names)."""
        self._ask()

        def look() -> str:
            output = self._shell.run(pod, _RESOLVER_SCRIPT.format(url=http.quoted(url)), 10)
            seen, _, rest = output.partition("\n")
            hosts, _, resolv = rest.partition("<<podwalk>>\n")
            return names.leads_to(names.host_of(seen), names.Resolver.parse(hosts, resolv), self.now)

        namespace, name = split_ref(pod)
        show = f"kubectl -n {namespace} exec {name} -- sh -c 'echo {http.quoted(url)}; cat /etc/hosts /etc/resolv.conf'"
        return Observed(self._means, look, show)

    # State

    def ready_ips(self, namespace: str, wanted: Mapping[str, str] | None = None, **labels: str) -> set[str]:
        """The addresses of the Ready Pods with these labels."""
        self._ask()
        return self.now.ready_ips(namespace, wanted, **labels)

    def pod_names(self, ref: str) -> set[str]:
        """The names of the Pods that the Deployment ``ns/name`` owns now."""
        self._ask()
        return {str(p["metadata"]["name"]) for p in self.now.pods_of(ref)}

    def pod_ips(self, ref: str, port: int | None = None) -> set[str]:
        """The addresses of these Pods; with a port as ``address:port``."""
        self._ask()
        addresses = {str(at_path(p, "status.podIP")) for p in self.now.pods_of(ref)}
        return addresses if port is None else {f"{a}:{port}" for a in addresses}

    def endpoints(self, service: str, port: int | None = None) -> Observed:
        """The ready addresses behind a Service; with a port of the Service as ``address:target``."""
        self._ask()
        namespace, name = split_ref(service)
        show = f"kubectl -n {namespace} get endpointslice -l kubernetes.io/service-name={name}"
        return Observed(self._means, lambda: self.now.endpoints(service, port), show)

    def labels(self, pattern: str, kind: str = "Pod") -> Observed:
        """The labels, by name, of the objects whose name matches ``ns/pattern``."""
        self._ask()
        namespace, _ = split_ref(pattern)
        show = f"kubectl -n {namespace} get {kind.lower()} --show-labels"
        return Observed(self._means, lambda: self.now.labels(pattern, kind), show)

    def uids(self, pattern: str, kind: str = "Pod") -> Observed:
        """The UIDs, by name: whether the objects are still the same ones."""
        self._ask()
        namespace, _ = split_ref(pattern)
        show = f"kubectl -n {namespace} get {kind.lower()} -o custom-columns=NAME:.metadata.name,UID:.metadata.uid"
        return Observed(self._means, lambda: _uids(self.now, kind, pattern), show)

    def same(self, kind: str, ref: str, *paths: str) -> None:
        """The object still has the values at these dotted paths that it had when the lab began.

        Could not tell where there was no such object then: a guard over nothing would guard nothing.
        """
        self._ask()
        if self.at_start.find(kind, ref) is None:
            raise CouldNotTellError(f"the lab began without {kind.lower()} {ref} (a bug of the lab)")
        namespace, name = split_ref(ref)
        show = f"kubectl -n {namespace} get {kind.lower()} {name} -o yaml"
        if self.now.find(kind, ref) is None:
            self._expecting()
            raise NotYetError(Finding(f"{kind.lower()}/{name} in {namespace}, as at the start", "it is gone", show))
        look = Observed(self._means, lambda: self.now.fields(kind, ref, *paths), show)
        look.expect(self.at_start.fields(kind, ref, *paths), within="0s")

    def same_pod(self, ref: str) -> None:
        """The Pod is the very one of the beginning: not replaced, and on no other network than before."""
        self.same("Pod", ref, "metadata.uid", "spec.hostNetwork")

    def finds_new_pods(self, service: str, deployment: str) -> None:
        """The Service's selector matches the Pods that the Deployment would make next, by its template's labels."""
        self._ask()
        self._expecting()
        found = self.now.find("Service", service)
        template = at_path(self.now.find("Deployment", deployment) or {}, "spec.template.metadata.labels") or {}
        selector = at_path(found or {}, "spec.selector") or {}
        namespace, name = split_ref(service)
        if selector and selectors.match_labels(selector, template):
            return
        owner = split_ref(deployment)[1]
        expected = f"a selector for what deployment/{owner} makes: {in_words(template)}"
        observed = in_words(selector) if selector else "no selector" if found else "no such Service"
        show = f"kubectl -n {namespace} get svc {name} -o jsonpath='{{.spec.selector}}'"
        raise NotYetError(Finding(expected, observed, show))


def _uids(state: State, kind: str, pattern: str) -> dict[str, str]:
    return {str(o["metadata"]["name"]): str(o["metadata"]["uid"]) for o in state.named(kind, pattern)}
