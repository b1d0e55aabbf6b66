"""Specs of test/e2e/network/dns.go, endpointslicemirroring.go and kube_proxy.go that are not conformance"""

from __future__ import annotations

from typing import Any

from e2e_framework import Namespace, agnhost_pod, container, eventually, pod_of, service_of

_NAMES = ("kubernetes.default", "kubernetes.default.svc")


def _resolves(ns: Namespace, pod: str, name: str, kind: str = "A") -> None:
    eventually(lambda: ns.host_command(pod, f"dig +noall +answer +search {name} {kind}").stdout, what=name)


def test_dns_of_a_server_of_ones_own(ns: Namespace) -> None:
    """[sig-network] DNS should support configurable pod resolv.conf"""
    corefile = ". {\n\thosts {\n\t\t1.1.1.1 notexistname.resolv.conf.local\n\t}\n\tlog\n}"
    config = {"metadata": {"generateName": "e2e-coredns-configmap-"}, "data": {"Corefile": corefile}}
    name = ns.core.create_namespaced_config_map(ns.name, config).metadata.name
    mount = {"name": "coredns-config", "mountPath": "/etc/coredns", "readOnly": True}
    server = container(
        "agnhost-container", "-conf", "/etc/coredns/Corefile", command=["/coredns"], volumeMounts=[mount]
    )
    volume = {"name": "coredns-config", "configMap": {"name": name}}
    ns.pod(pod_of("e2e-configmap-dns-server", server, volumes=[volume], dnsPolicy="Default"), ready=False)
    address = ns.running("e2e-configmap-dns-server").status.pod_ip
    dns = {
        "nameservers": [address],
        "searches": ["resolv.conf.local"],
        "options": [{"name": "ndots", "value": "2"}],
    }
    ns.pod(agnhost_pod("e2e-dns-utils", dnsPolicy="None", dnsConfig=dns))
    assert "ndots:2" in ns.exec("e2e-dns-utils", "cat", "/etc/resolv.conf").stdout
    ask = ("dig", "+short", "+search", "notexistname")
    eventually(lambda: ns.exec("e2e-dns-utils", *ask).stdout.strip(), lambda answer: answer == "1.1.1.1", "the name")


def test_long_search_lists(ns: Namespace) -> None:
    """[sig-network] DNS should work with the pod containing more than 6 DNS search paths and longer than 256 search list characters"""  # noqa: E501
    searches = [f"{number:038d}.k8s.io" for number in range(1, 7)]
    dns = {"searches": searches, "options": [{"name": "ndots", "value": "5"}]}
    ns.pod(agnhost_pod("dns-test", dnsConfig=dns))
    (line,) = [
        found
        for found in ns.exec("dns-test", "cat", "/etc/resolv.conf").stdout.splitlines()
        if found.startswith("search ")
    ]
    assert line.split()[1:] == [f"{ns.name}.svc.cluster.local", "svc.cluster.local", "cluster.local", *searches]
    for name in _NAMES:
        _resolves(ns, "dns-test", name)


def test_odd_search_paths(ns: Namespace) -> None:
    """[sig-network] DNS should work with a search path containing an underscore and a search path with a single dot"""
    ns.pod(agnhost_pod("dns-test", dnsConfig={"searches": [".", "_sip._tcp.abc_d.example.com"]}))
    for name in _NAMES:
        _resolves(ns, "dns-test", name)


def test_dns_on_the_host_network(ns: Namespace) -> None:
    """[sig-network] DNS HostNetwork should resolve DNS of partial qualified names for services on hostNetwork pods with dnsPolicy: ClusterFirstWithHostNet [LinuxOnly]"""  # noqa: E501
    labels = {"dns-test": "true"}
    port = {"port": 80, "name": "http"}
    ns.service(service_of("dns-test-service", port, selector=labels, clusterIP="None"))
    regular = ns.service(service_of("test-service-2", port, selector=labels))
    ns.pod(agnhost_pod("dns-test", labels=labels, hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet"))
    for name in ("dns-test-service", f"dns-test-service.{ns.name}", f"dns-test-service.{ns.name}.svc"):
        _resolves(ns, "dns-test", name)
    for name in ("dns-test-service", "test-service-2"):
        _resolves(ns, "dns-test", f"_http._tcp.{name}.{ns.name}.svc", "SRV")
    _resolves(ns, "dns-test", f"{'.'.join(reversed(regular.spec.cluster_ip.split('.')))}.in-addr.arpa.", "PTR")


def test_hostname_of_a_pod(ns: Namespace) -> None:
    """[sig-network] DNS HostNetwork spec.Hostname field is not silently ignored and is used for hostname for a Pod; is silently ignored and the node hostname is used when hostNetwork is set to true for a Pod"""  # noqa: E501
    ns.pod(agnhost_pod("test-dns-hostname", hostname="dns-querier-1"))
    assert ns.host_command("test-dns-hostname", "hostname").stdout == "dns-querier-1\n"
    pod = ns.pod(agnhost_pod("test-dns-hostnetwork", hostname="dns-querier-1", hostNetwork=True))
    assert ns.host_command("test-dns-hostnetwork", "hostname").stdout.strip() == pod.spec.node_name


def test_mirrored_subsets_of_one_address(ns: Namespace) -> None:
    """[sig-network] EndpointSliceMirroring should mirror a custom Endpoint with multiple subsets and same IP address"""
    name = "example-custom-endpoints"
    service = ns.service(service_of(name, *({"name": f"port{p}", "port": p} for p in (80, 81))))
    servers = [
        container(f"container-handle-{p}-request", "netexec", "--http-port", str(p), "--udp-port", "-1")
        for p in (8090, 9090)
    ]
    address = ns.pod(pod_of("pod-handle-http-request", *servers)).status.pod_ip
    subsets: list[dict[str, Any]] = [
        {"addresses": [{"ip": address}], "ports": [{"name": port, "port": number}]}
        for port, number in (("port80", 8090), ("port81", 9090))
    ]
    ns.core.create_namespaced_endpoints(ns.name, {"metadata": {"name": name}, "subsets": subsets})
    eventually(lambda: ns.slices(name), what="slices appear")
    ns.exec_pod("pause-pod-0")
    for port in (80, 81):
        ns.expect_host_name("pause-pod-0", f"{service.spec.cluster_ip}:{port}", "pod-handle-http-request")
    ns.core.delete_namespaced_endpoints(name, ns.name)
    eventually(lambda: not ns.slices(name), what="the slices go")


def test_kube_proxy_tells_its_health_and_mode(ns: Namespace) -> None:
    """[sig-network] Networking should check kube-proxy urls"""
    ns.pod(agnhost_pod("host-test-container-pod", hostNetwork=True))

    def ask(url: str) -> str:
        return ns.host_command(
            "host-test-container-pod", f"curl -i -q -s --connect-timeout 1 http://localhost:{url}"
        ).stdout

    assert "200 OK" in ask("10256/healthz")
    assert ask("10249/healthz").endswith("ok")
    assert ask("10249/proxyMode").endswith("iptables")
