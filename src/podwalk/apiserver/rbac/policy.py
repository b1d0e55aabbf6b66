"""The roles and the bindings that every cluster begins with.

Upstream: plugin/pkg/auth/authorizer/rbac/bootstrappolicy/policy.go, and those that kubeadm adds. Left out are the roles
of components that do not exist here (the cloud's, the storage's) and of the single controllers.
"""

from __future__ import annotations

from podwalk.api import meta, resources
from podwalk.api.meta import Object
from podwalk.apiserver.rbac.authorizer import GROUP
from podwalk.apiserver.store import Store

READ = "get list watch"
WRITE = "create delete deletecollection patch update"
READ_WRITE = "create delete deletecollection get list patch update watch"
_AGGREGATE = f"{GROUP}/aggregate-to-"
_LABELS = {"kubernetes.io/bootstrapping": "rbac-defaults"}
_ANNOTATIONS = {f"{GROUP}/autoupdate": "true"}
_HEALTH = "/healthz /livez /readyz /version /version/"
_DISCOVERY = "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/"
_MONITORING = "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"
_POD_ACCESS = "pods/attach pods/exec pods/portforward pods/proxy"
_APPS = (
    "daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale statefulsets "
    "statefulsets/scale"
)
_APPS_READ = (
    "controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets "
    "replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status"
)
_NODE_CORE = (
    ("create delete get list watch patch update", "nodes"),
    ("patch update", "nodes/status"),
    ("create patch update", "events"),
    (READ, "pods"),
    ("create delete", "pods"),
    ("patch update", "pods/status"),
    ("create", "pods/eviction"),
    (READ, "configmaps secrets"),
    ("get", "persistentvolumeclaims persistentvolumes"),
    ("get", "endpoints"),
    (READ, "services"),
    ("create", "serviceaccounts/token"),
)


def rule(verbs: str, group: str, names: str) -> Object:
    """A rule; every argument is a list of words, but the one API group (``core`` for the nameless one)."""
    return {"verbs": verbs.split(), "apiGroups": ["" if group == "core" else group], "resources": names.split()}


def urls(verbs: str, names: str) -> Object:
    """A rule for URLs that are no resources."""
    return {"verbs": verbs.split(), "nonResourceURLs": names.split()}


def _edit() -> list[Object]:
    core = (
        "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets "
        "serviceaccounts services services/proxy"
    )
    return [
        rule(READ, "core", f"{_POD_ACCESS} secrets services/proxy"),
        rule("impersonate", "core", "serviceaccounts"),
        rule(WRITE, "core", f"pods {_POD_ACCESS}"),
        rule("create", "core", "pods/eviction"),
        rule(WRITE, "core", core),
        rule("create", "core", "serviceaccounts/token"),
        rule(WRITE, "apps", _APPS),
        rule(WRITE, "autoscaling", "horizontalpodautoscalers"),
        rule(WRITE, "batch", "cronjobs jobs"),
        rule(WRITE, "policy", "poddisruptionbudgets"),
        rule(WRITE, "networking.k8s.io", "ingresses networkpolicies"),
        rule(READ_WRITE, "coordination.k8s.io", "leases"),
    ]


def _view() -> list[Object]:
    core = (
        "configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers "
        "replicationcontrollers/scale serviceaccounts services services/status"
    )
    more = (
        "bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status "
        "resourcequotas resourcequotas/status"
    )
    return [
        rule(READ, "core", core),
        rule(READ, "core", more),
        rule(READ, "core", "namespaces"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
        rule(READ, "apps", _APPS_READ),
        rule(READ, "autoscaling", "horizontalpodautoscalers horizontalpodautoscalers/status"),
        rule(READ, "batch", "cronjobs cronjobs/status jobs jobs/status"),
        rule(READ, "policy", "poddisruptionbudgets poddisruptionbudgets/status"),
        rule(READ, "networking.k8s.io", "ingresses ingresses/status networkpolicies"),
    ]


def _node() -> list[Object]:
    return [
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "localsubjectaccessreviews subjectaccessreviews"),
        *(rule(verbs, "core", names) for verbs, names in _NODE_CORE),
        rule("create delete get patch update", "coordination.k8s.io", "leases"),
        rule(READ, "node.k8s.io", "runtimeclasses"),
        rule(READ, "discovery.k8s.io", "endpointslices"),
    ]


def _proxier() -> list[Object]:
    return [
        rule("list watch", "core", "endpoints services"),
        rule(READ, "core", "nodes"),
        rule("create patch update", "core", "events"),
        rule("create patch update", "events.k8s.io", "events"),
        rule("list watch", "discovery.k8s.io", "endpointslices"),
        rule("list watch", "networking.k8s.io", "servicecidrs"),
    ]


def _scheduler() -> list[Object]:
    return [
        rule("create patch update", "core", "events"),
        rule("create", "coordination.k8s.io", "leases"),
        rule(READ, "core", "nodes"),
        rule("delete get list watch", "core", "pods"),
        rule("create", "core", "bindings pods/binding"),
        rule("patch update", "core", "pods/status"),
        rule(READ, "core", "replicationcontrollers services"),
        rule(READ, "apps", "replicasets statefulsets"),
        rule(READ, "policy", "poddisruptionbudgets"),
        rule(READ, "core", "namespaces"),
    ]


def _controller_manager() -> list[Object]:
    return [
        rule("create patch update", "core", "events"),
        rule("create", "coordination.k8s.io", "leases"),
        rule("create", "core", "secrets serviceaccounts"),
        rule("delete", "core", "secrets"),
        rule("get", "core", "configmaps namespaces secrets serviceaccounts"),
        rule("update", "core", "secrets serviceaccounts"),
        rule("create", "authentication.k8s.io", "tokenreviews"),
        rule("create", "authorization.k8s.io", "subjectaccessreviews"),
        rule("list watch", "*", "*"),
        rule("create", "core", "serviceaccounts/token"),
    ]


def _everything() -> list[Object]:
    return [rule("*", "*", "*"), urls("*", "*")]


def _kubelet_api() -> list[Object]:
    return [
        rule(READ, "core", "nodes"),
        rule("proxy", "core", "nodes"),
        rule(
            "*",
            "core",
            "nodes/checkpoint nodes/configz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/proxy nodes/stats",
        ),
    ]


def cluster_roles() -> dict[str, list[Object]]:
    """name -> rules, without the aggregated ones."""
    review = "subjectaccessreviews"
    return {
        "cluster-admin": _everything(),
        "system:discovery": [urls("get", _DISCOVERY)],
        "system:monitoring": [urls("get", _MONITORING)],
        "system:basic-user": [
            rule("create", "authorization.k8s.io", "selfsubjectaccessreviews selfsubjectrulesreviews"),
            rule("create", "authentication.k8s.io", "selfsubjectreviews"),
        ],
        "system:public-info-viewer": [urls("get", _HEALTH)],
        "system:service-account-issuer-discovery": [
            urls("get", "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks "
                 "/openid/v1/jwks/")
        ],
        "system:aggregate-to-admin": [
            rule("create", "authorization.k8s.io", "localsubjectaccessreviews"),
            rule(READ_WRITE, GROUP, "rolebindings roles"),
        ],
        "system:aggregate-to-edit": _edit(),
        "system:aggregate-to-view": _view(),
        "system:auth-delegator": [
            rule("create", "authentication.k8s.io", "tokenreviews"),
            rule("create", "authorization.k8s.io", review),
        ],
        "system:kube-controller-manager": _controller_manager(),
        "system:kube-dns": [rule("list watch", "core", "endpoints services")],
        "system:kube-scheduler": _scheduler(),
        "system:kubelet-api-admin": _kubelet_api(),
        "system:node": _node(),
        "system:node-proxier": _proxier(),
        "kubeadm:get-nodes": [rule("get", "core", "nodes")],
    }  # fmt: skip


def _aggregation(to: str) -> Object:
    return {"clusterRoleSelectors": [{"matchLabels": {f"{_AGGREGATE}{to}": "true"}}]}


_LABELLED = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
}
_BINDINGS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    ("cluster-admin", "cluster-admin", (("Group", "system:masters"),)),
    ("kubeadm:cluster-admins", "cluster-admin", (("Group", "kubeadm:cluster-admins"),)),
    ("kubeadm:get-nodes", "kubeadm:get-nodes", (("Group", "system:bootstrappers:kubeadm:default-node-token"),)),
    ("kubeadm:node-proxier", "system:node-proxier", (("ServiceAccount", "kube-proxy"),)),
    ("system:monitoring", "system:monitoring", (("Group", "system:monitoring"),)),
    ("system:discovery", "system:discovery", (("Group", "system:authenticated"),)),
    ("system:basic-user", "system:basic-user", (("Group", "system:authenticated"),)),
    (
        "system:public-info-viewer",
        "system:public-info-viewer",
        (("Group", "system:authenticated"), ("Group", "system:unauthenticated")),
    ),
    ("system:node-proxier", "system:node-proxier", (("User", "system:kube-proxy"),)),
    ("system:kube-controller-manager", "system:kube-controller-manager", (("User", "system:kube-controller-manager"),)),
    ("system:kube-dns", "system:kube-dns", (("ServiceAccount", "kube-dns"),)),
    ("system:kube-scheduler", "system:kube-scheduler", (("User", "system:kube-scheduler"),)),
    (
        "system:service-account-issuer-discovery",
        "system:service-account-issuer-discovery",
        (("Group", "system:serviceaccounts"),),
    ),
)


def objects() -> list[Object]:
    """All the roles and bindings of a new cluster."""
    made = [_object("ClusterRole", name, {"rules": rules}) for name, rules in cluster_roles().items()]
    for name in ("admin", "edit", "view"):
        made.append(_object("ClusterRole", name, {"aggregationRule": _aggregation(name), "rules": []}))
    for role in made:
        if (to := _LABELLED.get(meta.name(role))) is not None:
            role["metadata"]["labels"][f"{_AGGREGATE}{to}"] = "true"
    for name, role_name, subjects in _BINDINGS:
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": role_name}
        made.append(
            _object("ClusterRoleBinding", name, {"subjects": [_subject(*s) for s in subjects], "roleRef": reference})
        )
    return made


def _subject(kind: str, name: str) -> Object:
    if kind == "ServiceAccount":
        return {"kind": kind, "name": name, "namespace": "kube-system"}
    return {"kind": kind, "apiGroup": GROUP, "name": name}


def _object(kind: str, name: str, body: Object) -> Object:
    metadata: Object = {"name": name}
    if not name.startswith("kubeadm:"):
        metadata |= {"labels": dict(_LABELS), "annotations": dict(_ANNOTATIONS)}
    return {"kind": kind, "apiVersion": f"{GROUP}/v1", "metadata": metadata, **body}


def install(store: Store) -> None:
    """Put them into an empty store."""
    for obj in objects():
        obj["metadata"] = {
            "name": meta.name(obj),
            "uid": meta.new_uid(),
            "creationTimestamp": meta.now(),
            **{k: v for k, v in obj["metadata"].items() if k != "name"},
        }
        store.put(resources.of(obj), obj)
