"""What a chapter about policy and egress does with the cluster, one line a cell."""

from __future__ import annotations

from pathlib import Path

from podwalk.backends.base import BackendError, Cluster
from podwalk.matrix import enforced
from podwalk.matrix.explain import explain
from podwalk.matrix.look import look
from podwalk.matrix.model import Matrix, parse_ports
from podwalk.views.policy_matrix import PolicyMatrix
from podwalk.views.policy_order import policy_order
from podwalk.views.rule_tree import RuleTree
from podwalk.views.source_ports import SourcePorts, source_ports
from podwalk.views.table import Cell, Table

_SAID = {
    "connected": "was answered",
    "refused": "was delivered, and nobody listens there",
    "dropped": "was dropped: silence",
    "no-route": "has no route",
}


class PolicyCourse:
    """A mix-in of `OpenCourse`. Methods raise BackendError."""

    cluster: Cluster

    def who_reaches_whom(
        self, *namespaces: str, ports: str = "8080", before: PolicyMatrix | None = None
    ) -> PolicyMatrix:
        """Ask by real packets, all at once; with an earlier matrix the two stand side by side."""
        seen: Matrix = look(self.cluster, namespaces=namespaces, ports=parse_ports([ports]))
        return PolicyMatrix(seen, before.after if before else None)

    def enforce(self, manifest: str) -> str:
        """Apply a file of policies and wait until every node has written its rules. The file, and what kubectl says."""
        done = self.cluster.kubectl("apply", "-f", manifest)
        if not done.ok:
            raise BackendError(f"{manifest}: {done.stderr.strip().splitlines()[-1]}; look at the file")
        self.until_enforced()
        return f"{Path(manifest).read_text(encoding='utf-8')}\n{done.stdout.strip()}"

    def until_enforced(self) -> None:
        """Wait until every node enforces what the API server has; nothing to wait for where nobody enforces."""
        if (self.cluster.status().details.get("options") or {}).get("networkPolicy", True):
            enforced.wait(self.cluster)

    def explain(self, source: str, target: str) -> Table:
        """Who decides about a connection, what one real packet did, and which counters it moved on the nodes."""
        found = explain(self.cluster, source, target)
        rows = []
        for leg in found.legs:
            rows.append([Cell("on its way out"), Cell(str(leg.verdict.egress), bad=not leg.verdict.egress.allowed)])
            rows.append([Cell("on its way in"), Cell(str(leg.verdict.ingress), bad=not leg.verdict.ingress.allowed)])
        rows.append([Cell("a real packet"), Cell(_SAID.get(found.outcome, found.outcome))])
        for node, counts in found.moved.items():
            rows += [[Cell(f"counted on {node}"), Cell(c.meaning, f"{c.packets} packets")] for c in counts]
        return Table(f"{source} → {target}", ["", ""], rows)

    def policy_order(self, source: str, target: str) -> RuleTree:
        """In which order the policies are asked about ``target`` (``namespace/pod:port``), and which decides."""
        return policy_order(self.cluster, source, target)

    def source_ports(self, pod: str, host: str, times: int = 30) -> SourcePorts:
        """The source ports of calls to a host outside, in the Pod and beyond the node."""
        namespace, _, name = pod.partition("/")
        with self.cluster.client() as client:
            node = str(client.get("Pod", name, namespace)["spec"].get("nodeName", ""))
        return source_ports(self.cluster, pod, node, host, times)
