"""Handlers of probes and of lifecycle hooks.

Upstream: validateHandler, validateProbe and validateLifecycle in pkg/apis/core/validation.
"""

from __future__ import annotations

import re
from typing import Any

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation import fields
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.metadata import items, mapping, objects

_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOKS = ("exec", "httpGet", "tcpSocket", "sleep")
_TIMES = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_HEADER = (
    "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for "
    "validation is '[-A-Za-z0-9]+')"
)
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")


def _http_get(action: Object, at: str) -> list[Cause]:
    causes = [] if action.get("path") else [fields.required(f"{at}.path")]
    port = action.get("port", 0)
    causes += fields.each(f"{at}.port", port, fields.port_number_or_name(port))
    scheme = action.get("scheme") or ""
    if scheme not in ("HTTP", "HTTPS"):
        causes.append(fields.not_supported(f"{at}.scheme", scheme, ("HTTP", "HTTPS")))
    for header in objects(action.get("httpHeaders")):
        name = str(header.get("name") or "")
        if not re.fullmatch("[-A-Za-z0-9]+", name):
            causes.append(fields.invalid(f"{at}.httpHeaders", name, _HEADER))
    return causes


def _action(kind: str, action: Object, at: str, grace: Any) -> list[Cause]:
    if kind == "exec":
        return [] if items(action.get("command")) else [fields.required(f"{at}.command")]
    if kind == "httpGet":
        return _http_get(action, at)
    if kind == "sleep":
        seconds = action.get("seconds") or 0
        if isinstance(grace, int) and not 0 <= seconds <= grace:
            text = f"must be non-negative and less than terminationGracePeriodSeconds ({grace})"
            return [fields.invalid(at, seconds, text)]
        return []
    port = action.get("port", 0)
    return fields.each(f"{at}.port", port, fields.port_number_or_name(port))


def _handler(handler: Object, at: str, kinds: tuple[str, ...], grace: Any) -> list[Cause]:
    present = [kind for kind in kinds if handler.get(kind) is not None]
    if not present:
        return [fields.required(at, "must specify a handler type")]
    causes = _action(present[0], mapping(handler[present[0]]), f"{at}.{present[0]}", grace)
    return causes + [fields.forbidden(f"{at}.{k}", "may not specify more than 1 handler type") for k in present[1:]]


def _probe(name: str, probe: Object, at: str, grace: Any) -> list[Cause]:
    causes = _handler(probe, at, _HANDLERS, grace)
    for field in _TIMES:
        if isinstance(value := probe.get(field), int) and value < 0:
            causes.append(fields.invalid(f"{at}.{field}", value, fields.NON_NEGATIVE))
    own_grace = probe.get("terminationGracePeriodSeconds")
    if isinstance(own_grace, int) and own_grace <= 0:
        causes.append(fields.invalid(f"{at}.terminationGracePeriodSeconds", own_grace, "must be greater than 0"))
    if name == "readinessProbe":
        if own_grace is not None:
            text = "must not be set for readinessProbes"
            causes.append(fields.invalid(f"{at}.terminationGracePeriodSeconds", own_grace, text))
    elif probe.get("successThreshold", 1) != 1:
        causes.append(fields.invalid(f"{at}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def validate_hooks_and_probes(container: Object, at: str, grace: Any) -> list[Cause]:
    """The lifecycle and the probes of a container that keeps running; ``grace`` is the Pod's grace period."""
    causes: list[Cause] = []
    lifecycle = mapping(container.get("lifecycle"))
    for hook in ("postStart", "preStop"):
        if lifecycle.get(hook) is not None:
            causes += _handler(mapping(lifecycle[hook]), f"{at}.lifecycle.{hook}", _HOOKS, grace)
    for name in PROBES:
        if isinstance(probe := container.get(name), dict):
            causes += _probe(name, probe, f"{at}.{name}", grace)
    return causes
