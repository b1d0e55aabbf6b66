"""What the end-to-end binary does around its specs: test/e2e/e2e.go, framework.go, exec_util.go, dump.go"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from e2e_framework import (
    DNSUTILS,
    NGINX,
    PAUSE,
    Apis,
    Namespace,
    addresses,
    agnhost_pod,
    code_of,
    condition,
    container,
    eventually,
    pod_of,
)

from podwalk.backends.base import Cluster
from podwalk.cli.image import image

_SYSTEM = "kube-system"


def test_the_suite_may_begin(apis: Apis) -> None:
    """All Nodes are schedulable, and the Pods and daemons of kube-system are Ready."""
    nodes = apis.core.list_node().items
    usable = apis.schedulable_nodes()
    assert len(usable) >= 2
    for node in nodes:
        assert condition(node, "Ready") == "True"
        assert condition(node, "NetworkUnavailable") in ("", "False")
        # The framework takes the ExternalIP where there is one, and the InternalIP otherwise.
        assert len(addresses(node)) == 1
        assert addresses(node, "ExternalIP") == []
    pods = apis.core.list_namespaced_pod(_SYSTEM).items
    assert pods
    for pod in pods:
        assert (pod.metadata.name, pod.status.phase, condition(pod, "Ready")) == (pod.metadata.name, "Running", "True")
    for daemon in apis.apps.list_namespaced_daemon_set(_SYSTEM).items:
        assert daemon.status.number_ready == daemon.status.desired_number_scheduled
    version = apis.request("GET", "/version")
    assert version["gitVersion"].startswith("v1.36.")
    assert code_of(apis.core.list_namespaced_replication_controller, _SYSTEM) == 200


def test_a_namespace_is_ready_for_pods(ns: Namespace) -> None:
    """The default ServiceAccount, the cluster's certificate, and rights that can be asked for and bound."""
    assert ns.core.read_namespaced_config_map("kube-root-ca.crt", ns.name).data["ca.crt"].startswith("-----BEGIN")
    user = f"system:serviceaccount:{ns.name}:default"

    def may_create_pods() -> bool:
        spec = {"user": user, "resourceAttributes": {"namespace": ns.name, "verb": "create", "resource": "pods"}}
        return bool(ns.authorization.create_subject_access_review({"spec": spec}).status.allowed)

    assert not may_create_pods()
    binding = {
        "metadata": {"generateName": "edit-"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": ns.name}],
    }
    ns.rbac.create_namespaced_role_binding(ns.name, binding)
    eventually(may_create_pods, what="the binding works")


def test_exec_by_websocket_and_kubectl(ns: Namespace, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """ExecWithOptions, RunHostCmd, and the fallback to SPDY: outputs, exit codes and standard input."""
    ns.exec_pod()
    done = ns.exec("execpod", "/bin/sh", "-c", "echo out; echo err >&2; exit 3", container="agnhost-container")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    told = ns.host_command("execpod", "echo $HOSTNAME")
    assert (told.returncode, told.stdout) == (0, "execpod\n")
    assert told.stderr == "+ echo execpod\n"
    # 56 is not a number that kubectl gives by itself.
    failed = ns.host_command("execpod", "exit 56")
    assert (failed.returncode, failed.stderr.splitlines()[-1]) == (56, "command terminated with exit code 56")
    for flag in ("true", "false"):
        monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", flag)
        piped = cluster.kubectl("exec", f"-n={ns.name}", "-i", "execpod", "--", "cat", input="hello")
        assert (piped.returncode, piped.stdout) == (0, "hello")


def test_a_host_exec_pod_is_on_its_node(ns: Namespace) -> None:
    """A privileged Pod on a Node's network sees the Node's addresses and sockets, and other Pods from there."""
    node = ns.schedulable_nodes()[0]
    only = container("agnhost-container", securityContext={"privileged": True})
    ns.pod(pod_of("hostexec", only, hostNetwork=True, nodeName=node.metadata.name))
    (address,) = addresses(node)
    assert ns.core.read_namespaced_pod("hostexec", ns.name).status.pod_ip == address
    assert address in ns.host_command("hostexec", "ip -o -4 address show").stdout
    assert ":10250" in ns.host_command("hostexec", "ss -ant4").stdout
    assert (
        ns.host_command("hostexec", "iptables-save -t nat").stdout or ns.host_command("hostexec", "nft list tables").ok
    )
    assert ns.host_command("hostexec", "hostname").stdout.strip() == node.metadata.name


@pytest.mark.parametrize("ref", [DNSUTILS, NGINX, PAUSE, "registry.k8s.io/e2e-test-images/busybox:1.37.0-1"])
def test_an_image_of_the_specs_runs(ns: Namespace, ref: str) -> None:
    """Each image that sig-network's specs name is in the catalogue."""
    more: dict[str, Any] = {} if ref in (NGINX, PAUSE) else {"command": ["sh", "-c", "sleep 1000"]}
    ns.pod(pod_of("one", {"name": "only", "image": ref, **more}))


def test_a_failed_spec_is_described(ns: Namespace, cluster: Cluster) -> None:
    """Events, Pods, logs and Nodes are dumped: the calls of DumpAllNamespaceInfo, and kubectl describe."""
    ns.pod(agnhost_pod("logger", "logs-generator", "--log-lines-total", "2", "--run-duration", "10ms"), ready=False)
    wanted = {"Scheduled", "Pulled", "Created", "Started"}
    events = eventually(
        lambda: ns.core.list_namespaced_event(ns.name).items, lambda found: {e.reason for e in found} >= wanted
    )
    field = "involvedObject.name=logger,involvedObject.namespace=" + ns.name
    chosen = {e.metadata.name for e in ns.core.list_namespaced_event(ns.name, field_selector=field).items}
    assert chosen >= {e.metadata.name for e in events}
    log = eventually(lambda: ns.core.read_namespaced_pod_log("logger", ns.name), lambda text: text.count("\n") >= 2)
    assert "/api/v1/namespaces/" in log
    described = cluster.kubectl("describe", "pod", "logger", f"--namespace={ns.name}")
    assert (described.ok, "agnhost-container" in described.stdout) == (True, True)
    for node in ns.core.list_node().items:
        running = f"spec.nodeName={node.metadata.name}"
        assert ns.core.list_pod_for_all_namespaces(field_selector=running).items
        proxied = ns.request("GET", f"/api/v1/nodes/{node.metadata.name}/proxy/pods")
        assert proxied["kind"] == "PodList"


def test_a_namespace_ends_with_all_that_is_in_it(ns: Namespace) -> None:
    """Deleted in the background, it is gone with its Pods, however slowly they would like to end."""
    made = Namespace(ns.api, ns.cluster, "to-end")
    made.exec_pod("slow", terminationGracePeriodSeconds=1)
    made.replicas("many", 2, "/agnhost", "pause")
    made.service({"metadata": {"name": "one"}, "spec": {"ports": [{"port": 80}], "selector": {"name": "many"}}})
    made.delete()
    eventually(lambda: code_of(ns.core.read_namespace, made.name), lambda code: code == 404, "the namespace ends")
    assert ns.core.list_namespaced_pod(made.name).items == []
    assert ns.discovery.list_namespaced_endpoint_slice(made.name).items == []


_GO = """
package main

import ("fmt"; "net/http"; "os"; "os/signal"; "syscall")

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, os.Args[1], " ", os.Getpid()) })
	go http.ListenAndServe(":8080", nil)
	<-stop
}
"""


@pytest.mark.skipif(not shutil.which("go"), reason="no Go toolchain")
def test_a_static_go_program_is_an_image(ns: Namespace, tmp_path: Path) -> None:
    """A program linked by Go runs in a container as pid 1, serves, and ends when it is told to."""
    (tmp_path / "main.go").write_text(_GO)
    program = tmp_path / "server"
    env = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": str(tmp_path / "cache")}
    subprocess.run(["go", "build", "-o", program, tmp_path / "main.go"], env=env, check=True, timeout=110)
    added = CliRunner().invoke(image, ["add", "example.com/go-server:1", str(program)])
    assert added.exit_code == 0, added.output
    pod = pod_of("go", {"name": "go", "image": "example.com/go-server:1", "args": ["hello"]})
    pod["spec"]["terminationGracePeriodSeconds"] = 30
    ns.pod(pod)
    path = f"/api/v1/namespaces/{ns.name}/pods/go:8080/proxy/"
    answer = eventually(lambda: ns.core.connect_get_namespaced_pod_proxy("go:8080", ns.name), what=path)
    assert answer == "hello 1"
    ns.core.delete_namespaced_pod("go", ns.name)
    eventually(lambda: code_of(ns.core.read_namespaced_pod, "go", ns.name), lambda code: code == 404, "it ended")


@pytest.mark.timeout(3700)
@pytest.mark.skipif(not os.environ.get("PODWALK_E2E_TEST"), reason="PODWALK_E2E_TEST names no e2e.test of Kubernetes")
def test_the_binary_itself(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The e2e.test of Kubernetes v1.36 that $PODWALK_E2E_TEST names passes its conformance specs of sig-network."""
    report = tmp_path_factory.mktemp("e2e")
    argv = [
        os.environ["PODWALK_E2E_TEST"],
        f"--kubeconfig={cluster.kubeconfig_path}",
        "--provider=local",
        f"--kubectl-path={shutil.which('kubectl')}",
        r"--ginkgo.focus=\[sig-network\].*\[Conformance\]",
        f"--ginkgo.json-report={report / 'report.json'}",
    ]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=3600, check=False)
    (suite,) = json.loads((report / "report.json").read_text())
    states = [(s["State"], s["LeafNodeText"]) for s in suite["SpecReports"] if s["State"] != "skipped"]
    assert [text for state, text in states if state == "failed"] == [], done.stdout[-4000:]
