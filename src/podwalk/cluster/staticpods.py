"""What really runs on a node besides Pods, as mirror Pods for kube-system: the names that learners meet outside.

They have no containers of their own: each stands for a task of the node agent or of the control-plane process. Their
logs are those of that component.
"""

from __future__ import annotations

from podwalk.api.clusterconfig import NodeConfig
from podwalk.api.meta import Object
from podwalk.cluster.spec import KUBERNETES_VERSION, ClusterSpec

_EVERYWHERE = ("kube-flannel", "kube-proxy")
_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def pods(spec: ClusterSpec, node: NodeConfig) -> list[Object]:
    """The mirror Pods of a node."""
    names = [n for n in _EVERYWHERE if _runs(spec, n)]
    if node.role == "control-plane":
        names += _CONTROL_PLANE
    return [_pod(name, node) for name in sorted(names)]


def _runs(spec: ClusterSpec, name: str) -> bool:
    if name == "kube-flannel":
        return spec.config.default_cni
    return name != "kube-proxy" or spec.config.proxy_mode != "none"


def _pod(name: str, node: NodeConfig) -> Object:
    tier = "control-plane" if name in _CONTROL_PLANE else "node"
    image = f"registry.k8s.io/{name}:{KUBERNETES_VERSION}"
    if name == "kube-flannel":
        image = "ghcr.io/flannel-io/flannel:v0.28.0"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{node.name}",
            "namespace": "kube-system",
            "labels": {"component": name, "tier": tier, "k8s-app": name},
            "annotations": {"kubernetes.io/config.source": "file"},
        },
        "spec": {
            "nodeName": node.name,
            "hostNetwork": True,
            "priorityClassName": "system-node-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": [{"name": name, "image": image, "command": [name]}],
        },
    }
