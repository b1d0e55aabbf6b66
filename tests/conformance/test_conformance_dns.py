"""test/e2e/network/dns.go: probes in two images write what they resolved, and the Pod's web server tells it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from e2e_framework import AGNHOST, DNSUTILS, Body, Namespace, agnhost_pod, container, eventually, pod_of, service_of
from kubernetes.client.exceptions import ApiException

_HOST, _SERVICE = "dns-querier-1", "dns-test-service"
_MOUNT = [{"name": "results", "mountPath": "/results"}]


def _lookups(names: list[str], hosts: list[str], pointer: str, prefix: str) -> tuple[str, list[str]]:
    """(a shell loop that writes a file for each lookup that works, those files)."""
    parts: list[str] = []
    files: list[str] = []

    def lookup(question: str, name: str) -> None:
        for transport, option in (("udp", "+notcp"), ("tcp", "+tcp")):
            file = f"{prefix}_{transport}@{name}"
            # $$( is how a manifest writes $( without the kubelet looking for a variable.
            ask = f"dig {option} +noall +answer +search {question}"
            parts.append(f'check="$$({ask})" && test -n "$$check" && echo OK > /results/{file};')
            files.append(file)

    for name in names:
        lookup(f"{name} {'SRV' if name.startswith('_') else 'A'}", name)
    for host in hosts:
        files.append(f"{prefix}_hosts@{host}")
        parts.append(f'test -n "$$(getent hosts {host})" && echo OK > /results/{files[-1]};')
    if pointer:
        lookup(f"{'.'.join(reversed(pointer.split('.')))}.in-addr.arpa. PTR", "PTR")
    return f"for i in `seq 1 600`; do {''.join(parts)}sleep 0.2; done", files


def _querier(name: str, image: str, script: str) -> Body:
    return {"name": name, "image": image, "command": ["sh", "-c", script], "volumeMounts": _MOUNT}


def _probe_pod(name: str, probe: Callable[[str], tuple[str, list[str]]], **spec: Any) -> tuple[Body, list[str]]:
    """A Pod of a web server over /results and a querier in each of the two images."""
    server = container("webserver", "test-webserver", volumeMounts=_MOUNT)
    agnhost, agnhost_files = probe("agnhost")
    jessie, jessie_files = probe("jessie")
    queriers = [_querier("querier", AGNHOST, agnhost), _querier("jessie-querier", DNSUTILS, jessie)]
    spec = {"hostname": _HOST, "subdomain": _SERVICE, "volumes": [{"name": "results", "emptyDir": {}}], **spec}
    return pod_of(name, server, *queriers, **spec), agnhost_files + jessie_files


def _result(ns: Namespace, pod: str, file: str) -> str | None:
    try:
        return str(ns.core.connect_get_namespaced_pod_proxy_with_path(pod, ns.name, f"results/{file}")).strip()
    except ApiException:
        return None


def _expect(
    ns: Namespace, name: str, probe: Callable[[str], tuple[str, list[str]]], expected: str = "OK", **more: Any
) -> None:
    labels = more.pop("labels", {})
    body, files = _probe_pod(name, probe, **more)
    body["metadata"]["labels"] = labels
    ns.pod(body)
    for file in files:
        eventually(lambda file=file: _result(ns, name, file), lambda found: found == expected, file)
    ns.core.delete_namespaced_pod(name, ns.name, grace_period_seconds=0)


def _resolves(ns: Namespace, names: list[str], hosts: list[str] = [], pointer: str = "", **more: Any) -> None:  # noqa: B006
    _expect(ns, "dns-test", functools.partial(_lookups, names, hosts, pointer), **more)


def _two_services(ns: Namespace) -> tuple[dict[str, str], Any]:
    labels = {"dns-test": "true"}
    port = {"port": 80, "name": "http", "protocol": "TCP"}
    ns.service(service_of(_SERVICE, port, selector=labels, clusterIP="None"))
    return labels, ns.service(service_of("test-service-2", port, selector=labels))


def test_dns_for_the_cluster(ns: Namespace) -> None:
    """[sig-network] DNS should provide DNS for the cluster [Conformance]"""
    _resolves(ns, ["kubernetes.default.svc.cluster.local"])


def test_partial_names_of_the_cluster(ns: Namespace) -> None:
    """[sig-network] DNS should resolve DNS of partial qualified names for the cluster [LinuxOnly]"""
    own = [f"{_HOST}.{_SERVICE}.{ns.name}.svc.cluster.local", _HOST]
    _resolves(ns, ["kubernetes.default", "kubernetes.default.svc"], own)


def test_hosts_file_entries(ns: Namespace) -> None:
    """[sig-network] DNS should provide /etc/hosts entries for the cluster [Conformance]"""
    _resolves(ns, [], [f"{_HOST}.{_SERVICE}.{ns.name}.svc.cluster.local", _HOST])


def test_dns_for_services(ns: Namespace) -> None:
    """[sig-network] DNS should provide DNS for services [Conformance]"""
    labels, regular = _two_services(ns)
    zone = f"{ns.name}.svc.cluster.local"
    names = [f"{_SERVICE}.{zone}", f"_http._tcp.{_SERVICE}.{zone}", f"_http._tcp.test-service-2.{zone}"]
    _resolves(ns, names, pointer=regular.spec.cluster_ip, labels=labels)


def test_partial_names_of_services(ns: Namespace) -> None:
    """[sig-network] DNS should resolve DNS of partial qualified names for services [LinuxOnly] [Conformance]"""
    labels, regular = _two_services(ns)
    headless = f"{_SERVICE}.{ns.name}"
    names = [
        _SERVICE,
        headless,
        f"{headless}.svc",
        f"_http._tcp.{headless}.svc",
        f"_http._tcp.test-service-2.{ns.name}.svc",
    ]
    _resolves(ns, names, pointer=regular.spec.cluster_ip, labels=labels)


def _headless_for_a_pod(ns: Namespace) -> tuple[dict[str, str], dict[str, Any], str]:
    labels = {"dns-test-hostname-attribute": "true"}
    ns.service(service_of("dns-test-service-2", {"port": 80, "name": "http"}, selector=labels, clusterIP="None"))
    spec = {"labels": labels, "hostname": "dns-querier-2", "subdomain": "dns-test-service-2"}
    return labels, spec, f"dns-test-service-2.{ns.name}.svc.cluster.local"


def test_dns_for_a_pods_hostname(ns: Namespace) -> None:
    """[sig-network] DNS should provide DNS for pods for Hostname [Conformance]"""
    _, spec, zone = _headless_for_a_pod(ns)
    _resolves(ns, [], [f"dns-querier-2.{zone}", "dns-querier-2"], **spec)


def test_dns_for_a_pods_subdomain(ns: Namespace) -> None:
    """[sig-network] DNS should provide DNS for pods for Subdomain [Conformance]"""
    _, spec, zone = _headless_for_a_pod(ns)
    _resolves(ns, [f"dns-querier-2.{zone}", zone], **spec)


def test_dns_for_external_names(ns: Namespace) -> None:
    """[sig-network] DNS should provide DNS for ExternalName services [Conformance]"""
    name = "dns-test-service-3"
    ns.service({"metadata": {"name": name}, "spec": {"type": "ExternalName", "externalName": "foo.example.com"}})

    def targeted(kind: str, prefix: str) -> tuple[str, list[str]]:
        question, file = f"{name}.{ns.name}.svc.cluster.local", f"{prefix}_udp@{name}"
        return f"for i in `seq 1 300`; do dig +short {question} {kind} > /results/{file}; sleep 0.2; done", [file]

    def rename(service: Any) -> None:
        service.spec.external_name = "bar.example.com"

    def become_cluster_ip(service: Any) -> None:
        service.spec.type = "ClusterIP"
        service.spec.ports = [{"port": 80, "name": "http", "protocol": "TCP"}]

    _expect(ns, "dns-test-1", functools.partial(targeted, "CNAME"), "foo.example.com.")
    ns.update_service(name, rename)
    _expect(ns, "dns-test-2", functools.partial(targeted, "CNAME"), "bar.example.com.")
    service = ns.update_service(name, become_cluster_ip)
    assert service.spec.cluster_ip.startswith("10.96.")
    _expect(ns, "dns-test-3", functools.partial(targeted, "A"), service.spec.cluster_ip)


def test_dns_config_of_a_pod(ns: Namespace) -> None:
    """[sig-network] DNS should support configurable pod DNS nameservers [Conformance]"""
    dns = {"nameservers": ["1.1.1.1"], "searches": ["resolv.conf.local"]}
    ns.pod(agnhost_pod("test-dns-nameservers", dnsPolicy="None", dnsConfig=dns))
    for argument, expected in (("dns-suffix", "resolv.conf.local"), ("dns-server-list", "1.1.1.1")):
        done = ns.exec("test-dns-nameservers", "/agnhost", argument, container="agnhost-container")
        assert (done.returncode, done.stdout.strip()) == (0, expected)
