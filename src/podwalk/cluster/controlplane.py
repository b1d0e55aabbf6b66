"""The control-plane process: API server, controllers and scheduler on one asyncio loop."""

from __future__ import annotations

import asyncio
import logging
import socket

from podwalk.apiserver import server
from podwalk.apiserver.server import ApiServerConfig, UserInfo
from podwalk.client.rest import Client, ClientConfig
from podwalk.cluster import addons, networks
from podwalk.cluster.messages import Channel
from podwalk.cluster.spec import API_PORT, KUBERNETES_VERSION, ClusterSpec
from podwalk.controllers import manager
from podwalk.loadbalancer import controller as loadbalancer

log = logging.getLogger(__name__)


def main(spec: ClusterSpec, host_socket: socket.socket, channel: Channel) -> int:
    """Run until something fails, which ends the cluster. Runs in the control-plane node's namespaces."""
    try:
        asyncio.run(_run(spec, host_socket, channel))
    except BaseExceptionGroup as group:
        log.exception("the control plane ends")
        channel.fail(f"the control plane failed: {group.exceptions[0]}; see the cluster's log")
    return 1


# One process plays all the controllers, and a node's runs what real clusters put into Pods with accounts and roles of
# their own (the network plugin, for one). podwalk's components may do everything; whoever impersonates them may not.
MASTERS = "system:masters"


def _users(spec: ClusterSpec) -> dict[str, UserInfo]:
    tokens = spec.tokens
    users = {
        tokens.admin: UserInfo("kubernetes-admin", ("kubeadm:cluster-admins", "system:authenticated")),
        tokens.controller_manager: UserInfo("system:kube-controller-manager", (MASTERS,)),
        tokens.kube_proxy: UserInfo("system:kube-proxy", ("system:node-proxier", "system:authenticated")),
    }
    users[tokens.cloud] = UserInfo("system:cloud-controller-manager", (MASTERS,))
    groups = ("system:serviceaccounts", "system:serviceaccounts:kube-system", MASTERS)
    users[tokens.network_policy] = UserInfo("system:serviceaccount:kube-system:kube-network-policies", groups)
    users[tokens.egress] = UserInfo("system:serviceaccount:kube-system:cilium", groups)
    metallb = ("system:serviceaccounts", "system:serviceaccounts:metallb-system", MASTERS)
    users[tokens.load_balancer] = UserInfo("system:serviceaccount:metallb-system:speaker", metallb)
    if (daemon := networks.daemon(spec)) is not None:
        users[tokens.network] = UserInfo(f"system:serviceaccount:kube-system:{daemon.account}", groups)
    for name, token in tokens.nodes.items():
        users[token] = UserInfo(f"system:node:{name}", ("system:nodes", MASTERS))
    return users


async def _run(spec: ClusterSpec, host_socket: socket.socket, channel: Channel) -> None:
    inside = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    inside.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    inside.bind(("0.0.0.0", API_PORT))
    inside.listen(256)
    config = ApiServerConfig(
        tls_cert=spec.pki.server_cert,
        tls_key=spec.pki.server_key,
        ca_cert=spec.pki.ca_cert,
        service_account_key=spec.pki.service_account_key,
        tokens=_users(spec),
        kubelet_token=spec.tokens.kubelet_server,
        service_cidr=spec.config.service_subnet,
        version=KUBERNETES_VERSION,
        sockets=[host_socket, inside],
    )
    serving = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve(config, on_ready=serving.set), name="kube-apiserver")
        await serving.wait()
        group.create_task(_manage(spec, channel), name="kube-controller-manager")
        if spec.config.load_balancer:
            group.create_task(_balance(spec), name="metallb-controller")


async def _balance(spec: ClusterSpec) -> None:
    config = ClientConfig(spec.api_server, spec.tokens.load_balancer, spec.pki.ca_cert, "metallb-controller")
    async with Client(config) as client:
        await loadbalancer.run(client)


async def _manage(spec: ClusterSpec, channel: Channel) -> None:
    config = ClientConfig(spec.api_server, spec.tokens.controller_manager, spec.pki.ca_cert, "kube-controller-manager")
    async with Client(config) as client:
        bootstrapped = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            settings = manager.ManagerConfig(
                cluster_cidr=spec.config.pod_subnet,
                node_cidr_mask=24,
                ca_cert=spec.pki.ca_cert.decode(),
                api_address=(spec.api_address, API_PORT),
                api_service_ip=spec.config.api_service_ip,
                nodes=tuple(node.name for node in spec.config.nodes),
            )
            group.create_task(manager.run(client, config=settings, on_ready=bootstrapped.set))
            await bootstrapped.wait()
            channel.send("api-ready")
            await addons.apply(client, spec)
