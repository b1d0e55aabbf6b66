"""A CNI call by hand, the chart of the profiles, and the map of the layers."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest
from test_drawings import labels, outside, overlapping

from podwalk.backends.base import BackendError, Completed
from podwalk.views import cni_call
from podwalk.views.layers import Layer, LayerMap
from podwalk.views.profile_chart import ProfileChart
from podwalk.views.profile_run import Measured

CONFLIST = {
    "name": "cbr0",
    "cniVersion": "1.0.0",
    "plugins": [{"type": "bridge", "bridge": "cni0"}, {"type": "portmap"}],
}
RESULT = {"cniVersion": "1.0.0", "ips": [{"address": "10.244.1.8/24"}]}


class Node:
    """Answers the shell lines of a call as a node would."""

    def __init__(self, conflist: object, returncode: int = 0, stdout: str = json.dumps(RESULT)) -> None:
        self.conflist, self.answer, self.lines = conflist, Completed(returncode, stdout), []  # type: ignore[var-annotated]

    def node(self, node: str, argv: list[str], **_: Any) -> Completed:
        self.lines.append(argv[2])
        if argv[2].startswith("cat "):
            return Completed(0, json.dumps(self.conflist) if self.conflist else "")
        return self.answer


def test_add_is_what_a_runtime_would_say() -> None:
    node = Node(CONFLIST)
    done = cni_call.call(node, "one", "ADD", "by-hand")  # type: ignore[arg-type]
    assert done.address == "10.244.1.8"
    assert "ip netns add by-hand" in node.lines[1]
    given = shlex.split(node.lines[2])
    assert json.loads(given[2]) == {"type": "bridge", "bridge": "cni0", "name": "cbr0", "cniVersion": "1.0.0"}
    assert {"CNI_COMMAND=ADD", "CNI_CONTAINERID=by-hand", "CNI_NETNS=/run/netns/by-hand", "CNI_IFNAME=eth0"} < set(
        given
    )
    assert given[-1] == "/opt/cni/bin/bridge"
    assert "CNI_COMMAND=ADD" in repr(done)
    assert '"10.244.1.8/24"' in repr(done)


def test_del_removes_the_namespace_and_version_needs_none() -> None:
    node = Node(CONFLIST, stdout="")
    done = cni_call.call(node, "one", "DEL", "by-hand")  # type: ignore[arg-type]
    assert node.lines[-1].startswith("ip netns del by-hand")
    assert (done.result, done.address) == ({}, "")
    assert "(nothing)" in repr(done)
    asked = Node(CONFLIST)
    version = cni_call.call(asked, "one", "VERSION", "by-hand")  # type: ignore[arg-type]
    assert "CNI_NETNS" not in version.environment
    assert not [line for line in asked.lines if "netns" in line]


def test_what_is_no_json_is_shown_as_it_is() -> None:
    done = cni_call.call(Node(CONFLIST, 1, "panic!"), "one", "ADD", "by-hand")  # type: ignore[arg-type]
    assert done.result["output"] == "panic!"
    assert done.returncode == 1


def test_a_node_without_a_plugin_says_so() -> None:
    with pytest.raises(BackendError, match="node/one: has no network list"):
        cni_call.call(Node(None), "one", "ADD", "by-hand")  # type: ignore[arg-type]


def test_the_chart_of_profiles() -> None:
    found = (
        Measured("flannel", 1450, 50, 9.7e9, 44e-6, "10.244.2.5 via 10.244.2.0 dev flannel.1"),
        Measured("flannel-host-gw", 1500, 0, 12.6e9, 32e-6, "10.244.2.5 via 172.18.0.4 dev eth0"),
        Measured("flannel-udp", 1472, 28, 0.0, 180e-6),
    )
    chart = ProfileChart(found, {"flannel": "15-20 %"})
    figure = chart.figure()
    assert not overlapping(figure)
    assert not outside(figure)
    said = [t.get_text() for t in labels(figure)]
    assert {"50 bytes", "nothing", "9.7 Gbit/s", "0 Mbit/s", "15-20 %"} <= set(said)
    assert "flannel: MTU 1450, 50 bytes in front, 9.7 Gbit/s, 44 µs, claimed: 15-20 %" in chart.alt()


def test_the_map_of_the_layers() -> None:
    layers = tuple(
        Layer(
            i,
            f"Layer number {i}",
            "How does a packet get from\none Pod to another?",
            ("x" * 80, "y", "z"),
            ("t" * 60, "u"),
        )
        for i in range(1, 5)
    )
    figure = LayerMap("a-cluster-with-quite-a-long-name-indeed", layers).figure()
    assert not overlapping(figure)
    assert not outside(figure)
