"""The agents of a running cluster: what changes in the API holds on the wire as soon as they say so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from podwalk.api.errors import ApiError
from podwalk.backends.base import BackendError, Cluster
from podwalk.client.sync import SyncClient
from podwalk.matrix import enforced
from podwalk.matrix.explain import explain
from podwalk.matrix.look import look
from podwalk.matrix.model import Matrix, Port

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]

SHOP, DATA = "policy-shop", "policy-data"
IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
# bash alone, for it is there at once: the first SYN leaves a few milliseconds after the container's start.
LEAKS = """
for i in 1 2 3 4 5 6; do timeout 0.2 bash -c 'echo > /dev/tcp/{ip}/8080' 2>/dev/null && echo leaked; done
echo done
sleep infinity
"""


def pod(namespace: str, name: str, number: int, args: list[str] | None = None) -> dict[str, Any]:
    container = {"name": "c", "image": IMAGE, "args": args or ["netexec", "--http-port=8080"]}
    if args and args[0] == "bash":
        container = {"name": "c", "image": IMAGE, "command": args}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {
            "nodeName": f"test-worker{'2' if number % 2 else ''}",
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }


def netpol(namespace: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


class Shop:
    """Two namespaces with Pods on both workers."""

    def __init__(self, cluster: Cluster, client: SyncClient) -> None:
        self.cluster, self.client = cluster, client

    def create(self, obj: dict[str, Any]) -> dict[str, Any]:
        return self.client.create(obj)

    def matrix(self, *ports: int) -> Matrix:
        enforced.wait(self.cluster)
        return look(self.cluster, namespaces=(SHOP, DATA), ports=[Port(p) for p in ports or (8080,)])

    def reaches(self, source: str, target: str, port: int = 8080) -> bool | None:
        (cell,) = [c for c in self.matrix(port).between(source, target) if c.port.number == port]
        assert not cell.disagrees, cell
        return cell.reached


@pytest.fixture(scope="module")
def filled(cluster: Cluster) -> Iterator[Shop]:
    with cluster.client() as client:
        world = Shop(cluster, client)
        for name in (SHOP, DATA):
            world.create(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": name}}}
            )
        for number, (namespace, name) in enumerate([(SHOP, "web"), (SHOP, "api"), (DATA, "db"), (DATA, "backup")]):
            world.create(pod(namespace, name, number))
        _ready(cluster)
        yield world
        for name in (SHOP, DATA):
            client.delete("Namespace", name)


@pytest.fixture
def shop(filled: Shop) -> Iterator[Shop]:
    yield filled
    for policy in filled.client.list("NetworkPolicy"):
        filled.client.delete("NetworkPolicy", policy["metadata"]["name"], policy["metadata"]["namespace"])


def _ready(cluster: Cluster) -> None:
    for namespace in (SHOP, DATA):
        done = cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod", "--all", "--timeout=30s")
        assert done.ok, done.stderr


def test_policies_pods_and_labels_are_followed(shop: Shop) -> None:
    web, api, db = f"{SHOP}/web", f"{SHOP}/api", f"{DATA}/db"
    assert shop.matrix().disagreements == []
    assert shop.reaches(db, web) is True
    team = {"namespaceSelector": {"matchLabels": {"team": DATA}}, "podSelector": {"matchLabels": {"app": "db"}}}
    shop.create(netpol(SHOP, "web", {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [{"from": [team]}]}))
    assert (shop.reaches(db, web), shop.reaches(api, web)) == (True, False)
    shop.client.patch("Namespace", DATA, {"metadata": {"labels": {"team": "gone"}}})
    assert shop.reaches(db, web) is False
    shop.client.patch("Namespace", DATA, {"metadata": {"labels": {"team": DATA}}})
    assert shop.reaches(db, web) is True
    shop.client.patch("Pod", "db", {"metadata": {"labels": {"app": "other"}}}, DATA)
    assert shop.reaches(db, web) is False
    shop.client.patch("Pod", "web", {"metadata": {"labels": {"app": "free"}}}, SHOP)
    assert shop.reaches(api, web) is True
    shop.client.patch("Pod", "web", {"metadata": {"labels": {"app": "web"}}}, SHOP)
    assert shop.reaches(api, web) is False
    shop.client.delete("NetworkPolicy", "web", SHOP)
    assert shop.reaches(api, web) is True


def test_a_pod_that_is_born_isolated_never_speaks(shop: Shop) -> None:
    """Its rules are there before its first container, on its own node as on others."""
    shop.create(netpol(SHOP, "deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
    enforced.wait(shop.cluster)
    ip = shop.client.get("Pod", "db", DATA)["status"]["podIP"]
    born = [shop.create(pod(SHOP, f"born{i}", i, ["bash", "-c", LEAKS.format(ip=ip)])) for i in range(4)]
    _ready(shop.cluster)
    for one in born:
        name = one["metadata"]["name"]
        done = shop.cluster.kubectl("logs", "-n", SHOP, name, "--follow", "--limit-bytes=5", timeout=30)
        assert done.stdout.strip() == "done"[:5], done.stdout


def test_probes_pass_a_policy_that_denies_everything(shop: Shop) -> None:
    shop.create(netpol(SHOP, "deny", {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}))
    enforced.wait(shop.cluster)
    probed = pod(SHOP, "probed", 0)
    probed["spec"]["containers"][0]["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}}
    shop.create(probed)
    _ready(shop.cluster)


def test_counters_name_who_decided_and_survive_other_changes(shop: Shop) -> None:
    api, web = f"{SHOP}/api", f"{SHOP}/web"
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "api"}}}]}
    shop.create(netpol(SHOP, "web", {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [rule]}))
    assert shop.reaches(api, web) is True
    shop.create(netpol(DATA, "other", {"podSelector": {}}))
    enforced.wait(shop.cluster)
    argv = ["nft", "-j", "list", "counters", "table", "ip", "podwalk-policy"]
    listed = json.loads(shop.cluster.node("test-worker", argv).stdout)["nftables"]
    counted = {c["counter"]["name"]: c["counter"]["packets"] for c in listed if "counter" in c}
    assert counted[f"allow/ingress/{SHOP}/web/0"] >= 1
    assert counted[f"drop/ingress/{SHOP}/web"] >= 1


def test_a_table_that_somebody_deletes_is_not_in_the_way_of_the_next_change(shop: Shop) -> None:
    """The next sync fails on what is missing, and the one after that writes everything."""
    shop.create(netpol(SHOP, "deny", {"podSelector": {}}))
    enforced.wait(shop.cluster)
    for node in ("test-worker", "test-worker2"):
        assert shop.cluster.node(node, ["nft", "delete", "table", "ip", "podwalk-policy"]).ok
    shop.create(netpol(DATA, "deny", {"podSelector": {}}))
    assert shop.reaches(f"{DATA}/db", f"{SHOP}/web") is False


def test_the_matrix_tells_an_empty_namespace_and_a_wrong_one(cluster: Cluster) -> None:
    with pytest.raises(BackendError, match="no running Pod in default"):
        look(cluster, namespaces=("default",))
    with pytest.raises(BackendError, match="not found"):
        look(cluster, namespaces=("nowhere",))
    with cluster.client() as client, pytest.raises(ApiError):
        client.get("NetworkPolicy", "none", "default")


def test_datagrams_to_a_host_network_pod_are_answered_from_the_address_they_were_sent_to(shop: Shop) -> None:
    host = pod(SHOP, "host", 0, ["pause"])
    host["spec"]["hostNetwork"] = True
    shop.create(host)
    _ready(shop.cluster)
    seen = look(shop.cluster, namespaces=(SHOP,), ports=[Port(5353, "UDP"), Port(3868, "SCTP")], outside=True)
    assert seen.disagreements == []
    assert {c.reached for name in ("web", "api") for c in seen.between(f"{SHOP}/{name}", f"{SHOP}/host")} == {True}
    assert {c.reached for c in seen.between(f"{SHOP}/host", f"{SHOP}/web")} == {True}
    assert {c.note for c in seen.between("outside", f"{SHOP}/web")} == {"the source has no route to that address"}


class WithoutPython:
    """The cluster as one whose nodes have no Python, like kind's."""

    backend = "kind"

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster, name)


def test_nodes_without_python_say_the_same(shop: Shop) -> None:
    shop.create(netpol(SHOP, "web", {"podSelector": {"matchLabels": {"app": "web"}}}))
    by_python = shop.matrix(8080, 81)
    without: Any = WithoutPython(shop.cluster)
    by_shell = look(without, namespaces=(SHOP, DATA), ports=[Port(8080), Port(81)])
    assert [c.outcome for c in by_shell.cells] == [c.outcome for c in by_python.cells]
    assert {c.outcome for c in by_shell.cells} == {"allowed", "refused", "dropped"}


CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {
        "name": "clusternetworkpolicies.policy.networking.k8s.io",
        "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/network-policy-api/pull/300"},
    },
    "spec": {
        "group": "policy.networking.k8s.io",
        "scope": "Cluster",
        "names": {
            "kind": "ClusterNetworkPolicy",
            "plural": "clusternetworkpolicies",
            "singular": "clusternetworkpolicy",
        },
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    }
                },
            }
        ],
    },
}


def test_cluster_network_policies_hold_as_long_as_their_definition_is_there(shop: Shop) -> None:
    db, web = f"{DATA}/db", f"{SHOP}/web"
    named = {"matchLabels": {"kubernetes.io/metadata.name": DATA}}
    deny = {"action": "Deny", "from": [{"namespaces": named}]}
    spec = {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [deny]}
    policy = {
        "apiVersion": "policy.networking.k8s.io/v1beta1",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "keep-data-in"},
        "spec": spec,
    }
    shop.create(CRD)
    try:
        done = shop.cluster.kubectl("wait", "--for=condition=Established", "crd", CRD["metadata"]["name"])  # type: ignore[index]
        assert done.ok, done.stderr
        created = shop.cluster.kubectl("create", "-f", "-", input=json.dumps(policy))
        assert created.ok, created.stderr
        assert (shop.reaches(db, web), shop.reaches(web, db)) == (False, True)
    finally:
        shop.client.delete("CustomResourceDefinition", "clusternetworkpolicies.policy.networking.k8s.io")
    shop.cluster.kubectl("wait", "--for=delete", "crd", "clusternetworkpolicies.policy.networking.k8s.io")
    assert shop.reaches(db, web) is True


def test_one_connection_is_explained_by_verdict_packet_and_counters(shop: Shop) -> None:
    api, db, web = f"{SHOP}/api", f"{DATA}/db", f"{SHOP}/web"
    rule = {"from": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 8080}]}
    shop.create(netpol(SHOP, "only-api", {"podSelector": {"matchLabels": {"app": "web"}}, "ingress": [rule]}))
    _service(shop)
    enforced.wait(shop.cluster)

    def told(source: str, target: str) -> tuple[str, bool | None, list[str]]:
        found = explain(shop.cluster, source, target)
        return found.outcome, found.agrees, [c.meaning for counts in found.moved.values() for c in counts]

    allowed, dropped = f"NetworkPolicy {SHOP}/only-api ingress[0] allowed", f"ingress of pod {web} dropped"
    assert told(api, f"{web}:8080") == ("connected", True, [allowed])
    outcome, agrees, moved = told(db, f"{web}:8080")
    assert (outcome, agrees, len(moved)) == ("dropped", True, 1)
    assert moved[0].startswith(dropped)
    (leg,) = explain(shop.cluster, api, f"svc/{SHOP}/web:80").legs
    assert (leg.target, leg.port.number, leg.verdict.ingress.policies) == (web, 8080, (f"{SHOP}/only-api",))


def _service(shop: Shop) -> None:
    """web:80 leads to port 8080 of the Pod web, on every node; it stays for the tests that follow."""
    if shop.client.find("Service", "web", SHOP) is not None:
        return
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]}
    metadata = {"name": "web", "namespace": SHOP}
    shop.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    for node in ("test-worker", "test-worker2"):
        script = f"until iptables-save -t nat | grep -q '{SHOP}/web -> '; do sleep 0.05; done"
        assert shop.cluster.node(node, ["sh", "-c", script], timeout=20).ok


@pytest.mark.parametrize(("port", "outcome"), [(8080, "connected"), (80, "dropped")])
def test_egress_is_asked_after_the_service_has_been_translated(shop: Shop, port: int, outcome: str) -> None:
    """A rule that names the Service's port lets nobody through: the packet carries the Pod's by then."""
    _service(shop)
    rule = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": port}]}
    selected = {"podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Egress"], "egress": [rule]}
    shop.create(netpol(SHOP, "to-web", selected))
    enforced.wait(shop.cluster)
    found = explain(shop.cluster, f"{SHOP}/api", f"svc/{SHOP}/web:80")
    assert (found.outcome, found.agrees) == (outcome, True)


@pytest.mark.parametrize(
    ("source", "target", "complaint"),
    [
        (f"{SHOP}/none", f"{SHOP}/web:80", f"pod {SHOP}/none not found"),
        (f"{SHOP}/web", f"{SHOP}/api", "names no port"),
        (f"{SHOP}/web", f"{SHOP}/api:http", "is no port"),
        (f"{SHOP}/web", f"svc/{SHOP}/none:80", "service .* not found"),
        (f"{SHOP}/web", "example.org:80", "is no IPv4 address"),
        ("10.9.9.9", f"{SHOP}/api:80", "neither a Pod nor a node"),
    ],
)
def test_what_cannot_be_explained_is_said_in_one_line(shop: Shop, source: str, target: str, complaint: str) -> None:
    with pytest.raises(BackendError, match=complaint):
        explain(shop.cluster, source, target)
