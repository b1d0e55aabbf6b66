"""What needs Pods that run: logs, exec, attach, cp, port-forward, debug, rollout, drain, proxies."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import urllib.request
from typing import Any

from verb_table import verb
from verbs_writing import PAUSE, deployment

SHELL, AGNHOST = "busybox:1.36", "registry.k8s.io/e2e-test-images/agnhost:2.53"


def shell(k: Any, name: str = "p") -> None:
    """A Pod that says a line and stays."""
    script = "trap 'exit 0' TERM; echo hello; sleep 3600 & wait"
    k("run", name, f"--image={SHELL}", "--", "sh", "-c", script)
    k("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


@verb("logs")
def logs_in_their_ways(k: Any) -> None:
    shell(k)
    k.until(lambda: k("logs", "p") == "hello\n")  # Ready as soon as it runs
    assert k("logs", "p", "--tail=0") == ""
    assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z hello", k("logs", "p", "--timestamps"))
    assert k("logs", "-l", "run=p", "--prefix") == "[pod/p/p] hello\n"
    assert "container nope is not valid for pod p" in k.fails("logs", "p", "-c", "nope")
    assert "previous terminated container" in k.fails("logs", "p", "--previous")
    following = k.command("logs", "-f", "p")
    with subprocess.Popen(following, stdout=subprocess.PIPE, env=k.environment(), text=True) as logs:
        assert logs.stdout is not None
        assert logs.stdout.readline() == "hello\n"
        k("delete", "pod", "p", "--now")
        assert logs.wait(60) == 0


@verb("exec", "attach", "cp")
def exec_attach_cp(k: Any) -> None:
    shell(k)
    assert k("exec", "p", "--", "echo", "a  b") == "a  b\n"
    assert k("exec", "-i", "p", "--", "cat", stdin="x" * 200_000) == "x" * 200_000
    assert k("exec", "p", "--", "sh", "-c", "echo long # " + "x" * 50_000) == "long\n"
    failed = k.run("exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (failed.code, failed.out) == (3, "out\n")
    assert failed.err.startswith("err\n")
    assert "command terminated with exit code 3" in failed.err
    assert in_a_terminal(k, "exec", "-it", "p", "--", "sh", "-c", "test -t 0 && echo tty-$((6*7))").count("tty-42") == 1
    source = k.home / f"file-{k.namespace}"
    source.write_text("content\n")
    k("cp", str(source), "p:/tmp/there")
    k("cp", "p:/tmp/there", str(source) + ".back")
    assert source.with_name(source.name + ".back").read_text() == "content\n"
    k("run", "echo", f"--image={SHELL}", "--restart=Never", "-i", "--stdin=true", "--", "cat", stdin="to attach\n")
    k("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/echo", "--timeout=60s")
    assert "to attach" in k("logs", "echo")
    # It waits for its input: what is written before kubectl has attached is for the log alone.
    waits = ("sh", "-c", "read line; echo once $line")
    out = k("run", "gone", f"--image={SHELL}", "--restart=Never", "-i", "--rm", "--", *waits, stdin="more\n")
    assert "once more" in out
    assert "NotFound" in k.fails("get", "pod", "gone")


def in_a_terminal(k: Any, *args: str) -> str:
    """Run kubectl on a terminal; what it showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(k.command(*args), stdin=theirs, stdout=theirs, stderr=theirs, env=k.environment()) as running:
        os.close(theirs)
        shown = b""
        while True:
            try:
                got = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not got:
                break
            shown += got
        assert running.wait(60) == 0, shown
    os.close(ours)
    return shown.decode()


def server(k: Any) -> None:
    """agnhost behind a Service."""
    k("run", "web", f"--image={AGNHOST}", "--port=8080", "--expose", "--", "netexec", "--http-port=8080")
    k("wait", "--for=condition=Ready", "pod/web", "--timeout=60s")
    k.until(lambda: k("get", "endpointslices", "-o", "jsonpath={.items[*].endpoints[*].conditions.ready}") == "true")


@verb("port-forward", "proxy")
def ports_and_proxies(k: Any) -> None:
    server(k)
    for target in ("pod/web", "service/web"):
        with subprocess.Popen(
            k.command("port-forward", target, ":8080"), stdout=subprocess.PIPE, env=k.environment(), text=True
        ) as forward:
            try:
                assert forward.stdout is not None
                port = forward.stdout.readline().split(" -> ")[0].rpartition(":")[2]
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/hostname", timeout=20) as got:
                    assert got.read() == b"web"
            finally:
                forward.terminate()
    base = f"/api/v1/namespaces/{k.namespace}"
    assert k("get", "--raw", f"{base}/pods/web:8080/proxy/hostname") == "web"
    k.until(lambda: k.run("get", "--raw", f"{base}/services/web:8080/proxy/hostname").out == "web")


@verb("debug")
def debug_of_pods_and_nodes(k: Any) -> None:
    k("run", "p", f"--image={PAUSE}")
    k("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    k(
        "debug",
        "p",
        f"--image={SHELL}",
        "-c",
        "dbg",
        "--target=p",
        "--",
        "sh",
        "-c",
        "ls /proc/1/root >/dev/null; echo seen",
    )
    k.until(lambda: k.run("logs", "p", "-c", "dbg").out == "seen\n")
    assert "dbg" in k("describe", "pod", "p").partition("Ephemeral Containers:")[2]
    k("debug", "p", "--copy-to=copy", f"--image={SHELL}", "-c", "extra", "--", "echo", "copied")
    k.until(lambda: k.run("logs", "copy", "-c", "extra").out == "copied\n")
    node = k("get", "nodes", "-o", "name").split()[-1]
    k("debug", node, f"--image={SHELL}", "--", "sh", "-c", "ls -d /host/etc && ip route | head -1")
    pod = k("get", "pods", "-o", "name").split()
    made = next(p for p in pod if "node-debugger" in p)
    k.until(lambda: "/host/etc" in k.run("logs", made).out)


@verb("rollout", "rollout status", "rollout history", "rollout undo", "rollout restart", "rollout pause",
      "rollout resume")  # fmt: skip
def rollouts(k: Any) -> None:
    k("apply", "-f", "-", stdin=deployment(replicas=1))
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=60s")
    k("set", "env", "deployment/web", "A=2")
    assert "successfully rolled out" in k("rollout", "status", "deployment/web", "--timeout=60s")
    assert [line.split()[0] for line in k("rollout", "history", "deployment/web").split("\n")[2:4]] == ["1", "2"]
    assert "A:\t2" in k("rollout", "history", "deployment/web", "--revision=2")
    assert k("rollout", "undo", "deployment/web") == "deployment.apps/web rolled back\n"
    k("rollout", "status", "deployment/web", "--timeout=60s")
    env = k.json("get", "deployment", "web")["spec"]["template"]["spec"]["containers"][0]["env"]
    assert env[0] == {"name": "A", "value": "1"}
    assert "paused" in k("rollout", "pause", "deployment/web")
    assert "can't restart paused deployment" in k.fails("rollout", "restart", "deployment/web")
    assert "resumed" in k("rollout", "resume", "deployment/web")
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": PAUSE}]}}
    for kind, more in (("DaemonSet", {}), ("StatefulSet", {"serviceName": "x", "replicas": 1})):
        spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template, **more}
        k("apply", "-f", "-", stdin={"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "x"}, "spec": spec})
        name = f"{kind.lower()}/x"
        k("rollout", "status", name, "--timeout=60s")
        assert "restarted" in k("rollout", "restart", name)
        k("rollout", "status", name, "--timeout=60s")
        assert len(k("rollout", "history", name).strip().splitlines()) == 4
        assert "rolled back" in k("rollout", "undo", name)
        k("rollout", "status", name, "--timeout=60s")
        k("delete", name, "--grace-period=1")


@verb("cordon", "uncordon", "drain", "taint")
def nodes_out_of_service(k: Any) -> None:
    node = k("get", "nodes", "-o", "name").split()[-1].removeprefix("node/")
    try:
        k("taint", "node", node, "k=v:NoSchedule")
        assert "already has k taint" in k.fails("taint", "node", node, "k=v:NoSchedule")
        assert k("taint", "node", node, "k-") == f"node/{node} untainted\n"
        pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "there", "labels": {"app": "there"}}}
        spec = {"nodeName": node, "containers": [{"name": "c", "image": PAUSE}], "terminationGracePeriodSeconds": 1}
        k("create", "-f", "-", stdin={**pod, "spec": spec})
        k("wait", "--for=condition=Ready", "pod/there", "--timeout=60s")
        k("create", "poddisruptionbudget", "b", "--selector=app=there", "--min-available=1")
        k.until(lambda: k.json("get", "pdb", "b")["status"]["expectedPods"] == 1)
        drain = ["drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data"]
        only = "--pod-selector=app=there"
        refused = k.run(*drain, only, "--timeout=3s")
        assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.err
        assert refused.code == 1
        k("delete", "pdb", "b")
        assert f"node/{node} drained" in k(*drain, only, "--timeout=60s")
        assert "NotFound" in k.fails("get", "pod", "there")
        assert "SchedulingDisabled" in k("get", "node", node)
    finally:
        k("uncordon", node)
    assert k("cordon", node, "--dry-run=server") == f"node/{node} cordoned (server dry run)\n"


@verb("auth", "auth can-i", "auth whoami", "auth reconcile")
def who_may_what(k: Any) -> None:
    assert k("auth", "can-i", "delete", "nodes") == "yes\n"
    assert "kubernetes-admin" in k("auth", "whoami")
    k("create", "serviceaccount", "learner")
    who = f"--as=system:serviceaccount:{k.namespace}:learner"
    assert k.run("auth", "can-i", "get", "pods", who).out == "no\n"
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"name": "l", "namespace": k.namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "learner", "namespace": k.namespace}],
    }  # fmt: skip
    assert "reconciled" in k("auth", "reconcile", "-f", "-", stdin=role)
    assert k("auth", "can-i", "get", "pods", who) == "yes\n"
    assert "pods" in k("auth", "can-i", "--list", who)
    assert "is forbidden: User" in k.fails("get", "secrets", who)
