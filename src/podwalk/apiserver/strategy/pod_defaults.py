"""Defaults of Pods and Pod templates.

Upstream: pkg/apis/core/v1/defaults.go, and for Pods alone the admission plugins ServiceAccount and
DefaultTolerationSeconds and the Pod strategy (pkg/registry/core/pod/strategy.go).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from podwalk.api import meta, quantity
from podwalk.api.meta import Object

_TOKEN_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_MIRROR = "kubernetes.io/config.mirror"
_FILE_MODE = 0o644
_NO_SOURCE = {"name"}


def containers(spec: Object) -> Iterator[Object]:
    """Every container of a Pod spec: init, regular and ephemeral."""
    for field in ("initContainers", "containers", "ephemeralContainers"):
        yield from (c for c in spec.get(field) or () if isinstance(c, dict))


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    if "@" in name:
        return "Always" if name.partition("@")[0].endswith(":latest") else "IfNotPresent"
    _, colon, tag = name.partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


def _default_http_get(handler: Object) -> None:
    if isinstance(get := handler.get("httpGet"), dict):
        get["path"] = get.get("path") or "/"
        get["scheme"] = get.get("scheme") or "HTTP"


def _default_probe(probe: Object) -> None:
    _default_http_get(probe)
    if isinstance(grpc := probe.get("grpc"), dict):
        grpc.setdefault("service", "")
    for field, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe[field] = probe.get(field) or value


def _canonical_resources(resources: Object) -> None:
    for field in ("limits", "requests"):
        amounts = resources.get(field)
        if not isinstance(amounts, dict):
            continue
        for name, amount in amounts.items():
            try:
                amounts[name] = quantity.canonical(amount)
            except ValueError:
                continue  # validation says so in Kubernetes' words


def _default_container(container: Object) -> None:
    for port in container.get("ports") or ():
        port["protocol"] = port.get("protocol") or "TCP"
    for env in container.get("env") or ():
        if isinstance(ref := (env.get("valueFrom") or {}).get("fieldRef"), dict):
            ref["apiVersion"] = ref.get("apiVersion") or "v1"
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(probe := container.get(field), dict):
            _default_probe(probe)
    for handler in (container.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            _default_http_get(handler)
    container["resources"] = container.get("resources") or {}
    _canonical_resources(container["resources"])
    container["terminationMessagePath"] = container.get("terminationMessagePath") or "/dev/termination-log"
    container["terminationMessagePolicy"] = container.get("terminationMessagePolicy") or "File"
    container["imagePullPolicy"] = container.get("imagePullPolicy") or _pull_policy(str(container.get("image", "")))


def _default_downward_items(source: Object) -> None:
    for item in source.get("items") or ():
        if isinstance(ref := item.get("fieldRef"), dict):
            ref["apiVersion"] = ref.get("apiVersion") or "v1"


def _default_volume(volume: Object) -> None:
    if not set(volume) - _NO_SOURCE:
        volume["emptyDir"] = {}
    for field in ("secret", "configMap", "downwardAPI", "projected"):
        if isinstance(source := volume.get(field), dict):
            source.setdefault("defaultMode", _FILE_MODE)
            if field == "downwardAPI":
                _default_downward_items(source)
    if isinstance(host_path := volume.get("hostPath"), dict):
        host_path.setdefault("type", "")
    for source in (volume.get("projected") or {}).get("sources") or ():
        if isinstance(token := source.get("serviceAccountToken"), dict):
            token.setdefault("expirationSeconds", 3600)
        _default_downward_items(source.get("downwardAPI") or {})


def default_pod_spec(spec: Object) -> None:
    """Default a PodSpec in place, wherever it stands: in a Pod or in a template."""
    for container in containers(spec):
        _default_container(container)
    for volume in spec.get("volumes") or ():
        _default_volume(volume)
    spec["restartPolicy"] = spec.get("restartPolicy") or "Always"
    spec["dnsPolicy"] = spec.get("dnsPolicy") or "ClusterFirst"
    spec["schedulerName"] = spec.get("schedulerName") or "default-scheduler"
    if spec.get("terminationGracePeriodSeconds") is None:
        spec["terminationGracePeriodSeconds"] = 30
    elif spec["terminationGracePeriodSeconds"] < 0:
        spec["terminationGracePeriodSeconds"] = 1
    if spec.get("securityContext") is None:
        spec["securityContext"] = {}
    if account := spec.get("serviceAccountName") or spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    if spec.get("hostNetwork"):
        for container in containers(spec):
            for port in container.get("ports") or ():
                port["hostPort"] = port.get("hostPort") or port.get("containerPort")


def default_template(template: Object) -> None:
    """Default a PodTemplateSpec in place."""
    template.setdefault("metadata", {})
    template["spec"] = template.get("spec") or {}
    default_pod_spec(template["spec"])


def _amounts(container: Object, field: str) -> Object:
    return {k: v for k, v in ((container.get("resources") or {}).get(field) or {}).items() if k in ("cpu", "memory")}


def qos_class(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort (pkg/apis/core/helper/qos)."""
    every = [c for f in ("initContainers", "containers") for c in spec.get(f) or ()]
    if not any(_amounts(c, "requests") or _amounts(c, "limits") for c in every):
        return "BestEffort"
    guaranteed = all(
        set(_amounts(c, "limits")) == {"cpu", "memory"} and _amounts(c, "requests") == _amounts(c, "limits")
        for c in every
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _tolerated(tolerations: list[Object], key: str) -> bool:
    return any(t.get("key", "") in ("", key) and t.get("effect", "") in ("", "NoExecute") for t in tolerations)


def _tolerate_for_a_while(spec: Object) -> None:
    tolerations: list[Object] = list(spec.get("tolerations") or [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        if not _tolerated(tolerations, key):
            tolerations.append({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300})
    spec["tolerations"] = tolerations


def _token_volume(name: str) -> Object:
    field_ref = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources: list[Any] = [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field_ref}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": _FILE_MODE}}


def _mount_token(spec: Object) -> None:
    """Give each container the API token, unless something of its own is mounted there."""
    if spec.get("automountServiceAccountToken") is False:
        return
    volume = f"kube-api-access-{meta.random_suffix()}"
    needed = False
    for container in containers(spec):
        mounts: list[Object] = container.get("volumeMounts") or []
        if any(m.get("mountPath") == _TOKEN_PATH for m in mounts):
            continue
        container["volumeMounts"] = [*mounts, {"name": volume, "readOnly": True, "mountPath": _TOKEN_PATH}]
        needed = True
    if needed:
        spec["volumes"] = [*(spec.get("volumes") or []), _token_volume(volume)]


def _admit(pod: Object) -> None:
    """What the admission plugins of a stock cluster add to a new Pod."""
    spec = pod["spec"]
    if _MIRROR not in meta.annotations(pod):  # a static Pod has no identity: it runs before there is anyone to ask
        spec["serviceAccountName"] = spec["serviceAccount"] = spec.get("serviceAccountName") or "default"
        _mount_token(spec)
    _tolerate_for_a_while(spec)


def default_pod(pod: Object) -> None:
    """Default a Pod in place; one that was never stored (no resourceVersion) is admitted as well."""
    spec = pod["spec"] = pod.get("spec") or {}
    default_pod_spec(spec)
    for container in containers(spec):
        limits = container["resources"].get("limits") or {}
        if limits:
            requests = container["resources"].get("requests") or {}
            container["resources"]["requests"] = {**limits, **requests}
    spec.setdefault("enableServiceLinks", True)
    if not pod["metadata"].get("resourceVersion"):
        _admit(pod)
    status = pod["status"] = pod.get("status") or {}
    status["phase"] = status.get("phase") or "Pending"
    status["qosClass"] = status.get("qosClass") or qos_class(spec)
