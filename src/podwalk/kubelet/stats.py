"""What the node's Pods use, as the kubelet's Summary API tells it: processes counted from /proc.

Stands in for pkg/kubelet/server/stats and cAdvisor (types: k8s.io/kubelet/pkg/apis/stats/v1alpha1). There are no
cgroups here: a container's processes are those of its mount namespace. CPU is what they and their ended children have
used, memory what they hold alone (anonymous and shared memory), without page cache.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from podwalk.api import meta
from podwalk.api.meta import Object
from podwalk.kubelet.containers import ContainerRunner
from podwalk.netns.pods import PodSandbox

_TICK_NANOSECONDS = 10**9 // os.sysconf("SC_CLK_TCK")
# Asked again within this time, the answer is the last one: rates over less are noise.
_FRESH_SECONDS = 1.0


class Worker(Protocol):
    """What is counted of a Pod (see pod_worker.PodWorker)."""

    pod: Object
    start_time: str
    runners: dict[str, ContainerRunner]

    @property
    def sandbox(self) -> PodSandbox | None:
        """The Pod's namespaces, once they exist."""


@dataclass(slots=True)
class Usage:
    """Of a group of processes: CPU in nanoseconds since the beginning, memory in bytes."""

    cpu: int = 0
    working_set: int = 0
    mapped: int = 0
    processes: int = 0

    def add(self, other: Usage) -> None:
        """Count another group in."""
        self.cpu += other.cpu
        self.working_set += other.working_set
        self.mapped += other.mapped
        self.processes += other.processes


@dataclass(slots=True)
class _Series:
    """The last two readings of a group's CPU."""

    cpu: int = 0
    at: float = 0.0
    rate: int = 0


@dataclass(slots=True)
class _Sample:
    whole: Usage = field(default_factory=Usage)
    groups: dict[int, Usage] = field(default_factory=dict)  # by the number of the mount namespace


def read_process(directory: Path) -> Usage:
    """One process. Raises OSError where it has gone, ValueError for what the kernel does not show."""
    # The second field is the program's name in parentheses and may hold anything.
    fields = (directory / "stat").read_text().rpartition(")")[2].split()
    ticks = sum(int(value) for value in fields[11:15])
    sizes = {"RssAnon": 0, "RssFile": 0, "RssShmem": 0}
    for line in (directory / "status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in sizes:
            sizes[name] = int(value.split()[0]) * 1024
    own = sizes["RssAnon"] + sizes["RssShmem"]
    return Usage(ticks * _TICK_NANOSECONDS, own, own + sizes["RssFile"], 1)


def _sample(proc: Path) -> _Sample:
    found = _Sample()
    for entry in os.scandir(proc):
        if not entry.name.isdigit():
            continue
        try:
            usage = read_process(Path(entry.path))
            namespace = os.stat(f"{entry.path}/ns/mnt").st_ino
        except (OSError, ValueError, IndexError):
            continue  # it has just ended
        found.whole.add(usage)
        found.groups.setdefault(namespace, Usage()).add(usage)
    return found


def interfaces(text: str) -> list[Object]:
    """The interfaces of a /proc/PID/net/dev, without ``lo``."""
    out: list[Object] = []
    for line in text.splitlines()[2:]:
        name, _, rest = line.partition(":")
        numbers = [int(n) for n in rest.split()]
        if name.strip() != "lo":
            counts = {"rxBytes": numbers[0], "rxErrors": numbers[2], "txBytes": numbers[8], "txErrors": numbers[10]}
            out.append({"name": name.strip(), **counts})
    return out


class Statistics:
    """Answers /stats/summary for one node."""

    def __init__(self, node_name: str, proc: Path = Path("/proc")) -> None:
        self._node_name = node_name
        self._proc = proc
        self._started = meta.now()
        self._series: dict[str, _Series] = {}
        self._last: tuple[float, Object] | None = None

    def summary(self, workers: Iterable[Worker]) -> Object:
        """The Summary of the node and its running Pods."""
        now = time.monotonic()
        if self._last is not None and now - self._last[0] < _FRESH_SECONDS:
            return self._last[1]
        sample, stamp = _sample(self._proc), meta.now()
        seen = {"node"}
        pods = [self._pod(worker, sample, stamp, now, seen) for worker in workers if worker.sandbox is not None]
        node: Object = {"nodeName": self._node_name, "startTime": self._started}
        node |= self._resources("node", sample.whole, self._started, stamp, now)
        node["memory"]["availableBytes"] = max(0, _memory_bytes() - sample.whole.working_set)
        node |= self._network(os.getpid(), stamp)
        node["fs"] = _filesystem("/", stamp)
        node["rlimit"] = {"time": stamp, "curproc": sample.whole.processes}
        self._series = {key: series for key, series in self._series.items() if key in seen}
        self._last = (now, {"node": node, "pods": pods})
        return self._last[1]

    def _pod(self, worker: Worker, sample: _Sample, stamp: str, now: float, seen: set[str]) -> Object:
        uid = meta.uid(worker.pod)
        total, containers = Usage(), []
        for name, runner in worker.runners.items():
            run = runner.current
            if run is None:
                continue
            usage = sample.groups.get(run.mount_namespace, Usage())
            total.add(usage)
            key = f"{uid}/{runner.record.container_id}"
            seen.add(key)
            resources = self._resources(key, usage, run.started_at, stamp, now)
            containers.append({"name": name, "startTime": run.started_at, **resources})
        seen.add(uid)
        sandbox = worker.sandbox
        return {
            "podRef": {"name": meta.name(worker.pod), "namespace": meta.namespace(worker.pod), "uid": uid},
            "startTime": worker.start_time,
            "containers": containers,
            **self._resources(uid, total, worker.start_time, stamp, now),
            **(self._network(sandbox.pid, stamp) if sandbox is not None and not sandbox.host_network else {}),
            "process_stats": {"process_count": total.processes},
        }

    def _resources(self, key: str, usage: Usage, since: str, stamp: str, now: float) -> Object:
        return {
            "cpu": {"time": stamp, "usageNanoCores": self._rate(key, usage.cpu, since, now), **self._total(key)},
            "memory": {
                "time": stamp,
                "usageBytes": usage.mapped,
                "workingSetBytes": usage.working_set,
                "rssBytes": usage.working_set,
            },
        }

    def _rate(self, key: str, cpu: int, since: str, now: float) -> int:
        """Nanoseconds of CPU a second since the last reading; at the first one, since the group began."""
        series = self._series.get(key)
        if series is None:
            age = max(1.0, time.time() - meta.parse_time(since).timestamp())
            self._series[key] = _Series(cpu, now, int(cpu / age))
        else:
            # A process that was not its parent's to collect takes its past with it: the sum never goes back.
            series.rate = int(max(0, cpu - series.cpu) / max(now - series.at, 1e-3))
            series.cpu, series.at = max(cpu, series.cpu), now
        return self._series[key].rate

    def _total(self, key: str) -> Object:
        return {"usageCoreNanoSeconds": self._series[key].cpu}

    def _network(self, pid: int, stamp: str) -> Object:
        try:
            found = interfaces((self._proc / str(pid) / "net/dev").read_text())
        except (OSError, ValueError, IndexError):
            return {}
        first = next((each for each in found if each["name"] == "eth0"), {})
        return {"network": {"time": stamp, **first, "interfaces": found}}


def _filesystem(path: str, stamp: str) -> Object:
    disk = os.statvfs(path)
    free, size = disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize
    inodes = {"inodes": disk.f_files, "inodesFree": disk.f_ffree, "inodesUsed": disk.f_files - disk.f_ffree}
    used = size - disk.f_bfree * disk.f_frsize
    return {"time": stamp, "availableBytes": free, "capacityBytes": size, "usedBytes": used, **inodes}


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
