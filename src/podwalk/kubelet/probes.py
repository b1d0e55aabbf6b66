"""Readiness, liveness and startup probes.

Stands in for pkg/kubelet/prober and pkg/probe. It differs in one thing, for speed: before the first success of a
readiness or startup probe a failure is tried again soon and silently, for a moment; what counts, fails and shows in
Events follows the probe's own period.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from podwalk.api.meta import Object
from podwalk.kubelet import grpc_health

log = logging.getLogger(__name__)

ProbeKind = Literal["Startup", "Readiness", "Liveness"]
Exec = Callable[[list[str], float], Awaitable[tuple[int, bytes]]]

_MAX_BODY = 10 * 1024
_FIRST_RETRY = 0.005
_ANSWERED_RETRY = 0.05
_EAGER_SECONDS = 1.5
_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of one probe.

    ``refused``: nobody listens. ``unknown``: the probe itself failed. ``answered``: somebody said no.
    """

    ok: bool
    message: str = ""
    refused: bool = False
    unknown: bool = False
    answered: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a probe goes: the Pod's address, the container (for named ports), and how to run a command in it."""

    host: str
    container: Object
    exec: Exec


def resolve_port(port: str | int, container: Object) -> int:
    """A number, or the container's port of this name. Raises ValueError."""
    if isinstance(port, int) or str(port).isdigit():
        number = int(port)
    else:
        named = {p.get("name"): p["containerPort"] for p in container.get("ports") or ()}
        if port not in named:
            raise ValueError(f"couldn't find port: {port}")
        number = int(named[port])
    if not 0 < number < 65536:
        raise ValueError(f"invalid port number: {number}")
    return number


def _connect_error(error: OSError, host: str, port: int) -> str:
    texts = {
        errno.ECONNREFUSED: "connect: connection refused",
        errno.EHOSTUNREACH: "connect: no route to host",
        errno.ENETUNREACH: "connect: network is unreachable",
        errno.ECONNRESET: "read: connection reset by peer",
    }
    return f"dial tcp {host}:{port}: {texts.get(error.errno or 0, str(error))}"


async def tcp(host: str, port: int, timeout: float) -> Outcome:
    """Open and close a connection."""
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {host}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, _connect_error(error, host, port), refused=error.errno == errno.ECONNREFUSED)
    writer.close()
    return Outcome(True)


def _request(action: Object, host: str, port: int, path: str) -> bytes:
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.36", "Accept": "*/*", "Connection": "close"}
    for header in action.get("httpHeaders") or ():
        known = {name.lower(): name for name in headers}
        headers[known.get(str(header["name"]).lower(), str(header["name"]))] = str(header.get("value", ""))
    lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in headers.items() if v), "", ""]
    return "\r\n".join(lines).encode()


async def _exchange(action: Object, host: str, port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    context: ssl.SSLContext | None = None
    if action.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(_request(action, host, port, path))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if colon:
                headers[name.strip().lower()] = value.strip()
        code = int(status.split(" ", 2)[1])
        length = headers.get("content-length", "")
        wanted = min(int(length), _MAX_BODY) if length.isdigit() else 0
        body = await reader.readexactly(wanted) if wanted else b""
        return code, headers, body
    finally:
        writer.close()


async def http(action: Object, host: str, port: int, timeout: float | None) -> Outcome:
    """GET; 200 to 399 is success, as is a redirect to another host. ``timeout`` None waits as long as it takes."""
    scheme = str(action.get("scheme") or "HTTP").lower()
    path = str(action.get("path") or "/")
    path = path if path.startswith("/") else f"/{path}"
    url = f"{scheme}://{host}:{port}{path}"
    try:
        async with asyncio.timeout(timeout):
            for _ in range(_REDIRECTS):
                code, headers, _ = await _exchange(action, host, port, path)
                location = headers.get("location", "")
                if not (300 <= code < 400 and location.startswith("/")):
                    break
                path = location
    except TimeoutError:
        reason = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{url}": {reason}')
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return Outcome(False, f'Get "{url}": EOF')
    except (ValueError, IndexError):
        return Outcome(False, f'Get "{url}": net/http: HTTP/1.x transport connection broken: malformed HTTP response')
    except OSError as error:
        refused = error.errno == errno.ECONNREFUSED
        return Outcome(False, f'Get "{url}": {_connect_error(error, host, port)}', refused=refused)
    if 200 <= code < 400:
        return Outcome(True, answered=True)
    return Outcome(False, f"HTTP probe failed with statuscode: {code}", answered=True)


async def _grpc(host: str, port: int, service: str, timeout: float) -> Outcome:
    """Ask the gRPC health service (grpc.health.v1) of ``service``; texts of pkg/probe/grpc."""
    where, limit = f"{host}:{port}", f"{timeout:g}s"
    try:
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError) as error:
        # gRPC tries again until the time is up, so that a refusal is a timeout too; nobody waits for that here.
        text = f'timeout: failed to connect service "{where}" within {limit}: context deadline exceeded'
        return Outcome(False, text, refused=isinstance(error, ConnectionRefusedError))
    try:
        async with asyncio.timeout(timeout):
            answer = await grpc_health.check(reader, writer, where, service)
    except TimeoutError:
        return Outcome(False, f"timeout: health rpc did not complete within {limit}")
    except (OSError, EOFError, ValueError) as error:
        return Outcome(False, f"error: health rpc probe failed: rpc error: code = Unavailable desc = {error}")
    finally:
        writer.close()
    if answer.code == grpc_health.UNIMPLEMENTED:
        what = "this server does not implement the grpc health protocol (grpc.health.v1.Health)"
        return Outcome(False, f"error: {what}: {answer.message}", answered=True)
    if answer.code:
        why = f"rpc error: code = {grpc_health.code_name(answer.code)} desc = {answer.message}"
        return Outcome(False, f"error: health rpc probe failed: {why}", answered=True)
    if answer.status != "SERVING":
        return Outcome(False, f'service unhealthy (responded with "{answer.status}")', answered=True)
    return Outcome(True, "service healthy", answered=True)


async def run_once(probe: Object, target: Target) -> Outcome:
    """One attempt of a probe."""
    timeout = float(probe.get("timeoutSeconds") or 1)
    try:
        if action := probe.get("httpGet"):
            host = str(action.get("host") or target.host)
            return await http(action, host, resolve_port(action["port"], target.container), timeout)
        if action := probe.get("tcpSocket"):
            host = str(action.get("host") or target.host)
            return await tcp(host, resolve_port(action["port"], target.container), timeout)
        if action := probe.get("grpc"):
            port = resolve_port(action["port"], target.container)
            return await _grpc(target.host, port, str(action.get("service") or ""), timeout)
        if action := probe.get("exec"):
            command = [str(word) for word in action.get("command") or ()]
            try:
                code, output = await target.exec(command, timeout)
            except TimeoutError:
                return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {int(timeout)}s')
            return Outcome(code == 0, output[:_MAX_BODY].decode(errors="replace"))
    except ValueError as error:
        return Outcome(False, str(error), unknown=True)
    return Outcome(False, "missing probe handler", unknown=True)


class Prober:
    """Runs one probe of one run of a container.

    ``on_result(ok)`` is called when the threshold is passed in either direction; ``on_event(message)`` with the text
    of an Unhealthy Event.
    """

    def __init__(
        self,
        kind: ProbeKind,
        probe: Object,
        target: Target,
        on_result: Callable[[bool], None],
        on_event: Callable[[str], None],
    ) -> None:
        self.kind = kind
        self._probe = probe
        self._target = target
        self._on_result = on_result
        self._on_event = on_event
        self._said: bool | None = None

    async def run(self) -> None:
        """Probe until cancelled (a startup probe ends with its first verdict)."""
        loop = asyncio.get_running_loop()
        period = float(self._probe.get("periodSeconds") or 10)
        delay = float(self._probe.get("initialDelaySeconds") or 0)
        if self.kind == "Liveness":
            # Upstream probes at fixed ticks, and the container did not run yet at the first: give it one period.
            delay = max(1, math.ceil(delay / period)) * period
        await asyncio.sleep(delay)
        thresholds = {
            True: int(self._probe.get("successThreshold") or 1),
            False: int(self._probe.get("failureThreshold") or 3),
        }
        last: bool | None = None
        run = 0
        next_tick = loop.time() + period
        while True:
            outcome = await self._attempt(min(next_tick, loop.time() + _EAGER_SECONDS))
            run = run + 1 if outcome.ok == last else 1
            last = outcome.ok
            if not outcome.ok:
                self._report(outcome)
            if run >= thresholds[outcome.ok] and outcome.ok != self._said:
                self._said = outcome.ok
                self._on_result(outcome.ok)
                if self.kind == "Startup":
                    return
            await asyncio.sleep(max(0.0, next_tick - loop.time()))
            next_tick += period

    async def _attempt(self, deadline: float) -> Outcome:
        """One counted attempt: until the first success, failures are retried silently until ``deadline``."""
        loop = asyncio.get_running_loop()
        wait = _FIRST_RETRY
        while True:
            outcome = await run_once(self._probe, self._target)
            eager = self.kind != "Liveness" and self._said is None and not outcome.ok
            # A refusal costs nothing and nobody notices it; an application that answers is left some time.
            pause = wait if outcome.refused else max(wait, _ANSWERED_RETRY)
            if not eager or loop.time() + pause >= deadline:
                return outcome
            await asyncio.sleep(pause)
            wait = min(wait * 1.3, 0.25)

    def _report(self, outcome: Outcome) -> None:
        if outcome.unknown:
            self._on_event(f"{self.kind} probe errored and resulted in unknown state: {outcome.message}")
        else:
            self._on_event(f"{self.kind} probe failed: {outcome.message}")
