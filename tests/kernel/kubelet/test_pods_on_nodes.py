"""What a node does with a Pod, on a real node: processes, files, network, logs, exec, the end."""

from __future__ import annotations

import json
import time

import pytest
from kubelet_bench import AGNHOST, BUSYBOX, Bench, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]


def test_files_environment_and_volumes(bench: Bench) -> None:
    bench.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm"}, "data": {"app": "before"}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"pw": "hush"}},
    )
    mounts = [
        {"name": "work", "mountPath": "/work"},
        {"name": "cfg", "mountPath": "/cfg"},
        {"name": "cfg", "mountPath": "/one", "subPath": "app"},
        {"name": "sec", "mountPath": "/sec", "readOnly": True},
    ]
    bench.pod(
        "files",
        {
            "command": ["sleep", "1000"],
            "env": [
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "URL", "value": "http://$(IP)"},
            ],
            "volumeMounts": mounts,
        },
        initContainers=[
            {"name": "i", "image": BUSYBOX, "command": ["sh", "-c", "echo made > /work/f"], "volumeMounts": mounts[:1]}
        ],
        volumes=[
            {"name": "work", "emptyDir": {}},
            {"name": "cfg", "configMap": {"name": "cm"}},
            {"name": "sec", "secret": {"secretName": "s"}},
        ],
        hostAliases=[{"ip": "192.0.2.1", "hostnames": ["elsewhere"]}],
    )
    bench.ready("files")
    ip = bench.status("files")["podIP"]
    script = (
        "cat /work/f /cfg/app /one /sec/pw; echo; echo $URL; hostname; tail -1 /etc/hosts; grep search /etc/resolv.conf"
    )
    lines = bench.kubectl("exec", "files", "--", "sh", "-c", script).splitlines()
    assert lines == [
        "made",
        "beforebeforehush",
        f"http://{ip}",
        "files",
        "192.0.2.1\telsewhere",
        f"search {bench.namespace}.svc.cluster.local svc.cluster.local cluster.local",
    ]
    token = bench.kubectl("exec", "files", "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/namespace")
    assert token == bench.namespace
    assert bench.run("exec", "files", "--", "sh", "-c", "echo x > /sec/y").returncode == 1

    bench.kubectl("patch", "configmap", "cm", "--type=merge", "-p", '{"data":{"app":"after"}}')
    seen = "until grep -q after /cfg/app; do sleep 0.1; done; cat /cfg/app /one"
    assert bench.kubectl("exec", "files", "--", "timeout", "10", "sh", "-c", seen) == "afterbefore"


def test_a_volume_below_usr(bench: Bench) -> None:
    bench.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "html"}, "data": {"index.html": "mine"}})
    bench.pod(
        "html",
        {
            "image": "nginx",
            "volumeMounts": [{"name": "v", "mountPath": "/usr/share/nginx/html"}],
            "readinessProbe": {"httpGet": {"path": "/index.html", "port": 80}},
        },
        volumes=[{"name": "v", "configMap": {"name": "html"}}],
    )
    bench.ready("html")
    assert bench.kubectl("exec", "html", "--", "curl", "-s", "http://127.0.0.1/index.html") == "mine"


def test_input_reaches_the_running_process(bench: Bench) -> None:
    bench.pod("cat", {"command": ["cat"], "stdin": True, "stdinOnce": True}, restartPolicy="Never")
    bench.wait("cat", ".status.phase", "Running")
    assert "hello" in bench.kubectl("attach", "-i", "cat", input="hello\n")
    bench.wait("cat", ".status.phase", "Succeeded")
    assert bench.kubectl("logs", "cat") == "hello\n"


@pytest.mark.parametrize("websockets", ["true", "false"])
def test_exec_streams_and_exit_codes(bench: Bench, monkeypatch: pytest.MonkeyPatch, websockets: str) -> None:
    """Over WebSocket, and over SPDY as older clients."""
    monkeypatch.setenv("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", websockets)
    bench.kubectl("delete", "pod", "exec", "--ignore-not-found", "--now")
    bench.pod("exec", {"command": ["sleep", "1000"]})
    bench.ready("exec")
    done = bench.run("exec", "exec", "--", "sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout) == (7, "out\n")
    assert done.stderr.startswith("err\n")
    assert bench.kubectl("exec", "-i", "exec", "--", "wc", "-c", input="x" * 200_000) == "200000\n"
    big = bench.kubectl("exec", "exec", "--", "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' y")
    assert len(big) == 3_000_000
    missing = bench.run("exec", "exec", "--", "nope")
    assert 'exec: "nope": executable file not found in $PATH' in missing.stderr


def test_readiness_decides(bench: Bench) -> None:
    probe = {"exec": {"command": ["test", "-e", "/tmp/ok"]}, "periodSeconds": 1, "failureThreshold": 1}
    bench.pod("gate", {"command": ["sleep", "1000"], "readinessProbe": probe})
    bench.wait("gate", ".status.phase", "Running")
    assert [c["status"] for c in bench.status("gate")["conditions"] if c["type"] == "Ready"] == ["False"]
    bench.kubectl("exec", "gate", "--", "touch", "/tmp/ok")
    bench.ready("gate")
    bench.kubectl("exec", "gate", "--", "rm", "/tmp/ok")
    bench.kubectl("wait", "--for=condition=Ready=false", "--timeout=10s", "pod/gate")
    assert bench.status("gate")["containerStatuses"][0]["restartCount"] == 0
    assert "Unhealthy" in bench.events("gate")


def test_a_crash_is_restarted_and_remembered(bench: Bench) -> None:
    bench.pod("crash", {"command": ["sh", "-c", "echo run; echo why > /dev/termination-log; exit 3"]})
    bench.wait("crash", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
    found = bench.status("crash")["containerStatuses"][0]
    last = found["lastState"]["terminated"]
    assert (found["restartCount"], last["exitCode"], last["reason"], last["message"]) == (1, 3, "Error", "why\n")
    assert bench.kubectl("logs", "crash", "--previous") == "run\n"
    assert bench.events("crash")["BackOff"].startswith("Back-off restarting failed container c in pod crash_")


def test_a_failing_liveness_probe_restarts(bench: Bench) -> None:
    probe = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    bench.pod("dies", {"command": ["sleep", "1000"], "livenessProbe": probe})
    bench.wait("dies", ".status.containerStatuses[0].restartCount", "1")
    assert bench.events("dies")["Killing"] == "Container c failed liveness probe, will be restarted"


def test_nothing_of_a_container_outlives_it(bench: Bench) -> None:
    # The first run leaves a listener behind; the second could not listen if it lived on.
    command = "nc -l -p 7777 & sleep 0.2; [ -e /tmp/x ] || exit 1; wait"
    bench.pod("orphan", {"command": ["sh", "-c", command]}, {"command": ["sleep", "1000"]})
    bench.wait("orphan", ".status.containerStatuses[0].state.waiting.reason", "CrashLoopBackOff")
    assert "nc -l" not in bench.kubectl("exec", "orphan", "-c", "c1", "--", "ps")


def test_a_job_like_pod_completes(bench: Bench) -> None:
    bench.pod("once", {"command": ["sh", "-c", "echo done"]}, restartPolicy="Never")
    bench.wait("once", ".status.phase", "Succeeded")
    assert bench.kubectl("logs", "once") == "done\n"
    status = bench.status("once")
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    assert status["podIP"]


def test_an_unknown_image_names_the_cure(bench: Bench) -> None:
    bench.pod("noimage", {"image": "example.com/shop:1"})
    bench.wait("noimage", ".status.containerStatuses[0].state.waiting.reason", "ImagePullBackOff")
    waiting = bench.status("noimage")["containerStatuses"][0]["state"]["waiting"]
    assert "podwalk image add example.com/shop:1" in waiting["message"]
    assert bench.events("noimage")["BackOff"] == 'Back-off pulling image "example.com/shop:1"'


def test_pods_reach_each_other_across_nodes_without_nat(bench: Bench) -> None:
    netexec = {
        "image": AGNHOST,
        "args": ["netexec", "--http-port=8080"],
        "ports": [{"containerPort": 8080, "hostPort": 8181}],
    }
    bench.pod("server", netexec, nodeName=bench.nodes[0])
    bench.pod("client", {"image": AGNHOST, "args": ["pause"]}, nodeName=bench.nodes[1])
    bench.ready("server", "client")
    server, client = bench.status("server"), bench.status("client")
    url = f"http://{server['podIP']}:8080/clientip"
    seen = bench.kubectl("exec", "client", "--", "curl", "-sm5", "--retry", "20", "--retry-connrefused", url)
    assert seen.rpartition(":")[0] == client["podIP"]
    by_host = bench.kubectl("exec", "client", "--", "curl", "-sm5", f"http://{server['hostIP']}:8181/hostname")
    assert by_host == "server"


def test_host_network(bench: Bench) -> None:
    bench.pod("onhost", {"command": ["sleep", "1000"]}, hostNetwork=True, nodeName=bench.nodes[0])
    bench.ready("onhost")
    status = bench.status("onhost")
    assert status["podIP"] == status["hostIP"]
    assert bench.kubectl("exec", "onhost", "--", "hostname").strip() == bench.nodes[0]
    assert "(host network)" in bench.kubectl("exec", "onhost", "--", "head", "-1", "/etc/hosts")


def test_the_end_is_orderly(bench: Bench) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook > /shared/log; sleep 0.3"]}}}
    bench.pod(
        "ends",
        {
            "command": ["sh", "-c", "trap 'echo term >> /shared/log; exit 0' TERM; while :; do sleep 0.1; done"],
            "lifecycle": hook,
            "volumeMounts": [{"name": "shared", "mountPath": "/shared"}],
        },
        nodeName=bench.nodes[0],
        terminationGracePeriodSeconds=20,
        volumes=[{"name": "shared", "hostPath": {"path": "/tmp/ends", "type": "DirectoryOrCreate"}}],
    )
    bench.ready("ends")
    uid = json.loads(bench.kubectl("get", "pod", "ends", "-o", "json"))["metadata"]["uid"]
    began = time.monotonic()
    bench.kubectl("delete", "pod", "ends")
    assert 0.3 <= time.monotonic() - began < 10
    assert bench.on_node("cat", "/tmp/ends/log") == "hook\nterm\n"
    # The API's object goes first, the directory a moment later.
    assert until(lambda: uid not in bench.on_node("ls", "/var/lib/kubelet/pods").split())


def test_an_ephemeral_container_sees_the_pods_network(bench: Bench) -> None:
    bench.pod("plain", {"command": ["sleep", "1000"]})
    bench.ready("plain")
    bench.kubectl("debug", "plain", "--image=nicolaka/netshoot", "--container=dbg", "--", "ip", "-br", "addr")
    bench.wait("plain", ".status.ephemeralContainerStatuses[0].state.terminated.exitCode", "0")
    assert bench.status("plain")["podIP"] in bench.kubectl("logs", "plain", "-c", "dbg")


def test_a_deleted_mirror_pod_comes_back(bench: Bench) -> None:
    name = f"kube-proxy-{bench.nodes[0]}"
    read = ("-n", "kube-system", "get", "pod", name, "-o", "jsonpath={.metadata.uid}")
    before = bench.cluster.kubectl(*read).stdout
    assert bench.cluster.kubectl("-n", "kube-system", "delete", "pod", name, timeout=20).ok
    waited = bench.cluster.kubectl("-n", "kube-system", "wait", "--for=create", f"pod/{name}", "--timeout=10s")
    assert waited.ok
    assert bench.cluster.kubectl(*read).stdout not in ("", before)
    assert bench.cluster.kubectl("-n", "kube-system", "logs", name).stdout


def test_the_kubelet_corrects_what_others_said_of_its_node_and_pods(bench: Bench) -> None:
    """As the node controller does for a node that it did not hear of: Ready comes back without a restart."""
    node = bench.nodes[1]
    bench.pod("steady", {"command": ["sleep", "1000"]}, nodeName=node)
    bench.ready("steady")
    unknown = {"status": {"conditions": [{"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown"}]}}
    patch = ("--subresource=status", "--type=strategic", "-p")
    bench.kubectl("patch", "node", node, *patch, json.dumps(unknown))
    bench.kubectl("wait", "--for=condition=Ready", "--timeout=8s", f"node/{node}")
    # Later than the node: the node controller takes the Pods' Ready away when it sees the node.
    taken = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    bench.kubectl("patch", "pod", "steady", *patch, json.dumps(taken))
    bench.kubectl("wait", "--for=condition=Ready", "--timeout=8s", "pod/steady")
    assert bench.status("steady")["containerStatuses"][0]["restartCount"] == 0
    mirror = ("-n", "kube-system", "wait", "--for=condition=Ready", "--timeout=8s", f"pod/kube-proxy-{node}")
    assert bench.cluster.kubectl(*mirror, timeout=20).ok
