"""The agent of one node: watches Services and EndpointSlices and keeps the maps equal to them.

Stands in for cilium-agent's part of Services. What Cilium does by programs at connect time, for processes of the node,
a device does here: see docs/limits.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.netns import command, guard
from podwalk.netns.reaper import Reaper
from podwalk.proxy import model
from podwalk.proxy.ebpf.datapath import SERVICE_DEVICE, Datapath
from podwalk.proxy.ebpf.programs import MARK_MASQUERADE, MARK_NO_ENDPOINTS
from podwalk.proxy.sync import Proxier, Sources, keep_synced
from podwalk.proxy.writers import Completed, Runner

log = logging.getLogger(__name__)

_REJECT = f"-m mark --mark {MARK_NO_ENDPOINTS:#x}/{MARK_NO_ENDPOINTS:#x} -j REJECT --reject-with icmp-port-unreachable"
_COMMENT = '-m comment --comment "podwalk: the Service has no endpoints"'
# Not the ports by which the node's own processes ask: their answers are told from those for others by the port. Linux
# gives them 32768 to 60999, and the probes of checks (podwalk.checks.http) take 12000 to 32767.
_MASQUERADED_PORTS = "61000-65535"


def rules(node_ip: str) -> str:
    """The only rules, which do not grow: who answers for nobody, and under which address a node asks an endpoint."""
    # Before the network plugin's: it would take any address of the node, such as that of a DNS cache on lo.
    own = f"-I POSTROUTING -o {SERVICE_DEVICE} -j SNAT --to-source {node_ip}"
    marked = f"-m mark --mark {MARK_MASQUERADE:#x}/{MARK_MASQUERADE:#x} -j MASQUERADE --to-ports {_MASQUERADED_PORTS}"
    lines = (
        "*filter",
        *(f"-A {chain} {_REJECT} {_COMMENT}" for chain in ("INPUT", "FORWARD")),
        "COMMIT",
        "*nat",
        f'{own} -m comment --comment "podwalk: the node asks a Service"',
        *(
            f'-A POSTROUTING -p {protocol} {marked} -m comment --comment "podwalk: from outside, by this node"'
            for protocol in ("tcp", "udp")
        ),
        "COMMIT",
    )
    return "\n".join((*lines, ""))


class Agent:
    """Services by BPF on one node. `network_made` puts a Pod's device under it before its containers start."""

    def __init__(self, client: Client, reaper: Reaper, node: model.Node, service_cidr: str) -> None:
        guard.refuse_host()
        self._client, self._reaper, self._node = client, reaper, node
        self._datapath = Datapath(node, service_cidr)

    async def pod_is_coming(self, pod: Object, address: str) -> None:
        """Attach the programs to a new Pod's device; where that fails, the log says so and the next repair tries."""
        try:
            self._datapath.attach_pod(address)
        except OSError as error:
            log.error("Pod %s reaches no Services yet: %s", meta.key(pod), error)
            return
        log.info("programs attached to the device of Pod %s, %s", meta.key(pod), address)

    async def run(self, on_synced: Callable[[], None] | None = None) -> None:
        """Keep the maps level for ever. Cancel to stop; programs and maps stay where devices and names hold them."""
        self._datapath.prepare_node()
        done = await self._command(["iptables-restore", "-w", "5", "--noflush"], rules(self._node.ip).encode())
        if done.returncode != 0:
            log.error("iptables-restore: %s", done.stderr.decode(errors="replace").strip())
        sources = Sources(
            Informer(self._client, "Service"),
            Informer(self._client, "EndpointSlice"),
            Informer(self._client, "Node", field_selector=f"metadata.name={self._node.name}"),
        )
        proxier = _MapsProxier(self._command, self._node, self._datapath)
        async with asyncio.TaskGroup() as group:
            for informer in (sources.services, sources.slices, sources.nodes):
                group.create_task(informer.run(), name=f"ebpf {informer.resource.plural}")
            try:
                await keep_synced(proxier, sources, on_synced)
            finally:
                self._datapath.close()

    async def _command(self, argv: Sequence[str], stdin: bytes | None) -> Completed:
        return await command.run(self._reaper, list(argv), stdin=stdin)


class _Writer:
    """The maps as kube-proxy's modes see their rules."""

    def __init__(self, datapath: Datapath) -> None:
        self._datapath = datapath

    async def write(self, ports: list[model.ServicePort], node: model.Node) -> None:
        self._datapath.tables.write(ports, node)

    async def intact(self) -> bool:
        self._datapath.repair()
        return True

    def forget(self) -> None:
        """Nobody but this agent writes the maps."""


class _MapsProxier(Proxier):
    """A proxier without conntrack: the programs themselves see that a connection's endpoint is gone."""

    def __init__(self, run_command: Runner, node: model.Node, datapath: Datapath) -> None:
        writer = _Writer(datapath)
        super().__init__(run_command, node, "", writer)
        self._writer = writer

    async def sync(self, ports: list[model.ServicePort]) -> None:
        await self._writer.write(ports, self.node)
        self._ports = ports
