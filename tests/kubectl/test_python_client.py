"""The official Python client on a running cluster: typed, dynamic, from YAML, watches, streams, leases."""

from __future__ import annotations

import gc
import select
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import portforward, stream

from podwalk.backends.base import Cluster

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.timeout(120),
    # The client leaves the sockets of its watches and port-forwards to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

SPACE = "python-client"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"


@pytest.fixture(scope="module")
def api(cluster: Cluster) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(cluster.kubeconfig_path)) as made:
        client.CoreV1Api(made).create_namespace({"metadata": {"name": SPACE}})
        yield made
        client.CoreV1Api(made).delete_namespace(SPACE)
    gc.collect()


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture(scope="module")
def pod(api: client.ApiClient) -> str:
    core = client.CoreV1Api(api)
    container = client.V1Container(name="main", image=AGNHOST, args=["netexec", "--http-port=8080"])
    probe = client.V1Probe(http_get=client.V1HTTPGetAction(path="/healthz", port=8080))
    container.readiness_probe = probe
    spec = client.V1PodSpec(containers=[container], termination_grace_period_seconds=1)
    core.create_namespaced_pod(SPACE, client.V1Pod(metadata=client.V1ObjectMeta(name="web"), spec=spec))
    seen = watch.Watch().stream(core.list_namespaced_pod, SPACE, field_selector="metadata.name=web", timeout_seconds=60)
    for event in seen:
        conditions = event["object"].status.conditions or []
        if any(c.type == "Ready" and c.status == "True" for c in conditions):
            return "web"
    raise AssertionError("the Pod never became Ready")


def test_typed_objects(core: client.CoreV1Api, api: client.ApiClient) -> None:
    made = core.create_namespaced_config_map(SPACE, client.V1ConfigMap(metadata={"name": "typed"}, data={"a": "b"}))
    assert made.metadata.uid
    patched = core.patch_namespaced_config_map("typed", SPACE, {"data": {"c": "d"}})
    assert patched.data == {"a": "b", "c": "d"}
    patched.data = {"only": "this"}
    assert core.replace_namespaced_config_map("typed", SPACE, patched).data == {"only": "this"}
    with pytest.raises(ApiException) as conflict:
        core.replace_namespaced_config_map("typed", SPACE, made)
    assert conflict.value.status == 409
    listed = core.list_namespaced_config_map(SPACE, field_selector="metadata.name=typed")
    assert [item.metadata.name for item in listed.items] == ["typed"]
    deleted = core.delete_namespaced_config_map("typed", SPACE)
    assert (deleted if isinstance(deleted, dict) else deleted.to_dict())["status"] == "Success"
    with pytest.raises(ApiException) as missing:
        core.read_namespaced_config_map("typed", SPACE)
    assert missing.value.reason == "Not Found"
    assert len(client.DiscoveryV1Api(api).list_endpoint_slice_for_all_namespaces().items) >= 2
    assert client.VersionApi(api).get_code().git_version == "v1.36.2"


def test_every_list_of_the_typed_client_is_readable(api: client.ApiClient) -> None:
    """Its models refuse what lacks a required field: defaults must be there."""
    for group in (client.CoreV1Api, client.AppsV1Api, client.BatchV1Api, client.NetworkingV1Api, client.PolicyV1Api,
                  client.RbacAuthorizationV1Api, client.DiscoveryV1Api, client.CoordinationV1Api,
                  client.SchedulingV1Api, client.ApiextensionsV1Api):  # fmt: skip
        versioned = group(api)
        lists = [name for name in dir(versioned) if name.startswith("list_") and name.endswith("_for_all_namespaces")]
        for name in [*lists, *(n for n in ("list_node", "list_namespace") if hasattr(versioned, n))]:
            if "persistent_volume" in name or "pod_template" in name or "workload" in name:
                continue
            assert getattr(versioned, name)().items is not None, name


def test_dynamic_client(api: client.ApiClient) -> None:
    known = dynamic.DynamicClient(api)
    services = known.resources.get(api_version="v1", kind="Service")
    body = {"kind": "Service", "apiVersion": "v1", "metadata": {"name": "dyn"}, "spec": {"ports": [{"port": 80}]}}
    assert services.create(body=body, namespace=SPACE).spec.clusterIP.startswith("10.96.")
    applied = services.server_side_apply(
        body={**body, "metadata": {"name": "dyn", "labels": {"a": "b"}}}, namespace=SPACE, field_manager="me",
        force_conflicts=True,
    )  # fmt: skip
    assert applied.metadata.labels.to_dict() == {"a": "b"}
    merged = services.patch(
        body={"metadata": {"labels": {"a": None}}}, name="dyn", namespace=SPACE,
        content_type="application/merge-patch+json",
    )  # fmt: skip
    assert merged.metadata.labels is None
    assert [s.metadata.name for s in services.get(namespace=SPACE).items] == ["dyn"]
    services.delete(name="dyn", namespace=SPACE)


def test_create_from_yaml(api: client.ApiClient) -> None:
    text = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: from-yaml}
spec:
  replicas: 0
  selector: {matchLabels: {a: b}}
  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: registry.k8s.io/pause:3.10}]}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: from-yaml}
spec: {defaultBackend: {service: {name: a, port: {number: 80}}}}
"""
    utils.create_from_yaml(api, yaml_objects=list(yaml.safe_load_all(text)), namespace=SPACE)
    assert client.AppsV1Api(api).read_namespaced_deployment("from-yaml", SPACE).spec.replicas == 0
    with pytest.raises(utils.FailToCreateError, match="AlreadyExists"):
        utils.create_from_yaml(api, yaml_objects=list(yaml.safe_load_all(text)), namespace=SPACE)


def test_watch_goes_on_where_it_was(core: client.CoreV1Api) -> None:
    begin = core.list_namespaced_secret(SPACE).metadata.resource_version
    for n in range(3):
        core.create_namespaced_secret(SPACE, {"metadata": {"name": f"s{n}"}})
    seen = []
    for event in watch.Watch().stream(
        core.list_namespaced_secret, SPACE, resource_version=begin, timeout_seconds=30, allow_watch_bookmarks=True
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == 3:
            break
    assert seen == [("ADDED", f"s{n}") for n in range(3)]
    with pytest.raises(ApiException) as refused:
        for _ in watch.Watch().stream(core.list_namespaced_secret, SPACE, resource_version="x", timeout_seconds=5):
            pass
    assert refused.value.status in (400, 422)


def test_exec_with_input_and_exit_code(core: client.CoreV1Api, pod: str) -> None:
    def connect(*command: str, **how: Any) -> Any:
        return stream(
            core.connect_get_namespaced_pod_exec, pod, SPACE, command=list(command), stderr=True, stdout=True, **how
        )

    assert connect("echo", "hello", stdin=False, tty=False) == "hello\n"
    talking = connect("sh", "-c", "read line; echo got $line; exit 7", stdin=True, tty=False, _preload_content=False)
    talking.write_stdin("words\n")
    talking.run_forever(timeout=30)
    assert talking.read_stdout() == "got words\n"
    assert talking.returncode == 7
    talking.close()
    assert "started" not in core.read_namespaced_pod_log(pod, SPACE, tail_lines=0)


def test_port_forward(core: client.CoreV1Api, pod: str) -> None:
    forwarded = portforward(core.connect_get_namespaced_pod_portforward, pod, SPACE, ports="8080")
    opened = forwarded.socket(8080)
    opened.setblocking(True)
    opened.settimeout(30)
    opened.sendall(b"GET /hostname HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = b""
    while got := opened.recv(4096):
        answer += got
    opened.close()
    assert answer.endswith(b"web")
    assert forwarded.error(8080) is None


def test_proxy_and_logs(core: client.CoreV1Api, pod: str) -> None:
    assert core.connect_get_namespaced_pod_proxy_with_path(f"{pod}:8080", SPACE, "hostname") == "web"
    assert "8080" in core.read_namespaced_pod_log(pod, SPACE)


CANDIDATE = """
import sys
from kubernetes import config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
config.load_kube_config(sys.argv[1])
lock = LeaseLock("leader", sys.argv[2], sys.argv[3])
settings = electionconfig.Config(lock, lease_duration=3, renew_deadline=2, retry_period=1,
    onstarted_leading=lambda: print("leads", flush=True), onstopped_leading=lambda: None)
leaderelection.LeaderElection(settings).run()
"""


def test_leases_elect_a_leader_and_the_next(cluster: Cluster, api: client.ApiClient) -> None:
    argv = [sys.executable, "-c", CANDIDATE, str(cluster.kubeconfig_path), SPACE]
    running = {
        name: subprocess.Popen([*argv, name], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for name in ("first", "second")
    }

    def leader() -> str:
        pipes = {each.stdout: name for name, each in running.items() if each.poll() is None}
        ready, _, _ = select.select(list(pipes), [], [], 60)
        assert ready, "nobody leads"
        assert ready[0].readline() == "leads\n"
        lease = client.CoordinationV1Api(api).read_namespaced_lease("leader", SPACE)
        assert lease.spec.holder_identity == pipes[ready[0]]
        return pipes[ready[0]]

    try:
        one = leader()
        running[one].kill()
        running[one].wait(30)
        assert leader() != one
    finally:
        for each in running.values():
            each.kill()
            each.communicate()
