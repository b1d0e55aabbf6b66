"""The kind backend against stand-ins for kind and docker: what it runs, what it keeps, what it says when it cannot."""

from __future__ import annotations

import http.server
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kind_standin import STANDIN, calls
from podwalk import backends
from podwalk.api import clusterconfig
from podwalk.backends.base import BackendError, Completed, Fact, NotFoundError
from podwalk.backends.kind import KindBackend, KindCluster, render
from podwalk.backends.kind_networks import KIND_VERSION, NODE_IMAGE

pytest.importorskip("pytest_kind", reason="the extra podwalk[kind] is not installed")


def test_up_gives_kind_the_configuration_and_the_pinned_image(standin: Path, facts: list[Fact]) -> None:
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    create = next(call for call in calls(standin) if call.startswith("kind create cluster"))
    assert f"--image={NODE_IMAGE}" in create
    assert f"--kubeconfig={cluster.kubeconfig_path}" in create
    given = yaml.safe_load((standin / "a" / "config.yaml").read_text())
    assert [node["role"] for node in given["nodes"]] == ["control-plane", "worker", "worker"]
    assert given["networking"]["podSubnet"] == "10.244.0.0/16"
    assert [fact.text for fact in facts] == ["kind made 3 nodes of docker containers"]


def test_the_kubeconfig_is_the_owners_alone(standin: Path, facts: list[Fact]) -> None:
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    assert cluster.context == "kind-a"
    assert cluster.kubeconfig_path.stat().st_mode & 0o777 == 0o600
    assert yaml.safe_load(cluster.kubeconfig_path.read_text())["current-context"] == "kind-a"
    shown = cluster.kubectl("get", "pods").stdout
    assert shown == f"--kubeconfig={cluster.kubeconfig_path} --context=kind-a get pods\n"


def test_nothing_is_left_where_the_command_was_given(standin: Path, facts: list[Fact], tmp_path: Path) -> None:
    KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    assert Path.cwd() == tmp_path
    assert not (tmp_path / ".pytest-kind").exists()


def test_standard_output_stays_the_callers(standin: Path, facts: list[Fact], capfd: pytest.CaptureFixture[str]) -> None:
    KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    out, err = capfd.readouterr()
    assert out == ""
    assert "You can now use your cluster with:" in err


def test_status_names_the_nodes(standin: Path, facts: list[Fact]) -> None:
    status = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False).status()
    assert status.running
    assert (status.backend, status.context, status.server) == ("kind", "kind-a", "https://127.0.0.1:1")
    assert [(n.name, n.role, n.address, n.alive) for n in status.nodes] == [
        ("a-control-plane", "control-plane", "172.18.0.2", True),
        ("a-worker", "worker", "172.18.0.3", True),
        ("a-worker2", "worker", "172.18.0.4", True),
    ]


def test_a_silent_engine_is_a_cluster_that_does_not_run(
    standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert not cluster.status().running
    assert KindBackend().find("a") is not None, "it may come back: its files are kept"


def test_commands_on_a_node_and_outside(standin: Path, facts: list[Fact]) -> None:
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    assert cluster.node("a-worker", ["ip", "route"]) == Completed(0, "node a-worker ip route\n")
    assert cluster.outside(["ip", "route"]) == Completed(0, "outside kind ip route\n")
    with pytest.raises(
        NotFoundError, match=r"^node/b: not found in cluster a; it has: a-control-plane, a-worker, a-wor"
    ):
        cluster.node("b", ["true"])


def test_commands_that_have_the_terminal(standin: Path, facts: list[Fact], capfd: pytest.CaptureFixture[str]) -> None:
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    capfd.readouterr()
    assert cluster.node("a-worker", ["hostname"], capture=False).returncode == 0
    assert capfd.readouterr().out == "node a-worker hostname\n"
    assert calls(standin)[-1] == "docker exec --interactive a-worker hostname"


def test_find_and_down(standin: Path, facts: list[Fact]) -> None:
    backend = KindBackend()
    made = backend.up(clusterconfig.default("a"), progress=facts.append, wait=False)
    found = backend.find("a")
    assert found is not None
    assert [cluster.name for cluster in backend.clusters()] == ["a"]
    found.down()
    assert "kind delete cluster --name=a" in " ".join(calls(standin))
    assert backend.find("a") is None
    assert not made.kubeconfig_path.parent.exists()


def test_a_cluster_that_was_deleted_behind_our_back_is_forgotten(standin: Path, facts: list[Fact]) -> None:
    made = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    (standin / "a" / "nodes.json").unlink()
    assert KindBackend().find("a") is None
    assert not made.kubeconfig_path.exists()


def test_find_runs_nothing_where_kind_was_never_used(standin: Path) -> None:
    assert KindBackend().find("a") is None
    assert KindBackend().clusters() == []
    assert calls(standin) == []


def test_the_backend_has_its_name() -> None:
    assert backends.NAMES == ("embedded", "kind", "context")
    assert isinstance(backends.backend("kind"), KindBackend)


class TestTrouble:
    """One line, and a cure."""

    def up(self, facts: list[Fact]) -> str:
        with pytest.raises(BackendError) as caught:
            KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_no_engine(self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "/nowhere")
        assert self.up(facts).startswith("docker is not installed; install docker (https://docs.docker.com/")

    def test_an_engine_that_does_not_answer(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DOCKER_STANDIN_DOWN", "1")
        message = self.up(facts)
        assert message.startswith("docker does not answer (Cannot connect to the Docker daemon")
        assert "leave out --backend kind" in message

    def test_no_extra(self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "pytest_kind", None)
        assert "pip install 'podwalk[kind]'" in self.up(facts)

    def test_a_failed_start_leaves_nothing(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("KIND_STANDIN_FAIL", "no space left on device")
        assert self.up(facts).startswith("kind create cluster failed with exit status 1; see what it printed above, or")
        assert "no space left on device" in capfd.readouterr().err
        assert KindBackend().clusters() == []

    def test_an_interrupted_start_leaves_nothing(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import pytest_kind

        create = pytest_kind.KindCluster.create

        def interrupted(*arguments: object) -> None:
            create(*arguments)
            raise KeyboardInterrupt

        monkeypatch.setattr(pytest_kind.KindCluster, "create", interrupted)
        with pytest.raises(KeyboardInterrupt):
            KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
        assert "kind delete cluster --name=a" in " ".join(calls(standin))
        assert KindBackend().clusters() == []

    def test_a_failed_start_by_another_kind_names_the_right_one(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("KIND_STANDIN_FAIL", "no such image")
        monkeypatch.setenv("KIND_STANDIN_VERSION", "v0.29.0")
        assert f"try kind {KIND_VERSION}, whose node images podwalk uses (kind v0.29.0 is on PATH)" in self.up(facts)

    def test_a_strangers_cluster_is_left_alone(self, standin: Path, facts: list[Fact]) -> None:
        (standin / "a").mkdir()
        (standin / "a" / "nodes.json").write_text("{}")
        assert self.up(facts).startswith("kind has a cluster a that podwalk did not make; choose another --name")

    def test_no_kind_and_no_download(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        only_docker(tmp_path, monkeypatch)
        monkeypatch.setenv("KIND_DOWNLOAD_URL", "http://127.0.0.1:1/kind")
        message = self.up(facts)
        assert message.startswith(f"kind {KIND_VERSION} could not be run or downloaded (")
        assert "https://kind.sigs.k8s.io/docs/user/quick-start/#installation" in message


def only_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take kind, and nothing else, off PATH."""
    folder = tmp_path / "only-docker"
    folder.mkdir()
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {STANDIN / "docker"} "$@"\n')
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{tmp_path / 'tools'}")


@pytest.fixture
def release(standin: Path) -> Iterator[str]:
    """The address of a server that offers the stand-in as kind's release."""
    script = f'#!/bin/sh\nexec {sys.executable} {STANDIN / "kind"} "$@"\n'.encode()

    class Release(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(script)))
            self.end_headers()
            self.wfile.write(script)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Release) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/kind"
        server.shutdown()
        thread.join()


def test_kind_is_downloaded_where_there_is_none(
    release: str, standin: Path, facts: list[Fact], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_docker(tmp_path, monkeypatch)
    monkeypatch.setenv("KIND_DOWNLOAD_URL", release)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cluster = KindBackend().up(clusterconfig.default("a"), progress=facts.append, wait=False)
    assert os.access(tmp_path / "home" / "bin" / f"kind-{KIND_VERSION}", os.X_OK)
    cluster.down()


def test_render_says_what_was_asked_for() -> None:
    asked = {
        "nodes": [{"role": "control-plane"}, {"role": "worker", "labels": {"zone": "a"}}],
        "networking": {
            "podSubnet": "10.1.0.0/16",
            "serviceSubnet": "10.2.0.0/16",
            "kubeProxyMode": "none",
            "disableDefaultCNI": True,
            "apiServerPort": 7777,
        },
    }
    rendered = render(clusterconfig.parse(asked, name="a"))
    assert {key: rendered[key] for key in asked} == asked
    assert (rendered["kind"], rendered["apiVersion"]) == ("Cluster", "kind.x-k8s.io/v1alpha4")


class Answers:
    """A client that answers lists from a script: each call of a kind takes the next of its answers, the last stays."""

    def __init__(self, **answers: list[object]) -> None:
        self.answers = answers

    def __enter__(self) -> Answers:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def list(self, kind: str, *_: object, **__: object) -> object:
        script = self.answers[kind]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def condition(status: str) -> dict[str, object]:
    return {"status": {"conditions": [{"type": "Ready", "status": status}]}}


class TestProof:
    def test_it_waits_for_the_api_the_nodes_and_the_dns(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        up, down = condition("True"), condition("False")
        script = Answers(Node=[OSError("refused"), [down], [up, down, up], [up] * 3], Pod=[[], [down], [up]])
        monkeypatch.setattr(KindCluster, "client", lambda _: script)
        KindBackend().up(clusterconfig.default("a"), progress=facts.append)
        assert [fact.text for fact in facts[1:]] == [
            "the API server answers",
            "3 nodes Ready",
            "the cluster DNS is Ready",
        ]
        assert (len(script.answers["Node"]), len(script.answers["Pod"])) == (1, 1), "it asked until all was well"

    def test_a_cluster_that_never_works_is_deleted(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(KindCluster, "client", lambda _: Answers(Node=[[condition("False")]]))
        monkeypatch.setattr("podwalk.backends.kind_boot.PROVE_SECONDS", 0.1)
        with pytest.raises(BackendError, match=r"^cluster a: its nodes are not all Ready after 0 s; start it with"):
            KindBackend().up(clusterconfig.default("a"), progress=facts.append)
        assert KindBackend().clusters() == []
        assert "kind delete cluster --name=a" in " ".join(calls(standin))

    def test_without_a_cni_only_the_api_can_answer(
        self, standin: Path, facts: list[Fact], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(KindCluster, "client", lambda _: Answers(Node=[[condition("False")]]))
        config = clusterconfig.parse({"networking": {"disableDefaultCNI": True}}, name="a")
        KindBackend().up(config, progress=facts.append)
        assert [fact.text for fact in facts[1:]] == ["the API server answers"]
