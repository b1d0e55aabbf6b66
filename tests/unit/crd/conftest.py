from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from api_world import Api, definition, established, running


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running() as made:
        yield made


@pytest_asyncio.fixture
async def boxes(api: Api) -> str:
    """The collection of a custom resource."""
    await established(api, definition())
    return "/apis/example.com/v1/namespaces/default/boxes"
