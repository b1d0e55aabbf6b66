"""What kube-proxy answers over HTTP: its own health, its mode, and the health check node ports of Services.

Upstream: pkg/proxy/healthcheck (proxy_health.go, service_health.go) and cmd/kube-proxy/app/server.go.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from podwalk.proxy.model import ServicePort

log = logging.getLogger(__name__)

HEALTHZ_PORT = 10256
METRICS_PORT = 10249
_REQUEST_SECONDS = 10.0
_JSON = {"Content-Type": "application/json", "X-Content-Type-Options": "nosniff"}
_PLAIN = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}
_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: str
    headers: dict[str, str]


Responder = Callable[[str], Answer]


def local_endpoints(ports: Iterable[ServicePort]) -> dict[int, tuple[str, str, int]]:
    """health check node port -> (namespace, name, ready endpoints on this node), for the Services that have one."""
    ready: dict[int, tuple[str, str, int]] = {}
    for port in ports:
        number = port.health_check_node_port
        if number:
            # The ports of one Service may differ in their endpoints only by name: the fullest counts them all.
            count = max(port.endpoints.ready_here, ready.get(number, ("", "", 0))[2])
            ready[number] = (port.namespace, port.name, count)
    return ready


def service_answer(namespace: str, name: str, count: int) -> Answer:
    """What a load balancer learns at a health check node port: 503 sends it to other nodes."""
    body = {"service": {"namespace": namespace, "name": name}, "localEndpoints": count, "serviceProxyHealthy": True}
    headers = {**_JSON, "X-Load-Balancing-Endpoint-Weight": str(count)}
    return Answer(200 if count else 503, json.dumps(body, indent="\t"), headers)


class SyncDurations:
    """How long syncs took, as kube-proxy's /metrics tells it (upstream: pkg/proxy/metrics, buckets from 1 ms)."""

    def __init__(self) -> None:
        self._bounds = [0.001 * 2**i for i in range(15)]
        self._counts = [0] * len(self._bounds)
        self._total, self._sum = 0, 0.0

    def observe(self, seconds: float) -> None:
        """Count a sync."""
        self._total += 1
        self._sum += seconds
        for index, bound in enumerate(self._bounds):
            self._counts[index] += seconds <= bound

    def text(self, last: datetime | None) -> str:
        """The exposition; ``last`` is when the last sync ended."""
        name = "kubeproxy_sync_proxy_rules_duration_seconds"
        lines = [f"# HELP {name} [ALPHA] SyncProxyRules latency in seconds", f"# TYPE {name} histogram"]
        lines += [f'{name}_bucket{{le="{b:g}"}} {n}' for b, n in zip(self._bounds, self._counts, strict=True)]
        lines += [
            f'{name}_bucket{{le="+Inf"}} {self._total}',
            f"{name}_sum {self._sum:g}",
            f"{name}_count {self._total}",
        ]
        stamp = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
        lines += [f"# HELP {stamp} [ALPHA] The last time proxy rules were successfully synced", f"# TYPE {stamp} gauge"]
        lines.append(f"{stamp} {last.timestamp() if last else 0}")
        return "\n".join(lines) + "\n"


class HealthServers:
    """The listening sockets; all of them in the node's network namespace."""

    def __init__(
        self, *, healthz_port: int = HEALTHZ_PORT, metrics_port: int = METRICS_PORT, mode: str = "iptables"
    ) -> None:
        self._mode = mode
        self._fixed = ((("0.0.0.0", healthz_port), self._healthz), (("127.0.0.1", metrics_port), self._metrics))
        self._servers: dict[int, asyncio.Server] = {}
        self._base: list[asyncio.Server] = []
        self._services: dict[int, tuple[str, str, int]] = {}
        self._last_synced: datetime | None = None
        self._durations = SyncDurations()

    async def start(self) -> None:
        """Listen on the ports that every kube-proxy has; one that is taken is logged, and kube-proxy works on."""
        for (host, port), respond in self._fixed:
            server = await _listen(host, port, respond)
            if server is not None:
                self._base.append(server)

    async def update(self, ports: Iterable[ServicePort], seconds: float = 0.0) -> None:
        """Take note of a sync: its time and length, and the Services' health check node ports and endpoints."""
        self._durations.observe(seconds)
        self._last_synced = datetime.now(UTC)
        self._services = local_endpoints(ports)
        for gone in set(self._servers) - set(self._services):
            self._servers.pop(gone).close()
        for port in set(self._services) - set(self._servers):
            server = await _listen("0.0.0.0", port, lambda path, port=port: self._service(port))  # type: ignore[misc]
            if server is not None:
                self._servers[port] = server

    def close(self) -> None:
        """Stop listening."""
        for server in (*self._base, *self._servers.values()):
            server.close()
        self._base, self._servers = [], {}

    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens."""
        servers = (*self._base, *self._servers.values())
        return [server.sockets[0].getsockname() for server in servers]

    def _service(self, port: int) -> Answer:
        found = self._services.get(port)
        return service_answer(*found) if found else Answer(404, "404 page not found\n", _PLAIN)

    def _healthz(self, path: str) -> Answer:
        if path not in ("/healthz", "/livez"):
            return Answer(404, "404 page not found\n", _PLAIN)
        now, synced = datetime.now(UTC), self._last_synced
        healthy = synced is not None
        updated = _rfc3339(synced) if synced else "0001-01-01T00:00:00Z"
        body = {
            "lastUpdated": updated,
            "currentTime": _rfc3339(now),
            **({"nodeEligible": True} if path == "/healthz" else {}),
            "healthy": healthy,
            "status": {"IPv4": {"lastUpdated": updated, "healthy": healthy}},
        }
        return Answer(200 if healthy else 503, json.dumps(body, separators=(",", ":")), _JSON)

    def _metrics(self, path: str) -> Answer:
        text = {"/proxyMode": self._mode, "/healthz": "ok"}.get(path)
        if path == "/metrics":
            text = self._durations.text(self._last_synced)
        return Answer(200, text, _PLAIN) if text else Answer(404, "404 page not found\n", _PLAIN)


def _rfc3339(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


async def _listen(host: str, port: int, respond: Responder) -> asyncio.Server | None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                words = head.split(None, 2)
                path = words[1].decode("latin-1").partition("?")[0] if len(words) > 1 else ""
                writer.write(_encode(respond(path)))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("health check on port %d: %s", port, error)
        finally:
            writer.close()

    try:
        return await asyncio.start_server(serve, host, port)
    except OSError as error:
        log.error("cannot listen on %s:%d: %s", host, port, error)
        return None


def _encode(answer: Answer) -> bytes:
    body = answer.body.encode()
    lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body
