"""net1 by macvlan: Pods of two nodes on one wire beside the cluster's network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from network_world import World, boot, pod, until

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: network-attachment-definitions.k8s.cni.cncf.io}
spec:
  group: k8s.cni.cncf.io
  scope: Namespaced
  names:
    plural: network-attachment-definitions
    singular: network-attachment-definition
    kind: NetworkAttachmentDefinition
    shortNames: [net-attach-def]
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {spec: {type: object, properties: {config: {type: string}}}}
"""
MACVLAN = {
    "cniVersion": "0.3.1",
    "type": "macvlan",
    "master": "eth0",
    "mode": "bridge",
    "capabilities": {"ips": True},
    "ipam": {"type": "static"},
}
DEFINITION = {
    "apiVersion": "k8s.cni.cncf.io/v1",
    "kind": "NetworkAttachmentDefinition",
    "metadata": {"name": "lan"},
    "spec": {"config": json.dumps(MACVLAN)},
}


@pytest.fixture(scope="module")
def world(podwalk_home: Path) -> Iterator[World]:
    made = boot("flannel")
    try:
        made.kubectl("create", "-f", "-", input=CRD)
        established = "customresourcedefinition/network-attachment-definitions.k8s.cni.cncf.io"
        made.kubectl("wait", "--for=condition=Established", established, "--timeout=20s")
        until(lambda: made.cluster.kubectl("get", "serviceaccount", "default").ok, "the default ServiceAccount")
        until(lambda: made.cluster.kubectl("create", "-f", "-", input=json.dumps(DEFINITION)).ok, "the kind is served")
        yield made
    finally:
        made.cluster.down()


def attached(name: str, node: str, networks: str) -> str:
    made = pod(name, node)
    made["metadata"]["annotations"] = {"k8s.v1.cni.cncf.io/networks": networks}
    return yaml.safe_dump(made)


def test_pods_meet_on_a_wire_of_their_own(world: World) -> None:
    for name, node, address in (("one", world.first, "10.50.0.1"), ("two", world.second, "10.50.0.2")):
        networks = json.dumps([{"name": "lan", "ips": [f"{address}/24"]}])
        world.kubectl("create", "-f", "-", input=attached(name, node, networks))
    world.kubectl("wait", "--for=condition=Ready", "pod/one", "pod/two", "--timeout=30s")
    found = json.loads(world.kubectl("get", "pod", "one", "-o", "json"))
    own, lan = json.loads(found["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"])
    assert (own["name"], own["interface"], own["ips"], own["default"]) == (
        "cbr0", "eth0", [found["status"]["podIP"]], True,
    )  # fmt: skip
    assert (lan["name"], lan["interface"], lan["ips"]) == ("default/lan", "net1", ["10.50.0.1"])
    assert "default" not in lan
    assert found["status"]["podIPs"] == [{"ip": found["status"]["podIP"]}]
    shown = world.kubectl("exec", "one", "--", "ip", "-d", "link", "show", "net1")
    assert "macvlan mode bridge" in shown
    assert lan["mac"] in shown
    answer = world.kubectl("exec", "one", "--", "curl", "-s", "-m", "5", "http://10.50.0.2:8080/clientip")
    assert answer.startswith("10.50.0.1:")


def test_a_missing_definition_is_named(world: World) -> None:
    world.kubectl("create", "-f", "-", input=attached("lost", world.first, "nowhere@fast0"))
    text = (
        "cannot find a network-attachment-definition (nowhere) in namespace (default): "
        'network-attachment-definitions.k8s.cni.cncf.io "nowhere" not found'
    )
    events = ("get", "events", "--field-selector=involvedObject.name=lost", "-o", "jsonpath={.items[*].message}")
    until(lambda: text in world.kubectl(*events), "the event FailedCreatePodSandBox")
    late = {**DEFINITION, "metadata": {"name": "nowhere"}}
    late["spec"] = {"config": json.dumps({**MACVLAN, "ipam": {}})}
    world.kubectl("create", "-f", "-", input=json.dumps(late))
    world.kubectl("wait", "--for=condition=Ready", "pod/lost", "--timeout=40s")
    assert "fast0@" in world.kubectl("exec", "lost", "--", "ip", "-o", "link")
