"""calico-node on one node: the CNI plugin, the address blocks, BIRD and the sessions to the other nodes.

Stands in for calico-node (node/, felix and confd of projectcalico/calico) with the BIRD backend and no encapsulation.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from contextlib import suppress
from typing import Any

from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.netns.watch import DirectoryWatch
from podwalk.network.calico import bgp, bird, ipam, plugin
from podwalk.network.process import Supervised
from podwalk.network.profile import (
    PORTMAP,
    UPLINK,
    Json,
    NetworkConfig,
    Profile,
    forwarding,
    write_conflist,
)

log = logging.getLogger(__name__)

CONFIG_MAP = ("kube-system", "calico-config")
_BIRD_PATH = "/usr/sbin:/usr/local/sbin:/usr/bin:/sbin"


class BirdMissingError(RuntimeError):
    """BIRD is not installed."""


def conflist(node_name: str, mtu: int) -> Json:
    """The network list that install-cni writes."""
    calico = {
        "type": "calico",
        "log_level": "info",
        "datastore_type": "kubernetes",
        "nodename": node_name,
        "mtu": mtu,
        "ipam": {"type": "calico-ipam"},
        "policy": {"type": "k8s"},
    }
    portmap = {**PORTMAP, "snat": True}
    return {"name": "k8s-pod-network", "cniVersion": "0.3.1", "plugins": [calico, portmap]}


def masquerade_rules(pool: str) -> str:
    """felix's natOutgoing: from the pool to outside of it. An ipset holds the pools there; here there is one."""
    lines = (
        "*nat",
        ":cali-POSTROUTING - [0:0]",
        ":cali-nat-outgoing - [0:0]",
        "-I POSTROUTING 1 -j cali-POSTROUTING",
        "-A cali-POSTROUTING -j cali-nat-outgoing",
        f"-A cali-nat-outgoing -s {pool} ! -d {pool} -j MASQUERADE --random-fully",
        "COMMIT",
    )
    return "\n".join((*lines, ""))


class CalicoNode(Profile):
    """What runs in calico-node's Pod."""

    condition = ("CalicoIsUp", "Calico is running on this node")

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        program = shutil.which("bird", path=_BIRD_PATH)
        if program is None:
            raise BirdMissingError("the calico profile needs BIRD: sudo apt-get install -y bird2")
        command = [program, "-f", "-c", str(bird.CONFIG / "bird.cfg")]
        # With -R a BIRD that comes back leaves the kernel's routes alone until its peers have told theirs again.
        self._bird = Supervised(config.reaper, command, again=[program, "-R", *command[1:]])
        self._ipam = ipam.Ipam()
        self._speakers: dict[str, bgp.Speaker] = {}
        self._own = bgp.Speaker(config.node_name, config.node_ip)
        self._settings = bgp.BgpConfiguration()
        self._peers: list[bgp.BgpPeer] = []
        self._written: tuple[str, ...] = ()
        self._dirty = asyncio.Event()
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self, pod_cidr: str) -> None:
        """Claim a block, start BIRD, write the rules, install the plugin, and last the CNI configuration."""
        config = self.config
        forwarding()
        self._ipam.initialise(pod_cidr)
        bird.SOCKET.parent.mkdir(parents=True, exist_ok=True)
        bird.CONFIG.mkdir(parents=True, exist_ok=True)
        self._write()
        self._bird.start()
        plugin.install()
        address = {"projectcalico.org/IPv4Address": f"{config.node_ip}/16"}
        await asyncio.gather(
            config.client.patch("Node", config.node_name, {"metadata": {"annotations": address}}),
            self.write_rules(masquerade_rules(config.cluster_cidr)),
        )
        if not self._tasks:
            self._follow()
        uplink = self.netlink.link(UPLINK)
        write_conflist("10-calico.conflist", conflist(config.node_name, uplink.mtu if uplink else 1500))

    def _follow(self) -> None:
        namespace, name = CONFIG_MAP
        maps = Informer(self.config.client, "ConfigMap", namespace=namespace, field_selector=f"metadata.name={name}")
        maps.on_change(self._config_map_changed)
        self._tasks += [
            asyncio.create_task(maps.run(), name="calico: configuration"),
            asyncio.create_task(self._apply(), name="calico: BIRD"),
            asyncio.create_task(self._watch_blocks(), name="calico: blocks"),
        ]

    def _config_map_changed(self, _: Object | None, new: Object | None) -> None:
        data = (new or {}).get("data") or {}
        try:
            self._settings = bgp.configuration(str(data.get("bgpconfiguration.yaml") or ""))
            self._peers = bgp.peers(str(data.get("bgppeers.yaml") or ""))
        except bgp.BgpError as error:
            log.error("ConfigMap %s/%s: %s; what held before goes on", *CONFIG_MAP, error)
        self._dirty.set()

    def own_node_changed(self, node: Object) -> None:
        """Follow our own labels and annotations."""
        found = bgp.speaker(node)
        if found is not None and found != self._own:
            self._own = found
            self._dirty.set()

    def node_changed(self, name: str, node: Object | None) -> None:
        """Follow the other Nodes' addresses, labels and annotations."""
        found = bgp.speaker(node) if node is not None else None
        if found != self._speakers.get(name):
            if found is None:
                self._speakers.pop(name, None)
            else:
                self._speakers[name] = found
            self._dirty.set()

    async def _watch_blocks(self) -> None:
        """The CNI plugin claims another block when the first is full."""
        with DirectoryWatch(ipam.STATE.parent) as watch:
            while True:
                await watch.changed()
                self._dirty.set()

    def _write(self) -> bool:
        """Write BIRD's files; whether anything is new."""
        sessions = bgp.sessions(self._own, self._speakers.values(), self._settings, self._peers)
        texts = (
            bird.main_file(self.config.node_ip, self._own.as_number or self._settings.as_number, sessions),
            bird.aggregation_file(self._ipam.blocks()),
            bird.pool_file(self.config.cluster_cidr),
        )
        if texts == self._written:
            return False
        for name, text in zip(("bird.cfg", "bird_aggr.cfg", "bird_ipam.cfg"), texts, strict=True):
            (bird.CONFIG / name).write_text(text)
        self._written = texts
        return True

    async def _apply(self) -> None:
        """Tell BIRD of every change."""
        while True:
            await self._dirty.wait()
            self._dirty.clear()
            if not self._write():
                continue
            try:
                answer = await bird.command("configure")
            except (OSError, TimeoutError) as error:
                # It is just starting, or being started again, and reads the files itself; make sure it did.
                log.info("BIRD does not answer yet: %s", error)
                self._written = ()
                await asyncio.sleep(0.1)
                self._dirty.set()
                continue
            if not answer.startswith("000"):
                log.error("BIRD refuses its configuration: %s", answer)

    def resync(self) -> None:
        """Nothing: BIRD scans the kernel every two seconds by itself."""

    async def stop(self) -> None:
        """End BIRD; its routes stay, as `persist` says."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._bird.stop()
        await super().stop()
