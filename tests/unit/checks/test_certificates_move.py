"""A certificate that is being issued is worth waiting for."""

from __future__ import annotations

from typing import Any

import pytest

from podwalk.api.errors import ApiError
from podwalk.checks.state import State


class Source:
    """Certificates, or an API server that knows no such kind."""

    def __init__(self, *certificates: dict[str, Any], error: ApiError | None = None) -> None:
        self._certificates, self._error = list(certificates), error

    def objects(self, kind: str, namespace: str) -> list[dict[str, Any]]:
        if kind == "Certificate" and self._error:
            raise self._error
        return [c for c in self._certificates if kind == "Certificate" and c["metadata"]["namespace"] == namespace]


def certificate(**conditions: str) -> dict[str, Any]:
    listed = [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {"metadata": {"name": "web", "namespace": "shop"}, "status": {"conditions": listed}}


@pytest.mark.parametrize(
    ("found", "moves"),
    [
        (certificate(Ready="False", Issuing="True"), True),
        (certificate(Ready="True", Issuing="True"), True),
        (certificate(Ready="False", Issuing="False"), False),
        (certificate(Ready="True"), False),
        ({"metadata": {"name": "web", "namespace": "shop"}}, False),
        (
            {"metadata": {"name": "web", "namespace": "shop"}, "status": {"nextPrivateKeySecretName": "web-x2x4z"}},
            True,
        ),
    ],
)
def test_a_certificate_moves_while_it_is_issued(found: dict[str, Any], moves: bool) -> None:
    assert State(Source(found)).moving(iter(["shop"])) is moves
    assert State(Source(found)).moving(["other"]) is False


def test_a_cluster_without_cert_manager_has_none() -> None:
    assert State(Source(error=ApiError(404, "NotFound", "no such kind"))).moving(["shop"]) is False
    with pytest.raises(ApiError):
        State(Source(error=ApiError(500, "InternalError", "broken"))).moving(["shop"])
