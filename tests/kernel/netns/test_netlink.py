"""The rtnetlink writer against a real kernel."""

from __future__ import annotations

import pytest
from netns_runner import Runner

pytestmark = pytest.mark.kernel


def test_what_is_made_is_there_and_what_is_deleted_is_gone(runner: Runner) -> None:
    made = runner.run("links")
    assert made["links"]["br0"][:2] == ["bridge", 1400]
    assert made["links"]["veth0"] == ["veth", 1400, "02:00:00:00:00:01", "br0"]
    assert made["links"]["veth1"] == ["veth", 1400, "02:00:00:00:00:02", ""]
    assert made["links"]["vx1"] == ["vxlan", 1350, "02:00:00:00:00:04", ""]
    assert made["addresses"] == ["10.1.0.1/24"]
    assert made["routes"]["10.9.0.0/16"] == ["10.1.0.3", "br0", "10.1.0.1", False]
    assert made["routes"]["10.8.0.0/16"] == ["192.0.2.1", "br0", "", True]
    assert made["neighbours"] == [["10.1.0.3", "02:00:00:00:00:03"]]
    assert made["fdb"] == [["vx1", "10.1.0.9", "02:00:00:00:00:05"]]
    assert made["left"] == ["lo"]
    assert made["routes left"] == 0


def test_a_refusal_names_the_operation_and_the_reason(runner: Runner) -> None:
    assert runner.run("netlink_errors") == [
        ["add bridge br0", "EEXIST"],
        ["find link nope", "ENODEV"],
        ["add route 10.0.0.0/8", "ENETUNREACH"],
    ]


def test_a_program_reads_and_writes_the_packets_of_a_device(runner: Runner) -> None:
    found = runner.run("tunnel_devices")
    assert found["cable"] == ["veth", "out", "10.7.0.9", "7", "lo"]
    if "tun" in found:
        assert found["tun"] == ["tun", "out", "10.7.0.9", "7", "lo"]
