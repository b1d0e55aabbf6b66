"""Validation by kind: what the API server refuses, and in which words.

Stands in for pkg/apis/*/validation of kube-apiserver.
"""

from __future__ import annotations

from collections.abc import Callable

from podwalk.api.meta import Object
from podwalk.apiserver.strategy.validation.addresses import validate_ipaddress, validate_servicecidr
from podwalk.apiserver.strategy.validation.batch import validate_cronjob, validate_job
from podwalk.apiserver.strategy.validation.core import (
    validate_configmap,
    validate_named,
    validate_namespace,
    validate_node,
    validate_secret,
)
from podwalk.apiserver.strategy.validation.discovery import (
    validate_endpoints,
    validate_endpointslice,
    validate_lease,
)
from podwalk.apiserver.strategy.validation.fields import Cause
from podwalk.apiserver.strategy.validation.networking import (
    validate_ingress,
    validate_ingressclass,
    validate_networkpolicy,
)
from podwalk.apiserver.strategy.validation.pods import validate_pod
from podwalk.apiserver.strategy.validation.policy import (
    validate_poddisruptionbudget,
    validate_priorityclass,
    validate_role,
    validate_rolebinding,
)
from podwalk.apiserver.strategy.validation.quotas import validate_limitrange, validate_resourcequota
from podwalk.apiserver.strategy.validation.service import validate_service
from podwalk.apiserver.strategy.validation.statefulsets import (
    validate_controllerrevision,
    validate_replicationcontroller,
    validate_statefulset,
)
from podwalk.apiserver.strategy.validation.workloads import (
    validate_daemonset,
    validate_deployment,
    validate_replicaset,
)

_BY_KIND: dict[str, Callable[[Object, Object | None, str], list[Cause]]] = {
    "ConfigMap": validate_configmap,
    "DaemonSet": validate_daemonset,
    "Deployment": validate_deployment,
    "Endpoints": validate_endpoints,
    "EndpointSlice": validate_endpointslice,
    "Event": validate_named,
    "Ingress": validate_ingress,
    "IngressClass": validate_ingressclass,
    "Lease": validate_lease,
    "Namespace": validate_namespace,
    "NetworkPolicy": validate_networkpolicy,
    "Node": validate_node,
    "Pod": validate_pod,
    "ReplicaSet": validate_replicaset,
    "Secret": validate_secret,
    "Service": validate_service,
    "ServiceAccount": validate_named,
    "StatefulSet": validate_statefulset,
    "ControllerRevision": validate_controllerrevision,
    "ReplicationController": validate_replicationcontroller,
    "Job": validate_job,
    "CronJob": validate_cronjob,
    "PodDisruptionBudget": validate_poddisruptionbudget,
    "PriorityClass": validate_priorityclass,
    "Role": validate_role,
    "ClusterRole": validate_role,
    "RoleBinding": validate_rolebinding,
    "ClusterRoleBinding": validate_rolebinding,
    "ResourceQuota": validate_resourcequota,
    "LimitRange": validate_limitrange,
    "IPAddress": validate_ipaddress,
    "ServiceCIDR": validate_servicecidr,
}


def validate(obj: Object, old: Object | None, *, subresource: str = "") -> list[Cause]:
    """What is wrong with a defaulted object; empty where nothing is.

    ``old`` is the stored object on an update, None on creation; ``subresource`` is what was written through
    (``status``, ``scale``, ``binding``, …), for which only that part is judged. The causes are in upstream's order and
    words.
    """
    validator = _BY_KIND.get(str(obj.get("kind")))
    return [] if validator is None else validator(obj, old, subresource)
