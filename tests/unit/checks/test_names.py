"""Where a name leads: hosts file, search list, ndots, aliases."""

from __future__ import annotations

import pytest
from fake_cluster import service

from podwalk.checks.names import Resolver, host_of, leads_to
from podwalk.checks.state import Frozen, State

RESOLV = "search branch.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"
STATE = State(
    Frozen(
        [
            service("accounts/ledger"),
            service("branch/alias", type="ExternalName", externalName="ledger.accounts.svc.cluster.local"),
            service("branch/short", type="ExternalName", externalName="ledger.accounts"),
            service("branch/circle", type="ExternalName", externalName="circle.branch.svc.cluster.local."),
            service("branch/own"),
        ]
    )
)


@pytest.mark.parametrize(
    ("url", "end"),
    [
        ("http://ledger.accounts/x", "service accounts/ledger"),
        ("http://LEDGER.accounts.svc:80", "service accounts/ledger"),
        ("http://ledger.accounts.svc.cluster.local", "service accounts/ledger"),
        ("http://ledger.accounts.svc.cluster.local./x", "service accounts/ledger"),
        ("http://alias", "service accounts/ledger"),
        ("http://own:8080", "service branch/own"),
        ("http://ledger", "no Service (ledger)"),
        ("http://short", "no Service (ledger.accounts.)"),
        ("http://ledger.accounts./", "no Service (ledger.accounts.)"),
        ("http://circle", "a circle of aliases"),
        ("http://10.96.3.4", "the written-down address 10.96.3.4"),
        ("http://pinned", "the address 10.96.3.4 in the Pod's /etc/hosts"),
        ("", "no host at all"),
    ],
)
def test_where_a_url_leads(url: str, end: str) -> None:
    resolver = Resolver.parse("127.0.0.1 localhost\n10.96.3.4 pinned also # ours\n", RESOLV)
    assert leads_to(host_of(url), resolver, STATE) == end


def test_few_dots_are_tried_with_the_search_list_first_and_many_dots_last() -> None:
    resolver = Resolver(search=("a.local.",), ndots=2)
    assert resolver.candidates("x") == ["x.a.local", "x"]
    assert resolver.candidates("x.y.z") == ["x.y.z", "x.y.z.a.local"]
    assert resolver.candidates("x.") == ["x"]
