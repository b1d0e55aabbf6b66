"""The vocabulary of checkers: steps, guards, and what can be expected in them.

A checker is a function ``check(lab: Lab) -> None``. It reads; it never changes anything. Each ``with lab.step(...)`` is
one line of the report: it passes if every expectation in it is met, and the first that is not ends the step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, TypedDict, Unpack

from podwalk.api import selectors
from podwalk.api.errors import ApiError
from podwalk.api.meta import Object
from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import certificates, connect, http, lookups, names
from podwalk.checks.certificates import CertificateProbe
from podwalk.checks.flows import Flow, FlowsProbe
from podwalk.checks.owned import OwnedPods
from podwalk.checks.patience import Clock, Patience, RealClock, seconds
from podwalk.checks.probes import HttpProbe, Means, Observed, in_words
from podwalk.checks.report import Finding, StepKind, StepResult, Verdict
from podwalk.checks.shell import NODE, Shell, see_it
from podwalk.checks.signals import CouldNotTellError, NotTriedError, NotYetError
from podwalk.checks.state import Frozen, Live, State, at_path, split_ref
from podwalk.client.sync import SyncClient

if TYPE_CHECKING:
    from podwalk.trace.model import Walk

_GRACE, _GRACE_ELSEWHERE = 0.4, 2.5
_RESOLVER_SCRIPT = "printf '%s\\n' {url}; cat /etc/hosts; echo '<<podwalk>>'; cat /etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class LabFacts:
    """What a check needs to know of its lab: ``layer/id``, title, namespaces, and the points of each step by title.

    ``breaks`` names what the lab itself breaks of the cluster (``dns``, ``network``, ``nodes``), so that the control
    does not ask for it. ``parameters`` are the values that this attempt was started with, ``addons``
    those that it needs.
    """

    lab: str
    title: str
    namespaces: tuple[str, ...]
    points: Mapping[str, int]
    breaks: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    addons: tuple[str, ...] = ()


class Asking(TypedDict, total=False):
    """How a request is made: its ``headers`` and ``method``; over https ``ca`` or ``insecure``.

    ``ca`` is a Secret ``ns/name`` whose ``ca.crt`` (or else ``tls.crt``) is the only authority that is trusted.
    """

    headers: Mapping[str, str]
    method: str
    ca: str
    insecure: bool


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
        clock = clock or RealClock()
        grace = min(clock.stretched(_GRACE), _GRACE_ELSEWHERE)
        # How much later than usual kube-proxy may be, as busy as the machine is.
        early = grace - _GRACE
        if cluster.backend != "embedded" or facts.addons:
            # What runs as an add-on (an Ingress controller, say) follows the API with a reload of its own.
            grace = _GRACE_ELSEWHERE
        patience = Patience(lambda: self.now.moving(facts.namespaces), clock, grace, early)
        self._cluster = cluster
        self._shell = Shell(cluster, self.now)
        self._means = Means(self._shell, self.now, patience, self._expecting)
        self._step: Step | None = None

    @property
    def parameters(self) -> Mapping[str, str]:
        """The values of lab.yaml's parameters in this attempt."""
        return self.facts.parameters

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

    def http(self, place: str, url: str, *, timeout: str | float = "2s", **asked: Unpack[Asking]) -> HttpProbe:
        """One request from a place: ``ns/pod``, ``ns/deploy/name``, ``node:NAME`` or ``outside``.

        ``$NAME`` in the URL is a variable of the Pod. See :class:`Asking` for headers, method and TLS.
        """
        return self.many(place, url, 1, timeout=timeout, **asked)

    def many(
        self, place: str, url: str, count: int, *, timeout: str | float = "1s", **asked: Unpack[Asking]
    ) -> HttpProbe:
        """``count`` requests, each on a connection of its own, so that each is balanced anew."""
        self._ask()
        how = http.Asked(
            asked.get("headers") or {},
            asked.get("method", "GET"),
            certificates.authority(self.now, asked["ca"]) if "ca" in asked else "",
            asked.get("insecure", False),
        )
        return HttpProbe(self._means, place, url, count, seconds(timeout), how)

    def certificate(
        self, place: str, target: str, *, sni: str | None = None, timeout: str | float = "2s"
    ) -> CertificateProbe:
        """The certificate that ``host:port`` shows to somebody who asks for the name ``sni`` (or for the host)."""
        self._ask()
        return CertificateProbe(self._means, place, connect.check_target(target), sni, seconds(timeout))

    def connect(self, place: str, target: str, *, timeout: str | float = "1s") -> Observed:
        """The fate of a TCP connection to ``host:port``: ``open``, ``refused``, ``no answer`` or ``name not known``."""
        self._ask()
        span = seconds(timeout)
        show = see_it(place, "curl", f"-sSm{span:g}", f"http://{connect.check_target(target)}/")
        return Observed(self._means, lambda: connect.fates(self._shell, place, [target], span)[0], show)

    def flows(self, *, allowed: Collection[Flow], blocked: Collection[Flow], timeout: str | float = "1s") -> FlowsProbe:
        """TCP flows (place, ``host:port``) that must open beside those that must not.

        Each blocked flow needs its positive controls among the allowed: one from the same source, one to the same port.
        Raises ValueError where the lab's author forgot them.
        """
        self._ask()
        return FlowsProbe(self._means, tuple(allowed), tuple(blocked), seconds(timeout))

    def client_ip(self, place: str, url: str, *, timeout: str | float = "2s") -> Observed:
        """The address that agnhost at ``url`` (its ``/clientip``) sees as the caller's, without the port."""
        self._ask()
        span = seconds(timeout)

        def look() -> str:
            answers = http.parse(self._shell.run(place, http.script(url, 1, span), span + 10))
            answer = answers[0] if answers else None
            return answer.body.rpartition(":")[0] if answer and answer.status == 200 else http.tally(answers)

        return Observed(self._means, look, see_it(place, "curl", f"-sSm{span:g}", url))

    def lookup(self, place: str, name: str, kind: str = "A") -> Observed:
        """What the resolver of a place finds for a name, as a set of texts; see :mod:`podwalk.checks.lookups`."""
        self._ask()
        argv = lookups.command(name, kind)
        return Observed(
            self._means, lambda: lookups.parse(self._shell.run(place, lookups.script(argv), 30)), see_it(place, *argv)
        )

    def output(self, place: str, script: str, *, timeout: str | float = "10s") -> Observed:
        """What a command that only reads prints there, without the blanks around it."""
        self._ask()
        span = seconds(timeout)
        show = see_it(place, "sh", "-c", script)
        return Observed(self._means, lambda: self._shell.run(place, script, span).strip(), show)

    def read(self, place: str, script: str, *, timeout: str | float = "10s") -> str:
        """What a command that only reads prints there now: for facts that an expectation needs, such as an address."""
        self._ask()
        return self._shell.run(place, script, seconds(timeout)).strip()

    def could_not_tell(self, why: str) -> NoReturn:
        """End the step with the verdict "could not tell", where what was observed would say nothing about the work."""
        raise CouldNotTellError(why)

    def walk(self, source: str, url: str, *, timeout: str | float = "500ms") -> Walk:
        """One real connection, followed hop by hop (`podwalk trace`): from ns/POD, node/NAME or outside to a URL."""
        self._ask()
        from podwalk.trace.follow import trace  # needed by few checks, and not free to import
        from podwalk.trace.target import TraceError

        try:
            return trace(self._cluster, source, url, timeout=seconds(timeout))
        except TraceError as error:
            raise CouldNotTellError(str(error)) from None

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

    def successors(self, source: str, target: str) -> Observed:
        """What the policies say about the Pods that come after these two: ``allowed``, ``denied``, or it depends.

        Each is ``ns/pod``, ``ns/deploy/name`` or an address, and the target has a port, ``:80`` or ``:53/UDP``; see
        :mod:`podwalk.checks.successors`. A pinned address shows here, before its Pod has gone.
        """
        from podwalk.checks import successors

        self._ask()
        pod = next(end for end in (successors.port_of(target)[0], source) if "/" in end)
        show = f"kubectl -n {split_ref(pod)[0]} describe networkpolicy   # Pods like {source}, to {target}"
        return Observed(self._means, lambda: successors.judge(self._cluster, self.now, source, target), show)

    # State

    def ready_ips(self, namespace: str, wanted: Mapping[str, str] | None = None, **labels: str) -> set[str]:
        """The addresses of the Ready Pods with these labels."""
        self._ask()
        return self.now.ready_ips(namespace, wanted, **labels)

    def nodes(self, role: str = "worker") -> list[str]:
        """The names of the nodes with a role (``worker``, ``control-plane``), in the cluster's order."""
        self._ask()
        return [n.name for n in self._cluster.status().nodes if n.role == role]

    def node_ip(self, node: str) -> str:
        """The IPv4 address of a node."""
        self._ask()
        return next(n.address for n in self._cluster.status().nodes if n.name == node)

    def node_of(self, ref: str) -> str:
        """The place ``node:NAME`` of the node that a Pod ``ns/name`` or ``ns/deploy/name`` runs on."""
        self._ask()
        namespace, pod = self._shell.locate(ref)
        found = self.now.find("Pod", f"{namespace}/{pod}")
        return f"{NODE}{at_path(found or {}, 'spec.nodeName')}"

    def field(self, kind: str, ref: str, path: str) -> Observed:
        """The value at a dotted path of an object."""
        self._ask()
        namespace, name = split_ref(ref)
        show = f"kubectl -n {namespace} get {kind.lower()} {name} -o jsonpath='{{.{path}}}'"
        return Observed(self._means, lambda: at_path(self.now.find(kind, ref) or {}, path), show)

    def value(self, look: Callable[[], Any], show: str) -> Observed:
        """What the checker itself works out of ``lab.now``, with the command that shows it to the learner."""
        self._ask()
        return Observed(self._means, look, show)

    def pod_names(self, ref: str) -> OwnedPods:
        """The names of the Pods that the Deployment ``ns/name`` owns, whenever they are asked for."""
        self._ask()
        return OwnedPods(lambda: frozenset(str(p["metadata"]["name"]) for p in self.now.pods_of(ref)))

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

    def means(self, selector: Object | None, deployment: str) -> bool:
        """Whether a LabelSelector means the Pods that the Deployment would make next; one that is absent means all."""
        self._ask()
        template = at_path(self.now.find("Deployment", deployment) or {}, "spec.template.metadata.labels") or {}
        return selector is None or selectors.label_selector(selector)(template)

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
