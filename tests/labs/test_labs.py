"""Every lab proves itself: untouched it fails, its solution passes, each wrong answer fails at the step it names."""

from __future__ import annotations

import difflib
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from podwalk.api import added, meta, resources
from podwalk.api.resources import Resource
from podwalk.backends.base import Cluster, home
from podwalk.checks import control
from podwalk.checks.report import Report, Verdict
from podwalk.checks.state import Live, State
from podwalk.course import addons, catalogue, fitting
from podwalk.course.catalogue import LAB_LABEL, LabSpec
from podwalk.course.engine import Course
from podwalk.course.objects import WaitError, wait_for
from podwalk.course.progress import Progress
from podwalk.network import profiles

ROOT = Path(__file__).resolve().parents[2]
LABS = catalogue.all_labs(ROOT)

pytestmark = pytest.mark.cluster
_STUCK_SECONDS = 3.0


def answers(kind: str) -> list[object]:
    """(lab, file) for every answer in ``also/`` or ``wrong/``."""
    return [
        pytest.param(lab, path, id=f"{lab.id}-{path.stem}")
        for lab in LABS
        for path in sorted((lab.solution / kind).glob("*.*"))
    ]


class Courses:
    """One course for each kind of cluster that some lab needs, booted when the first lab asks for it."""

    def __init__(self, usual: Cluster, progress: Progress) -> None:
        self._usual, self._progress = usual, progress
        self._others: dict[str, Cluster] = {}

    def of(self, lab: LabSpec) -> Course:
        kind = fitting.options(lab)
        if not fitting.differences(lab, self._usual):
            return self._ready(self._usual, lab)
        if (lack := profiles.missing(lab.cluster.get("cni", "flannel"))) is not None:
            pytest.skip(lack)
        if kind not in self._others:
            self._others[kind] = fitting.boot(lab, f"labs-{len(self._others)}", lambda fact: None)
        return self._ready(self._others[kind], lab)

    def _ready(self, cluster: Cluster, lab: LabSpec) -> Course:
        # Add-ons stay, so they are no trace of the lab.
        with cluster.client() as client:
            for name in addons.missing(client, lab.addons):
                addons.install(cluster, name)
        return Course(cluster, self._progress)

    def down(self) -> None:
        for cluster in self._others.values():
            cluster.down()


@pytest.fixture(scope="module")
def courses(cluster: Cluster) -> Iterator[Courses]:
    with Progress(home() / "progress.sqlite") as progress:
        found = Courses(cluster, progress)
        yield found
        found.down()


@contextmanager
def nothing_left(courses: Courses, lab: LabSpec) -> Iterator[Course]:
    """The course, with nothing of the lab in the cluster before and after.

    Where the lab or an answer works on nodes, these are in the end as they were, whatever the answer did to them.
    """
    course = courses.of(lab)
    before = settled(course.cluster) if works_on_nodes(lab) else {}
    yield course
    if lab.name in course.running():
        left = course.stop(lab)
        # What an answer made elsewhere is told to the learner, and theirs; the next lab is not to find it.
        with course.cluster.client() as client:
            for one in left:
                client.delete(one.resource, one.name, one.namespace or None)
    if before:
        wait_for(lambda: changes(before, looks(course.cluster)) or homeless(course.cluster), 30)


@pytest.fixture
def fresh(courses: Courses, request: pytest.FixtureRequest) -> Iterator[Course]:
    """The course, with nothing of the lab of this test in the cluster before and after."""
    with nothing_left(courses, request.node.callspec.params["lab"]) as course:
        yield course


@dataclass(frozen=True)
class Untouched:
    """A lab that was started and not worked on, for the tests that only look."""

    course: Course
    lab: LabSpec


@pytest.fixture(scope="class", params=LABS, ids=lambda lab: lab.id)
def untouched(courses: Courses, request: pytest.FixtureRequest) -> Iterator[Untouched]:
    lab: LabSpec = request.param
    course = courses.of(lab)
    course.start(lab)
    yield Untouched(course, lab)
    if lab.name in course.running():
        course.stop(lab)


class TestUntouched:
    """One start serves the tests that only look."""

    def test_an_untouched_lab_fails_and_the_cluster_is_not_to_blame(self, untouched: Untouched) -> None:
        lab, report = untouched.lab, untouched.course.check(untouched.lab)
        assert report.verdict is Verdict.NOT_YET, explain(report)
        assert report.points < report.possible
        assert not [s.title for s in report.steps if s.verdict is Verdict.COULD_NOT_TELL], explain(report)
        assert {s.title: s.possible for s in report.steps if s.kind == "step"} == lab.points
        assert all(s.nudge.endswith("?") for s in report.steps if s.kind != "control")

    def test_checking_changes_nothing(self, untouched: Untouched) -> None:
        cluster, lab = untouched.course.cluster, untouched.lab
        before = versions_at_rest(cluster, lab)
        untouched.course.check(lab)
        assert versions(cluster, lab) == before

    def test_every_object_carries_the_label_of_its_lab(self, untouched: Untouched) -> None:
        wanted = {(o["kind"], meta.key(o)) for o in untouched.course.objects(untouched.lab)}
        assert wanted
        assert marked(untouched.course.cluster, untouched.lab) >= wanted


@dataclass(frozen=True)
class Solved:
    """A lab that was started and solved, and the files of the solution."""

    course: Course
    lab: LabSpec
    applied: list[str]


@pytest.fixture(scope="class", params=LABS, ids=lambda lab: lab.id)
def solved(courses: Courses, request: pytest.FixtureRequest) -> Iterator[Solved]:
    lab: LabSpec = request.param
    with nothing_left(courses, lab) as course:
        course.start(lab)
        yield Solved(course, lab, course.solve(lab))


class TestSolved:
    """One start serves what a solution is for, and what comes after it."""

    def test_the_solution_passes_with_full_points(self, solved: Solved) -> None:
        assert solved.applied
        report = solved.course.check(solved.lab)
        assert report.passed, explain(report)
        assert report.points == report.possible == solved.lab.possible

    def test_reset_brings_the_fault_back_and_stop_leaves_nothing(self, solved: Solved) -> None:
        course, lab = solved.course, solved.lab
        course.reset(lab)
        assert course.check(lab).verdict is Verdict.NOT_YET
        course.stop(lab)
        with course.cluster.client() as client:
            assert not [n for n in (*lab.namespaces, control.NAMESPACE) if client.find("Namespace", n)]
            assert not marked(course.cluster, lab)
        assert lab.label not in course.cluster.outside(["cat", "/etc/hosts"], timeout=10).stdout


@pytest.mark.parametrize(("lab", "answer"), answers("also"))
def test_another_good_answer_passes(fresh: Course, lab: LabSpec, answer: Path) -> None:
    fresh.start(lab)
    fresh.answer(lab, answer)
    report = fresh.check(lab)
    assert report.passed, explain(report)


@pytest.mark.parametrize(("lab", "answer"), answers("wrong"))
def test_a_wrong_answer_fails_at_the_step_it_names(fresh: Course, lab: LabSpec, answer: Path) -> None:
    fresh.start(lab)
    fresh.answer(lab, answer)
    report = fresh.check(lab)
    step = report.step(named_step(answer))
    assert step.verdict is Verdict.NOT_YET, explain(report)
    assert not report.passed


def works_on_nodes(lab: LabSpec) -> bool:
    """Whether the lab's scripts, or those of an answer, reach for a node."""
    scripts = [*lab.scripts(), *lab.solution.glob("*/*.sh")]
    return any("podwalk node" in script.read_text(encoding="utf-8") for script in scripts)


def named_step(answer: Path) -> str:
    """The step that the first line of a wrong answer names."""
    first = answer.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# fails: "), f"{answer}: the first line must be '# fails: <title of the step>'"
    return first.removeprefix("# fails: ")


def kinds_of(lab: LabSpec) -> list[Resource]:
    """The kinds that a lab's objects may have: Kubernetes' own, and those of its files."""
    return list(dict.fromkeys([*resources.RESOURCES, *(added.of(obj) for obj in lab.objects())]))


def versions(cluster: Cluster, lab: LabSpec) -> dict[str, str]:
    """resourceVersions by kind and key of all that is in the lab's namespaces; Events come and go by themselves."""
    found = {}
    with cluster.client() as client:
        for resource in kinds_of(lab):
            if resource.namespaced and resource.kind not in ("Event", "Lease"):
                for namespace in lab.namespaces:
                    for obj in client.list(resource, namespace):
                        found[f"{resource.kind} {meta.key(obj)}"] = obj["metadata"]["resourceVersion"]
    return found


def versions_at_rest(cluster: Cluster, lab: LabSpec) -> dict[str, str]:
    """The versions once the controllers have caught up.

    That is three looks alike with nothing on its way, or alike for a while where the lab's fault keeps something on its
    way for ever: a Pod that stays Pending, a certificate that is never issued.
    """
    seen, since = [versions(cluster, lab)], time.monotonic()

    def moved() -> str:
        nonlocal since
        seen.append(versions(cluster, lab))
        if seen[-1] != seen[-2]:
            since = time.monotonic()
        with cluster.client() as client:
            moving = State(Live(client)).moving(lab.namespaces)
        long = time.monotonic() - since > _STUCK_SECONDS
        alike = len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]
        return "" if alike and (long or not moving) else "the lab's objects still change"

    wait_for(moved, 30)
    return seen[-1]


def marked(cluster: Cluster, lab: LabSpec) -> set[tuple[str, str]]:
    """Kind and key of every object with the lab's label, anywhere."""
    selector = f"{LAB_LABEL}={lab.label}"
    with cluster.client() as client:
        return {
            (resource.kind, meta.key(obj))
            for resource in kinds_of(lab)
            for obj in client.list(resource, label_selector=selector)
        }


# What a lab may change on a node, in a form in which two looks can be compared.
_LOOK = """
ip -o link | sed -E 's/^[0-9]+: //; s/@if[0-9]+//; s/ (link|state|qlen).*//' | grep -Ev '^(veth|cali)' | sort
ip -o -4 addr | sed -E 's/^[0-9]+: //' | grep -Ev '^(veth|cali)' | sort
ip rule
ip route show table all type unicast | grep -Ev 'dev (veth|cali)' | sort
ip route show table all type blackhole | sort
ip neigh show nud permanent | sort
bridge fdb show | grep -v ' dev veth' | grep dst | sort
iptables-save | grep -Ev '^[#:]|KUBE-S|KUBE-EXT|KUBE-FW' | sed -E 's/\\[[0-9:]+\\]//' | sort
nft list tables
tc qdisc show | grep -v noqueue | sed -E 's/dev (veth|cali)[^ ]*//' | sort -u
for f in net/ipv4/ip_forward net/ipv4/conf/all/rp_filter net/ipv4/conf/eth0/rp_filter \\
  net/bridge/bridge-nf-call-iptables net/netfilter/nf_conntrack_max; do
  echo "$f $(cat /proc/sys/$f 2>/dev/null)"
done
ls /etc/cni/net.d /opt/cni/bin 2>/dev/null
for name in $(ip netns | cut -d' ' -f1); do
  nsenter "--net=/run/netns/$name" ip -o link show eth0 | grep -o 'mtu [0-9]*' | grep -v 'mtu 1[45][50]0'
done
cat /etc/resolv.conf
"""


def looks(cluster: Cluster) -> dict[str, str]:
    """How every node looks."""
    names = [n.name for n in cluster.status().nodes]
    with ThreadPoolExecutor(len(names)) as pool:
        return dict(
            zip(names, pool.map(lambda name: cluster.node(name, ["sh", "-c", _LOOK]).stdout, names), strict=True)
        )


_AT_REST: dict[Path, dict[str, str]] = {}


def settled(cluster: Cluster) -> dict[str, str]:
    """How every node looks once it has come to rest: two looks alike, the last one of the test before included."""
    # A Pod that was killed is gone from the API before its kubelet has taken its network down. A node may have devices
    # of another kind with such a name, so it is not waited for without end.
    with suppress(WaitError):
        wait_for(lambda: leaving(cluster), 10)
    seen = [_AT_REST.get(cluster.kubeconfig_path) or looks(cluster)]

    def moved() -> str:
        seen.append(looks(cluster))
        return changes(seen[-2], seen[-1])

    wait_for(moved, 30)
    _AT_REST[cluster.kubeconfig_path] = seen[-1]
    return seen[-1]


def leaving(cluster: Cluster) -> str:
    """The nodes that have more Pods' devices than Pods."""
    with cluster.client() as client:
        pods = Counter(p["spec"].get("nodeName") for p in client.list("Pod") if not p["spec"].get("hostNetwork"))
    count = "ip -o link | grep -cE '^[0-9]+: (veth|cali)' || true"
    devices = {n.name: int(cluster.node(n.name, ["sh", "-c", count]).stdout) for n in cluster.status().nodes}
    return "\n".join(f"{n}: {many} devices, {pods[n]} Pods" for n, many in devices.items() if many > pods[n])


def homeless(cluster: Cluster) -> str:
    """The running Pods whose address is not on record with host-local, so that it would be handed out twice."""
    with cluster.client() as client:
        pods = [p for p in client.list("Pod") if not p["spec"].get("hostNetwork")]
    found = []
    for node in cluster.status().nodes:
        reserved = cluster.node(node.name, ["sh", "-c", _RESERVED]).stdout.split()
        if not reserved:
            continue  # another IPAM, or no Pod here
        for pod in pods:
            ip, phase = (pod.get("status") or {}).get("podIP"), (pod.get("status") or {}).get("phase")
            if pod["spec"].get("nodeName") == node.name and phase == "Running" and ip not in reserved:
                found.append(f"{node.name}: {meta.key(pod)} has {ip}, which is free to be handed out again")
    return "\n".join(found)


_RESERVED = "ls /var/lib/cni/networks/* 2>/dev/null | grep '^[0-9]' || true"


def changes(before: dict[str, str], after: dict[str, str]) -> str:
    """The lines in which two looks differ; empty where they are alike."""
    lines = []
    for name, text in after.items():
        old, new = before[name].splitlines(), text.splitlines()
        lines += [
            f"{name}: {line}" for line in difflib.unified_diff(old, new, n=0, lineterm="") if line[:2] not in _HEADS
        ]
    return "\n".join(lines)


_HEADS = ("--", "++", "@@")


def explain(report: Report) -> str:
    """The report as the learner would see it, for the message of a failed assertion."""
    from podwalk.checks.render import plain

    return f"\n{plain(report)}"
