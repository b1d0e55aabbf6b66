"""The profiles by name, and what each needs of the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from podwalk.netns import bpf
from podwalk.network.calico.node import CalicoNode
from podwalk.network.cloud import Cloud
from podwalk.network.ebpf import Ebpf
from podwalk.network.flannel import VXLAN_OVERHEAD, Flannel, HostGateway, Vxlan
from podwalk.network.flannel_udp import OVERHEAD, Udp
from podwalk.network.kindnet import Kindnet
from podwalk.network.profile import NetworkConfig, Profile

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PROFILES: dict[str, Callable[[NetworkConfig], Profile] | None] = {
    "flannel": lambda config: Flannel(config, Vxlan, VXLAN_OVERHEAD),
    "flannel-host-gw": lambda config: Flannel(config, HostGateway, 0),
    "flannel-udp": lambda config: Flannel(config, Udp, OVERHEAD),
    "kindnet": Kindnet,
    "calico": CalicoNode,
    "cloud": Cloud,
    "ebpf": Ebpf,
    "none": None,
}


def make(name: str, config: NetworkConfig) -> Profile | None:
    """The profile of this name for one node; None for ``none``. Raises KeyError for a name that there is not."""
    factory = _PROFILES[name]
    return None if factory is None else factory(config)


def missing(name: str) -> str | None:
    """What the machine lacks for this profile, with the cure; None where it has everything."""
    if name == "calico" and shutil.which("bird", path=_PATH) is None:
        return "profile calico needs BIRD: sudo apt-get install -y bird2"
    if name == "ebpf" and (reason := bpf.may_load()) is not None:
        who = "sudo podwalk up --cni ebpf" if os.geteuid() else "a kernel and a container that allow bpf(2)"
        return f"profile ebpf loads BPF programs, which takes real root, and the kernel says: {reason}; use {who}"
    return None
