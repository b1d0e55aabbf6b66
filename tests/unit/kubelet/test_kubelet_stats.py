"""The Summary API over a /proc that the test writes."""

import os
from types import SimpleNamespace

import pytest

from podwalk.kubelet import stats

TICK = 10**9 // os.sysconf("SC_CLK_TCK")


class Proc:
    """A /proc with processes of one mount namespace: the directory ``ns`` itself is the namespace."""

    def __init__(self, root):
        self.root = root
        (root / "ns").mkdir()

    def process(self, pid, ticks, kib=1000, name="a (b) c"):
        directory = self.root / str(pid)
        (directory / "ns").mkdir(parents=True, exist_ok=True)
        if not (directory / "ns/mnt").exists():
            os.link(self.namespace_file(), directory / "ns/mnt")
        fields = ["S", *["0"] * 10, str(ticks), "1", "2", "0", *["0"] * 20]
        (directory / "stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
        (directory / "status").write_text(f"Name:\tx\nRssAnon:\t{kib} kB\nRssFile:\t5 kB\nRssShmem:\t1 kB\n")

    def namespace_file(self):
        path = self.root / "ns" / "mnt"
        path.touch()
        return path

    @property
    def namespace(self):
        return self.namespace_file().stat().st_ino


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(value=1000.0)
    monkeypatch.setattr(stats.time, "monotonic", lambda: now.value)
    return now


def worker(proc):
    run = SimpleNamespace(mount_namespace=proc.namespace, started_at="2026-01-01T00:00:00Z")
    runner = SimpleNamespace(current=run, record=SimpleNamespace(container_id="podwalk://1"))
    return SimpleNamespace(
        pod={"metadata": {"name": "web", "namespace": "shop", "uid": "u"}},
        start_time="2026-01-01T00:00:00Z",
        runners={"c": runner, "waiting": SimpleNamespace(current=None)},
        sandbox=SimpleNamespace(pid=7, host_network=False),
    )


def test_rates_come_from_two_readings(tmp_path, clock):
    proc = Proc(tmp_path)
    proc.process(7, ticks=100)
    (tmp_path / "7/net").mkdir()
    (tmp_path / "7/net/dev").write_text(
        "Inter-| Receive\n face |bytes\n lo: 9 9 0 0 0 0 0 0 9 9 0 0 0 0 0 0\n"
        " eth0: 10 1 2 0 0 0 0 0 20 1 3 0 0 0 0 0\n"
    )
    counted = stats.Statistics("worker", tmp_path)
    counted.summary([worker(proc)])
    clock.value += 10
    proc.process(7, ticks=600)
    proc.process(8, ticks=0)
    (tmp_path / "9").mkdir()  # a process that has just ended
    found = counted.summary([worker(proc)])["pods"][0]
    used = found["containers"][0]
    assert [c["name"] for c in found["containers"]] == ["c"]
    assert used["cpu"]["usageCoreNanoSeconds"] == 606 * TICK
    assert used["cpu"]["usageNanoCores"] == 503 * TICK / 10
    assert used["memory"]["workingSetBytes"] == 2 * 1001 * 1024
    assert used["memory"]["usageBytes"] == 2 * 1006 * 1024
    network = found["network"]
    assert (network["name"], network["rxBytes"], network["txErrors"]) == ("eth0", 10, 3)


def test_an_end_never_takes_the_sum_back(tmp_path, clock):
    proc = Proc(tmp_path)
    proc.process(7, ticks=1000)
    counted = stats.Statistics("worker", tmp_path)
    before = counted.summary([worker(proc)])["pods"][0]["cpu"]["usageCoreNanoSeconds"]
    clock.value += 5
    proc.process(7, ticks=10)
    after = counted.summary([worker(proc)])["pods"][0]["cpu"]
    assert (after["usageCoreNanoSeconds"], after["usageNanoCores"]) == (before, 0)


def test_asked_at_once_again_the_answer_is_the_last_one(tmp_path, clock):
    counted = stats.Statistics("worker", tmp_path)
    first = counted.summary([])
    assert counted.summary([]) is first
    clock.value += 2
    assert counted.summary([]) is not first
