from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from controllers_fake import FakeClient

from podwalk.controllers import manager

# Nobody renews leases here, so a node may be silent for long.
_SILENCE_SECONDS = 3600.0


@pytest.fixture
async def fake(caplog: pytest.LogCaptureFixture) -> AsyncIterator[FakeClient]:
    """A fake API server with all loops running on it."""
    client, ready = FakeClient(), asyncio.Event()
    config = manager.ManagerConfig(
        ca_cert="PEM", node_monitor_grace_period=_SILENCE_SECONDS, job_pod_failure_backoff=0.01, node_quarantine=0.05
    )
    task = asyncio.create_task(manager.run(client, config=config, on_ready=ready.set))
    try:
        async with asyncio.timeout(5):
            waiting = asyncio.create_task(ready.wait())
            await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # A loop that fails is started again, so only its log would tell.
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
