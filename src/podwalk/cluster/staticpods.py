"""What really runs on a node besides Pods, as mirror Pods for kube-system: the names that learners meet outside.

They have no containers of their own: each stands for a task of the node agent or of the control-plane process. Their
logs are those of that component.
"""

from __future__ import annotations

from podwalk.api.clusterconfig import NodeConfig
from podwalk.api.meta import Object
from podwalk.cluster import networks
from podwalk.cluster.spec import KUBERNETES_VERSION, ClusterSpec

_CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def pods(spec: ClusterSpec, node: NodeConfig) -> list[Object]:
    """The mirror Pods of a node."""
    names = ["kube-proxy"] if spec.config.proxy_mode != "none" else []
    if node.role == "control-plane":
        names += _CONTROL_PLANE
        if networks.profile(spec) == "cloud":
            names.append("cloud-controller-manager")
    images = {name: f"registry.k8s.io/{name}:{KUBERNETES_VERSION}" for name in names}
    if (daemon := networks.daemon(spec)) is not None:
        images[daemon.name] = daemon.image
    return [_pod(name, images[name], node) for name in sorted(images)]


def _pod(name: str, image: str, node: NodeConfig) -> Object:
    tier = "control-plane" if name in (*_CONTROL_PLANE, "cloud-controller-manager") else "node"
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
