"""Without a network plugin: what the kubelet says, and a plugin that a learner writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from network_world import World, boot, pod, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

NOT_INITIALIZED = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin returns error: cni plugin not initialized"
)

# A bridge and a counter: as small as a plugin can be.
PLUGIN = """#!/bin/sh
config=$(cat)
echo "$CNI_COMMAND $CNI_IFNAME $CNI_ARGS" >>/var/log/tiny.log
case $CNI_COMMAND in
ADD)
    ip link show tiny0 >/dev/null 2>&1 || { ip link add tiny0 type bridge; ip link set tiny0 up; }
    ip addr replace 10.99.0.1/24 dev tiny0
    n=$(($(cat /run/tiny 2>/dev/null || echo 1) + 1)); echo $n >/run/tiny
    pod=$(basename "$CNI_NETNS")
    ip link add "tiny$n" type veth peer name "$CNI_IFNAME" netns "$pod"
    ip link set "tiny$n" master tiny0 up
    ip -n "$pod" addr add "10.99.0.$n/24" dev "$CNI_IFNAME"
    ip -n "$pod" link set "$CNI_IFNAME" up
    ip -n "$pod" route add default via 10.99.0.1
    printf '{"cniVersion":"1.0.0","ips":[{"address":"10.99.0.%d/24"}]}' "$n" ;;
DEL) ;;
VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
esac
"""
CONFIG = json.dumps({"cniVersion": "1.0.0", "name": "tiny", "plugins": [{"type": "tiny"}]})


@pytest.fixture(scope="module")
def world(podwalk_home: Path) -> Iterator[World]:
    made = boot("none")
    try:
        until(lambda: len(json.loads(made.kubectl("get", "nodes", "-o", "json"))["items"]) == 3, "three Nodes")
        yield made
    finally:
        made.cluster.down()


def write(world: World, path: str, text: str, mode: str = "644") -> None:
    world.on(world.first, "sh", "-c", 'printf %s "$2" >"$1.new" && chmod "$3" "$1.new" && mv "$1.new" "$1"', "sh",
             path, text, mode)  # fmt: skip


def ready(world: World) -> dict[str, str]:
    node = json.loads(world.kubectl("get", "node", world.first, "-o", "json"))
    # A node that has just registered has no status yet.
    conditions = (node.get("status") or {}).get("conditions") or ()
    return next((c for c in conditions if c["type"] == "Ready"), {"message": "", "status": "", "reason": ""})


def test_a_node_without_a_plugin_says_so(world: World) -> None:
    until(lambda: ready(world)["message"] == NOT_INITIALIZED, "the condition's text")
    assert (ready(world)["status"], ready(world)["reason"]) == ("False", "KubeletNotReady")
    assert "kube-flannel" not in world.kubectl("get", "pods", "-A")
    until(lambda: world.cluster.kubectl("get", "serviceaccount", "default").ok, "the default ServiceAccount")
    made = pod("waits", world.first)
    made["spec"]["tolerations"] = [{"operator": "Exists"}]
    world.kubectl("create", "-f", "-", input=yaml.safe_dump(made))
    events = ("get", "events", "--field-selector=involvedObject.name=waits", "-o", "jsonpath={.items[*].message}")
    until(lambda: f"network is not ready: {NOT_INITIALIZED}" in world.kubectl(*events), "the event NetworkNotReady")


def test_a_missing_plugin_is_named(world: World) -> None:
    write(world, "/etc/cni/net.d/10-tiny.conflist", CONFIG)
    until(lambda: ready(world)["status"] == "True", "the node is Ready")
    events = ("get", "events", "--field-selector=involvedObject.name=waits", "-o", "jsonpath={.items[*].message}")
    text = 'plugin type="tiny" failed (add): failed to find plugin "tiny" in path [/opt/cni/bin'
    until(lambda: text in world.kubectl(*events), "the event FailedCreatePodSandBox")


def test_a_shell_script_is_a_plugin(world: World) -> None:
    write(world, "/opt/cni/bin/tiny", PLUGIN, "755")
    world.kubectl("wait", "--for=condition=Ready", "pod/waits", "--timeout=40s")
    address = world.kubectl("get", "pod", "waits", "-o", "jsonpath={.status.podIP}")
    assert address.startswith("10.99.0.")
    assert world.one(world.first, f"{address}:8080") == "10.99.0.1"
    calls = world.on(world.first, "cat", "/var/log/tiny.log")
    assert "ADD eth0 IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=waits;" in calls
    world.kubectl("delete", "pod", "waits")
    until(lambda: "DEL eth0 " in world.on(world.first, "cat", "/var/log/tiny.log"), "the plugin is told of the end")


def test_a_configuration_that_goes_makes_the_node_not_ready(world: World) -> None:
    world.on(world.first, "rm", "/etc/cni/net.d/10-tiny.conflist")
    until(lambda: ready(world)["status"] == "False", "the node is not Ready")
    assert ready(world)["message"] == NOT_INITIALIZED


def test_the_folder_of_configurations_may_go_and_come(world: World) -> None:
    world.on(world.first, "rm", "-r", "/etc/cni/net.d")
    until(lambda: world.cluster.node(world.first, ["test", "-d", "/etc/cni/net.d"], timeout=10).ok, "the folder again")
    write(world, "/etc/cni/net.d/10-tiny.conflist", CONFIG)
    until(lambda: ready(world)["status"] == "True", "the node is Ready")
