"""The policy agent of one node: watches policies, Pods and namespaces, and keeps the node's nftables table true.

Runs on the node agent's event loop, inside the node's network namespace. Stands in for the DaemonSet of a network
plugin that enforces policy (kube-network-policies, calico-node). As long as no policy exists it watches policies only
and writes nothing. A new Pod of this node is waited for: its rules are in place before its first container starts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.client.rest import Client
from podwalk.netns import command, guard
from podwalk.netns.reaper import Reaper
from podwalk.policy import ruleset
from podwalk.policy.clusterpolicies import ClusterPolicies
from podwalk.policy.enforcer import Completed, Enforcer, NftError
from podwalk.policy.render import Objects, render
from podwalk.policy.status import SOCKET, StatusServer

log = logging.getLogger(__name__)

# Changes that come this soon after a sync are written together by the next one.
_COALESCE_SECONDS = 0.003
_FIRST_RETRY = 0.1
_LAST_RETRY = 10.0
# How often it looks whether somebody deleted the table under it.
_CANARY_SECONDS = 30.0
# A Pod waits no longer than this for its rules; Calico's policy_setup_timeout_seconds.
_POD_SECONDS = 2.0


class Agent:
    """One node's agent."""

    def __init__(self, client: Client, reaper: Reaper, node_name: str) -> None:
        self._node = node_name
        self._policies = Informer(client, "NetworkPolicy")
        self._rest = {kind: Informer(client, kind) for kind in ("Pod", "Namespace", "Node")}
        self._cluster = ClusterPolicies(client, self._changed)
        self._dirty = asyncio.Event()
        self._wake = asyncio.Event()
        self._addresses: dict[str, tuple[Object, str]] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._watching = False
        self._synced_at = 0.0
        self._sync_seconds = 0.0
        self._error = ""

        async def run_command(argv: Sequence[str], stdin: bytes | None) -> Completed:
            return await command.run(reaper, list(argv), stdin=stdin)

        self.enforcer = Enforcer(run_command)

    # --- what others ask

    async def pod_is_coming(self, pod: Object, ip: str) -> None:
        """Return when the rules of a Pod of this node are in place; the kubelet asks before it starts containers.

        Gives up with a line in the log after two seconds: a broken agent must not keep Pods from starting.
        """
        try:
            async with asyncio.timeout(_POD_SECONDS):
                await self._policies.synced.wait()
                if not self._has_policies() and not self._watching:
                    return
                self._addresses[meta.uid(pod)] = (pod, ip)
                done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiting.append(done)
                self._changed()
                await done
        except TimeoutError:
            log.warning("%s starts before its policies are in place", meta.key(pod))

    def status(self) -> Object:
        """What has been seen and written, for whoever waits for a policy to hold."""
        informers = {"networkpolicies": self._policies, **{i.resource.plural: i for i in self._rest.values()}}
        seen = {
            plural: {meta.key(o): o["metadata"].get("resourceVersion") for o in informer.all()}
            for plural, informer in informers.items()
        }
        seen["clusternetworkpolicies"] = {
            meta.name(o): o["metadata"].get("resourceVersion") for o in self._cluster.all()
        }
        applied = self.enforcer.applied
        return {
            "node": self._node,
            "watching": self._watching,
            "inSync": not self._dirty.is_set(),
            "error": self._error,
            "syncedAt": self._synced_at,
            "syncSeconds": self._sync_seconds,
            "rules": applied.rules if applied else 0,
            "seen": seen,
        }

    # --- the loop

    async def run(self) -> None:
        """Enforce, for ever. Cancel to stop; the rules stay."""
        guard.refuse_host()
        self._policies.on_change(self._relevant)
        # Dirty until a sync has looked at the change, so that a status never says "in sync" too early.
        async with asyncio.TaskGroup() as group:
            group.create_task(self._policies.run(), name="policy networkpolicies")
            group.create_task(self._cluster.run(), name="policy clusternetworkpolicies")
            group.create_task(StatusServer(Path(SOCKET), self.status).serve(), name="policy status")
            await self._policies.synced.wait()
            while not self._has_policies():
                await self._wake.wait()
                self._wake.clear()
            for informer in self._rest.values():
                informer.on_change(self._relevant)
                group.create_task(informer.run(), name=f"policy {informer.resource.plural}")
            self._watching = True
            for informer in self._rest.values():
                await informer.synced.wait()
            await self._keep_synced()

    def _has_policies(self) -> bool:
        return bool(self._policies.all()) or bool(self._cluster.all())

    def _changed(self) -> None:
        self._dirty.set()
        self._wake.set()

    def _relevant(self, old: Object | None, new: Object | None) -> None:
        """Only what rules are made from: most changes of Pods and Nodes are news of their containers and leases."""
        if old is None or new is None or _relevant_part(old) != _relevant_part(new):
            self._changed()
        pod = new or old or {}
        known = self._addresses.get(meta.uid(pod))
        if known and (new is None or (new.get("status") or {}).get("podIP")):
            del self._addresses[meta.uid(pod)]

    async def _keep_synced(self) -> None:
        self._changed()
        retry = _FIRST_RETRY
        while True:
            try:
                await asyncio.wait_for(self._wake.wait(), _CANARY_SECONDS)
            except TimeoutError:
                if await self.enforcer.table_is_there():
                    continue
                log.warning("the nftables table %s was deleted, writing it again", ruleset.TABLE)
                self.enforcer.applied = None
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._sync()
            except Exception as error:  # whatever is wrong with one policy, the node goes on
                self._error = f"{type(error).__name__}: {error}"
                log.log(
                    logging.ERROR,
                    "writing the rules of NetworkPolicies failed, retrying in %.1fs: %s",
                    retry,
                    error,
                    exc_info=not isinstance(error, NftError | OSError),
                )
                self._waiting = waiting + self._waiting
                await asyncio.sleep(retry)
                retry = min(retry * 2, _LAST_RETRY)
                self._wake.set()
                continue
            retry, self._error = _FIRST_RETRY, ""
            for done in waiting:
                if not done.done():
                    done.set_result(None)
            if not self._wake.is_set():
                self._dirty.clear()
            await asyncio.sleep(_COALESCE_SECONDS)

    async def _sync(self) -> None:
        began = time.monotonic()
        pods = {meta.uid(p): p for p in self._rest["Pod"].all()}
        for pod, _ in self._addresses.values():
            pods.setdefault(meta.uid(pod), pod)
        objects = Objects(
            pods=list(pods.values()),
            namespaces=list(self._rest["Namespace"].all()),
            nodes=list(self._rest["Node"].all()),
            policies=list(self._policies.all()),
            cluster_policies=self._cluster.all(),
            addresses={uid: ip for uid, (_, ip) in self._addresses.items()},
        )
        await self.enforcer.sync(render(objects, self._node))
        self._synced_at = time.time()
        self._sync_seconds = time.monotonic() - began


def _relevant_part(obj: Object) -> Object:
    metadata, status = obj["metadata"], obj.get("status") or {}
    spec = obj.get("spec") or {}
    kept = {k: metadata.get(k) for k in ("uid", "labels")}
    return {
        **kept,
        "addresses": (status.get("podIP"), status.get("addresses")),
        "ended": status.get("phase") in ("Succeeded", "Failed"),
        "spec": spec if "nodeName" not in spec else (spec.get("nodeName"), spec.get("hostNetwork")),
    }
