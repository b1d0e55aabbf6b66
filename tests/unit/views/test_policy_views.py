"""The order of policies as a tree, and the source ports of connections."""

from __future__ import annotations

from podwalk.api.meta import Object
from podwalk.policy.model import Connection, World
from podwalk.views.policy_order import _direction
from podwalk.views.source_ports import _FLOW, Flow, SourcePorts


def _pod(namespace: str, name: str, ip: str) -> Object:
    labels = {"app": name}
    return {
        "metadata": {"name": name, "namespace": namespace, "labels": labels, "uid": name},
        "spec": {"nodeName": "worker", "containers": []},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


NAMESPACES: list[Object] = [{"metadata": {"name": n, "labels": {"belongs-to": n}}} for n in ("clinic", "street")]
PODS = [_pod("clinic", "archive", "10.244.1.2"), _pod("street", "doctor", "10.244.2.2")]
NODES: list[Object] = [{"metadata": {"name": "worker"}, "status": {"addresses": []}}]
POLICY: Object = {
    "metadata": {"name": "archive", "namespace": "clinic"},
    "spec": {"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": {}}]}]},
}
NO_STREET: Object = {
    "metadata": {"name": "no-street"},
    "spec": {
        "tier": "Admin", "priority": 10, "subject": {"namespaces": {"matchLabels": {"belongs-to": "clinic"}}},
        "ingress": [{"action": "Deny", "from": [{"namespaces": {"matchLabels": {"belongs-to": "street"}}}]}],
    },
}  # fmt: skip


def _tree(policies: list[Object], cluster_policies: list[Object]) -> list[str]:
    world = World(PODS, NAMESPACES, NODES, policies, cluster_policies)
    connection = Connection(world.pod("street/doctor"), world.pod("clinic/archive"), 8080)
    root = _direction(world, connection, "Ingress")
    return [line for b in root.below for line in (b.head, *(f"  {c.kind} {c.head}" for c in b.below))]


def test_without_policies_the_default_decides() -> None:
    assert _tree([], [])[-2:] == ["Default", "  leg ingress allowed: no policy selects the destination"]


def test_a_networkpolicy_that_selects_is_where_it_ends() -> None:
    lines = _tree([POLICY], [])
    assert lines[:2] == ["Admin", "NetworkPolicy"]
    assert lines[2:] == ["  other clinic/archive", "  leg ingress allowed by clinic/archive ingress[0]"]


def test_the_administrator_is_asked_first() -> None:
    lines = _tree([POLICY], [NO_STREET])
    assert lines[:2] == ["Admin", "  other no-street"]
    assert lines[2].startswith("  end ingress denied by no-street")
    assert len(lines) == 3


def test_source_ports_are_read_from_conntrack_and_drawn() -> None:
    line = (
        "tcp      6 117 TIME_WAIT src=10.244.2.5 dst=172.18.1.20 sport=40122 dport=80 "
        "src=172.18.1.20 dst=172.18.0.4 sport=80 dport=11034 [ASSURED] mark=0 use=1"
    )
    found = _FLOW.search(line)
    assert found is not None
    assert (found["source"], found["sport"], found["seen"], found["seen_port"]) == (
        "10.244.2.5", "40122", "172.18.0.4", "11034",
    )  # fmt: skip
    drawing = SourcePorts("clinic/reception", "example.com", (Flow("10.244.2.5", 40122, "172.18.0.4", 11034),))
    assert drawing.rewritten == 1
    assert "1 with another source port" in drawing.alt()
    assert drawing.png()
    assert SourcePorts("clinic/reception", "example.com", ()).png()
