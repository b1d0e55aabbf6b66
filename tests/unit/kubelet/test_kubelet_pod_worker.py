"""A Pod's life on a node, over a runtime that the test plays."""

import asyncio

import pytest
from kubelet_pods import AGNHOST, container, pod, ready, state

from podwalk.kubelet import containers, pod_worker, pulling
from podwalk.netns.containers import ContainerStartError


async def test_a_pod_without_probes_is_ready_when_it_runs(bench):
    bench.start(pod())
    status = await bench.status(ready)
    assert status["phase"] == "Running"
    assert status["podIPs"] == [{"ip": "127.0.0.1"}]
    found = status["containerStatuses"][0]
    assert (found["ready"], found["started"], found["restartCount"]) == (True, True, 0)
    assert found["containerID"].startswith("podwalk://")
    assert found["image"] == AGNHOST
    assert bench.recorder.events == [
        ("Pulled", f'Container image "{AGNHOST}" already present on machine and can be accessed by the pod'),
        ("Created", "Container created"),
        ("Started", "Container started"),
    ]


async def test_its_files_and_environment(bench):
    bench.start(
        pod(
            container(
                env=[{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
                args=["netexec", "$(IP)"],
            )
        )
    )
    await bench.status(ready)
    spec, _ = bench.runtime.started[0]
    assert spec.argv == ["/agnhost", "netexec", "127.0.0.1"]
    assert spec.env["HOSTNAME"] == "web"
    assert spec.files["/etc/hosts"].endswith(b"127.0.0.1\tweb\n")
    assert b"nameserver 10.96.0.10" in spec.files["/etc/resolv.conf"]


async def test_deletion_is_confirmed_after_the_containers_have_stopped(bench):
    bench.start(pod())
    await bench.status(ready)
    await bench.delete()
    assert bench.runtime.signals == [15]
    assert bench.removed == ["web"]
    assert bench.client.deleted == [("web", {"grace_period": 0, "uid": "uid-1"})]
    last = bench.client.statuses[-1]
    assert last["phase"] == "Failed"
    assert state(last)["terminated"]["exitCode"] == 143
    assert not ready(last)
    assert ("Killing", "Stopping container a") in bench.recorder.events
    assert not bench.worker.directory().exists()


async def test_who_does_not_listen_to_sigterm_is_killed(bench):
    bench.runtime.obedient = False
    bench.start(pod())
    await bench.status(ready)
    await bench.delete(grace=0.05)
    assert bench.runtime.signals == [15, 9]
    assert state(bench.client.statuses[-1])["terminated"]["exitCode"] == 137


async def test_grace_zero_kills_at_once(bench):
    bench.start(pod())
    await bench.status(ready)
    await bench.delete(grace=0)
    assert bench.runtime.signals == [9]


async def test_a_pod_that_is_gone_is_stopped_without_a_report(bench):
    worker = bench.start(pod())
    await bench.status(ready)
    worker.removed()
    await bench.until(lambda: bench.ended)
    assert bench.client.deleted == []
    assert bench.removed == ["web"]


async def test_init_containers_run_one_after_the_other(bench):
    bench.start(pod(inits=[container("one", args=["1"]), container("two", args=["2"])]))
    for name in ("one", "two"):
        await bench.until(lambda: len(bench.runtime.running()) == 1)
        spec, process = bench.runtime.started[-1]
        assert spec.argv[1] == {"one": "1", "two": "2"}[name]
        bench.runtime.end(process, 0)
    status = await bench.status(ready)
    assert [s["state"]["terminated"]["reason"] for s in status["initContainerStatuses"]] == ["Completed"] * 2
    assert all(s["ready"] for s in status["initContainerStatuses"])


async def test_a_failed_init_container_fails_a_pod_that_never_restarts(bench):
    bench.start(pod(inits=[container("i")], restartPolicy="Never"))
    await bench.until(lambda: bench.runtime.started)
    bench.runtime.end(bench.runtime.started[0][1], 1)
    status = await bench.status(lambda s: s["phase"] == "Failed")
    assert state(status)["waiting"]["reason"] == "PodInitializing"
    assert len(bench.runtime.started) == 1


async def test_a_sidecar_runs_before_and_stops_after(bench):
    sidecar = container("side", restartPolicy="Always", args=["side"])
    bench.start(pod(inits=[sidecar], restartPolicy="Never"))
    await bench.status(ready)
    assert [argv[1] for argv in bench.runtime.running()] == ["side", "pause"]
    bench.runtime.end(bench.runtime.started[1][1], 0)
    status = await bench.status(lambda s: s["phase"] == "Succeeded")
    assert bench.runtime.running() == []
    assert status["initContainerStatuses"][0]["state"]["terminated"]["exitCode"] == 143


async def test_the_first_restart_is_immediate_and_the_second_waits(bench):
    bench.start(pod())
    for count in (1, 2):
        await bench.until(lambda count=count: len(bench.runtime.started) == count)
        bench.runtime.end(bench.runtime.started[-1][1], 3)
    status = await bench.status(lambda s: "waiting" in state(s) and s["containerStatuses"][0]["restartCount"] == 1)
    assert state(status)["waiting"] == {
        "reason": "CrashLoopBackOff",
        "message": "back-off 10s restarting failed container=a pod=web_shop(uid-1)",
    }
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 3
    assert status["phase"] == "Running"
    assert ("BackOff", "Back-off restarting failed container a in pod web_shop(uid-1)") in bench.recorder.events


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (2, "Failed")])
async def test_a_pod_that_never_restarts_ends(bench, code, phase):
    bench.start(pod(restartPolicy="Never"))
    await bench.until(lambda: bench.runtime.started)
    bench.runtime.end(bench.runtime.started[0][1], code)
    status = await bench.status(lambda s: s["phase"] == phase)
    assert state(status)["terminated"]["reason"] == ("Completed" if code == 0 else "Error")
    await bench.until(lambda: bench.removed)
    await bench.delete()
    assert bench.client.deleted


async def test_an_unknown_image_backs_off(bench, monkeypatch):
    monkeypatch.setattr(pulling, "_ERR_IMAGE_PULL_SECONDS", 0.01)
    bench.start(pod(container(image="example.com/none:1")))
    status = await bench.status(lambda s: state(s).get("waiting", {}).get("reason") == "ImagePullBackOff")
    assert "podwalk image add" in state(status)["waiting"]["message"]
    assert bench.recorder.reasons() == ["Pulling", "Failed", "Failed", "BackOff", "Failed"]
    assert status["phase"] == "Pending"


async def test_a_command_that_does_not_exist(bench):
    bench.runtime.failing = ContainerStartError('exec: "nope": executable file not found in $PATH')
    bench.start(pod(container(command=["nope"]), restartPolicy="Never"))
    status = await bench.status(lambda s: "terminated" in state(s))
    ended = state(status)["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("StartError", 128)
    assert ended["message"].endswith('exec: "nope": executable file not found in $PATH')
    assert status["phase"] == "Failed"


async def test_a_missing_config_map_holds_the_container(bench, monkeypatch):
    monkeypatch.setattr(containers, "_CONFIG_RETRY_SECONDS", 0.01)
    bench.start(pod(container(envFrom=[{"configMapRef": {"name": "cm"}}])))
    status = await bench.status(lambda s: state(s).get("waiting", {}).get("reason") == "CreateContainerConfigError")
    assert state(status)["waiting"]["message"] == 'configmap "cm" not found'
    assert ("Failed", 'Error: configmap "cm" not found') in bench.recorder.events
    bench.client.objects["ConfigMap", "cm"] = {"metadata": {"name": "cm"}, "data": {"A": "1"}}
    await bench.status(ready)
    assert bench.runtime.started[0][0].env["A"] == "1"


async def test_a_missing_volume_source_holds_the_pod(bench, monkeypatch):
    from podwalk.kubelet import pod_worker

    monkeypatch.setattr(pod_worker, "_FIRST_RETRY", 0.01)
    bench.start(pod(volumes=[{"name": "v", "configMap": {"name": "cm"}}]))
    await bench.until(lambda: bench.recorder.events)
    assert bench.recorder.events[0] == (
        "FailedMount",
        'MountVolume.SetUp failed for volume "v" : configmap "cm" not found',
    )
    assert bench.runtime.started == []
    bench.client.objects["ConfigMap", "cm"] = {"metadata": {"name": "cm"}, "data": {"A": "1"}}
    await bench.status(ready)


async def test_readiness_follows_its_probe(bench):
    async def handle(reader, writer):
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 0.01, "failureThreshold": 1}
    async with server:
        bench.start(pod(container(readinessProbe=probe)))
        await bench.status(ready)
    bench.client.statuses.clear()
    status = await bench.status(lambda s: not ready(s))
    assert status["containerStatuses"][0]["started"] is True
    assert any(r == "Unhealthy" and m.startswith("Readiness probe failed: dial tcp") for r, m in bench.recorder.events)


async def test_a_failed_liveness_probe_restarts_the_container(bench):
    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 0.01, "failureThreshold": 2}
    bench.start(pod(container(livenessProbe=probe)))
    await bench.until(lambda: len(bench.runtime.started) == 2)
    assert ("Killing", "Container a failed liveness probe, will be restarted") in bench.recorder.events
    assert bench.runtime.signals[0] == 15


async def test_the_deadline_of_a_pod(bench):
    bench.start(pod(activeDeadlineSeconds=0.05))
    status = await bench.status(lambda s: s["phase"] == "Failed")
    assert status["reason"] == "DeadlineExceeded"
    assert bench.runtime.running() == []


async def test_an_ephemeral_container_joins(bench):
    worker = bench.start(pod())
    await bench.status(ready)
    spec = {**worker.pod["spec"], "ephemeralContainers": [container("debug", command=["sh"])]}
    worker.update({**worker.pod, "spec": spec})
    status = await bench.status(lambda s: "running" in s.get("ephemeralContainerStatuses", [{"state": {}}])[0]["state"])
    assert "started" not in status["ephemeralContainerStatuses"][0]
    assert bench.runtime.started[-1][0].argv == ["sh"]


async def test_the_log_is_written_and_the_last_one_kept(bench):
    worker = bench.start(pod())
    await bench.until(lambda: bench.runtime.started)
    process = bench.runtime.started[0][1]
    bench.runtime.write(process, b"hello\n")
    bench.runtime.end(process, 1)
    await bench.until(lambda: len(bench.runtime.started) == 2)
    assert worker.log_path("a", 0).read_bytes().endswith(b" stdout F hello\n")
    assert worker.live_log("a").path == worker.log_path("a", 1)


async def test_the_termination_message(bench):
    bench.start(pod(container(terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy="Never"))
    await bench.until(lambda: bench.runtime.started)
    spec, process = bench.runtime.started[0]
    (mount,) = [m for m in spec.mounts if m.target == "/dev/termination-log"]
    assert not mount.read_only
    bench.runtime.write(process, b"it broke\n")
    bench.runtime.end(process, 1)
    status = await bench.status(lambda s: s["phase"] == "Failed")
    assert state(status)["terminated"]["message"] == "it broke"


async def test_a_second_deletion_shortens_the_grace_period(bench):
    bench.runtime.obedient = False
    bench.start(pod())
    await bench.status(ready)
    deleting = asyncio.create_task(bench.delete(grace=30))
    await bench.until(lambda: bench.runtime.signals == [15])
    await bench.delete(grace=0.01)
    await deleting
    assert bench.runtime.signals == [15, 9]


async def test_labels_shown_in_a_volume_are_kept_true(bench):
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    worker = bench.start(pod(volumes=[{"name": "info", "downwardAPI": {"items": items}}]))
    await bench.status(ready)
    shown = worker.directory() / "volumes" / "info" / "labels"
    assert shown.read_text() == ""
    worker.update({**worker.pod, "metadata": {**worker.pod["metadata"], "labels": {"a": "1"}}})
    await bench.until(lambda: shown.read_text() == 'a="1"')


async def test_a_deletion_during_the_set_up_gives_the_network_back(bench, monkeypatch):
    from podwalk.kubelet import sandboxes

    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(node, pod):
        entered.set()
        await leave.wait()
        return await bench._create(node, pod)

    monkeypatch.setattr(sandboxes, "create", slow)
    bench.start(pod())
    await entered.wait()
    deleting = asyncio.create_task(bench.delete())
    await asyncio.sleep(0)
    leave.set()
    await deleting
    assert bench.removed == ["web"]
    assert bench.runtime.started == []


async def test_logs_go_with_the_pod_but_not_those_of_others(bench):
    worker = bench.start(pod())
    await bench.status(ready)
    mine = worker.log_path("a", 0)
    other = mine.parents[2] / "another" / "0.log"
    other.parent.mkdir()
    other.touch()
    await bench.delete()
    assert not mine.exists()
    assert other.exists()


async def test_a_command_that_takes_too_long_is_killed(bench, monkeypatch):
    from podwalk.kubelet import runs

    worker = bench.start(pod())
    await bench.status(ready)
    monkeypatch.setattr(runs.runtime, "exec_in_container", lambda *args, **more: bench.runtime._process())
    with pytest.raises(TimeoutError):
        await worker.runners["a"].exec(["sleep", "9"], 0.01)
    assert bench.runtime.signals == [9]


def hooked(**handler):
    return container(lifecycle={"postStart": handler})


async def test_a_container_does_not_run_before_its_post_start_hook_has_ended(bench):
    gate = asyncio.Event()

    async def slow(process, *_):
        await gate.wait()
        return 0, b""

    bench.slow_exec(slow)
    bench.start(pod(hooked(exec={"command": ["warm-up"]})))
    await bench.until(lambda: bench.runtime.running())
    assert not any(ready(s) for s in bench.client.statuses)
    gate.set()
    status = await bench.status(ready)
    assert "running" in state(status)


async def test_a_failed_post_start_hook_kills_the_container(bench):
    async def fail(process, command, timeout):
        return 3, b"no"

    bench.slow_exec(fail)
    bench.start(pod(hooked(exec={"command": ["false"]})))
    status = await bench.status(lambda s: state(s).get("waiting", {}).get("reason") == "PostStartHookError")
    assert state(status)["waiting"]["message"] == (
        'Exec lifecycle hook ([false]) for Container "a" in Pod "web_shop(uid-1)" failed - '
        "error: command 'false' exited with 3: no, message: \"no\""
    )
    assert status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 143
    assert ("FailedPostStartHook", "PostStartHook failed") in bench.recorder.events
    assert ("Killing", "FailedPostStartHook") in bench.recorder.events
    await bench.until(lambda: len(bench.runtime.started) > 1)


async def test_a_pod_deleted_during_its_post_start_hook_ends(bench):
    async def endless(process, command, timeout):
        await asyncio.Event().wait()

    bench.slow_exec(endless)
    bench.start(pod(hooked(exec={"command": ["x"]})))
    await bench.until(lambda: bench.runtime.running())
    await bench.delete()
    assert "FailedPostStartHook" not in bench.recorder.reasons()


async def test_a_pod_is_evicted_when_a_volume_outgrows_its_limit(bench, monkeypatch):
    monkeypatch.setattr(pod_worker, "_EVICTION_SECONDS", 0.005)
    mounted = container(volumeMounts=[{"name": "scratch", "mountPath": "/data"}])
    bench.start(pod(mounted, volumes=[{"name": "scratch", "emptyDir": {"sizeLimit": "8Ki"}}]))
    await bench.status(ready)
    (bench.worker.directory() / "volumes/scratch/big").write_bytes(b"x" * 9000)
    status = await bench.status(lambda s: s["phase"] == "Failed" and "terminated" in state(s))
    assert (status["reason"], status["message"]) == (
        "Evicted",
        'Usage of EmptyDir volume "scratch" exceeds the limit "8Ki". ',
    )
    assert bench.runtime.running() == []
    assert "Evicted" in bench.recorder.reasons()


async def test_a_ready_that_somebody_else_took_away_comes_back(bench):
    bench.start(pod())
    status = await bench.status(ready)
    bench.client.statuses.clear()
    taken = [{k: v for k, v in c.items() if k != "reason"} | {"status": "False"} for c in status["conditions"]]
    bench.worker.update({**bench.worker.pod, "status": {**status, "conditions": taken}})
    assert ready(await bench.status(ready))


async def test_a_rule_restarts_what_the_policy_would_not(bench):
    rule = {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}}
    bench.start(pod(container(restartPolicy="Never", restartPolicyRules=[rule]), restartPolicy="Never"))
    await bench.status(ready)
    bench.runtime.end(bench.runtime.started[0][1], 42)
    await bench.until(lambda: len(bench.runtime.started) == 2)
    bench.runtime.end(bench.runtime.started[1][1], 1)
    status = await bench.status(lambda s: s["phase"] == "Failed")
    assert status["containerStatuses"][0]["restartCount"] == 1


async def test_missing_pull_secrets_are_told_and_change_nothing(bench):
    bench.client.objects["Secret", "there"] = {"metadata": {"name": "there"}}
    bench.start(pod(imagePullSecrets=[{"name": "there"}, {"name": "gone"}]))
    await bench.status(ready)
    message = "Unable to retrieve some image pull secrets (gone); attempting to pull the image may not succeed."
    assert ("FailedToRetrieveImagePullSecret", message) in bench.recorder.events


async def test_a_pod_that_is_deleted_while_it_finishes_gives_all_of_it_back(bench, monkeypatch):
    """Whoever sees Succeeded may delete at once, while the network is being taken away."""
    going, gone = asyncio.Event(), asyncio.Event()

    async def remove(node, pod, wired):
        going.set()
        await gone.wait()
        bench.removed.append(pod["metadata"]["name"])

    monkeypatch.setattr(pod_worker.sandboxes, "remove", remove)
    bench.start(pod(restartPolicy="Never"))
    await bench.status(ready)
    bench.runtime.end(bench.runtime.started[0][1], 0)
    await going.wait()
    deletion = asyncio.create_task(bench.delete())
    await bench.until(lambda: bench.worker.pod["metadata"].get("deletionTimestamp"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert not bench.ended, "what has begun is waited for"
    gone.set()
    await deletion
    assert bench.removed == ["web"]


async def test_what_a_volume_shows_may_change_while_the_network_is_made(bench, monkeypatch):
    made = asyncio.Event()
    create = bench._create

    async def slow(node, pod):
        await made.wait()
        return await create(node, pod)

    def config_map(value):
        return {"kind": "ConfigMap", "metadata": {"name": "cm", "namespace": "shop"}, "data": {"k": value}}

    monkeypatch.setattr(pod_worker.sandboxes, "create", slow)
    bench.client.objects["ConfigMap", "cm"] = config_map("old")
    worker = bench.start(pod(volumes=[{"name": "v", "configMap": {"name": "cm"}}]))
    file = worker.directory() / "volumes" / "v" / "k"
    await bench.until(file.exists)
    bench.client.objects["ConfigMap", "cm"] = config_map("fresh")
    await worker.source_changed("ConfigMap", "cm")
    made.set()
    await bench.status(ready)
    assert file.read_text() == "fresh"
