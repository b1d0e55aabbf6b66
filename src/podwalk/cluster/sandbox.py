"""Pid 1 of the sandbox: makes the fabric and the nodes, then reaps. Single-threaded; runs nothing of a learner's."""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from podwalk.api.clusterconfig import NodeConfig
from podwalk.cluster import cloud, internet, networks, uplinks
from podwalk.cluster.messages import Channel
from podwalk.cluster.node import NodeMain
from podwalk.cluster.spec import BRIDGE, FABRIC_PREFIX, GATEWAY, GATEWAY_MAC, ClusterSpec
from podwalk.netns import sandbox
from podwalk.netns.guard import HostNamespaceError
from podwalk.netns.netlink import Netlink, NetlinkError


def _answer_every_error() -> None:
    """Let the world outside refuse as often as it is asked: the kernel's usual limit is one ICMP error a second."""
    Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")


@dataclass(frozen=True, slots=True)
class SandboxMain:
    """What init does, as a callable that a fork can run."""

    spec: ClusterSpec
    api_socket: socket.socket
    channel: Channel
    close_fds: tuple[int, ...]

    def __call__(self) -> int:
        """Build, then reap until the control plane ends."""
        for fd in self.close_fds:
            os.close(fd)
        try:
            nodes = self._build()
        except (OSError, NetlinkError, HostNamespaceError) as error:
            print(f"sandbox: {error!r}", file=sys.stderr)
            self.channel.fail(f"the sandbox could not be built ({error}); podwalk doctor says what is missing")
            return 1
        self.api_socket.close()
        return self._reap(nodes)

    def _build(self) -> dict[int, NodeConfig]:
        with Netlink() as netlink:
            netlink.add_bridge(BRIDGE)
            # Else it has the lowest of its ports, and another when that node dies: the others would send to nobody
            # until they ask for it again. Docker sets it for the same reason.
            netlink.set_mac(BRIDGE, GATEWAY_MAC)
            netlink.add_address(BRIDGE, f"{GATEWAY}/{FABRIC_PREFIX}")
            netlink.set_up(BRIDGE)
            _answer_every_error()
            if networks.profile(self.spec) == "calico":
                uplinks.start(netlink, self.channel)
            nodes = {self._start_node(netlink, node): node for node in self.spec.config.nodes}
        internet.start(self.api_socket)
        if networks.profile(self.spec) == "cloud":
            cloud.start(self.spec, self.api_socket)
        return nodes

    def _start_node(self, netlink: Netlink, node: NodeConfig) -> int:
        api = self.api_socket if node.role == "control-plane" else None
        # Opened before the node has a root of its own; a path descriptor alone reads nothing.
        host_root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        main: Callable[[], int] = NodeMain(self.spec, node, api, self.channel, host_root)
        keep = {host_root, self.channel.fd} | ({api.fileno()} if api is not None else set())
        process = sandbox.spawn_node(node.name, main, keep_fds=keep)
        os.close(host_root)
        device = f"veth{self.spec.node_index(node)}"
        with process.netns_fd() as fd:
            netlink.add_veth(device, "eth0", peer_ns_fd=fd, peer_mac=self.spec.node_mac(node))
        netlink.set_master(device, BRIDGE)
        netlink.set_up(device)
        self.channel.send("node", name=node.name, pid=process.pid)
        process.go()
        return process.pid

    def _reap(self, nodes: dict[int, NodeConfig]) -> int:
        """Wait for children for ever; the end of the control plane is the end of the cluster."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            try:
                pid, status = os.wait()
            except OSError as error:
                if error.errno == errno.EINTR:
                    continue
                return 1
            node = nodes.pop(pid, None)
            if node is None:
                continue
            print(f"sandbox: node {node.name} ended with status {status}", file=sys.stderr)
            self.channel.send("node-died", name=node.name)
            if node.role == "control-plane":
                return 1
