"""A namespace for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kubelet_bench import Bench

from podwalk.backends.base import Cluster


@pytest.fixture(scope="module")
def bench(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Bench]:
    """kubectl in a namespace of this file's own."""
    made = Bench(cluster, request.module.__name__.removeprefix("test_").replace("_", "-"))
    cluster.kubectl("create", "namespace", made.namespace)
    made.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s")
    yield made
    cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")
