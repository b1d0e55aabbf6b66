"""What a container finds in its environment."""

import base64

import pytest

from podwalk.kubelet import env


def pod(**spec):
    metadata = {"name": "web-1", "namespace": "shop", "uid": "u-1", "labels": {"app": "web", "tier": 'a"b'}}
    status = {"podIP": "10.244.1.7", "podIPs": [{"ip": "10.244.1.7"}], "hostIP": "172.18.0.3"}
    return {"metadata": metadata, "spec": {"nodeName": "worker", **spec}, "status": status}


def build(container, *, sources=None, services=None):
    return env.build(
        pod(), container, sources=sources or {}, services=services or {}, allocatable={"cpu": "2", "memory": "1Gi"}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$(A)", "1"),
        ("x$(A)y$(A)", "x1y1"),
        ("$(MISSING)", "$(MISSING)"),
        ("$$(A)", "$(A)"),
        ("$A", "$A"),
        ("$(A", "$(A"),
        ("cost: 5$", "cost: 5$"),
        ("$$$(A)", "$1"),
    ],
)
def test_expansion(text, expected):
    assert env.expand(text, {"A": "1"}.get) == expected


def test_a_variable_sees_those_before_it_but_not_those_after():
    container = {
        "env": [
            {"name": "URL", "value": "http://$(HOST):$(PORT)"},
            {"name": "PORT", "value": "80"},
            {"name": "LATE", "value": "$(PORT)"},
        ]
    }
    found = build(container, services={"HOST": "10.96.0.5"})
    assert found["URL"] == "http://10.96.0.5:$(PORT)"
    assert found["LATE"] == "80"


def test_fields_of_the_pod():
    paths = ("metadata.name", "status.podIP", "status.hostIP", "spec.nodeName", "metadata.labels['app']")
    container = {"env": [{"name": str(i), "valueFrom": {"fieldRef": {"fieldPath": p}}} for i, p in enumerate(paths)]}
    assert [build(container)[str(i)] for i in range(5)] == ["web-1", "10.244.1.7", "172.18.0.3", "worker", "web"]


def test_labels_as_a_file_are_sorted_and_quoted():
    assert env.field_value(pod(), "metadata.labels") == 'app="web"\ntier="a\\"b"'


def test_limits_that_are_not_set_are_the_nodes():
    def one(resource, divisor="0", **resources):
        reference = {"resource": resource, "divisor": divisor}
        container = {"resources": resources, "env": [{"name": "V", "valueFrom": {"resourceFieldRef": reference}}]}
        return build(container)["V"]

    assert one("limits.cpu") == "2"
    assert one("limits.cpu", limits={"cpu": "250m"}) == "1"  # rounded up
    assert one("limits.cpu", "1m", limits={"cpu": "250m"}) == "250"
    assert one("limits.memory", "1Mi", limits={"memory": "64Mi"}) == "64"
    assert one("requests.memory") == "0"


def test_config_maps_and_secrets():
    sources = {
        ("ConfigMap", "cm"): {"kind": "ConfigMap", "metadata": {"namespace": "shop"}, "data": {"a": "1", "b": "2"}},
        ("Secret", "s"): {"kind": "Secret", "metadata": {}, "data": {"pw": base64.b64encode(b"x").decode()}},
    }
    container = {
        "envFrom": [{"prefix": "P_", "configMapRef": {"name": "cm"}}],
        "env": [
            {"name": "PW", "valueFrom": {"secretKeyRef": {"name": "s", "key": "pw"}}},
            {"name": "NO", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "k", "optional": True}}},
        ],
    }
    assert env.references(container) == {("ConfigMap", "cm"), ("Secret", "s"), ("ConfigMap", "none")}
    assert build(container, sources=sources) == {"P_a": "1", "P_b": "2", "PW": "x"}


@pytest.mark.parametrize(
    ("container", "message"),
    [
        ({"envFrom": [{"configMapRef": {"name": "gone"}}]}, 'configmap "gone" not found'),
        (
            {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "gone", "key": "k"}}}]},
            'secret "gone" not found',
        ),
        (
            {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}}]},
            "couldn't find key k in ConfigMap shop/cm",
        ),
    ],
)
def test_what_is_missing_is_named(container, message):
    sources = {("ConfigMap", "cm"): {"metadata": {"namespace": "shop"}, "data": {}}}
    with pytest.raises(env.ConfigError) as caught:
        build(container, sources=sources)
    assert str(caught.value) == message


def service(name, namespace="shop", ip="10.96.7.7", ports=()):
    return {"metadata": {"name": name, "namespace": namespace}, "spec": {"clusterIP": ip, "ports": list(ports)}}


def test_services_of_the_namespace_and_kubernetes_are_announced():
    services = [
        service("my-db", ports=[{"name": "sql", "port": 5432, "protocol": "TCP"}]),
        service("headless", ip="None", ports=[{"port": 1}]),
        service("other", namespace="else", ports=[{"port": 2}]),
        service("kubernetes", "default", "10.96.0.1", [{"name": "https", "port": 443, "protocol": "TCP"}]),
    ]
    found = env.service_environment(services, "shop", enable_links=True)
    assert found["MY_DB_SERVICE_HOST"] == "10.96.7.7"
    assert found["MY_DB_SERVICE_PORT"] == found["MY_DB_SERVICE_PORT_SQL"] == "5432"
    assert found["MY_DB_PORT_5432_TCP"] == "tcp://10.96.7.7:5432"
    assert found["MY_DB_PORT_5432_TCP_ADDR"] == "10.96.7.7"
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert found["KUBERNETES_SERVICE_PORT_HTTPS"] == "443"
    assert not any(name.startswith(("HEADLESS", "OTHER")) for name in found)


def test_without_links_only_kubernetes_is_announced():
    services = [service("web", ports=[{"port": 80}]), service("kubernetes", "default", ports=[{"port": 443}])]
    found = env.service_environment(services, "shop", enable_links=False)
    assert {name.split("_")[0] for name in found} == {"KUBERNETES"}
