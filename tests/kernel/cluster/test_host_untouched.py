"""A cluster changes nothing of the machine's own network: not while it boots, not while it runs, not after its end."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cluster_cli import Cli

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(400)]

_IP = {
    "links": ["-d", "link"],
    "routes": ["route", "show", "table", "all"],
    "routes6": ["-6", "route", "show", "table", "all"],
    "rules": ["rule"],
    "rules6": ["-6", "rule"],
    "namespaces": ["netns", "list"],
}
_RULES = {
    "nft": ["nft", "--stateless", "list", "ruleset"],
    "iptables": ["iptables-save"],
    "iptables-legacy": ["iptables-legacy-save"],
}
# They count, age or are random by nature.
_ALIVE = ("nf_conntrack_count", "stat_refresh", "tcp_fastopen_key", "stable_secret")
# They come into being with the kernel module, which an unprivileged socket may load.
_OF_MODULES = ("/proc/sys/net/bridge/", "/proc/sys/net/netfilter/")


def _output(argv: list[str]) -> str:
    if shutil.which(argv[0]) is None:
        return ""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    # Chains' packet counters.
    return "\n".join(line.split(" [")[0] for line in done.stdout.splitlines() if not line.startswith("#"))


def _addresses() -> Any:
    links = json.loads(subprocess.run(["ip", "-j", "address"], capture_output=True, check=True).stdout)
    for link in links:
        for address in link["addr_info"]:
            # A lease of DHCP grows older.
            address.pop("valid_life_time", None)
            address.pop("preferred_life_time", None)
    return links


def _sysctls() -> dict[str, str]:
    values = {}
    for top in ("net", "vm"):
        for folder, _, names in os.walk(f"/proc/sys/{top}"):
            for name in names:
                path = Path(folder, name)
                if name in _ALIVE:
                    continue
                try:
                    values[str(path)] = path.read_text()
                except OSError:
                    continue
    assert len(values) > 100
    return values


def _picture() -> dict[str, Any]:
    picture: dict[str, Any] = {name: _output(["ip", *args]) for name, args in _IP.items()}
    picture |= {name: _output(argv) for name, argv in _RULES.items()}
    picture["addresses"] = _addresses()
    picture["mounts"] = Path("/proc/self/mountinfo").read_text()
    picture["hostname"] = os.uname().nodename
    return picture


def _assert_same(before: dict[str, str], now: dict[str, str]) -> None:
    assert {k: now.get(k) for k in before} == before
    assert [k for k in now if k not in before and not k.startswith(_OF_MODULES)] == []


def test_host_is_the_same_before_during_and_after(any_cli: Cli) -> None:
    picture, sysctls = _picture(), _sysctls()
    assert "lo" in picture["links"]
    census = any_cli.up("guest")
    ours = any_cli.run("node", "--name", "guest", "worker", "--", "iptables-save", "-t", "nat").stdout
    assert "KUBE-SERVICES" in ours, "there is a data plane that could have gone to the wrong place"
    assert _picture() == picture
    _assert_same(sysctls, _sysctls())
    any_cli.down("guest")
    census.await_nothing()
    assert _picture() == picture
    _assert_same(sysctls, _sysctls())
