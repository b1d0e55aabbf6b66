"""Pid 1 of a node: its network, then kubelet and kube-proxy on one loop; on the control plane, that process too."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from podwalk.api.clusterconfig import NodeConfig
from podwalk.api.meta import Object
from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import controlplane, staticpods
from podwalk.cluster.messages import Channel
from podwalk.cluster.spec import CLUSTER_DOMAIN, FABRIC_PREFIX, GATEWAY, ClusterSpec
from podwalk.egress import agent as egress
from podwalk.kubelet import agent
from podwalk.loadbalancer import speaker
from podwalk.netns import syscalls
from podwalk.netns.netlink import Netlink
from podwalk.netns.reaper import Reaper
from podwalk.network import daemon as network
from podwalk.network.profile import NetworkConfig
from podwalk.policy import agent as policy
from podwalk.proxy import model
from podwalk.proxy import sync as proxy

if TYPE_CHECKING:
    from podwalk.proxy.ebpf.agent import Agent as ServicesByEbpf

log = logging.getLogger(__name__)

# What the kubelet awaits between a Pod's network and its containers: the Pod, its address.
NetworkHook = Callable[[Object, str], Awaitable[None]]


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
            policies = self._network_policies(group, reaper) if self.spec.config.network_policy else None
            services = self._services_by_ebpf(group, reaper) if self.spec.config.services_by_ebpf else None
            hooks: list[NetworkHook] = [part.pod_is_coming for part in (services, policies) if part is not None]
            group.create_task(self._kubelet(reaper, hooks), name="kubelet")
            group.create_task(self._pod_network(reaper), name="network")
            group.create_task(self._egress_gateway(reaper), name="egress-gateway")
            if self.spec.config.proxy_mode != "none":
                group.create_task(self._kube_proxy(reaper), name="kube-proxy")
            if self.spec.config.load_balancer:
                group.create_task(self._speaker(), name="metallb-speaker")

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

    async def _kubelet(self, reaper: Reaper, hooks: list[NetworkHook]) -> None:
        async def network_made(pod: Object, address: str) -> None:
            for hook in hooks:
                await hook(pod, address)

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
                images_file=self.spec.images_file,
                host_root_fd=self.host_root_fd,
                taints=self._taints(),
                network_made=network_made if hooks else None,
            )
            await agent.run(config, on_ready=lambda: self.channel.send("kubelet-ready", name=self.node.name))

    def _network_policies(self, group: asyncio.TaskGroup, reaper: Reaper) -> policy.Agent:
        """The policy agent, which the kubelet asks before it starts a Pod's containers."""
        client = self._client(self.spec.tokens.network_policy, "kube-network-policies")
        enforcing = policy.Agent(client, reaper, self.node.name)

        async def run() -> None:
            async with client:
                await enforcing.run()

        group.create_task(run(), name="kube-network-policies")
        return enforcing

    def _services_by_ebpf(self, group: asyncio.TaskGroup, reaper: Reaper) -> ServicesByEbpf:
        """The agent whose programs serve Services, which the kubelet asks before it starts a Pod's containers."""
        # One profile of many needs it, and it takes memory on every node.
        from podwalk.proxy.ebpf.agent import Agent as ServicesByEbpf

        client = self._client(self.spec.tokens.kube_proxy, "cilium-agent")
        node = model.Node(self.node.name, self.spec.node_address(self.node))
        serving = ServicesByEbpf(client, reaper, node, self.spec.config.service_subnet)

        async def run() -> None:
            async with client:
                await serving.run(lambda: self.channel.send("proxy-synced", name=self.node.name))

        group.create_task(run(), name="cilium-agent")
        return serving

    async def _pod_network(self, reaper: Reaper) -> None:
        async with self._client(self.spec.tokens.network, "network") as client:
            config = NetworkConfig(
                node_name=self.node.name,
                node_ip=self.spec.node_address(self.node),
                cluster_cidr=self.spec.config.pod_subnet,
                client=client,
                reaper=reaper,
            )
            await network.run(self.spec.config.options()["cni"], config)

    async def _egress_gateway(self, reaper: Reaper) -> None:
        """Follow egress gateway policies; without their definition it only waits for that."""
        async with self._client(self.spec.tokens.egress, "cilium-agent") as client:
            internal = (self.spec.config.pod_subnet, self.spec.config.service_subnet)
            await egress.Agent(client, reaper, self.node.name, internal).run()

    async def _speaker(self) -> None:
        """Announce load balancer addresses; a node that cannot is a node all the same."""
        async with self._client(self.spec.tokens.load_balancer, "metallb-speaker") as client:
            try:
                await speaker.run(client, node_name=self.node.name, node_ip=self.spec.node_address(self.node))
            except OSError as error:
                log.error("this node announces no load balancer addresses: %s", error)

    async def _kube_proxy(self, reaper: Reaper) -> None:
        async with self._client(self.spec.tokens.kube_proxy, "kube-proxy") as client:
            await proxy.run(
                client,
                node_name=self.node.name,
                node_ip=self.spec.node_address(self.node),
                cluster_cidr=self.spec.config.pod_subnet,
                service_cidr=self.spec.config.service_subnet,
                mode=self.spec.config.proxy_mode,
                reaper=reaper,
                on_synced=lambda: self.channel.send("proxy-synced", name=self.node.name),
            )
