"""ebpf: kindnet's cables and routes; Services are BPF programs at those cables (`proxy.ebpf`).

Stands in for Cilium with native routing (routing-mode: native) and kube-proxy replacement.
"""

from __future__ import annotations

from podwalk.network.kindnet import Kindnet


class Ebpf(Kindnet):
    """The Pod network of the profile: a cable a Pod, a route a node."""

    file = "05-podwalk-ebpf.conflist"
    network_name = "podwalk-ebpf"
