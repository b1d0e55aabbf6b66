"""What a chapter about the Pod network does with the cluster, one line a cell."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.state import split_ref
from podwalk.course.objects import WaitError, wait_for
from podwalk.views import cni_call
from podwalk.views.cni_call import CniCall
from podwalk.views.encapsulation import Encapsulation
from podwalk.views.frames import Tap, first_frames
from podwalk.views.layers import LayerMap, read_layers
from podwalk.views.profile_chart import ProfileChart
from podwalk.views.profile_run import Ends, echo_to, measure_all
from podwalk.views.topology import NodePlace, PodPlace, read_topology
from podwalk.views.topology_map import TopologyMap

_PING_SECONDS, _CALL_SECONDS, _ANSWER_SECONDS, _GONE_SECONDS = 10.0, 1.0, 60.0, 20.0


class NetworkCourse:
    """A mix-in of `OpenCourse`. Pods are ``namespace/name``. Methods raise BackendError, whose message has a cure."""

    cluster: Cluster

    def layers(self) -> LayerMap:
        """The four layers, and what this cluster has on each."""
        return read_layers(self.cluster)

    def topology(self, *namespaces: str, marked: Sequence[str] = ()) -> TopologyMap:
        """The cluster as it is plugged together, with the Pods of these namespaces (none: all of them)."""
        return TopologyMap(read_topology(self.cluster, namespaces), tuple(marked))

    def place(self, pod: str) -> PodPlace:
        """A Pod on its node: its address, its network namespace, its devices, and the node's end of its cable."""
        return self._found(pod)[1]

    def machine(self, node: str) -> NodePlace:
        """A node: its address, its devices, and the other end of its cable, which `podwalk outside` can pull."""
        found = next((n for n in read_topology(self.cluster).nodes if n.name == node), None)
        if found is None or not found.alive:
            raise BackendError(f"node/{node}: does not run in cluster {self.cluster.name}; see: podwalk status")
        return found

    def one_ping(self, source: str, target: str, size: int = 56) -> Encapsulation:
        """Send one echo request from Pod to Pod, and show it as every device on its way had it."""
        (here, sender), (there, receiver) = self._found(source), self._found(target)
        expression = echo_to(receiver.address)
        ping = ["ping", "-c", "1", "-W", "1", "-s", str(size), receiver.address]
        argv = ["nsenter", f"--net=/run/netns/{sender.netns}", *ping]
        frames = first_frames(
            self.cluster,
            _taps(here, sender, there, receiver),
            expression,
            lambda: self.cluster.node(here.name, argv, timeout=_PING_SECONDS),
        )
        return Encapsulation(f"one ping from {_bare(source)} to {_bare(target)}", tuple(frames))

    def cni(self, command: str, node: str, netns: str = "by-hand") -> CniCall:
        """Call a node's CNI plugin by hand: ADD, CHECK, DEL or VERSION."""
        return cni_call.call(self.cluster, node, command, netns)

    def ends(self, source: str, target: str) -> Ends:
        """Two Pods of this cluster, on two nodes, between which its profile can be measured."""
        (here, sender), (there, receiver) = self._found(source), self._found(target)
        profile = (self.cluster.status().details.get("options") or {}).get("cni", "kindnet")
        return Ends(self.cluster, str(profile), here, sender, there, receiver)

    def compare_profiles(self, *profiles: str, running: Sequence[Ends], claims: Mapping[str, str]) -> ProfileChart:
        """Measure profiles: between ends that there are, and each of ``profiles`` in a small cluster of its own."""
        return ProfileChart(tuple(measure_all(profiles, running)), dict(claims))

    def wait_for_call(self, source: str, url: str) -> str:
        """Call from a Pod until an answer comes: routes that a protocol tells take their time. Returns its words."""
        namespace, name = split_ref(source)
        script = ["sh", "-c", http.script(url, 1, _CALL_SECONDS)]
        found: list[http.Answer] = []

        def missing() -> str:
            found[:] = http.parse(self.cluster.kubectl("exec", "-n", namespace, name, "--", *script).stdout)
            return "" if found and found[0].outcome == "HTTP 200" else f"pod/{name}: no answer from {url}"

        try:
            wait_for(missing, _ANSWER_SECONDS)
        except WaitError as error:
            raise BackendError(f"{error}; look: podwalk trace --name {self.cluster.name} {source} {url}") from error
        return f"{url} answers: {found[0].body.strip()}"

    def wait_for_ways(self, node: str, network: str, count: int) -> str:
        """Wait until a node's route to a network (CIDR) has so many next hops. Returns the route in words."""
        found: list[str] = []

        def missing() -> str:
            shown = self.cluster.node(node, ["ip", "-j", "route", "show", network], timeout=_PING_SECONDS).stdout
            routes = json.loads(shown or "[]")
            found[:] = [
                hop["gateway"] for route in routes for hop in route.get("nexthops", [route]) if "gateway" in hop
            ]
            return "" if len(found) == count else f"node/{node}: {len(found)} ways to {network}, not {count}"

        try:
            wait_for(missing, _ANSWER_SECONDS)
        except WaitError as error:
            cure = f"podwalk node --name {self.cluster.name} {node} -- birdc show protocols"
            raise BackendError(f"{error}; look: {cure}") from error
        return f"{node} reaches {network} via {' and '.join(found) or 'nobody'}"

    def kill(self, node: str) -> None:
        """The sudden death of a node. Nothing brings it back: do this to a cluster that stands beside the first."""
        find = "for s in /proc/[0-9]*/ns/net; do p=${s#/proc/}; echo ${p%%/*} $(readlink $s); done"
        wanted = self.cluster.node(node, ["readlink", "/proc/1/ns/net"]).stdout.strip()
        pids = [
            int(line.split()[0])
            for line in self.cluster.outside(["sh", "-c", find]).stdout.splitlines()
            if wanted and line.split()[1:] == [wanted]
        ]
        if not pids:
            raise BackendError(f"node/{node}: no process of it is seen; see: podwalk status")
        # The first process of a node is the one that all others die with.
        self.cluster.outside(["kill", "-9", str(min(pids))])
        # The kernel takes its time to clear away a network namespace; until then that answers for the dead.
        address = next(n.address for n in self.cluster.status().nodes if n.name == node)
        ping = ["ping", "-c", "1", "-W", "1", address]
        try:
            wait_for(lambda: "it still answers" if self.cluster.outside(ping).ok else "", _GONE_SECONDS)
        except WaitError as error:
            raise BackendError(f"node/{node}: {error}; look: podwalk status") from error

    def _found(self, pod: str) -> tuple[NodePlace, PodPlace]:
        topology = read_topology(self.cluster, [pod.partition("/")[0]])
        for node in topology.nodes:
            for place in node.pods:
                if place.name == pod and place.netns:
                    return node, place
        namespace, _, name = pod.partition("/")
        raise BackendError(f"pod/{name}: has no network of its own; look: kubectl -n {namespace} get pod -o wide")


def _taps(here: NodePlace, sender: PodPlace, there: NodePlace, receiver: PodPlace) -> list[Tap]:
    taps = [Tap("the sender", here.name, "eth0", sender.netns)]
    taps += [Tap(f"node {here.name}", here.name, sender.port.name)] if sender.port else []
    if here.name != there.name:
        taps += [Tap(f"node {n.name}", n.name, d.name) for n in (here,) for d in (n.tunnel, n.uplink) if d]
        taps += [Tap(f"node {there.name}", there.name, there.tunnel.name)] if there.tunnel else []
    taps += [Tap(f"node {there.name}", there.name, receiver.port.name)] if receiver.port else []
    return [*taps, Tap("the receiver", there.name, "eth0", receiver.netns)]


def _bare(pod: str) -> str:
    return pod.partition("/")[2]
