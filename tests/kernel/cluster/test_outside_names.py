"""The outside has names of its own, and learns those of a lab."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from podwalk.backends.base import Cluster
from podwalk.course import outside
from podwalk.course.objects import WaitError

pytestmark = pytest.mark.cluster
LABEL = "ingress.a-test"


@pytest.fixture(autouse=True)
def forgotten(cluster: Cluster) -> Iterator[None]:
    yield
    outside.remove(cluster, LABEL)


def _curl(cluster: Cluster, url: str) -> str:
    return cluster.outside(["curl", "-sS", "-m5", url], timeout=10).stdout


def test_the_outside_resolves_its_own_names(cluster: Cluster) -> None:
    assert _curl(cluster, "http://www.outside.test/").startswith("www.outside.test sees you as ")


def test_a_name_is_known_outside_until_it_is_removed(cluster: Cluster) -> None:
    before = hashlib.sha256(Path("/etc/hosts").read_bytes()).digest()
    with cluster.client() as client:
        outside.add(cluster, client, LABEL, {"bakery.example": "172.18.1.20", "mill.example": "172.18.1.21"}, 5)
    assert _curl(cluster, "http://bakery.example/").startswith("example.com sees you")
    assert _curl(cluster, "http://mill.example/").startswith("example.org sees you")
    outside.remove(cluster, LABEL)
    assert "Could not resolve" in cluster.outside(["curl", "-sS", "-m5", "http://bakery.example/"], timeout=10).stderr
    assert cluster.outside(["grep", "-c", "localhost", "/etc/hosts"], timeout=5).stdout.strip() == "2"
    assert hashlib.sha256(Path("/etc/hosts").read_bytes()).digest() == before


def test_a_name_of_a_service_without_an_address_is_a_clear_line(cluster: Cluster) -> None:
    with cluster.client() as client, pytest.raises(WaitError, match="service/kubernetes: has no address in default"):
        outside.add(cluster, client, LABEL, {"bakery.example": "Service default/kubernetes"}, 0.1)
