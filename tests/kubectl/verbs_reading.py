"""What reads: get, describe, explain, events, top, wait, api-resources …"""

from __future__ import annotations

import re
import subprocess
from typing import Any

import orjson
import yaml
from verb_table import verb

OUTPUTS = {
    "yaml": lambda text: yaml.safe_load(text)["kind"] == "Pod",
    "json": lambda text: orjson.loads(text)["metadata"]["name"] == "p",
    "name": lambda text: text == "pod/p\n",
    "wide": lambda text: "READINESS GATES" in text,
    "jsonpath={.spec.containers[*].name}": lambda text: text == "p",
    "jsonpath-as-json={.spec.containers[0].name}": lambda text: orjson.loads(text) == ["p"],
    "go-template={{.kind}}": lambda text: text == "Pod",
    "custom-columns=N:.metadata.name,I:.spec.containers[0].image": lambda text: text.split()[:2] == ["N", "I"],
}


@verb("get", "run")
def get_in_every_form(k: Any) -> None:
    assert k("run", "p", "--image=registry.k8s.io/pause:3.10", "--labels=app=p") == "pod/p created\n"
    for form, holds in OUTPUTS.items():
        assert holds(k("get", "pod", "p", "-o", form)), form
    assert "managedFields" in k("get", "pod", "p", "-o", "yaml", "--show-managed-fields")
    assert "app=p" in k("get", "pods", "--show-labels")
    assert k("get", "pods", "-l", "app in (p,q),app!=q", "-o", "name") == "pod/p\n"
    assert k("get", "pods", "-l", "!app", "-o", "name") == ""
    assert k("get", "pods", "--field-selector", "metadata.name!=p", "-o", "name") == ""
    assert k("get", "pods", "--sort-by=.metadata.name", "--no-headers").split()[0] == "p"
    refused = k.fails("get", "pods", "--field-selector", "spec.nope=1")
    assert "field label not supported: spec.nope" in refused
    assert "p " in k("get", "pod/p", "service/kubernetes", "-n", k.namespace, "--ignore-not-found")


@verb("get")
def get_in_chunks(k: Any) -> None:
    names = [f"c{n}" for n in range(7)]
    listed = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": n}} for n in names]
    k("create", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": listed})
    found = k("get", "configmaps", "--chunk-size=2", "-o", "name").split()
    assert [f"configmap/{n}" for n in names] == [f for f in found if f != "configmap/kube-root-ca.crt"]
    first = k.raw("configmaps?limit=3")
    assert len(first["items"]) == 3
    assert first["metadata"]["remainingItemCount"] == 5
    rest = k.raw(f"configmaps?limit=9&continue={first['metadata']['continue']}")
    assert [i["metadata"]["name"] for i in first["items"] + rest["items"]] == [*names, "kube-root-ca.crt"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@verb("get")
def watches_and_their_ends(k: Any) -> None:
    k("create", "configmap", "a")
    version = k.raw("configmaps")["metadata"]["resourceVersion"]
    k("label", "configmap", "a", "x=y")
    k("delete", "configmap", "a")
    events = k.watched(f"configmaps?watch=1&resourceVersion={version}&timeoutSeconds=1")
    assert [e["type"] for e in events] == ["MODIFIED", "DELETED"]
    # An object that a selector loses is deleted for its watchers.
    k("create", "configmap", "b")
    k("label", "configmap", "b", "x=y")
    version = k.raw("configmaps")["metadata"]["resourceVersion"]
    k("label", "configmap", "b", "x-")
    events = k.watched(f"configmaps?watch=1&labelSelector=x%3Dy&resourceVersion={version}&timeoutSeconds=1")
    assert [e["type"] for e in events] == ["DELETED"]
    listed = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
    events = k.watched(f"configmaps?{listed}&timeoutSeconds=1")
    assert [e["type"] for e in events] == ["ADDED", "ADDED", "BOOKMARK"]
    assert events[-1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


@verb("get")
def watch_follows(k: Any) -> None:
    k("create", "configmap", "w")
    with subprocess.Popen(
        k.command("get", "configmap", "w", "--watch", "--no-headers", "-o", "jsonpath={.data.a}:{'\\n'}"),
        stdout=subprocess.PIPE,
        env=k.environment(),
        text=True,
    ) as watching:
        try:
            assert watching.stdout is not None
            assert watching.stdout.readline() == ":\n"
            k("patch", "configmap", "w", "-p", '{"data":{"a":"b"}}')
            assert watching.stdout.readline() == "b:\n"
        finally:
            watching.terminate()


@verb("describe")
def describes_what_is_there(k: Any) -> None:
    k("create", "deployment", "web", "--image=registry.k8s.io/pause:3.10", "--port=80")
    k("expose", "deployment", "web")
    k("rollout", "status", "deployment/web", "--timeout=60s")
    assert "NewReplicaSet:   web-" in k("describe", "deployment", "web")
    assert "ScalingReplicaSet" in k("describe", "deployment", "web")
    k.until(lambda: re.search(r"Started .* kubelet +", k("describe", "pod", "-l", "app=web")))
    assert "kube-api-access-" in k("describe", "pod", "-l", "app=web")
    assert re.search(r"Endpoints: +10\.244\.\d+\.\d+:80", k("describe", "service", "web"))
    node = k("describe", "nodes")
    assert "Non-terminated Pods:" in node
    assert "Failed to get lease" not in node
    assert "Status:       Active" in k("describe", "namespace", k.namespace)
    for kind in ("replicaset", "endpointslices", "serviceaccount", "configmap"):
        assert "Name:" in k("describe", kind)


@verb("explain", "api-resources", "api-versions")
def explains_in_the_real_words(k: Any) -> None:
    assert "restartPolicy <string>" in k("explain", "pod.spec.restartPolicy")
    assert "Always" in k("explain", "pod.spec.restartPolicy")
    assert "ports\t<[]ServicePort>" in k("explain", "service.spec")
    assert "maxSurge" in k("explain", "deployment.spec.strategy", "--recursive")
    assert 'field "nope" does not exist' in k.fails("explain", "pod.spec.nope")
    kinds = {line.split()[-1] for line in k("api-resources", "--no-headers").splitlines()}
    assert {"Pod", "EndpointSlice", "NetworkPolicy", "CustomResourceDefinition", "Lease"} <= kinds
    assert "po" in k("api-resources", "--api-group=", "-o", "wide")
    for kind in sorted(k("api-resources", "-o", "name", "--verbs=list,get").split()):
        assert "KIND:" in k("explain", kind.partition(".")[0]), kind
    assert {"v1", "apps/v1", "discovery.k8s.io/v1"} <= set(k("api-versions").split())


@verb("events")
def events_of_a_pod(k: Any) -> None:
    k("run", "p", "--image=registry.k8s.io/pause:3.10")
    k("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    # Events are written beside the status, and by others than the kubelet.
    k.until(lambda: {"Scheduled", "Started"} <= set(k("events", "--for", "pod/p").split()))
    assert "REASON" in k("get", "events", "--sort-by=.lastTimestamp")
    assert "No events found" in k.run("events", "--types=Warning").err


@verb("top", "top node", "top pod")
def top_of_nodes_and_pods(k: Any) -> None:
    k("run", "p", "--image=registry.k8s.io/pause:3.10")
    k("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    assert k("top", "node").split()[:3] == ["NAME", "CPU(cores)", "CPU(%)"] or "CPU(cores)" in k("top", "node")
    assert len(k("top", "node", "--no-headers").splitlines()) == 3
    assert re.match(r"p +\d+m +\d+Mi", k("top", "pod", "p", "--no-headers"))
    assert re.match(r"p +p +\d+m", k("top", "pod", "p", "--containers", "--no-headers"))


@verb("wait")
def waits_for_everything(k: Any) -> None:
    k("run", "p", "--image=registry.k8s.io/pause:3.10")
    assert k("wait", "--for=condition=Ready", "pod/p", "--timeout=60s") == "pod/p condition met\n"
    assert "met" in k("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--all", "--timeout=60s")
    with subprocess.Popen(
        k.command("wait", "--for=create", "configmap/later", "--timeout=60s"),
        stdout=subprocess.PIPE, env=k.environment(), text=True,
    ) as waiting:  # fmt: skip
        k("create", "configmap", "later")
        assert waiting.wait(60) == 0
    with subprocess.Popen(
        k.command("wait", "--for=delete", "pod/p", "--timeout=60s"), stdout=subprocess.PIPE, env=k.environment()
    ) as waiting:
        k("delete", "pod", "p", "--now")
        assert waiting.wait(60) == 0
    assert "timed out waiting for the condition" in k.fails(
        "wait", "--for=jsonpath={.data.a}=b", "configmap/later", "--timeout=1s"
    )


@verb("version", "cluster-info", "cluster-info dump", "proxy", "options", "completion", "plugin", "kuberc")
def the_cluster_and_the_client(k: Any) -> None:
    assert "Server Version: v1.36.2" in k("version")
    assert "Kubernetes control plane is running at https://127.0.0.1" in k("cluster-info")
    assert '"kind": "NodeList"' in k("cluster-info", "dump", "--namespaces", k.namespace)
    assert "__start_kubectl" in k("completion", "bash")
    with subprocess.Popen(
        k.command("proxy", "--port=0"), stdout=subprocess.PIPE, env=k.environment(), text=True
    ) as proxy:
        try:
            assert proxy.stdout is not None
            port = proxy.stdout.readline().rpartition(":")[2].strip()
            import urllib.request

            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/namespaces/{k.namespace}", timeout=20) as got:
                assert orjson.loads(got.read())["metadata"]["name"] == k.namespace
        finally:
            proxy.terminate()


CONFIG = {
    ("current-context",): "",
    ("get-contexts", "-o", "name"): "",
    ("get-clusters",): "NAME",
    ("get-users",): "NAME",
    ("view", "--minify"): "current-context",
    ("set-cluster", "c", "--server=https://127.0.0.1:1"): 'Cluster "c" set',
    ("set-credentials", "u", "--token=t"): 'User "u" set',
    ("set-context", "x", "--cluster=c", "--user=u"): 'Context "x" created',
    ("set", "clusters.c.server", "https://127.0.0.1:2"): "Property",
    ("unset", "clusters.c.server"): "Property",
    ("rename-context", "x", "y"): "renamed",
    ("use-context", "y"): "Switched",
    ("delete-context", "y"): "deleted",
    ("delete-user", "u"): "deleted",
    ("delete-cluster", "c"): "deleted",
}


@verb("config", *(f"config {line[0]}" for line in CONFIG))
def the_configuration(k: Any) -> None:
    """Ours is one that kubectl can change like any other."""
    copy = k.home / f"config-{k.namespace}"
    copy.write_bytes(k.kubeconfig.read_bytes())
    try:
        for line, told in CONFIG.items():
            done = k.alone("config", *line, kubeconfig=copy)
            assert done.code == 0, (line, done.err)
            assert told in done.out + done.err, line
    finally:
        copy.unlink()
