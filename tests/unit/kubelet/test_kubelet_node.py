"""The Node's description, back-off, quantities."""

import pytest

from podwalk.api import quantity
from podwalk.kubelet import backoff, node
from podwalk.kubelet.backoff import Backoff


def test_labels_of_a_control_plane():
    labels = node.node_labels(node.NodeSettings("cp", "172.18.0.2", "control-plane", {"zone": "a"}))
    assert labels["kubernetes.io/hostname"] == "cp"
    assert labels["node-role.kubernetes.io/control-plane"] == ""
    assert labels["zone"] == "a"
    worker = node.node_labels(node.NodeSettings("w", "172.18.0.3", "worker"))
    assert not [label for label in worker if "control-plane" in label]


def test_conditions_turn_with_the_network():
    before = {c["type"]: c for c in node.conditions([], ready=False)}
    assert before["Ready"]["status"] == "False"
    assert "cni plugin not initialized" in before["Ready"]["message"]
    assert "NetworkUnavailable" not in before
    old = [{**c, "lastTransitionTime": "2020-01-01T00:00:00Z"} for c in before.values()]
    after = {c["type"]: c for c in node.conditions(old, ready=True)}
    assert after["Ready"]["reason"] == "KubeletReady"
    assert after["Ready"]["lastTransitionTime"] > "2026"
    assert after["DiskPressure"]["lastTransitionTime"] == "2020-01-01T00:00:00Z"


def test_node_info_names_the_versions():
    info = node.node_info("w")
    assert info["kubeletVersion"] == "v1.36.2"
    assert info["containerRuntimeVersion"].startswith("podwalk://")
    assert info["machineID"] == node.node_info("w")["machineID"] != node.node_info("x")["machineID"]
    assert int(node.capacity()["memory"].removesuffix("Ki")) > 0


def test_the_first_restart_is_immediate_then_delays_double():
    crashes, now, waited = Backoff(), 1000.0, []
    for _ in range(8):
        wait = crashes.remaining(now, now)
        waited.append(wait)
        now += wait
        crashes.next(now - wait, now)
    assert waited == [0, 10, 20, 40, 80, 160, 300, 300]


def test_a_long_run_is_forgiven():
    crashes = Backoff()
    for at in (0.0, 0.0, 0.0):
        crashes.next(at, at)
    assert crashes.delay == 40
    assert crashes.remaining(700.0, 700.0) == 0
    crashes.next(700.0, 700.0)
    assert crashes.delay == 10


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (80, "1m20s"), (160, "2m40s"), (300, "5m0s"), (3600, "1h0m0s")]
)
def test_durations_as_go_prints_them(seconds, text):
    assert backoff.go_duration(seconds) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [("100m", "0.1"), ("1Ki", "1024"), ("2", "2"), ("1e3", "1000"), ("1.5Gi", "1610612736"), ("0", "0")],
)
def test_quantities(text, value):
    assert quantity.value(text) == quantity.Decimal(value)


@pytest.mark.parametrize("text", ["", "1x", "Mi", "1 Mi", "--1"])
def test_what_is_no_quantity(text):
    with pytest.raises(ValueError, match="quantities must match"):
        quantity.value(text)
