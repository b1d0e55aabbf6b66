import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
async def bench(monkeypatch, tmp_path):
    from kubelet_fake import Bench

    made = Bench(monkeypatch, tmp_path)
    yield made
    await made.close()
