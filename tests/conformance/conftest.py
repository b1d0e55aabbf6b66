"""The conformance specs of sig-network against the embedded cluster, by the official client and kubectl."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e_framework import Apis, Namespace
from kubernetes import client, config

from podwalk.backends.base import Cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def api_client(cluster: Cluster) -> Iterator[client.ApiClient]:
    made = config.new_client_from_config(str(cluster.kubeconfig_path), context=cluster.context)
    yield made
    made.close()


@pytest.fixture(scope="session")
def apis(api_client: client.ApiClient) -> Apis:
    return Apis(api_client)


@pytest.fixture
def ns(api_client: client.ApiClient, cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """A namespace for one spec, deleted after it."""
    base = request.module.__name__.removeprefix("test_").replace("_", "-")
    made = Namespace(api_client, cluster, base)
    yield made
    made.delete()
