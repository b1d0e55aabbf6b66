"""Probes: what they run, how they read the answer, how long they wait."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fake_cluster import FakeClock, FakeCluster, answered, pod, service, slice_of

from podwalk.backends.base import Completed
from podwalk.checks import Lab, http
from podwalk.checks.lab import LabFacts
from podwalk.checks.owned import OwnedPods
from podwalk.checks.patience import Patience, RealClock, seconds, spoken
from podwalk.checks.probes import difference
from podwalk.checks.report import StepResult, Verdict
from podwalk.checks.state import Frozen, State

FACTS = LabFacts("services/x", "X", ("shop",), {})


def lab_on(cluster: FakeCluster, clock: FakeClock | None = None, at_start: list[object] | None = None) -> Lab:
    return Lab(FACTS, cluster, cluster.client(), at_start or [], clock or FakeClock())  # type: ignore[arg-type]


def step(lab: Lab, act: object) -> StepResult:
    with lab.step("s"):
        act()  # type: ignore[operator]
    return lab.results[-1]


class _Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = f"{self.path.partition('?')[0]}\nsecond line".encode()
        self.server.connections.add(self.client_address)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as served:
        served.connections = set()  # type: ignore[attr-defined]
        thread = threading.Thread(target=served.serve_forever, args=(0.01,))
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def run(script: str, **env: str) -> list[http.Answer]:
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env={"PATH": "/usr/bin:/bin", **env})
    assert done.returncode == 0, done.stderr
    return http.parse(done.stdout)


def test_one_request_through_the_real_shell_and_curl(server: ThreadingHTTPServer) -> None:
    (answer,) = run(http.script(f"http://127.0.0.1:{server.server_port}/a", 1, 2))
    assert (answer.status, answer.exit, answer.ip, answer.body) == (200, 0, "127.0.0.1", "/a\nsecond line")


def test_many_requests_use_a_connection_each(server: ThreadingHTTPServer) -> None:
    answers = run(http.script(f"http://127.0.0.1:{server.server_port}/a", 30, 2))
    assert [a.outcome for a in answers] == ["HTTP 200"] * 30
    assert {a.body for a in answers} == {"/a\nsecond line"}
    ports = [port for _, port in server.connections]  # type: ignore[attr-defined]
    assert len(ports) == 30
    assert all(12000 <= port <= 32767 for port in ports), ports


@pytest.mark.parametrize(("connection", "connections"), [("keep-alive", 1), ("close", 20)])
def test_one_curl_for_many_urls_never_takes_a_port_twice(
    server: ThreadingHTTPServer, connection: str, connections: int
) -> None:
    urls = f"http://127.0.0.1:{server.server_port}/a?probe=[1-20]"
    answers = run(http.together(urls, 2, f"-H 'Connection: {connection}'"))
    assert [a.outcome for a in answers] == ["HTTP 200"] * 20
    assert len(server.connections) == connections  # type: ignore[attr-defined]


def test_a_variable_of_the_pod_is_expanded_and_proxies_are_not_used(server: ThreadingHTTPServer) -> None:
    env = {"URL": f"http://127.0.0.1:{server.server_port}", "http_proxy": "http://127.0.0.1:1"}
    (answer,) = run(http.script("$URL/b", 1, 2), **env)
    assert (answer.status, answer.body) == (200, "/b\nsecond line")


@pytest.mark.parametrize(("count", "asked"), [(2, 1), (7, 2), (10, 3), (30, 3), (300, 3)])
def test_many_requests_stop_after_the_first_few_if_nobody_answers(count: int, asked: int) -> None:
    answers = run(http.script("http://127.0.0.1:1/", count, 1))
    assert [a.outcome for a in answers] == ["connection refused"] * asked


def test_an_unknown_name_is_told_from_a_refusal() -> None:
    (answer,) = run(http.script("http://no.such.name.invalid/", 1, 2))
    assert answer.unresolved
    slow = http.Answer(0, http.TIMEOUT, "", 2.0, "", "Resolving timed out after 2001 milliseconds")
    assert (slow.unresolved, slow.outcome) == (True, "name not known in time")
    assert not http.Answer(0, http.TIMEOUT, "", 2.0, "", "Connection timed out after 2001 milliseconds").unresolved


def test_each_pod_must_answer_and_nobody_else() -> None:
    cluster = FakeCluster([pod("shop/client")])
    cluster.exec = lambda *_: Completed(0, answered(body="a", count=20).stdout + answered(body="b", count=10).stdout)

    def result(names: set[str]) -> StepResult:
        lab = lab_on(cluster)
        return step(lab, lambda: lab.many("shop/client", "http://web/", 30).expect(answered_by=names))

    assert result({"a", "b"}).passed
    stranger, silent = result({"a"}), result({"a", "b", "c"})
    assert stranger.finding
    assert stranger.finding.expected == "30 × HTTP 200 within 1 s, from a"
    assert stranger.finding.observed == "30 × HTTP 200 from a (20), b (10)"
    assert silent.finding
    assert silent.finding.expected == "30 × HTTP 200 within 1 s, from each of a, b, c"
    assert not result(set()).passed


def test_a_probe_that_reads_nothing_could_not_tell() -> None:
    cluster = FakeCluster([pod("shop/client")])
    cluster.exec = lambda *_: Completed(0, "sh: curl: not found\n")
    lab = lab_on(cluster)
    assert step(lab, lambda: lab.http("shop/client", "http://web/").expect()).verdict is Verdict.COULD_NOT_TELL


def test_blocked_needs_a_timeout_and_a_positive_control() -> None:
    cluster = FakeCluster([pod("shop/client")])
    outcomes = {"web": answered(0, exit_code=28), "other": answered()}
    cluster.exec = lambda _ns, _pod, script: outcomes["web" if "http://web" in script else "other"]

    def blocked() -> StepResult:
        lab = lab_on(cluster)
        return step(lab, lambda: lab.http("shop/client", "http://web/").expect_blocked(though="http://other/"))

    assert blocked().passed
    outcomes["web"] = answered(0, exit_code=7)
    assert blocked().verdict is Verdict.NOT_YET
    outcomes.update(web=answered(0, exit_code=28), other=answered(0, exit_code=28))
    failed = blocked()
    assert failed.verdict is Verdict.NOT_YET
    assert failed.finding
    assert "nothing is proven" in failed.finding.observed


def test_a_cluster_at_rest_is_not_waited_for() -> None:
    clock = FakeClock()
    Patience(lambda: False, clock).until(lambda: 1, lambda _: False, 5)
    assert clock.time < 1


@pytest.mark.parametrize(("busy", "passes"), [(1.0, False), (4.0, True), (100.0, True)])
def test_a_busy_machine_is_given_more_time(busy: float, passes: bool) -> None:
    cluster, clock = FakeCluster([pod("shop/client")]), FakeClock()
    clock.busy = busy
    cluster.exec = lambda *_: answered() if clock.time > 1 else answered(0, exit_code=7)
    lab = lab_on(cluster, clock)
    assert step(lab, lambda: lab.http("shop/client", "http://web/").expect(within="9s")).passed is passes
    began = clock.time
    cluster.exec = lambda *_: answered(0, exit_code=7)
    assert not step(lab, lambda: lab.http("shop/client", "http://web/").expect(within="9s")).passed
    assert clock.time - began < 3


def test_the_load_of_the_machine_stretches_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    for load, stretched in ((0.1, 0.4), (2.0, 0.4), (6.0, 1.2)):
        monkeypatch.setattr("os.getloadavg", lambda now=load: (now, 0.0, 0.0))
        assert RealClock().stretched(0.4) == pytest.approx(stretched)
    monkeypatch.setattr("os.getloadavg", _unknown)
    assert RealClock().stretched(0.4) == 0.4


def _unknown() -> tuple[float, float, float]:
    raise OSError("load averages are unobtainable")


def test_a_moving_cluster_is_waited_for_until_it_is_good_or_too_late() -> None:
    clock = FakeClock()
    assert Patience(lambda: True, clock).until(clock.now, lambda t: t > 3, 5) > 3
    assert clock.time < 4
    Patience(lambda: True, clock).until(clock.now, lambda t: False, 5)
    assert 8 < clock.time < 9


@pytest.mark.parametrize(("early", "looks"), [(0.0, 1), (1.0, 2)])
def test_a_look_at_the_very_beginning_is_not_the_last_one(early: float, looks: int) -> None:
    """However long it took: what it asked may have been sent before the rules were written."""
    clock = FakeClock()
    seen = []

    def timeout() -> bool:
        seen.append(clock.now())
        clock.pause(2)
        return False

    patience = Patience(lambda: False, clock, early=early)
    patience.until(timeout, bool, 10)
    assert len(seen) == looks
    patience.until(timeout, bool, 10)
    assert len(seen) == looks + 1, "later looks are final"


def test_answers_are_compared_with_the_pods_that_are_there_then() -> None:
    cluster, names = FakeCluster([pod("shop/client")]), {"web-old"}
    pods = OwnedPods(lambda: frozenset(names))

    def rolled_out(_ns: str, _pod: str, _script: str) -> Completed:
        names.clear()
        names.add("web-new")
        return answered(body="web-new")

    cluster.exec = rolled_out
    lab = lab_on(cluster)
    assert step(lab, lambda: lab.http("shop/client", "http://web/").expect(answered_by=pods)).passed
    assert pods == {"web-new"}
    assert pods | {"other"} == {"web-new", "other"}
    assert (len(pods), sorted(pods), "web-old" in pods) == (1, ["web-new"], False)


def test_what_arrives_between_the_look_and_the_rest_is_looked_at_again() -> None:
    clock, state = FakeClock(), {"ready": 3, "moving": True}

    def moving() -> bool:
        if clock.time > 2:
            state.update(ready=4, moving=False)
        return bool(state["moving"])

    assert Patience(moving, clock).until(lambda: state["ready"], lambda ready: ready == 4, 9) == 4


def test_a_rollout_that_ends_meanwhile_passes() -> None:
    cluster, clock = FakeCluster([pod("shop/client")]), FakeClock()
    starting = pod("shop/web-1")
    starting["status"]["phase"] = "Pending"
    cluster.add(starting)
    cluster.exec = lambda *_: answered() if clock.time > 2 else answered(0, exit_code=7)
    lab = lab_on(cluster, clock)
    assert step(lab, lambda: lab.http("shop/client", "http://web/").expect(within="5s")).passed


def test_a_pod_that_leaves_while_its_successor_comes_is_looked_for_again() -> None:
    cluster, clock = FakeCluster([pod("shop/client")]), FakeClock()
    gone = Completed(1, "", "error: cannot exec into a container in a completed pod; current phase is Failed\n")
    cluster.exec = lambda *_: answered() if clock.time > 0.2 else gone
    lab = lab_on(cluster, clock)
    assert step(lab, lambda: lab.http("shop/client", "http://web/").expect()).passed
    cluster.exec = lambda *_: gone
    left = step(lab, lambda: lab.http("shop/client", "http://web/").expect())
    assert left.finding
    assert left.finding.observed.endswith("current phase is Failed")


@pytest.mark.parametrize(("text", "value"), [("5s", 5.0), ("300ms", 0.3), ("2m", 120.0), (4, 4.0)])
def test_durations(text: str | int, value: float) -> None:
    assert seconds(text) == value


def test_a_duration_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds("five")


def test_durations_in_words() -> None:
    assert [spoken(2.0), spoken(0.3)] == ["2 s", "300 ms"]


def test_a_value_that_the_checker_works_out_is_waited_for_and_shown() -> None:
    cluster, clock = FakeCluster([pod("shop/web")]), FakeClock()
    lab = lab_on(cluster, clock)
    assert step(lab, lambda: lab.value(lambda: len(lab.now.objects("Pod", "shop")), "kubectl get pod").expect(1)).passed
    result = step(lab, lambda: lab.value(lambda: {"64521"}, "kubectl get pod").expect(set()))
    assert result.finding is not None
    assert (result.finding.expected, result.finding.observed) == ("nobody", "64521")
    assert result.finding.see_it == "kubectl get pod"


def test_endpoints_count_every_slice_and_an_unset_condition_as_ready() -> None:
    web = service("shop/web", {"app": "web"})
    slices = [slice_of("shop/web", "10.0.0.1"), slice_of("shop/web", "10.0.0.2", ready=None, name="other")]
    slices.append(slice_of("shop/web", "10.0.0.3", ready=False, name="unready"))
    state = State(Frozen([web, *slices]))
    assert state.endpoints("shop/web") == {"10.0.0.1", "10.0.0.2"}
    assert state.endpoints("shop/web", 80) == {"10.0.0.1:8080", "10.0.0.2:8080"}
    assert state.endpoints("shop/web", 81) == set()


def test_what_is_equal_to_the_start_and_what_is_not() -> None:
    cluster = FakeCluster([service("shop/web", {"app": "web"})])
    at_start: list[object] = [service("shop/web", {"app": "web"}, type="NodePort")]
    lab = lab_on(cluster, at_start=at_start)
    assert step(lab, lambda: lab.same("Service", "shop/web", "spec.selector")).passed
    changed = step(lab, lambda: lab.same("Service", "shop/web", "spec.type", "spec.selector"))
    assert changed.finding
    assert (changed.finding.expected, changed.finding.observed) == ("spec.type: NodePort", "spec.type: ClusterIP")
    assert step(lab, lambda: lab.same("Service", "shop/wbe", "spec.type")).verdict is Verdict.COULD_NOT_TELL
    cluster.remove("Service", "shop/web")
    gone = step(lab, lambda: lab.same("Service", "shop/web", "spec.type"))
    assert gone.finding
    assert gone.finding.observed == "it is gone"


def test_a_difference_names_the_leaves_and_no_more() -> None:
    before = {"spec": {"containers": [{"name": "a", "args": ["x"], "env": []}, {"name": "b", "image": "i"}]}}
    after = {"spec": {"containers": [{"name": "a", "args": ["x", "y"], "env": []}, {"name": "b", "image": "i"}]}}
    assert difference(before, after) == ("spec.containers[a].args: x", "spec.containers[a].args: x, y")
    many = {str(n): n for n in range(6)}
    assert difference(many, {}) == (
        "0: 0, 1: 1, 2: 2, 3: 3, and 2 more",
        "0: nothing, 1: nothing, 2: nothing, 3: nothing, and 2 more",
    )


def test_a_selector_finds_new_pods_only_by_the_labels_of_the_template() -> None:
    deployment = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    deployment["spec"] = {"template": {"metadata": {"labels": {"app": "web", "v": "1"}}}}

    def verdict(selector: dict[str, str] | None) -> bool:
        lab = lab_on(FakeCluster([deployment, service("shop/web", selector)]))
        return step(lab, lambda: lab.finds_new_pods("shop/web", "shop/web")).passed

    assert verdict({"app": "web"})
    assert not verdict({"app": "web", "v": "2"})
    assert not verdict({})
    assert not verdict(None)


def test_a_label_selector_means_the_pods_of_tomorrow_or_not() -> None:
    deployment = {"kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"}}
    deployment["spec"] = {"template": {"metadata": {"labels": {"app": "web"}}}}
    lab = lab_on(FakeCluster([deployment]))
    selectors: list[dict[str, Any] | None] = [None, {}, {"matchLabels": {"app": "web"}}, {"matchLabels": {"app": "db"}}]
    with lab.step("means"):
        assert [lab.means(s, "shop/web") for s in selectors] == [True, True, True, False]
        assert not lab.means({"matchLabels": {"app": "web"}}, "shop/gone")


def test_labels_and_uids_are_compared_with_the_start() -> None:
    started = [pod("shop/web-1", app="web"), pod("shop/other", app="other")]
    for number, obj in enumerate(started):
        obj["metadata"]["uid"] = f"first-{number}"
    cluster = FakeCluster([pod("shop/web-1", app="web")])
    lab = lab_on(cluster, at_start=list(started))
    assert step(lab, lambda: lab.labels("shop/web-*").expect(lab.at_start.labels("shop/web-*"))).passed
    replaced = step(lab, lambda: lab.uids("shop/web-*").expect({"web-1": "first-0"}))
    assert replaced.finding
    assert replaced.finding.expected == "web-1: first-0"
    cluster.objects["Pod", "shop/web-1"]["metadata"]["labels"]["tier"] = "web"
    relabelled = step(lab, lambda: lab.labels("shop/web-*").expect(lab.at_start.labels("shop/web-*")))
    assert relabelled.finding
    assert (relabelled.finding.expected, relabelled.finding.observed) == ("web-1.tier: nothing", "web-1.tier: web")


def test_a_single_late_answer_among_many_is_looked_at_again_and_a_second_one_is_told() -> None:
    cluster = FakeCluster([pod("shop/a")])
    looks: list[int] = []

    def answer(*_: str) -> Completed:
        looks.append(1)
        late = answered(status=0, exit_code=28)
        good = answered(count=9)
        return Completed(0, good.stdout + (late.stdout if len(looks) in late_in else answered().stdout))

    cluster.exec = answer
    lab = lab_on(cluster)
    late_in = {1}
    assert step(lab, lambda: lab.many("shop/a", "http://web/", 10).expect(within="0s")).verdict is Verdict.PASS
    assert len(looks) == 2
    looks.clear()
    late_in = {1, 2}
    assert step(lab, lambda: lab.many("shop/a", "http://web/", 10).expect(within="0s")).verdict is Verdict.NOT_YET
    assert len(looks) == 2
