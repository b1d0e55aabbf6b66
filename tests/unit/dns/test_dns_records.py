"""Names of the cluster's zone, by the Kubernetes DNS specification."""

from __future__ import annotations

from typing import Any

import pytest
from dns_world import endpoint, endpoint_slice, service, store

from podwalk.dns import message, records
from podwalk.dns.message import NOERROR, NXDOMAIN, Question
from podwalk.dns.records import Answer, Zone

ZONE = Zone(("cluster.local.", "in-addr.arpa."), ttl=30, pods="insecure", own_ip="10.244.1.2")
KINDS = {name: number for number, name in message.TYPE_NAMES.items()}


def ask(name: str, kind: str = "A", zone: Zone = ZONE) -> Answer:
    return records.answer(store(), zone, Question(name, KINDS[kind]))


def data(answer: Answer) -> list[Any]:
    return [record.data for record in answer.records]


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("web.shop.svc.cluster.local.", "A", ["10.96.1.1"]),
        ("WEB.Shop.SVC.cluster.LOCAL.", "A", ["10.96.1.1"]),
        ("db.shop.svc.cluster.local.", "A", ["10.244.1.7", "10.244.2.8", "10.244.2.9"]),
        ("db-0.db.shop.svc.cluster.local.", "A", ["10.244.1.7"]),
        ("10-244-2-9.db.shop.svc.cluster.local.", "A", ["10.244.2.9"]),
        ("10-244-1-5.web.shop.svc.cluster.local.", "A", ["10.244.1.5"]),
        ("10-244-1-99.shop.pod.cluster.local.", "A", ["10.244.1.99"]),
        ("dns-version.cluster.local.", "TXT", ["1.1.0"]),
        ("1.1.96.10.in-addr.arpa.", "PTR", ["web.shop.svc.cluster.local."]),
        ("7.1.244.10.in-addr.arpa.", "PTR", ["db-0.db.shop.svc.cluster.local."]),
        ("5.1.244.10.in-addr.arpa.", "PTR", ["10-244-1-5.web.shop.svc.cluster.local."]),
        ("ext.shop.svc.cluster.local.", "CNAME", ["www.example.test."]),
        ("cluster.local.", "NS", ["ns.dns.cluster.local."]),
        ("ns.dns.cluster.local.", "A", ["10.244.1.2"]),
    ],
)
def test_names_that_have_records(name: str, kind: str, expected: list[str]) -> None:
    answer = ask(name, kind)
    assert (answer.rcode, data(answer)) == (NOERROR, expected)


def test_records_keep_the_questions_spelling_and_live_as_the_corefile_says() -> None:
    (record,) = ask("Web.shop.svc.cluster.local.").records
    assert (record.name, record.ttl) == ("Web.shop.svc.cluster.local.", 30)


@pytest.mark.parametrize(
    "name",
    [
        "nosuch.shop.svc.cluster.local.",
        "web.nosuch.svc.cluster.local.",
        "nosuch.svc.cluster.local.",
        "web.shop.cluster.local.",
        "web.cluster.local.",
        "db-3.db.shop.svc.cluster.local.",
        "empty.shop.svc.cluster.local.",
        "_ftp._tcp.web.shop.svc.cluster.local.",
        "_http._udp.web.shop.svc.cluster.local.",
        "a.b.c.web.shop.svc.cluster.local.",
        "not-an-address.shop.pod.cluster.local.",
        "10-244-1-5.nosuch.pod.cluster.local.",
        "99.9.96.10.in-addr.arpa.",
    ],
)
def test_names_that_do_not_exist(name: str) -> None:
    answer = ask(name, "PTR" if "arpa" in name else "A")
    (soa,) = answer.authority
    assert (answer.rcode, answer.records, soa.type, soa.ttl) == (NXDOMAIN, (), message.SOA, 30)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("web.shop.svc.cluster.local.", "AAAA"),
        ("web.shop.svc.cluster.local.", "MX"),
        ("db.shop.svc.cluster.local.", "AAAA"),
        ("shop.svc.cluster.local.", "A"),
        ("svc.cluster.local.", "A"),
        ("cluster.local.", "A"),
        ("1.1.96.10.in-addr.arpa.", "A"),
        ("ext.shop.svc.cluster.local.", "MX"),
    ],
)
def test_names_that_exist_without_such_a_record(name: str, kind: str) -> None:
    answer = ask(name, kind)
    assert (answer.rcode, answer.records, [r.type for r in answer.authority]) == (NOERROR, (), [message.SOA])


def test_the_soa_names_the_zone_and_when_it_changed() -> None:
    (soa,) = ask("cluster.local.", "SOA").records
    assert soa.name == "cluster.local."
    assert soa.data[:2] == ("ns.dns.cluster.local.", "hostmaster.cluster.local.")
    assert soa.data[6] == 30


def test_an_srv_record_of_a_cluster_ip_names_the_service() -> None:
    answer = ask("_http._tcp.web.shop.svc.cluster.local.", "SRV")
    assert data(answer) == [(0, 100, 80, "web.shop.svc.cluster.local.")]
    assert [(r.name, r.data) for r in answer.additional] == [("web.shop.svc.cluster.local.", "10.96.1.1")]


def test_srv_records_of_a_headless_service_name_every_endpoint_and_its_port() -> None:
    answer = ask("_http._tcp.db.shop.svc.cluster.local.", "SRV")
    assert [(d[2], d[3].split(".")[0]) for d in data(answer)] == [(8080, "db-0"), (8080, "db-1"), (8080, "10-244-2-9")]
    assert [r.data for r in answer.additional] == ["10.244.1.7", "10.244.2.8", "10.244.2.9"]


def test_endpoints_that_share_a_hostname_are_one_name() -> None:
    known = store()
    known.put("Service", service("twins", clusterIP="None"))
    known.put("EndpointSlice", endpoint_slice("twins", endpoint("10.244.1.21", "t"), endpoint("10.244.1.22", "t")))
    found = records.answer(known, ZONE, Question("t.twins.shop.svc.cluster.local.", message.A))
    assert data(found) == ["10.244.1.21", "10.244.1.22"]


def test_an_external_name_is_an_alias_to_be_followed() -> None:
    answer = ask("ext.shop.svc.cluster.local.")
    assert data(answer) == ["www.example.test."]
    assert answer.chase == "www.example.test."


def test_pod_names_need_the_option() -> None:
    assert ask("10-244-1-5.shop.pod.cluster.local.", zone=Zone(pods="disabled")).rcode == NXDOMAIN


def test_the_name_server_is_the_service_that_leads_here() -> None:
    known = store()
    known.put("Service", service("kube-dns", clusterIP="10.96.0.10", clusterIPs=["10.96.0.10"]))
    known.put("EndpointSlice", endpoint_slice("kube-dns", endpoint("10.244.1.2")))
    found = records.answer(known, ZONE, Question("cluster.local.", message.NS))
    assert data(found) == ["kube-dns.shop.svc.cluster.local."]
    assert [r.data for r in found.additional] == ["10.96.0.10"]


def test_a_slice_that_goes_takes_its_records_along() -> None:
    known = store()
    known.remove("EndpointSlice", endpoint_slice("db"))
    assert records.answer(known, ZONE, Question("db.shop.svc.cluster.local.", message.A)).rcode == NXDOMAIN
