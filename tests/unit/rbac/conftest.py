from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

# The server under test is the one of the tests of custom resources.
sys.path.append(str(Path(__file__).parent.parent / "crd"))

from api_world import Api, running


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Api]:
    async with running() as made:
        yield made
