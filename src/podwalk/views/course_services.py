"""What a chapter about Services does with the cluster, one line a cell."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence

from podwalk.backends.base import BackendError, Cluster
from podwalk.checks import http
from podwalk.checks.state import split_ref
from podwalk.course.objects import WaitError, wait_for
from podwalk.trace import follow
from podwalk.views import chains_iptables, chains_nftables, name_server, rollout
from podwalk.views.callers import run_at, who_sees_whom
from podwalk.views.capture import Capture, capture
from podwalk.views.packet_walk import PacketWalk
from podwalk.views.rule_tree import RuleTree
from podwalk.views.table import Cell, Table
from podwalk.views.walk_stepper import WalkStepper

_RULES_SECONDS, _READ_SECONDS = 30.0, 20.0


class ServiceCourse:
    """A mix-in of `OpenCourse`. A place is a Pod (``namespace/name``), ``node/NAME`` or ``outside``."""

    cluster: Cluster

    def trace(self, source: str, url: str) -> PacketWalk:
        """Follow one real connection; its walk as a picture. Raises TraceError, BackendError."""
        return PacketWalk(follow.trace(self.cluster, source, url))

    def step_through(self, walk: PacketWalk, direction: str = "") -> WalkStepper:
        """A walk to step through, hop by hop."""
        return WalkStepper(walk.walk, direction)

    def rule_tree(self, service: str, place: str) -> RuleTree:
        """The rules of a Service (``namespace/name``) on a Pod's node or ``node/NAME``, in whichever mode it runs."""
        node = self._node(place)
        nft = self.cluster.node(node, ["nft", "list", "table", "ip", "kube-proxy"], timeout=_READ_SECONDS)
        if nft.ok:
            return RuleTree(service, node, "nft list table ip kube-proxy", chains_nftables.tree(nft.stdout, service))
        saved = self.cluster.node(node, ["iptables-save", "-c", "-t", "nat"], timeout=_READ_SECONDS)
        if not saved.ok:
            raise BackendError(f"node/{node}: its rules cannot be read ({saved.stderr.strip()}); see: podwalk status")
        lines = saved.stdout.splitlines()
        return RuleTree(service, node, "iptables-save -c -t nat", chains_iptables.tree(lines, service))

    def wait_for_rules(self, service: str, place: str, words: str) -> None:
        """Wait until the rules of a Service on a node say these words (as in the text of its tree)."""

        def missing() -> str:
            there = words in repr(self.rule_tree(service, place))
            return "" if there else f"service/{service}: its rules do not say {words!r} yet"

        try:
            wait_for(missing, _RULES_SECONDS)
        except WaitError as error:
            raise BackendError(f"cluster {self.cluster.name}: {error}; look: kubectl get events -A") from error

    def who_sees_whom(self, places: Sequence[str], doors: Mapping[str, str], times: int = 6) -> Table:
        """Real calls from every place through every door (name: ``host:port``), and the sources the server saw."""
        return who_sees_whom(self.cluster, places, doors, times)

    def fates(self, place: str, doors: Mapping[str, str]) -> Table:
        """One call a door (name: ``host:port``) from a place: how it ended, and after how long."""
        rows = []
        for name, where in doors.items():
            done = run_at(self.cluster, place, http.script(f"http://{where}/hostname", 1, 1.5))
            answer = next(iter(http.parse(done.stdout)), None)
            outcome = answer.outcome if answer else "no answer at all"
            took = f"{answer.seconds * 1000:.0f} ms" if answer else ""
            rows.append([Cell(name, where), Cell(outcome, bad=outcome != "HTTP 200"), Cell(took)])
        return Table(f"One call each, from {place}", ["to", "ended with", "after"], rows)

    def capture(self, place: str, expression: str, during: Callable[[], object], frames: int = 2) -> Capture:
        """The frames that match a tcpdump expression on a node's eth0, or on the nodes' network (``outside``)."""
        return capture(self.cluster, place, expression, during, frames)

    def call(self, place: str, url: str, source_port: int | None = None) -> str:
        """One request, and its fate in words."""
        done = run_at(self.cluster, place, http.script(url, 1, 2.0, http.Asked(source_port=source_port)))
        answers = http.parse(done.stdout)
        return f"{http.tally(answers)}: {http.shorten(answers[0].body)}" if answers else "no answer at all"

    def calls_during(
        self, place: str, url: str, change: str, *, seconds: float = 4.0, kept: bool = False
    ) -> rollout.Timeline:
        """Call a URL without a pause for so long, and run a command (``kubectl …``, ``podwalk node …``) after a second.

        A rollout is waited for. With ``kept`` there is one caller, and its connection stays open.
        """
        return rollout.calls_during(self.cluster, place, url, seconds, change, lambda: self._command(change), kept)

    def dns_log(self, on: bool) -> str:
        """Switch the name server's log on or off."""
        return name_server.switch_log(self.cluster, on)

    def questions(self, pod: str, command: str) -> Table:
        """What the name server was asked while a command ran in a Pod. Switch its log on first."""
        return name_server.questions(self.cluster, pod, command)

    def name_times(self, pod: str, url: str, times: int = 2) -> Table:
        """How long a Pod waits for the name of a URL, and for all of the request."""
        one = "curl -q -s --noproxy '*' -o /dev/null -m 20 -w '%{http_code} %{time_namelookup} %{time_total}\\n'"
        done = run_at(self.cluster, pod, "; ".join(f"{one} {http.quoted(url)}" for _ in range(times)))
        rows = []
        for line in done.stdout.splitlines():
            status, name, total = line.split()
            rows.append([Cell(f"HTTP {status}"), Cell(f"{float(name):.3f} s"), Cell(f"{float(total):.3f} s")])
        return Table(f"{url} from {pod}", ["answer", "name known after", "done after"], rows)

    def addresses(self, service: str) -> tuple[str, int, str]:
        """A Service's ClusterIP, its first node port (0: none) and its load balancer's address (empty: none)."""
        namespace, name = split_ref(service)
        with self.cluster.client() as client:
            found = client.get("Service", name, namespace)
        ingress = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or [{}]
        spec = found["spec"]
        return spec.get("clusterIP", ""), spec["ports"][0].get("nodePort", 0), ingress[0].get("ip", "")

    def on_every_node(self, command: str) -> str:
        """What a command prints on each node, under the node's name."""
        argv = shlex.split(command)
        said = [(n.name, self.cluster.node(n.name, argv, timeout=_READ_SECONDS)) for n in self.cluster.status().nodes]
        return "\n".join(f"{name}:  {(done.stdout or done.stderr).rstrip()}" for name, done in said)

    def node_address(self, role: str) -> str:
        """The address of the first node with this name, or this role (``control-plane``)."""
        nodes = self.cluster.status().nodes
        return next(n.address for n in nodes if role in (n.name, n.role))

    def _command(self, line: str) -> None:
        words = shlex.split(line)
        if words[:2] == ["podwalk", "node"]:
            done = self.cluster.node(words[2], words[words.index("--") + 1 :], timeout=_READ_SECONDS)
        else:
            done = self.cluster.kubectl(*words[1:])
            if done.ok and "restart" in words:
                status = ["status" if w == "restart" else w for w in words[1:]]
                done = self.cluster.kubectl(*status, f"--timeout={_RULES_SECONDS:.0f}s")
        if not done.ok:
            raise BackendError(f"{line}: {done.stderr.strip()}; see: podwalk status")

    def _node(self, place: str) -> str:
        if place.startswith("node/"):
            return place.removeprefix("node/")
        namespace, name = split_ref(place)
        with self.cluster.client() as client:
            pod = client.get("Pod", name, namespace)
        return str(pod["spec"].get("nodeName", ""))
