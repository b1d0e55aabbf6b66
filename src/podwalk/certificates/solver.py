"""What answers an HTTP-01 challenge: a Pod, a Service and an Ingress beside the Certificate; pure.

Upstream: pkg/issuer/acme/http (pod.go, service.go, ingress.go) of cert-manager.
"""

from __future__ import annotations

import zlib

from podwalk.api import meta
from podwalk.api.meta import Object

PORT = 8089
PATH = "/.well-known/acme-challenge"
CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PREFIX = "cm-acme-http-solver-"
_LABEL = "acme.cert-manager.io"


def labels(challenge: Object) -> dict[str, str]:
    """The labels by which a challenge's objects are found again."""
    spec = challenge["spec"]
    return {
        f"{_LABEL}/http-domain": str(zlib.adler32(spec["dnsName"].encode())),
        f"{_LABEL}/http-token": str(zlib.adler32(spec["token"].encode())),
        f"{_LABEL}/http01-solver": "true",
    }


def _metadata(challenge: Object, annotations: dict[str, str]) -> Object:
    return {
        "generateName": _PREFIX,
        "namespace": meta.namespace(challenge),
        "labels": labels(challenge),
        "annotations": annotations,
        "ownerReferences": [meta.owner_reference(challenge)],
    }


def _configured(challenge: Object) -> Object:
    """The solver's ``http01.ingress``."""
    found: Object = (challenge["spec"].get("solver") or {}).get("http01", {}).get("ingress") or {}
    return found


def pod(challenge: Object, image: str) -> Object:
    """The Pod that knows the answer."""
    spec, more = challenge["spec"], _configured(challenge).get("podTemplate") or {}
    annotations = {"sidecar.istio.io/inject": "false", "cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
    metadata = _metadata(challenge, annotations)
    for field in ("annotations", "labels"):
        metadata[field] = {**metadata[field], **((more.get("metadata") or {}).get(field) or {})}
    container = {
        "name": "acmesolver",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"--listen-port={PORT}",
            f"--domain={spec['dnsName']}",
            f"--token={spec['token']}",
            f"--key={spec['key']}",
        ],
        "ports": [{"name": "http", "containerPort": PORT}],
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    wanted = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "OnFailure",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        **(more.get("spec") or {}),
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": wanted}


def service(challenge: Object) -> Object:
    """The Service in front of it; a NodePort unless the solver says otherwise."""
    wanted = {
        "type": _configured(challenge).get("serviceType") or "NodePort",
        "ports": [{"name": "http", "port": PORT, "targetPort": PORT, "protocol": "TCP"}],
        "selector": labels(challenge),
    }
    metadata = _metadata(challenge, {f"auth.istio.io/{PORT}": "NONE"})
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": wanted}


def ingress(challenge: Object, service_name: str) -> Object:
    """The Ingress that leads the challenge's path to it, of the class that the solver names."""
    spec, configured = challenge["spec"], _configured(challenge)
    annotations = {"nginx.ingress.kubernetes.io/whitelist-source-range": "0.0.0.0/0,::/0"}
    more = (configured.get("ingressTemplate") or {}).get("metadata") or {}
    annotations |= more.get("annotations") or {}
    wanted: Object = {}
    if configured.get("ingressClassName"):
        wanted["ingressClassName"] = configured["ingressClassName"]
    elif configured.get("class"):
        annotations[CLASS_ANNOTATION] = configured["class"]
    path = {
        "path": f"{PATH}/{spec['token']}",
        "pathType": "Exact",
        "backend": {"service": {"name": service_name, "port": {"number": PORT}}},
    }
    wanted["rules"] = [{"host": spec["dnsName"], "http": {"paths": [path]}}]
    metadata = _metadata(challenge, annotations)
    metadata["labels"] = {**metadata["labels"], **(more.get("labels") or {})}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": metadata, "spec": wanted}
