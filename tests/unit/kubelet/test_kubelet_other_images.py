"""A Pod's container is given another image (``kubectl set image``), whatever it does or waits for."""

import pytest
from kubelet_pods import AGNHOST, container, pod, ready, state

from podwalk.kubelet import backoff, pulling


async def test_a_changed_image_restarts_the_container(bench):
    worker = bench.start(pod())
    await bench.status(ready)
    changed = container(image="registry.k8s.io/e2e-test-images/agnhost:2.54")
    worker.update({**worker.pod, "spec": {**worker.pod["spec"], "containers": [changed]}})
    status = await bench.status(lambda s: s["containerStatuses"][0]["restartCount"] == 1 and ready(s))
    assert status["containerStatuses"][0]["image"].endswith(":2.54")
    assert ("Killing", "Container a definition changed, will be restarted") in bench.recorder.events


def name_image(worker, image, part="containers"):
    """What ``kubectl set image`` leads to."""
    changed = [{**c, "image": image} for c in worker.pod["spec"][part]]
    worker.update({**worker.pod, "spec": {**worker.pod["spec"], part: changed}})


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
async def test_another_image_ends_the_wait_for_one_that_cannot_be_had(bench, monkeypatch, reason):
    monkeypatch.setattr(pulling, "_ERR_IMAGE_PULL_SECONDS", 0.01 if reason == "ImagePullBackOff" else 60)
    worker = bench.start(pod(container(image="example.com/none:1")))
    await bench.status(lambda s: state(s).get("waiting", {}).get("reason") == reason)
    name_image(worker, AGNHOST)
    status = await bench.status(ready)
    assert (status["containerStatuses"][0]["image"], status["containerStatuses"][0]["restartCount"]) == (AGNHOST, 0)


async def test_another_image_ends_a_crash_loop_and_its_back_off(bench, monkeypatch):
    monkeypatch.setattr(backoff, "INITIAL", 60)
    worker = bench.start(pod())
    for count in (1, 2):
        await bench.until(lambda count=count: len(bench.runtime.started) == count)
        bench.runtime.end(bench.runtime.started[-1][1], 3)
    await bench.status(lambda s: state(s).get("waiting", {}).get("reason") == "CrashLoopBackOff")
    name_image(worker, AGNHOST + ".1")
    await bench.status(lambda s: ready(s) and s["containerStatuses"][0]["image"] == AGNHOST + ".1")


async def test_another_image_restarts_even_what_is_never_restarted(bench):
    worker = bench.start(pod(restartPolicy="Never"))
    await bench.status(ready)
    name_image(worker, AGNHOST + ".1")
    await bench.status(lambda s: s["containerStatuses"][0]["restartCount"] == 1 and ready(s))


async def test_another_image_for_an_init_container_and_for_one_whose_turn_has_not_come(bench, monkeypatch):
    monkeypatch.setattr(pulling, "_ERR_IMAGE_PULL_SECONDS", 0.01)
    worker = bench.start(pod(container(image="example.com/none:1"), inits=[container("first", image="none:1")]))
    await bench.until(lambda: "BackOff" in bench.recorder.reasons())
    name_image(worker, AGNHOST)
    name_image(worker, AGNHOST, "initContainers")
    await bench.until(lambda: bench.runtime.started)
    name_image(worker, AGNHOST + ".1", "initContainers")
    assert not bench.runtime.signals, "an init container that runs goes on"
    bench.runtime.end(bench.runtime.started[0][1], 0)
    assert (await bench.status(ready))["containerStatuses"][0]["image"] == AGNHOST
