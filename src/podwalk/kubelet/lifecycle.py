"""Lifecycle handlers of a container: what postStart and preStop run.

Stands in for pkg/kubelet/lifecycle/handlers.go, whose texts it keeps.
"""

from __future__ import annotations

import asyncio
from typing import Any

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.kubelet import probes
from podwalk.kubelet.env import quote

# What an httpGet handler that names no port asks.
_DEFAULT_PORTS = {"HTTP": 80, "HTTPS": 443}


def format_pod(pod: Object) -> str:
    """``name_namespace(uid)``, as the kubelet's messages name a Pod."""
    return f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"


async def run(handler: Object, pod: Object, target: probes.Target, timeout: float = 0.0) -> str:
    """Run a handler; what went wrong in upstream's words, or an empty text. ``timeout`` 0 is none."""
    who = f'for Container "{target.container["name"]}" in Pod "{format_pod(pod)}" failed - error:'
    if "sleep" in handler:
        await asyncio.sleep(float((handler["sleep"] or {}).get("seconds") or 0))
        return ""
    if handler.get("exec"):
        command = [str(word) for word in handler["exec"].get("command") or ()]
        try:
            code, output = await target.exec(command, timeout)
        except TimeoutError:
            return f"Exec lifecycle hook ([{' '.join(command)}]) {who} command timed out"
        if code == 0:
            return ""
        text = output.decode(errors="replace")
        error = f"command '{' '.join(command)}' exited with {code}: {text}"
        return f"Exec lifecycle hook ([{' '.join(command)}]) {who} {error}, message: {quote(text)}"
    if handler.get("httpGet"):
        action = handler["httpGet"]
        problem = await _get(action, target, timeout)
        return f"HTTP lifecycle hook ({action.get('path') or ''}) {who} {problem}" if problem else ""
    if handler.get("tcpSocket"):  # accepted by the API for old manifests, and refused by the kubelet
        return "Cannot run handler: invalid handler: tcpSocket"
    return "Cannot run handler: invalid handler"


async def _get(action: Object, target: probes.Target, timeout: float) -> str:
    """Ask; any answer is a good one, whatever its status code."""
    scheme = str(action.get("scheme") or "HTTP")
    port: Any = action.get("port") or _DEFAULT_PORTS[scheme]
    try:
        number = probes.resolve_port(port, target.container)
    except ValueError as error:
        return str(error)
    outcome = await probes.http(action, str(action.get("host") or target.host), number, timeout or None)
    return "" if outcome.ok or outcome.answered else outcome.message
