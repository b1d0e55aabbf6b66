"""What is refused, at which field and in which words. One mistake a row."""

import copy

import pytest

from podwalk.api.errors import invalid
from podwalk.apiserver.strategy import default, validate

V1 = {
    "Pod": "v1", "Service": "v1", "ConfigMap": "v1", "Secret": "v1", "Namespace": "v1", "Node": "v1",
    "Deployment": "apps/v1", "DaemonSet": "apps/v1", "EndpointSlice": "discovery.k8s.io/v1",
    "Ingress": "networking.k8s.io/v1", "NetworkPolicy": "networking.k8s.io/v1", "Endpoints": "v1",
}  # fmt: skip


def make(kind, name="x", **rest):
    obj = {"apiVersion": V1[kind], "kind": kind, "metadata": {"name": name}, **copy.deepcopy(rest)}
    default(obj)
    return obj


def complaints(obj, old=None, subresource=""):
    return [(c["field"], c["message"]) for c in validate(obj, old, subresource=subresource)]


def container(**more):
    return {"name": "c", "image": "app:1", **more}


def pod(*containers, **spec):
    return make("Pod", spec={"containers": list(containers), **spec})


def service(*ports, **spec):
    return make("Service", spec={"ports": list(ports) or [{"port": 80}], **spec})


def policy(**spec):
    return make("NetworkPolicy", spec={"podSelector": {}, **spec})


def ingress(path="/", kind="Prefix", host="a.example", backend=None):
    backend = backend if backend is not None else {"service": {"name": "web", "port": {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}
    return make("Ingress", spec={"rules": [rule]})


def deployment(selector=None, labels=None, **spec):
    selector = {"matchLabels": {"app": "d"}} if selector is None else selector
    labels = {"app": "d"} if labels is None else labels
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container()]}}
    return make("Deployment", spec={"selector": selector, "template": template, **spec})


GOOD = [
    pod(container(ports=[{"containerPort": 80, "name": "http"}])),
    service(),
    service(clusterIP="None"),
    service({"name": "a", "port": 53, "protocol": "UDP"}, {"name": "b", "port": 53}),
    make("Service", spec={"type": "ExternalName", "externalName": "db.example."}),
    service(type="LoadBalancer", loadBalancerSourceRanges=["10.0.0.0/8"], externalTrafficPolicy="Local"),
    deployment(),
    ingress(host="*.example"),
    ingress(path="", kind="ImplementationSpecific"),
    policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}]}], egress=[{}]),
    policy(egress=[{"ports": [{"port": 30000, "endPort": 32767}, {"port": "dns"}]}]),
    make("EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["10.0.0.1"]}], ports=[{"port": 80}]),
    make("ConfigMap", data={"app.conf": "x"}),
    make("Namespace", "shop"),
    make("Node", spec={"podCIDR": "10.244.0.0/24", "taints": [{"key": "a", "effect": "NoSchedule"}]}),
]


@pytest.mark.parametrize("obj", GOOD, ids=lambda o: o["kind"])
def test_what_is_right_passes(obj):
    assert complaints(obj) == []


@pytest.mark.parametrize(
    ("obj", "field", "message"),
    [
        (service({"port": 0, "targetPort": 1}), "spec.ports[0].port", "Invalid value: 0: must be between 1 and 65535"),
        (service({"port": 80, "targetPort": "A"}), "spec.ports[0].targetPort", "contain at least one letter"),
        (service({"port": 80}, {"name": "b", "port": 81}), "spec.ports[0].name", "Required value"),
        (service({"port": 80, "protocol": "ICMP"}), "spec.ports[0].protocol", 'values: "SCTP", "TCP", "UDP"'),
        (service({"port": 80, "nodePort": 30080}), "spec.ports[0].nodePort", "when `type` is 'ClusterIP'"),
        (service(type="Headless"), "spec.type", 'Unsupported value: "Headless"'),
        (service(externalTrafficPolicy="Local"), "spec.externalTrafficPolicy", "externally-accessible services"),
        (service(externalIPs=["127.0.0.1"]), "spec.externalIPs[0]", "may not be in the loopback range"),
        (service(trafficDistribution="Near"), "spec.trafficDistribution", '"PreferClose", "PreferSameZone"'),
        (service(selector={"a b": "c"}), "spec.selector", 'Invalid value: "a b": name part must consist of'),
        (make("Service", spec={}), "spec.ports", "Required value"),
        (make("Service", "a.b", spec={"ports": [{"port": 80}]}), "metadata.name", "must not contain dots"),
        (make("Service", spec={"type": "ExternalName"}), "spec.externalName", "Required value"),
        (service(type="NodePort", clusterIP="None"), "spec.clusterIPs[0]", "may not be set to 'None' for NodePort"),
        (pod(), "spec.containers", "Required value"),
        (pod({"name": "C", "image": "a"}), "spec.containers[0].name", "lowercase RFC 1123 label"),
        (pod(container(), container()), "spec.containers[1].name", 'Duplicate value: "c"'),
        (pod({"name": "c"}), "spec.containers[0].image", "Required value"),
        (pod(container(ports=[{}])), "spec.containers[0].ports[0].containerPort", "Required value"),
        (pod(container(livenessProbe={})), "spec.containers[0].livenessProbe", "must specify a handler type"),
        (pod(container(env=[{"name": "a=b"}])), "spec.containers[0].env[0].name", "printable ASCII characters"),
        (
            pod(container(volumeMounts=[{"name": "v", "mountPath": "/v"}]), automountServiceAccountToken=False),
            "spec.containers[0].volumeMounts[0].name",
            'Not found: "v"',
        ),
        (
            pod(container(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
            "spec.containers[0].resources.requests",
            'Invalid value: "2": must be less than or equal to cpu limit of 1',
        ),
        (pod(container(), restartPolicy="Maybe"), "spec.restartPolicy", 'values: "Always", "OnFailure", "Never"'),
        (pod(container(), dnsPolicy="None"), "spec.dnsConfig", "must provide `dnsConfig`"),
        (deployment(selector={}), "spec.selector", "empty selector is invalid for deployment"),
        (deployment(labels={"app": "e"}), "spec.template.metadata.labels", "`selector` does not match template"),
        (deployment(replicas=-1), "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        (deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}), "spec.strategy.rollingUpdate",
         "may not be specified when strategy `type` is 'Recreate'"),
        (ingress(path="x"), "spec.rules[0].http.paths[0].path", "must be an absolute path"),
        (ingress(path="/a//b"), "spec.rules[0].http.paths[0].path", "must not contain '//'"),
        (ingress(kind=None), "spec.rules[0].http.paths[0].pathType", "pathType must be specified"),
        (ingress(host="10.0.0.1"), "spec.rules[0].host", "must be a DNS name, not an IP address"),
        (ingress(backend={}), "spec.rules[0].http.paths[0].backend", "resource or service backend is required"),
        (make("Ingress", spec={}), "spec", "either `defaultBackend` or `rules` must be specified"),
        (policy(policyTypes=["Both"]), "spec.policyTypes[0]", 'supported values: "Ingress", "Egress"'),
        (policy(ingress=[{"from": [{}]}]), "spec.ingress[0].from[0]", "must specify a peer"),
        (policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.5/24"}}]}]), "spec.ingress[0].from[0].ipBlock.cidr",
         "must not have bits set beyond the prefix length"),
        (policy(egress=[{"to": [{"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.0/24"]}}]}]),
         "spec.egress[0].to[0].ipBlock.except[0]", "must be a strict subset of `cidr`"),
        (policy(ingress=[{"ports": [{"endPort": 10}]}]), "spec.ingress[0].ports[0].endPort", "is not specified"),
        (make("EndpointSlice", addressType="IPv4", endpoints=[{"addresses": []}]), "endpoints[0].addresses",
         "must contain at least 1 address"),
        (make("EndpointSlice", addressType="IPv4", endpoints=[{"addresses": ["::1"]}]), "endpoints[0].addresses[0]",
         "must be an IPv4 address"),
        (make("EndpointSlice", addressType="DNS"), "addressType", 'supported values: "FQDN", "IPv4", "IPv6"'),
        (make("ConfigMap", data={"a b": ""}), "data[a b]", "a valid config key must consist of"),
        (make("Secret", type="kubernetes.io/tls", data={"tls.crt": "eA=="}), "data[tls.key]", "Required value"),
        (make("Namespace", "Shop"), "metadata.name", "lowercase RFC 1123 label"),
        (make("Node", spec={"podCIDR": "x"}), "spec.podCIDRs[0]", "must be a valid CIDR value"),
        (make("Node", spec={"taints": [{"key": "a", "effect": "Never"}]}), "spec.taints[0].effect", '"NoSchedule"'),
    ],
)  # fmt: skip
def test_one_mistake_is_named_once(obj, field, message):
    found = [(f, m) for f, m in complaints(obj) if f == field and message in m]
    assert len(found) == 1, complaints(obj)
    assert {f for f, _ in complaints(obj)} == {field}


def test_a_port_out_of_range_is_told_for_the_target_that_copied_it_too():
    assert [f for f, _ in complaints(service({"port": 70000}))] == ["spec.ports[0].port", "spec.ports[0].targetPort"]


def test_the_whole_message_reads_as_kubernetes_prints_it():
    obj = deployment(replicas=-1)
    error = invalid("Deployment", "x", validate(obj, None), "apps")
    assert error.message == (
        'Deployment.apps "x" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0'
    )


def changed(obj, **spec):
    new = copy.deepcopy(obj)
    new["metadata"]["resourceVersion"] = "2"
    new["spec"].update(spec)
    return new


def test_a_selector_may_not_change():
    old = deployment()
    new = deployment(selector={"matchLabels": {"app": "e"}}, labels={"app": "e"})
    assert complaints(new, old) == [
        ("spec.selector", 'Invalid value: {"matchLabels":{"app":"e"}}: field is immutable'),
    ]


def test_a_running_pod_takes_a_new_image_and_nothing_else():
    old = pod(container())
    assert complaints(changed(old, containers=[{**old["spec"]["containers"][0], "image": "app:2"}]), old) == []
    assert complaints(changed(old, activeDeadlineSeconds=60), old) == []
    more = [*old["spec"]["tolerations"], {"operator": "Exists"}]
    assert complaints(changed(old, tolerations=more), old) == []
    (found,) = complaints(changed(old, hostNetwork=True), old)
    assert found[0] == "spec"
    assert found[1].startswith("Forbidden: pod updates may not change fields other than `spec.containers[*].image`")
    assert complaints(changed(old, tolerations=[]), old) == [
        ("spec.tolerations", "Forbidden: existing toleration can not be modified except its tolerationSeconds"),
    ]


def test_the_refusal_of_a_pod_update_shows_what_differs_as_the_server_holds_it():
    old = pod(container())
    (found,) = complaints(changed(old, dnsPolicy="Default", hostname="h"), old)
    shown = found[1].partition("\n")[2].splitlines()
    assert [line for line in shown if line[0] in "+-"] == [
        '- "DNSPolicy": "ClusterFirst",', '+ "DNSPolicy": "Default",', '- "Hostname": "",', '+ "Hostname": "h",',
    ]  # fmt: skip
    assert shown[0].startswith("@@ -")


def test_status_and_binding_of_a_pod_are_not_judged_by_its_spec():
    old = pod(container())
    assert complaints(changed(old, nodeName="n"), old, "binding") == []
    assert complaints(changed(old, hostNetwork=True), old, "status") == []


def test_a_service_may_become_external_name_as_it_is_stored():
    old = service(clusterIP="10.96.0.5", clusterIPs=["10.96.0.5"], ipFamilies=["IPv4"], ipFamilyPolicy="SingleStack")
    assert complaints(changed(old, type="ExternalName", externalName="a.example"), old) == []


def test_a_service_may_not_change_its_address_even_if_only_one_field_says_so():
    old = service(clusterIP="10.96.0.5", clusterIPs=["10.96.0.5"])
    message = 'Invalid value: ["10.96.0.6"]: may not change once set'
    assert complaints(changed(old, clusterIP="10.96.0.6"), old) == [("spec.clusterIPs[0]", message)]


def test_an_immutable_config_map_keeps_its_data():
    old = make("ConfigMap", data={"a": "1"}, immutable=True)
    new = make("ConfigMap", data={"a": "2"}, immutable=True)
    assert complaints(new, old) == [("data", "Forbidden: field is immutable when `immutable` is set")]


def test_a_node_keeps_its_pod_range():
    old, new = make("Node", spec={"podCIDR": "10.244.0.0/24"}), make("Node", spec={"podCIDR": "10.244.1.0/24"})
    assert [f for f, _ in complaints(new, old)] == ["spec.podCIDRs"]
    assert complaints(new, make("Node")) == []


def test_labels_annotations_and_finalizers_of_any_kind():
    obj = make("ConfigMap")
    obj["metadata"] |= {"labels": {"a b": "c d"}, "annotations": {"x/y/z": ""}, "finalizers": ["mine"]}
    assert [f for f, _ in complaints(obj)] == [
        "metadata.labels",
        "metadata.labels",
        "metadata.annotations",
        "metadata.finalizers[0]",
    ]


ODD = [None, 7, "x", [], {}, [None], [7], {"a": None}]


@pytest.mark.parametrize("kind", sorted(V1))
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_odd_shapes_never_crash_validation(kind, odd):
    obj = {"apiVersion": V1[kind], "kind": kind, "metadata": {"name": "x", "labels": odd, "finalizers": odd}}
    for field in ("spec", "data", "endpoints", "ports", "subsets", "addressType"):
        obj[field] = odd
    assert isinstance(validate(obj, None), list)
    nested = make(kind)
    names = (
        "ports", "selector", "containers", "volumes", "template", "ingress", "egress", "rules", "tls", "taints",
        "externalIPs", "tolerations", "policyTypes", "clusterIPs", "ipFamilies", "podCIDRs", "sessionAffinityConfig",
    )  # fmt: skip
    nested["spec"] = {**(nested.get("spec") or {}), **dict.fromkeys(names, odd)}
    assert isinstance(validate(nested, None), list)
