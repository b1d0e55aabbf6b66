"""A Pod's hosts file, resolver and hostname."""

import pytest

from podwalk.kubelet import resolv

NODE = resolv.ResolvConf(["172.18.0.1"], ["lan"], ["edns0"])


def pod(**spec):
    return {"metadata": {"name": "web-0", "namespace": "shop"}, "spec": spec}


def rendered(**spec):
    conf = resolv.resolv_conf(pod(**spec), cluster_dns="10.96.0.10", cluster_domain="cluster.local", node=NODE)
    return conf.render().decode()


def test_cluster_first_asks_the_cluster():
    assert rendered() == (
        "search shop.svc.cluster.local svc.cluster.local cluster.local lan\nnameserver 10.96.0.10\noptions ndots:5\n"
    )


@pytest.mark.parametrize("spec", [{"dnsPolicy": "Default"}, {"hostNetwork": True}])
def test_default_and_host_network_ask_whom_the_node_asks(spec):
    assert rendered(**spec) == "search lan\nnameserver 172.18.0.1\noptions edns0\n"


def test_host_network_can_ask_the_cluster():
    assert "nameserver 10.96.0.10" in rendered(hostNetwork=True, dnsPolicy="ClusterFirstWithHostNet")


def test_dns_config_is_added_and_wins():
    config = {
        "nameservers": ["1.2.3.4", "10.96.0.10"],
        "searches": ["corp", "lan"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "use-vc"}],
    }
    lines = rendered(dnsConfig=config).splitlines()
    assert lines[0].endswith("cluster.local lan corp")
    assert lines[1:3] == ["nameserver 10.96.0.10", "nameserver 1.2.3.4"]
    assert lines[-1] == "options ndots:2 use-vc"


def test_none_is_what_dns_config_says():
    assert rendered(dnsPolicy="None", dnsConfig={"nameservers": ["9.9.9.9"]}) == "nameserver 9.9.9.9\n"


def test_only_three_nameservers():
    servers = ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4"]
    assert rendered(dnsPolicy="None", dnsConfig={"nameservers": servers}).count("nameserver") == 3


def test_hosts_names_the_pod():
    text = resolv.hosts(pod(), ["10.244.1.7"], "cluster.local").decode()
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert text.endswith("fe00::2\tip6-allrouters\n10.244.1.7\tweb-0\n")


def test_hosts_with_a_subdomain_and_aliases():
    aliases = [{"ip": "10.0.0.9", "hostnames": ["db", "db.lan"]}]
    text = resolv.hosts(pod(subdomain="web", hostAliases=aliases), ["10.244.1.7"], "cluster.local").decode()
    assert text.endswith(
        "10.244.1.7\tweb-0.web.shop.svc.cluster.local\tweb-0\n\n# Entries added by HostAliases.\n10.0.0.9\tdb\tdb.lan\n"
    )


def test_hosts_of_the_node():
    text = resolv.hosts_of_host_network(pod(), b"127.0.0.1\tlocalhost\n").decode()
    assert text == "# Kubernetes-managed hosts file (host network).\n127.0.0.1\tlocalhost\n"


def test_a_long_name_is_cut():
    long = {"metadata": {"name": "a" * 62 + "-b", "namespace": "x"}, "spec": {}}
    assert resolv.hostname(long) == "a" * 62


def test_the_fqdn_on_request():
    assert resolv.kernel_hostname(pod(subdomain="web", setHostnameAsFQDN=True), "cluster.local") == (
        "web-0.web.shop.svc.cluster.local"
    )


def test_parsing_takes_the_last_search():
    conf = resolv.parse("# x\nnameserver 1.1.1.1\nsearch a\nsearch b. c\noptions ndots:1\nsortlist 1\n")
    assert conf == resolv.ResolvConf(["1.1.1.1"], ["b", "c"], ["ndots:1"])
