"""Namespaces with a learner's prefix: what is translated, and what only looks like it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from podwalk.backends.names import Names

ADA = Names("ada-", frozenset({"fair", "fair-ground", "accounts", "branch"}))
LABEL = "kubernetes.io/metadata.name"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("kubectl -n fair get pod", "kubectl -n ada-fair get pod"),
        ("kubectl --namespace=fair get pod", "kubectl --namespace=ada-fair get pod"),
        ("kubectl get ns fair", "kubectl get ns ada-fair"),
        ("kubectl delete namespace/fair", "kubectl delete namespace/ada-fair"),
        ("the Pod `fair/gate` calls", "the Pod `ada-fair/gate` calls"),
        ("everything in `accounts`, where the books are", "everything in `ada-accounts`, where the books are"),
        ("curl http://ledger.accounts:80/x", "curl http://ledger.ada-accounts:80/x"),
        ("nslookup ledger.accounts.svc.cluster.local", "nslookup ledger.ada-accounts.svc.cluster.local"),
        ("kubernetes.io/metadata.name: accounts", "kubernetes.io/metadata.name: ada-accounts"),
        ("metadata:\n  namespace: fair\n", "metadata:\n  namespace: ada-fair\n"),
        (f'{{"{LABEL}":"accounts"}}', f'{{"{LABEL}":"ada-accounts"}}'),
        ("-n fair-ground and fair-ground/gate", "-n ada-fair-ground and ada-fair-ground/gate"),
    ],
)
def test_what_a_learner_types_has_the_prefix(said: str, shown: str) -> None:
    assert ADA.shown(said) == shown
    assert ADA.incoming(shown) == said


@pytest.mark.parametrize(
    "said",
    [
        "the fair opens at nine",
        "kubectl -n fairest get pod",
        "kubectl -n kube-system get pod",
        "http://fair/gate",
        "/etc/fair/gate",
        "git branch",
        "a ledger.accounting is another",
        "kubectl -n ada-fair get pod",
    ],
)
def test_what_only_looks_like_it_stays(said: str) -> None:
    assert ADA.shown(said) == said


def test_an_object_is_translated_where_it_names_namespaces() -> None:
    policy: dict[str, Any] = {
        "kind": "NetworkPolicy",
        "metadata": {"name": "fair", "namespace": "fair", "labels": {"app": "fair"}},
        "spec": {
            "ingress": [
                {
                    "from": [
                        {"namespaceSelector": {"matchLabels": {LABEL: "accounts", "team": "accounts"}}},
                        {
                            "namespaceSelector": {
                                "matchExpressions": [{"key": LABEL, "operator": "In", "values": ["branch", "else"]}]
                            }
                        },
                    ]
                }
            ]
        },
    }
    before = copy.deepcopy(policy)
    sent = ADA.outgoing(policy)
    assert policy == before
    assert sent["metadata"] == {"name": "fair", "namespace": "ada-fair", "labels": {"app": "fair"}}
    labels, expressions = (peer["namespaceSelector"] for peer in sent["spec"]["ingress"][0]["from"])
    assert labels == {"matchLabels": {LABEL: "ada-accounts", "team": "accounts"}}
    assert expressions["matchExpressions"][0]["values"] == ["ada-branch", "else"]
    assert ADA.incoming(sent) == before


def test_a_namespace_is_translated_by_its_name() -> None:
    space = {"kind": "Namespace", "metadata": {"name": "fair", "labels": {"app": "fair"}}}
    sent = ADA.outgoing(space)
    assert sent["metadata"] == {"name": "ada-fair", "labels": {"app": "fair"}}
    assert ADA.outgoing({"kind": "Namespace", "metadata": {"name": "other"}})["metadata"]["name"] == "other"


def test_a_url_in_a_pod_follows_its_service() -> None:
    pod = {"kind": "Pod", "spec": {"containers": [{"env": [{"name": "URL", "value": "http://ledger.accounts"}]}]}}
    sent = ADA.outgoing(pod)
    assert sent["spec"]["containers"][0]["env"][0]["value"] == "http://ledger.ada-accounts"


def test_without_a_prefix_nothing_changes() -> None:
    plain = ADA.as_they_are()
    assert plain.namespaces == {"ada-fair", "ada-fair-ground", "ada-accounts", "ada-branch"}
    for text in ("kubectl -n ada-fair get pod", "http://ledger.ada-accounts"):
        assert plain.shown(text) == plain.incoming(text) == text
    assert plain.own("ada-fair") == "ada-fair"
    assert plain.own("grace-fair") is None


def test_only_ones_own_are_ones_own() -> None:
    assert ADA.own("ada-fair") == "fair"
    assert ADA.own("ada-other") is None
    assert ADA.own("fair") is None
    assert ADA.real("kube-system") == "kube-system"
