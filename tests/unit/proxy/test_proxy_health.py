"""What kube-proxy says over HTTP."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from proxy_rows import HERE, HERE2, NODE, THERE, endpoint, endpoint_slice, service

from podwalk.proxy import health, model
from podwalk.proxy.health import HealthServers
from podwalk.proxy.model import ServicePort


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def get(port: int, path: str = "/") -> tuple[int, dict[str, str], str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    raw = (await reader.read()).decode()
    writer.close()
    head, _, body = raw.partition("\r\n\r\n")
    status, *headers = head.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in headers), body


def balanced(port: int, *endpoints: dict[str, Any]) -> list[ServicePort]:
    svc = service(
        type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=port, externalIPs=["192.0.2.1"]
    )
    return model.service_ports([svc], [endpoint_slice(*endpoints)], NODE)


@pytest.fixture
async def servers() -> AsyncIterator[HealthServers]:
    running = HealthServers(healthz_port=0, metrics_port=0)
    await running.start()
    yield running
    running.close()


async def test_a_node_with_endpoints_is_healthy_and_says_how_many(servers: HealthServers) -> None:
    port = free_port()
    await servers.update(balanced(port, endpoint(HERE), endpoint(HERE2), endpoint(THERE)))
    status, headers, body = await get(port)
    assert (status, headers["X-Load-Balancing-Endpoint-Weight"]) == (200, "2")
    assert json.loads(body)["service"] == {"namespace": "shop", "name": "web"}
    assert json.loads(body)["localEndpoints"] == 2


async def test_a_node_without_endpoints_sends_the_balancer_elsewhere(servers: HealthServers) -> None:
    port = free_port()
    await servers.update(balanced(port, endpoint(THERE)))
    assert (await get(port))[0] == 503
    await servers.update(balanced(port, endpoint(THERE), endpoint(HERE)))
    assert (await get(port))[0] == 200


async def test_the_port_closes_with_its_service(servers: HealthServers) -> None:
    port = free_port()
    await servers.update(balanced(port, endpoint(HERE)))
    await servers.update([])
    with pytest.raises(ConnectionRefusedError):
        await get(port)


async def test_a_leaving_endpoint_does_not_count_as_healthy() -> None:
    leaving = endpoint(HERE, ready=False, serving=True, terminating=True)
    assert health.local_endpoints(balanced(30999, leaving)) == {30999: ("shop", "web", 0)}


async def test_healthz_waits_for_the_first_sync(servers: HealthServers) -> None:
    healthz, metrics = (port for _, port in servers.addresses())
    assert (await get(healthz, "/healthz"))[0] == 503
    await servers.update([])
    status, _, body = await get(healthz, "/healthz")
    assert (status, json.loads(body)["healthy"]) == (200, True)
    assert (await get(metrics, "/proxyMode"))[2] == "iptables"


async def test_a_port_that_is_taken_is_logged_and_left(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("0.0.0.0", 0)) as taken:
        running = HealthServers()
        await running.update(balanced(taken.getsockname()[1], endpoint(HERE)))
        running.close()
    assert "cannot listen on 0.0.0.0:" in caplog.text


async def test_metrics_tell_how_long_syncs_took(servers: HealthServers) -> None:
    _, metrics = (port for _, port in servers.addresses())
    await servers.update([], 0.003)
    await servers.update([], 2.0)
    _, _, text = await get(metrics, "/metrics")
    name = "kubeproxy_sync_proxy_rules_duration_seconds"
    for line in (f'{name}_bucket{{le="0.004"}} 1', f'{name}_bucket{{le="+Inf"}} 2', f"{name}_sum 2.003"):
        assert line in text.splitlines()
    assert "kubeproxy_sync_proxy_rules_last_timestamp_seconds 0" not in text


async def test_the_mode_is_told(servers: HealthServers) -> None:
    other = HealthServers(healthz_port=0, metrics_port=0, mode="nftables")
    await other.start()
    assert (await get(other.addresses()[1][1], "/proxyMode"))[2] == "nftables"
    other.close()


def test_ready_endpoints_count_even_before_the_balancer_has_an_address() -> None:
    pending = service(type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30999)
    ports = model.service_ports([pending], [endpoint_slice(endpoint(HERE), endpoint(THERE))], NODE)
    assert health.local_endpoints(ports) == {30999: ("shop", "web", 1)}
