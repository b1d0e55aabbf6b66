"""Chain names are those that every kube-proxy gives."""

from __future__ import annotations

import pytest

from podwalk.proxy import names


@pytest.mark.parametrize(
    ("service_port", "protocol", "expected"),
    [
        ("default/kubernetes:https", "tcp", "NPX46M4PTMTKRN6Y"),
        ("kube-system/kube-dns:dns", "udp", "TCOU7JCQXEZGVUNU"),
        ("kube-system/kube-dns:dns-tcp", "tcp", "ERIFXISQEP7F7OF4"),
        ("default/web", "tcp", "LOLE4ISW44XBNF3G"),
    ],
)
def test_service_ports_have_the_hashes_known_from_real_clusters(
    service_port: str, protocol: str, expected: str
) -> None:
    assert names.service_hash(service_port, protocol) == expected


def test_an_endpoint_has_the_chain_known_from_real_clusters() -> None:
    assert names.endpoint_chain("default/web", "tcp", "10.244.1.5:8080") == "KUBE-SEP-XQWD6PXGZUTOOIVQ"


def test_chain_names_fit_the_kernels_28_characters() -> None:
    assert all(len(prefix) + 16 <= 28 for prefix in names.PREFIXES)
