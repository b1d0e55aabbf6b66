"""What the server fills in: the parts that kubectl describe, the controllers and the kubelet rely on."""

import copy

import pytest

from podwalk.apiserver.strategy import default


def pod(**spec):
    spec.setdefault("containers", [{"name": "c", "image": "app:1"}])
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def service(**spec):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}


def defaulted(obj):
    default(obj)
    return obj


def test_a_new_pod_is_admitted_with_token_tolerations_and_status():
    obj = defaulted(pod())
    spec = obj["spec"]
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    (volume,) = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert spec["containers"][0]["volumeMounts"][0]["name"] == volume["name"]
    assert [t["tolerationSeconds"] for t in spec["tolerations"]] == [300, 300]
    assert obj["status"] == {"phase": "Pending", "qosClass": "BestEffort"}


def test_defaulting_again_changes_nothing():
    obj = defaulted(pod(containers=[{"name": "c", "image": "app", "readinessProbe": {"httpGet": {"port": 80}}}]))
    obj["metadata"]["resourceVersion"] = "7"
    before = copy.deepcopy(obj)
    default(obj)
    assert obj == before


def test_a_static_pod_has_no_identity():
    obj = pod()
    obj["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "0123"}
    default(obj)
    assert not {"serviceAccountName", "serviceAccount", "volumes"} & set(obj["spec"])


def test_a_pod_without_automount_has_no_token():
    obj = defaulted(pod(automountServiceAccountToken=False))
    assert "volumes" not in obj["spec"]
    assert "volumeMounts" not in obj["spec"]["containers"][0]


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:2", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
    ],
)
def test_the_pull_policy_follows_the_tag(image, policy):
    obj = defaulted(pod(containers=[{"name": "c", "image": image}]))
    assert obj["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_host_network_copies_container_ports_to_the_host():
    container = {"name": "c", "image": "a:1", "ports": [{"containerPort": 8080}]}
    obj = defaulted(pod(hostNetwork=True, containers=[container]))
    assert obj["spec"]["containers"][0]["ports"] == [{"containerPort": 8080, "protocol": "TCP", "hostPort": 8080}]


def test_limits_become_requests_and_make_a_pod_guaranteed():
    resources = {"limits": {"cpu": "0.5", "memory": "1024Mi"}}
    obj = defaulted(pod(containers=[{"name": "c", "image": "a:1", "resources": resources}]))
    assert obj["spec"]["containers"][0]["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}
    assert obj["status"]["qosClass"] == "Guaranteed"


def test_a_probe_gets_its_timing():
    obj = defaulted(pod(containers=[{"name": "c", "image": "a:1", "livenessProbe": {"httpGet": {"port": 80}}}]))
    probe = obj["spec"]["containers"][0]["livenessProbe"]
    assert probe["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert [probe[f] for f in ("timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")] == [
        1,
        10,
        1,
        3,
    ]


def test_a_service_port_without_target_points_at_itself():
    obj = defaulted(service(ports=[{"port": 80}, {"port": 81, "targetPort": "web"}]))
    assert [p["targetPort"] for p in obj["spec"]["ports"]] == [80, "web"]
    assert obj["spec"]["type"] == "ClusterIP"
    assert obj["spec"]["internalTrafficPolicy"] == "Cluster"
    assert "externalTrafficPolicy" not in obj["spec"]
    assert obj["status"] == {"loadBalancer": {}}


def test_only_published_services_have_an_external_traffic_policy():
    assert defaulted(service(type="NodePort"))["spec"]["externalTrafficPolicy"] == "Cluster"
    assert defaulted(service(externalIPs=["192.0.2.1"]))["spec"]["externalTrafficPolicy"] == "Cluster"
    external = defaulted(service(type="ExternalName", externalName="a.example"))["spec"]
    assert not {"externalTrafficPolicy", "internalTrafficPolicy"} & set(external)


def test_client_ip_affinity_lasts_three_hours():
    spec = defaulted(service(sessionAffinity="ClientIP"))["spec"]
    assert spec["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}


def test_a_load_balancer_address_is_a_vip():
    obj = service(type="LoadBalancer")
    obj["status"] = {"loadBalancer": {"ingress": [{"ip": "203.0.113.1"}, {"hostname": "lb.example"}]}}
    points = defaulted(obj)["status"]["loadBalancer"]["ingress"]
    assert points == [{"ip": "203.0.113.1", "ipMode": "VIP"}, {"hostname": "lb.example"}]


def test_a_deployment_is_complete_enough_for_describe():
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "a:1"}]}}
    obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {"template": template}}
    spec = defaulted(obj)["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}}
    assert spec["template"]["spec"]["dnsPolicy"] == "ClusterFirst"
    assert "volumes" not in spec["template"]["spec"], "a template is not admitted, only its Pods are"
    assert "enableServiceLinks" not in spec["template"]["spec"]


def test_zero_replicas_stay_zero():
    obj = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {}, "spec": {"replicas": 0}}
    assert defaulted(obj)["spec"]["replicas"] == 0


def test_a_policy_without_types_restricts_egress_only_if_it_has_egress_rules():
    base = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"}}
    assert defaulted({**base, "spec": {}})["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    with_egress = defaulted({**base, "spec": {"egress": [{"ports": [{"port": 53}]}]}})["spec"]
    assert with_egress["policyTypes"] == ["Ingress", "Egress"]
    assert with_egress["egress"][0]["ports"] == [{"port": 53, "protocol": "TCP"}]


def test_string_data_of_a_secret_is_encoded_and_gone():
    obj = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}}
    assert defaulted(obj)["data"] == {"k": "dg=="}
    assert "stringData" not in obj
    assert obj["type"] == "Opaque"


def test_an_endpoint_always_has_conditions_and_its_port_a_name():
    obj = {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": {"name": "e"}}
    obj |= {"endpoints": [{"addresses": ["10.0.0.1"]}], "ports": [{"port": 80}]}
    default(obj)
    assert obj["endpoints"][0]["conditions"] == {}
    assert obj["ports"] == [{"port": 80, "name": "", "protocol": "TCP"}]


def test_a_namespace_is_active_labelled_and_held_by_its_finalizer():
    obj = defaulted({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})
    assert obj["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert obj["spec"]["finalizers"] == ["kubernetes"]
    assert obj["status"]["phase"] == "Active"
    obj["metadata"]["resourceVersion"] = "2"
    obj["spec"]["finalizers"] = []
    assert defaulted(obj)["spec"]["finalizers"] == [], "a finalized namespace must not be held again"


def test_an_unknown_kind_is_left_alone():
    obj = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}, "spec": {}}
    assert defaulted(copy.deepcopy(obj)) == obj
