"""Tokens of service accounts, as the kubelet keeps them."""

from __future__ import annotations

from typing import Any, cast

from podwalk.client.rest import Client
from podwalk.kubelet.context import TokenCache


class _Accounts:
    def __init__(self) -> None:
        self.asked = 0

    async def post(self, *_: Any) -> dict[str, Any]:
        self.asked += 1
        return {"status": {"token": f"token-{self.asked}"}}


def _pod(uid: str) -> dict[str, Any]:
    return {"metadata": {"name": "web", "namespace": "shop", "uid": uid}}


async def test_a_pod_keeps_its_token_and_its_successor_gets_another() -> None:
    accounts = _Accounts()
    cache = TokenCache(cast(Client, accounts))
    first = await cache.token(_pod("one"), "default", "", 3600)
    assert await cache.token(_pod("one"), "default", "", 3600) == first
    # The namespace may have been deleted and made anew in between, and with it the account.
    assert await cache.token(_pod("two"), "default", "", 3600) != first
