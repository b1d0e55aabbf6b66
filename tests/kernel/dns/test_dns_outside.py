"""The world outside as the cluster sees it: public-looking names, hosts that answer, and names that nobody has."""

from __future__ import annotations

import pytest

from podwalk.backends.base import Cluster

pytestmark = [pytest.mark.kernel, pytest.mark.cluster]


def _on_a_node(cluster: Cluster, *argv: str) -> str:
    return cluster.node("test-worker", list(argv), timeout=10).stdout


def test_a_public_name_leads_to_a_host_that_sees_the_node(cluster: Cluster) -> None:
    said = _on_a_node(cluster, "curl", "-s", "--max-time", "5", "http://example.com/")
    assert said == "example.com sees you as 172.18.0.3\n"


@pytest.mark.parametrize(
    ("question", "status", "answers"),
    [
        (("cdn.outside.test",), "NOERROR", {"172.18.1.31", "172.18.1.32", "172.18.1.33"}),
        (("-x", "172.18.1.20"), "NOERROR", {"example.com.", "www.example.com."}),
        (("example.com", "AAAA"), "NOERROR", set()),
        (("nobody.example.net",), "NXDOMAIN", set()),
        (("nobody.example.com",), "NXDOMAIN", set()),
    ],
)
def test_the_cluster_dns_asks_the_outside(
    cluster: Cluster, question: tuple[str, ...], status: str, answers: set[str]
) -> None:
    said = _on_a_node(cluster, "dig", "+timeout=5", "@10.96.0.10", *question)
    assert f"status: {status}" in said
    section = said.partition(";; ANSWER SECTION:\n")[2].partition("\n\n")[0]
    assert {line.split()[-1] for line in section.splitlines()} == answers
