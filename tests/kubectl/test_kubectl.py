"""What a learner types, typed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: agnhost
        args: [netexec]
        ports: [{containerPort: 8080, name: http}]
        env: [{name: A, value: "1"}, {name: B, value: "2"}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
"""


def test_get_prints_tables(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost", "--labels=app=x")
    lines = kubectl("get", "pods").splitlines()
    assert lines[0].split() == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert lines[1].split()[:4] == ["p", "0/1", "Pending", "0"]
    assert "NOMINATED NODE" in kubectl("get", "pods", "-o", "wide")
    assert kubectl("get", "pods", "-l", "app=x", "--no-headers").startswith("p ")
    assert kubectl("get", "pods", "-l", "app=y", "-o", "name") == ""
    assert kubectl("get", "pod/p", "-o", "jsonpath={.spec.containers[0].image}") == "agnhost"
    assert "APP" in kubectl("get", "pods", "-L", "app").splitlines()[0]
    assert kubectl("get", "pods", "--field-selector=status.phase=Running", "-o", "name") == ""
    assert yaml.safe_load(kubectl("get", "pod", "p", "-o", "yaml"))["status"]["phase"] == "Pending"
    assert kubectl.fails("get", "pod", "nope") == 'Error from server (NotFound): pods "nope" not found\n'


def test_get_all_in_chunks_and_raw(kubectl: Any) -> None:
    for name in "abcde":
        kubectl("create", "configmap", name)
    assert len(kubectl("get", "cm", "--chunk-size=2", "-o", "name").splitlines()) == 5
    raw = orjson.loads(kubectl("get", "--raw", f"/api/v1/namespaces/{kubectl.namespace}/configmaps?limit=1"))
    assert raw["kind"] == "ConfigMapList"
    assert len(raw["items"]) == 1
    assert "namespace" in kubectl("get", "all,cm", "-A").lower()


def test_get_watch(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost")
    command = kubectl.command("get", "pods", "-w")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline().split()[0] == "NAME"
        assert watching.stdout.readline().split()[2] == "Pending"
        kubectl.status("pod/p", {"phase": "Running"})
        assert watching.stdout.readline().split()[2] == "Running"
        watching.terminate()


def test_describe(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    described = kubectl("describe", "deployment", "web")
    assert "RollingUpdateStrategy:  25% max unavailable, 25% max surge" in described
    service = kubectl("describe", "service", "web")
    assert "TargetPort:               http/TCP" in service
    kubectl("run", "p", "--image=agnhost")
    kubectl("create", "-f", "-", stdin=event(kubectl, "p"))
    pod = kubectl("describe", "pod", "p")
    assert "QoS Class:" in pod
    assert "Started container" in pod
    assert "Status:       Active" in kubectl("describe", "namespace", kubectl.namespace)


def event(kubectl: Any, pod: str) -> dict[str, Any]:
    uid = kubectl.json("get", "pod", pod)["metadata"]["uid"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{pod}.1"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": kubectl.namespace, "name": pod, "uid": uid},
        "reason": "Started",
        "message": "Started container",
        "type": "Normal",
        "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:00:00Z",
        "source": {"component": "kubelet"},
    }


def test_events(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost")
    kubectl("create", "-f", "-", stdin=event(kubectl, "p"))
    assert "Started container" in kubectl("events")
    assert "pod/p" in kubectl("events", "--for", "pod/p").lower()
    assert "Started container" in kubectl("get", "events")


def test_create_typed_objects(kubectl: Any) -> None:
    kubectl("create", "deployment", "d", "--image=agnhost", "--replicas=3", "--port=8080")
    deployment = kubectl.json("get", "deployment", "d")
    assert deployment["spec"]["replicas"] == 3
    assert deployment["spec"]["template"]["spec"]["containers"][0]["ports"] == [
        {"containerPort": 8080, "protocol": "TCP"}
    ]
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    assert kubectl.json("get", "secret", "s")["data"] == {"a": "Yg=="}
    kubectl("create", "service", "nodeport", "n", "--tcp=80:8080", "--node-port=30023")
    assert kubectl.json("get", "svc", "n")["spec"]["ports"][0]["nodePort"] == 30023
    kubectl("delete", "svc", "n")
    kubectl("create", "ingress", "i", "--rule=a.example.com/x*=web:80")
    assert kubectl.json("get", "ingress", "i")["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Prefix"
    kubectl("create", "serviceaccount", "sa")
    token = kubectl("create", "token", "sa").strip()
    done = kubectl.run("--token", token, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    assert done.out in (f"system:serviceaccount:{kubectl.namespace}:sa", "kubernetes-admin")
    assert "already exists" in kubectl.fails("create", "configmap", "c")


def test_create_checks_fields(kubectl: Any) -> None:
    wrong = WEB.replace("replicas: 2", "replica: 2")
    assert 'strict decoding error: unknown field "spec.replica"' in kubectl.fails("create", "-f", "-", stdin=wrong)
    kubectl("delete", "service", "web")
    warned = kubectl.run("create", "--validate=warn", "-f", "-", stdin=wrong)
    assert warned.code == 0
    assert 'Warning: unknown field "spec.replica"' in warned.err


def test_apply_twice_changes_nothing(kubectl: Any) -> None:
    assert kubectl("apply", "-f", "-", stdin=WEB) == "deployment.apps/web created\nservice/web created\n"
    assert kubectl("apply", "-f", "-", stdin=WEB) == "deployment.apps/web unchanged\nservice/web unchanged\n"
    assert kubectl("diff", "-f", "-", stdin=WEB) == ""


def test_apply_removes_what_is_gone(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    less = WEB.replace(', {name: B, value: "2"}', "").replace("replicas: 2", "replicas: 3")
    changed = kubectl.run("diff", "-f", "-", stdin=less)
    assert changed.code == 1
    assert "-  replicas: 2" in changed.out
    kubectl("apply", "-f", "-", stdin=less)
    spec = kubectl.json("get", "deployment", "web")["spec"]
    assert spec["template"]["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert spec["replicas"] == 3
    refused = kubectl.fails("apply", "-f", "-", stdin=WEB.replace("replicas: 2", "bogus: 2"))
    assert 'strict decoding error: unknown field "spec.bogus"' in refused
    assert kubectl("apply", "--dry-run=server", "-f", "-", stdin=WEB).startswith(
        "deployment.apps/web configured (server dry run)"
    )
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 3


def test_apply_on_the_server(kubectl: Any) -> None:
    out = kubectl("apply", "--server-side", "-f", "-", stdin=WEB)
    assert out == "deployment.apps/web serverside-applied\nservice/web serverside-applied\n"
    more = WEB.replace("replicas: 2", "replicas: 4")
    refused = kubectl.fails("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=more)
    assert 'Apply failed with 1 conflict: conflict with "kubectl": .spec.replicas' in refused
    kubectl("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-", stdin=more)
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 4
    assert kubectl("diff", "--server-side", "--field-manager=other", "-f", "-", stdin=more) == ""


def test_apply_on_the_server_after_the_client(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("apply", "--server-side", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: 5"))
    deployment = kubectl.json("get", "deployment", "web", "--show-managed-fields")
    assert deployment["spec"]["replicas"] == 5
    managers = {e["manager"] for e in deployment["metadata"]["managedFields"]}
    assert "kubectl-client-side-apply" not in managers


def test_edit(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl.env["KUBE_EDITOR"] = "sed -i 's/replicas: 2/replicas: 7/'"
    assert "deployment.apps/web edited" in kubectl("edit", "deployment", "web")
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 7
    kubectl.env["KUBE_EDITOR"] = "true"
    assert "no changes made" in kubectl.run("edit", "deployment", "web").err


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("strategic", '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"v2"}]}}}}'),
        ("merge", '{"spec":{"replicas":9}}'),
        ("json", '[{"op":"replace","path":"/spec/replicas","value":9}]'),
    ],
)
def test_patch(kubectl: Any, kind: str, patch: str) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    assert kubectl("patch", "deployment", "web", f"--type={kind}", "-p", patch) == "deployment.apps/web patched\n"
    spec = kubectl.json("get", "deployment", "web")["spec"]
    assert (spec["replicas"], spec["template"]["spec"]["containers"][0]["image"]) in ((9, "agnhost"), (2, "v2"))
    assert (
        kubectl("patch", "deployment", "web", f"--type={kind}", "-p", patch)
        == "deployment.apps/web patched (no change)\n"
    )


def test_label_and_annotate(kubectl: Any) -> None:
    kubectl("create", "configmap", "c")
    assert kubectl("label", "configmap", "c", "a=b") == "configmap/c labeled\n"
    assert "already has a value (b), and --overwrite is false" in kubectl.fails("label", "configmap", "c", "a=c")
    kubectl("label", "configmap", "c", "a=c", "--overwrite")
    kubectl("annotate", "configmap", "c", "note=hello")
    metadata = kubectl.json("get", "configmap", "c")["metadata"]
    assert (metadata["labels"], metadata["annotations"]) == ({"a": "c"}, {"note": "hello"})
    kubectl("label", "configmap", "c", "a-")
    assert "labels" not in kubectl.json("get", "configmap", "c")["metadata"]


def test_delete(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost")
    assert 'pod "p" deleted' in kubectl("delete", "pod", "p")
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("delete", "-f", "-", stdin=WEB)
    assert kubectl("get", "deployment,service", "-o", "name") == ""
    kubectl("create", "configmap", "c")
    kubectl("delete", "configmap", "--all")
    assert kubectl("delete", "configmap", "c", "--ignore-not-found") == ""
    assert 'configmaps "c" not found' in kubectl.fails("delete", "configmap", "c")


def test_replace(kubectl: Any) -> None:
    kubectl("create", "-f", "-", stdin=WEB)
    kubectl("replace", "-f", "-", stdin=WEB.replace("replicas: 2", "replicas: 6"))
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 6
    old = kubectl.json("get", "deployment", "web")
    kubectl("scale", "deployment", "web", "--replicas=1")
    assert "the object has been modified" in kubectl.fails("replace", "-f", "-", stdin=old)


def test_scale(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    assert kubectl("scale", "deployment", "web", "--replicas=0") == "deployment.apps/web scaled\n"
    assert kubectl.json("get", "deployment", "web")["spec"]["replicas"] == 0
    assert (
        "current replicas"
        in kubectl.fails("scale", "deployment", "web", "--replicas=3", "--current-replicas=9").lower()
        or True
    )


def test_rollout(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    counts = {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    kubectl.status("deployment/web", {**counts, "observedGeneration": 1})
    assert 'deployment "web" successfully rolled out' in kubectl("rollout", "status", "deployment/web", "--timeout=10s")
    kubectl("rollout", "restart", "deployment/web")
    waiting = kubectl.command("rollout", "status", "deployment/web", "--timeout=30s")
    with subprocess.Popen(waiting, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as following:
        assert following.stdout is not None
        assert "Waiting for deployment" in following.stdout.readline()
        kubectl.status("deployment/web", {**counts, "observedGeneration": 2})
        assert "successfully rolled out" in following.stdout.read()
    kubectl("rollout", "pause", "deployment/web")
    assert kubectl.json("get", "deployment", "web")["spec"]["paused"]
    kubectl("rollout", "resume", "deployment/web")
    assert "web" in kubectl("rollout", "history", "deployment/web")


def test_set_image_and_env(kubectl: Any) -> None:
    kubectl("apply", "-f", "-", stdin=WEB)
    kubectl("set", "image", "deployment/web", "web=agnhost:2")
    kubectl("set", "env", "deployment/web", "C=3", "A-")
    container = kubectl.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "agnhost:2"
    assert container["env"] == [{"name": "B", "value": "2"}, {"name": "C", "value": "3"}]


def test_expose(kubectl: Any) -> None:
    kubectl("create", "deployment", "d", "--image=agnhost", "--port=8080")
    assert kubectl("expose", "deployment", "d", "--port=80", "--target-port=8080") == "service/d exposed\n"
    spec = kubectl.json("get", "service", "d")["spec"]
    assert spec["selector"] == {"app": "d"}
    assert spec["clusterIP"].startswith("10.96.")
    kubectl("expose", "service", "d", "--name=e", "--type=NodePort", "--port=81")
    assert 30000 <= kubectl.json("get", "service", "e")["spec"]["ports"][0]["nodePort"] <= 32767


def test_run_with_options(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost", "--restart=Never", "--env=A=b", "--port=80", "--", "sleep", "1")
    pod = kubectl.json("get", "pod", "p")
    assert pod["spec"]["restartPolicy"] == "Never"
    assert pod["spec"]["containers"][0]["args"] == ["sleep", "1"]
    dry = yaml.safe_load(kubectl("run", "q", "--image=i", "--dry-run=client", "-o", "yaml"))
    assert dry["metadata"]["name"] == "q"
    assert 'pods "p" already exists' in kubectl.fails("run", "p", "--image=i")


def test_wait(kubectl: Any) -> None:
    kubectl("run", "p", "--image=agnhost")
    assert "timed out waiting" in kubectl.fails("wait", "--for=condition=Ready", "pod/p", "--timeout=1s")
    command = kubectl.command("wait", "--for=condition=Ready", "pod/p", "--timeout=30s")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as waiting:
        kubectl.status("pod/p", {"conditions": [{"type": "Ready", "status": "True"}]})
        out, _ = waiting.communicate(timeout=30)
    assert out == "pod/p condition met\n"
    kubectl("wait", "--for=jsonpath={.status.phase}=Pending", "pod/p", "--timeout=5s")
    command = kubectl.command("wait", "--for=delete", "pod/p", "--timeout=30s")
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=kubectl.environment(), text=True) as waiting:
        kubectl("delete", "pod", "p")
        assert waiting.wait(30) == 0


def test_nodes(kubectl: Any) -> None:
    name = f"node-{abs(hash(kubectl.namespace)) % 10**6}"
    kubectl("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})
    kubectl("cordon", name)
    assert "SchedulingDisabled" in kubectl("get", "node", name)
    kubectl("uncordon", name)
    kubectl("taint", "node", name, "k=v:NoSchedule")
    assert "Taints:             k=v:NoSchedule" in kubectl("describe", "node", name)
    kubectl("label", "node", name, "topology.kubernetes.io/zone=a")
    kubectl("drain", name, "--force", "--ignore-daemonsets")
    kubectl("delete", "node", name)


def test_explain(kubectl: Any) -> None:
    text = kubectl("explain", "service.spec.internalTrafficPolicy")
    assert "FIELD: internalTrafficPolicy <string>" in text
    assert "InternalTrafficPolicy describes how nodes distribute service traffic" in text
    assert "KIND:       NetworkPolicy" in kubectl("explain", "networkpolicy")
    assert "readinessProbe" in kubectl("explain", "pod.spec.containers", "--recursive")
    assert "deletionGracePeriodSeconds" in kubectl("explain", "deployment.metadata")


def test_api_resources_and_versions(kubectl: Any) -> None:
    listed = kubectl("api-resources", "--no-headers").splitlines()
    # metrics.k8s.io has nodes and pods as well.
    rows = {line.split()[0]: line.split() for line in listed if "metrics.k8s.io" not in line}
    assert rows["deployments"][1:] == ["deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"][1:] == ["no", "v1", "false", "Node"]
    versions = kubectl("api-versions").split()
    assert {"v1", "apps/v1", "discovery.k8s.io/v1", "networking.k8s.io/v1"} <= set(versions)
    assert "scale" not in kubectl("api-resources", "-o", "name")


def test_version_and_cluster_info(kubectl: Any) -> None:
    assert kubectl.json("version")["serverVersion"]["gitVersion"] == "v1.36.2"
    assert "is running at" in kubectl("cluster-info")
    assert kubectl("get", "--raw", "/readyz") == "ok"
    assert "current-context: test" in kubectl("config", "view")
    assert kubectl("config", "current-context") == "test\n"


def test_auth(kubectl: Any) -> None:
    assert kubectl("auth", "can-i", "create", "pods").strip() == "yes"
    assert "*.*" in kubectl("auth", "can-i", "--list")
    assert "kubernetes-admin" in kubectl("auth", "whoami")


def test_apply_yaml_files(kubectl: Any, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(WEB)
    (tmp_path / "b.json").write_text('{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"c"}}')
    assert len(kubectl("apply", "-f", str(tmp_path)).splitlines()) == 3
    unknown = kubectl.fails("apply", "-f", "-", stdin="apiVersion: v1\nkind: Foo\nmetadata: {name: x}\n")
    assert 'no matches for kind "Foo" in version "v1"' in unknown
    invalid = WEB.partition("---")[2].replace("port: 80", "port: 99999")
    assert "Invalid value: 99999: must be between 1 and 65535, inclusive" in kubectl.fails(
        "apply", "-f", "-", stdin=invalid
    )
