"""/healthz, /livez, /readyz: the checks of a kube-apiserver, by name.

What a check stands for runs in this one process or not at all, so that each of them passes as soon as requests are
answered. Upstream: k8s.io/apiserver/pkg/server/healthz, and the post-start hooks of kube-apiserver v1.36.
"""

from __future__ import annotations

from collections.abc import Iterable

_HOOKS = (
    "start-apiserver-admission-initializer", "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer", "priority-and-fairness-filter", "storage-object-count-tracker-hook",
    "start-apiextensions-informers", "start-apiextensions-controllers", "crd-informer-synced",
    "start-system-namespaces-controller", "peer-endpoint-reconciler-controller",
    "start-cluster-authentication-info-controller", "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector", "storage-readiness",
    "start-legacy-token-tracking-controller", "start-service-ip-repair-controllers", "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes", "priority-and-fairness-config-producer", "bootstrap-controller",
    "start-kubernetes-service-cidr-controller", "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller", "apiservice-status-remote-available-controller",
    "apiservice-registration-controller", "apiservice-wait-for-first-sync", "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
)  # fmt: skip
_STARTED = (
    *(f"poststarthook/{hook}" for hook in _HOOKS),
    "autoregister-completion",
    "poststarthook/apiservice-openapi-controller",
    "poststarthook/apiservice-openapiv3-controller",
)
_LIVE = ("ping", "log", "loopback-serving-certificate", "etcd", *_STARTED)
CHECKS: dict[str, tuple[str, ...]] = {
    "healthz": _LIVE,
    "livez": _LIVE,
    "readyz": ("ping", "log", "informer-sync", *_STARTED, "shutdown"),
}
"""Endpoint -> its checks, in the order in which ``?verbose`` lists them."""


def answer(path: str, *, verbose: bool, excluded: Iterable[str] = ()) -> str | None:
    """The text for a health path, of all checks or of one; None where there is no such check."""
    endpoint, _, name = path.strip("/").partition("/")
    checks = CHECKS.get(endpoint)
    if checks is None or (name and name not in checks):
        return None
    left_out = set(excluded)
    if name or not (verbose or left_out - set(checks)):
        return "ok"
    lines = [f"[+]{check} excluded: ok" if check in left_out else f"[+]{check} ok" for check in checks]
    unknown = sorted(left_out - set(checks))
    if unknown:
        quoted = ", ".join(f'"{u}"' for u in unknown)
        lines.append(f"warn: some health checks cannot be excluded: no matches for {quoted}")
    return "\n".join([*lines, f"{endpoint} check passed\n"])


def paths() -> list[str]:
    """Every health path."""
    return [p for endpoint, checks in CHECKS.items() for p in (f"/{endpoint}", *(f"/{endpoint}/{c}" for c in checks))]
