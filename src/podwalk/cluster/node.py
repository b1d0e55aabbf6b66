"""Pid 1 of a node: its network, then kubelet and kube-proxy on one loop; on the control plane, that process too."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from dataclasses import dataclass

from podwalk.api.clusterconfig import NodeConfig
from podwalk.api.meta import Object
from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import controlplane, staticpods
from podwalk.cluster.messages import Channel
from podwalk.cluster.spec import CLUSTER_DOMAIN, FABRIC_PREFIX, GATEWAY, ClusterSpec
from podwalk.kubelet import agent
from podwalk.netns import syscalls
from podwalk.netns.netlink import Netlink
from podwalk.netns.reaper import Reaper
from podwalk.proxy import sync as proxy

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NodeMain:
    """What a node does, as a callable that a fork can run. ``api_socket`` is set on the control plane.

    ``host_root_fd`` is the machine's root directory, where the programs of the user's own images are.
    """

    spec: ClusterSpec
    node: NodeConfig
    api_socket: socket.socket | None
    channel: Channel
    host_root_fd: int

    def __call__(self) -> int:
        """Run the node until it fails."""
        logging.basicConfig(
            level=logging.INFO, stream=sys.stderr, format=f"%(asctime)s {self.node.name} %(name)s: %(message)s"
        )
        self._network()
        children = []
        if self.api_socket is not None:
            children.append(self._start_control_plane(self.api_socket))
            self.api_socket.close()
        try:
            asyncio.run(self._serve(children))
        except BaseExceptionGroup as group:
            log.exception("node %s ends", self.node.name)
            self.channel.fail(f"node {self.node.name} could not start: {group.exceptions[0]}; see the cluster's log")
        return 1

    def _network(self) -> None:
        address = self.spec.node_address(self.node)
        with Netlink() as netlink:
            netlink.add_address("eth0", f"{address}/{FABRIC_PREFIX}")
            netlink.set_up("eth0")
            netlink.add_route("0.0.0.0/0", via=GATEWAY)

    def _start_control_plane(self, api_socket: socket.socket) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                syscalls.die_with_parent()
                syscalls.set_process_name("kube-apiserver")
                controlplane.main(self.spec, api_socket, self.channel)
            except Exception as error:
                log.exception("the control plane ends")
                self.channel.fail(f"the control plane failed: {error}; see the cluster's log")
            finally:
                os._exit(1)
        return pid

    async def _serve(self, children: list[int]) -> None:
        reaper = Reaper(asyncio.get_running_loop())
        async with asyncio.TaskGroup() as group:
            for pid in children:
                group.create_task(self._end_with(reaper, pid))
            group.create_task(self._kubelet(reaper), name="kubelet")
            if self.spec.config.proxy_mode != "none":
                group.create_task(self._kube_proxy(reaper), name="kube-proxy")

    async def _end_with(self, reaper: Reaper, pid: int) -> None:
        code = await reaper.watch(pid)
        raise RuntimeError(f"the control plane ended with {code}")

    def _taints(self) -> list[Object]:
        """Like kubeadm and kind: the control plane takes no Pods of others, unless it is the only node."""
        alone = len(self.spec.config.nodes) == 1
        if self.node.role != "control-plane" or alone:
            return []
        return [{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]

    def _client(self, token: str, user_agent: str) -> Client:
        return Client(ClientConfig(self.spec.api_server, token, self.spec.pki.ca_cert, user_agent))

    async def _kubelet(self, reaper: Reaper) -> None:
        async with self._client(self.spec.tokens.nodes[self.node.name], "kubelet") as client:
            config = agent.KubeletConfig(
                node_name=self.node.name,
                node_ip=self.spec.node_address(self.node),
                role=self.node.role,
                client=client,
                kubelet_token=self.spec.tokens.kubelet_server,
                reaper=reaper,
                cluster_dns=self.spec.config.dns_service_ip,
                cluster_domain=CLUSTER_DOMAIN,
                ca_cert=self.spec.pki.ca_cert,
                labels=dict(self.node.labels),
                static_pods=staticpods.pods(self.spec, self.node),
                cluster_cidr=self.spec.config.pod_subnet,
                images_file=self.spec.images_file,
                host_root_fd=self.host_root_fd,
                taints=self._taints(),
                default_cni=self.spec.config.default_cni,
            )
            await agent.run(config, on_ready=lambda: self.channel.send("kubelet-ready", name=self.node.name))

    async def _kube_proxy(self, reaper: Reaper) -> None:
        async with self._client(self.spec.tokens.kube_proxy, "kube-proxy") as client:
            await proxy.run(
                client,
                node_name=self.node.name,
                node_ip=self.spec.node_address(self.node),
                cluster_cidr=self.spec.config.pod_subnet,
                reaper=reaper,
                on_synced=lambda: self.channel.send("proxy-synced", name=self.node.name),
            )
