"""Pods, containers, commands in them, and what becomes of their processes."""

from __future__ import annotations

import pytest
from netns_runner import Runner

pytestmark = pytest.mark.kernel

DEFAULT = "00000000a80425fb"
# Real root loses MKNOD: a device node of the machine's disk would be a way out of the sandbox.
DEFAULT_OF_ROOT = "00000000a00425fb"


def test_programs_end_as_they_say(runner: Runner) -> None:
    found = runner.run("container_exits")
    assert found["streams"] == {"code": 3, "out": "out\n", "err": "err\n"}
    assert found["signal"] == -9
    first, *listed = found["pid 1"]["out"].splitlines()
    assert (first, found["pid 1"]["code"]) == ("1", 0)
    assert [line.split()[1] for line in listed] == ["sh", "ps"]
    assert found["stdin"] == "typed"
    assert found["no stdin"] == 0
    assert found["environment"] == "b /var/deep\nweb-1\n"
    assert found["tty"] == {"code": 4, "out": "/dev/pts/0\r\n24 80\r\n", "err": ""}
    assert found["python"] == "42\n"
    assert found["ignored signals"] == "0" * 16
    assert found["minimal"] == "ls: /usr/lib: No such file or directory\nsh\n"


def test_what_cannot_start_says_so_as_runc_does(runner: Runner) -> None:
    assert runner.run("container_refusals") == [
        'exec: "foo": executable file not found in $PATH',
        'exec: "/foo": stat /foo: no such file or directory',
        'exec: "/plain": permission denied',
        'exec: "/usr": is a directory',
        'error mounting "/nope" to rootfs at "/x": no such file or directory',
        'unknown image kind "other"',
    ]


def test_a_container_sees_only_its_own_root(runner: Runner) -> None:
    found = runner.run("container_root")
    shown = found["shown"]
    assert shown.startswith("secret")
    assert "only-on-the-node" not in shown
    assert "kubelet" not in shown
    assert "/.old" not in shown
    assert "1 /pause infinity" in shown
    assert "bodies.py" not in shown
    assert found["hosts"].split() == ["1.2.3.4", "me"]
    assert found["write ro"] != 0
    assert found["write rw"] == 0
    assert found["on the node"] == ["token", "x"]
    assert found["sysctl"] == "17\n"
    assert found["sysctl write"] != 0
    assert found["lo"] == 0
    assert found["usr"] != 0


def test_rights_are_those_of_kubernetes(runner: Runner) -> None:
    found = runner.run("container_rights")
    allowed = DEFAULT if runner.single_uid else DEFAULT_OF_ROOT
    assert found["default"] == ["0" * 16, allowed, allowed]
    assert found["none"] == ["0" * 16] * 3
    assert found["user"] == "0" * 16
    assert found["link"] != 0
    assert found["NET_ADMIN"] == 0
    assert found["mount privileged"] == 0
    assert found["mount"] != 0


def test_exec(runner: Runner) -> None:
    found = runner.run("exec_in_containers")
    assert found["plain"] == {"code": 0, "out": "here", "err": ""}
    assert found["tty"] == {"code": 7, "out": "33 99\r\n", "err": ""}
    assert found["resized"] == ["ready", "12 34"]
    assert found["refused"] == 'exec: "nope": executable file not found in $PATH'
    assert found["root"] == "here"
    assert found["killed"] == -9


def test_fifty_starts_leave_nothing_open(runner: Runner) -> None:
    found = runner.run("descriptors")
    assert found["counts"][0] == found["counts"][1]
    assert not found["children"]
    assert found["netns"] == []


def test_sockets_of_a_pod_belong_to_its_network(runner: Runner) -> None:
    assert runner.run("pod_sockets") == {
        "outside": "ECONNREFUSED",
        "host network name": "worker-7",
        "path": "/proc/1/ns/net",
    }


def test_the_reaper_misses_no_child(runner: Runner) -> None:
    assert runner.run("reaping") == [5, 6, -15, "refused"]


def test_commands_do_not_block_or_linger(runner: Runner) -> None:
    assert runner.run("commands") == {
        "echoed": True,
        "failed": [9, "no\n"],
        "ignored": 0,
        "lingering": "done\n",
        "errors": ["TimeoutError", "FileNotFoundError"],
        "leak": 0,
        "sleeping": 1,  # the lingering one; the one that timed out is dead
    }


def test_cni_plugins_wire_a_pod(runner: Runner) -> None:
    found = runner.run("plugins")
    assert found["ips"] == ["10.244.1.2"]
    assert found["ping"] == 0
    assert found["hostPort"] is True
    assert found["hostPort left"] is False
    assert found["again"].startswith('bridge: plugin type="bridge" failed (add): ')
    assert found["missing"].startswith('plugin type="nope" failed (add): failed to find plugin "nope" in path [')
