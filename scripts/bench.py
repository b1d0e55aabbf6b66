#!/usr/bin/env python3
"""Measure the embedded cluster on this machine: `make bench`, or scripts/bench.py --json.

It starts a cluster of its own (name "bench", state in a temporary folder) and ends it. What each row means, and what
is part of it, is in docs/benchmarks.md. A number alone says little on a machine that does other work, so the same run
times a few yardsticks that have nothing to do with podwalk.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

NAME = "bench"
LAB = "services/menu-refuses-everyone"
PAUSE = "registry.k8s.io/pause:3.10"
AGNHOST = "registry.k8s.io/e2e-test-images/agnhost:2.53"
SECONDS = 60.0
# What others have published, for a sense of scale; each was measured elsewhere and by other rules.
PUBLISHED = (
    "kind 0.29: 14.2 s for the command, 33.0 s until an app and DNS worked (minikube's benchmark timeToK8s, v1.36.0)",
    "kind, a user's own timings of the command: 12 to 17 s (kubernetes-sigs/kind issue 2893)",
    "memory of a real control plane alone: about 500 MB (a rule of thumb)",
)

# Runs on a node. The kernel tells subscribers of nftables about each committed rule, so nothing is polled and the
# reader costs the node nothing before the event. A Service is there when the three rules on its way are: from
# KUBE-SERVICES, from its own chain to the endpoint, and the DNAT. Clocks: CLOCK_MONOTONIC is one for all namespaces.
WATCHER = """
import socket, sys, time
names = sys.argv[1:]
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
s.bind((0, 0))
s.setsockopt(270, 1, 7)  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES
s.settimeout(60)
print("ready", flush=True)
waiting = {n: {"service", "leg", "dnat"} for n in names}
while waiting:
    data = s.recv(1 << 20)
    now = time.monotonic()
    at = 0
    while at + 16 <= len(data):
        size = int.from_bytes(data[at:at + 4], sys.byteorder)
        if size < 16:
            break
        message = data[at:at + size]
        at += (size + 3) & ~3
        for name in list(waiting):
            comment = b"bench/" + name.encode()
            if comment + b" cluster IP" in message and b"KUBE-SERVICES\\0" in message:
                waiting[name].discard("service")
            elif comment + b" -> " in message:
                waiting[name].discard("leg")
            elif comment + b"\\0" in message and b"DNAT\\0" in message:
                waiting[name].discard("dnat")
            if not waiting[name]:
                del waiting[name]
                print(name, now, flush=True)
"""


class Trouble(Exception):
    """Why nothing can be measured; one line."""


@dataclass(slots=True)
class Row:
    """One line of the table: samples of one quantity, and what we aim at (None: a yardstick or a part)."""

    what: str
    samples: list[float]
    unit: str = "s"
    aim: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.samples)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        return {**asdict(self), "median": self.median}


def main() -> int:
    """Measure and print; 0, or 1 and one line where something did not work."""
    arguments = parse()
    scratch = Path(tempfile.mkdtemp(prefix="podwalk-bench-"))
    os.environ.update(PODWALK_HOME=str(scratch), PODWALK_CLUSTER=NAME)
    # A learner's Python keeps the bytecode of a first run; so must ours, or every row would compile podwalk again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    load = os.getloadavg()[0]
    try:
        warm_up()
        rows = [*yardsticks(arguments.runs), *measure(arguments.runs, arguments.pods), *api_server(arguments.runs)]
        rows += data_plane(arguments.runs)
        rows += routes(arguments.runs)
    except (Trouble, subprocess.TimeoutExpired, OSError) as trouble:
        print(f"bench: {trouble}", file=sys.stderr)
        return 1
    finally:
        subprocess.run(podwalk("down"), capture_output=True, check=False)
        shutil.rmtree(scratch, ignore_errors=True)
    about = machine(load)
    if arguments.json:
        print(json.dumps({"machine": about, "rows": [r.as_dict() for r in rows], "published": PUBLISHED}, indent=2))
    else:
        print(render(rows, about))
    return 0


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="how often each command runs (default 5)")
    parser.add_argument("--pods", type=int, default=20, help="how many Pods and Services are made (default 20)")
    parser.add_argument("--json", action="store_true", help="print JSON, with every sample")
    arguments = parser.parse_args()
    if arguments.runs < 1 or arguments.pods < 1:
        parser.error("--runs and --pods are 1 or more")
    return arguments


def warm_up() -> None:
    """One of everything that is timed, untimed: bytecode is written, and the machine has read the files."""
    for arguments in (["up"], ["lab", "start", LAB], ["lab", "stop", LAB], ["down"]):
        timed(podwalk(*arguments))


def podwalk(*arguments: str) -> list[str]:
    """The command line of podwalk, run by the Python that runs this."""
    script = Path(sys.executable).with_name("podwalk")
    return [str(script) if script.exists() else "podwalk", *arguments]


def timed(argv: list[str], ok: tuple[int, ...] = (0,)) -> float:
    """Seconds from starting a command until it has ended. Raises Trouble for another exit code than ``ok``."""
    begin = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    took = time.monotonic() - begin
    if done.returncode not in ok:
        last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
        raise Trouble(f"{' '.join(argv)[:120]}: exit code {done.returncode}: {last}")
    return took


def repeat(times: int, what: Callable[[], float]) -> list[float]:
    """Samples."""
    return [what() for _ in range(times)]


def yardsticks(runs: int) -> list[Row]:
    """What this machine takes for things that are not podwalk, or that podwalk cannot avoid."""
    namespaces = ["unshare", *(["-Ur"] if os.geteuid() else []), "-nmpf", "true"]
    imports = "import podwalk.cli.main, podwalk.backends.embedded, podwalk.cli.up"
    rows = [
        Row("python -c pass", repeat(runs, lambda: timed([sys.executable, "-c", "pass"]))),
        Row(" ".join(namespaces), repeat(runs, lambda: timed(namespaces))),
        Row("kubectl version --client", repeat(runs, lambda: timed([kubectl(), "version", "--client"]))),
        Row("imports of the podwalk command", repeat(runs, lambda: timed([sys.executable, "-c", imports]))),
        Row(
            "imports of the cluster",
            repeat(runs, lambda: timed([sys.executable, "-c", "import podwalk.cluster.supervisor"])),
        ),
    ]
    for row in rows:
        row.note = "yardstick"
    for row in rows[3:]:
        row.note = "part of up, with Python's own start"
    return rows


def kubectl() -> str:
    """The kubectl that podwalk would run."""
    found = os.environ.get("PODWALK_KUBECTL") or shutil.which("kubectl")
    if not found:
        raise Trouble("kubectl is not installed; scripts/get-kubectl puts one into the virtual environment")
    return found


def measure(runs: int, pods: int) -> list[Row]:
    """Every row that needs a cluster."""
    ups, downs = [], []
    for _ in range(runs):
        ups.append(timed(podwalk("up")))
        downs.append(timed(podwalk("down")))
    timed(podwalk("up"))
    rows = [Row("up, until proven ready", ups, aim=1.5), Row("down", downs)]
    rows.append(Row("memory of an idle cluster (PSS)", [idle_memory()], "MB", 150))
    rows += requests(runs)
    rows += workloads(pods)
    rows += policies(runs)
    rows += labs(runs)
    return rows


def requests(runs: int) -> list[Row]:
    """A request by kubectl, beside its yardstick above."""
    get = [kubectl(), f"--kubeconfig={kubeconfig()}", "get", "pods", "-A"]
    timed(get)  # once before: kubectl writes its cache of the discovery
    return [Row("kubectl get pods -A", repeat(runs, lambda: timed(get)))]


def kubeconfig() -> Path:
    """Of the cluster under test."""
    return Path(os.environ["PODWALK_HOME"]) / "clusters" / NAME / "kubeconfig"


def idle_memory() -> float:
    """MB of proportional set size, over the supervisor and everything below it."""
    state = json.loads(kubeconfig().with_name("state.json").read_text())
    return sum(pss(pid) for pid in tree(int(state["supervisor_pid"]))) / 1024


def tree(root: int) -> Iterator[int]:
    """The process and its descendants."""
    yield root
    for task in Path(f"/proc/{root}/task").glob("*/children"):
        for child in task.read_text().split():
            yield from tree(int(child))


def pss(pid: int) -> int:
    """kB. A process that has just ended counts nothing."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def workloads(count: int) -> list[Row]:
    """Pods and Services, one after another, seen from the API and from the kernel."""
    import yaml

    from podwalk.client.sync import SyncClient, SyncConfig

    config = yaml.safe_load(kubeconfig().read_text())
    with SyncClient(SyncConfig.from_kubeconfig(config)) as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}})
        bare = [until_ready(client, pod(f"bare-{n}", PAUSE)) for n in range(count)]
        served = [until_ready(client, pod(f"probed-{n}", AGNHOST, probe=True)) for n in range(count)]
        rules = until_rules(client, [f"rules-{n}" for n in range(count)])
        client.delete("Namespace", NAME)
    return [
        Row("Pod created → Ready", [s * 1000 for s in bare], "ms", 60),
        Row("Pod created → Ready, HTTP server with readiness probe", [s * 1000 for s in served], "ms"),
        Row("Service created → rules on every node", [s * 1000 for s in rules], "ms", 100),
    ]


def policies(runs: int) -> list[Row]:
    """A policy's way to every node, and the matrix of nine Pods."""
    from podwalk import backends
    from podwalk.matrix import enforced
    from podwalk.matrix.look import look
    from podwalk.matrix.model import Port

    cluster = backends.find(NAME)
    if cluster is None:
        raise Trouble("the cluster is gone")
    space = f"{NAME}-policy"
    took: list[float] = []
    with cluster.client() as client:
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}})
        for n in range(9):
            until_ready(client, pod(f"pod-{n}", AGNHOST, probe=True, space=space))
        for n in range(runs):
            begin = time.time()
            client.create(deny_from_others(f"policy-{n}", space))
            took.append(max(s.synced_at for s in enforced.wait(cluster)) - begin)
        ports = [Port(80), Port(8080), Port(8081)]
        seen = [look(cluster, namespaces=(space,), ports=ports) for _ in range(runs)]
        client.delete("Namespace", space)
    if any(m.disagreements for m in seen):
        raise Trouble("packets and policies disagree; podwalk policy matrix shows where")
    return [
        Row("NetworkPolicy created → enforced on every node", [s * 1000 for s in took], "ms"),
        Row("policy matrix, 9 Pods × 3 ports", [m.seconds for m in seen], aim=1.0),
    ]


def deny_from_others(name: str, space: str) -> dict[str, Any]:
    """A policy for all Pods of a namespace, which only their like may call."""
    rule = {"from": [{"podSelector": {}}], "ports": [{"port": 8080}]}
    spec = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [rule]}
    metadata = {"name": name, "namespace": space}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def pod(name: str, image: str, *, probe: bool = False, space: str = NAME) -> dict[str, Any]:
    """A Pod that ends at once when told to."""
    container: dict[str, Any] = {"name": "main", "image": image}
    if probe:
        container["args"] = ["netexec"]
        container["readinessProbe"] = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1}
    metadata = {"name": name, "namespace": space, "labels": {"app": name}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def until_ready(client: Any, wanted: dict[str, Any]) -> float:
    """Seconds from before the POST until a watch shows the Pod Ready. The watch starts where the POST ended."""
    begin = time.monotonic()
    made = client.create(wanted)
    field = f"metadata.name={wanted['metadata']['name']}"
    version = made["metadata"]["resourceVersion"]
    space = wanted["metadata"]["namespace"]
    for _, seen in client.watch("Pod", space, resource_version=version, field_selector=field, timeout=SECONDS):
        conditions = seen.get("status", {}).get("conditions") or []
        if any(c["type"] == "Ready" and c["status"] == "True" for c in conditions):
            return time.monotonic() - begin
    raise Trouble(f"pod/{wanted['metadata']['name']}: the watch ended before it was Ready")


def until_rules(client: Any, names: list[str]) -> list[float]:
    """Per Service: seconds from before the POST until the last node has the rules to its one endpoint."""
    nodes = [n["metadata"]["name"] for n in client.list("Node")]
    with watchers(nodes, names) as watching:
        took = []
        for name in names:
            spec = {"selector": {"app": "probed-0"}, "ports": [{"port": 80, "targetPort": 8080}]}
            metadata = {"name": name, "namespace": NAME}
            begin = time.monotonic()
            client.create({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
            took.append(max(told(watcher, name) for watcher in watching) - begin)
    for node in nodes:
        timed(podwalk("node", node, "--", "sh", "-c", f"iptables -t nat -S | grep -qF '{NAME}/{names[-1]}'"))
    return took


@contextmanager
def watchers(nodes: list[str], names: list[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """One watcher a node, all of them listening. They are ended with the block."""
    running: list[subprocess.Popen[str]] = []
    try:
        for node in nodes:
            argv = podwalk("node", node, "--", "python3", "-c", WATCHER, *names)
            running.append(subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True))
        for each in running:
            told(each, "ready")
        yield running
    finally:
        for each in running:
            each.terminate()
            each.wait()
            if each.stdout:
                each.stdout.close()


def told(watcher: subprocess.Popen[str], name: str) -> float:
    """The time that the watcher's next line holds. Raises Trouble where it has ended instead."""
    assert watcher.stdout is not None
    words = watcher.stdout.readline().split()
    if not words or words[0] != name:
        raise Trouble(f"the watcher of rules on a node ended before it saw {name}")
    return float(words[1]) if len(words) > 1 else 0.0


def labs(runs: int) -> list[Row]:
    """The whole commands of a learner, on one lab."""
    took: dict[str, list[float]] = {"start": [], "failing": [], "passing": [], "reset": []}
    for _ in range(runs):
        took["start"].append(timed(podwalk("lab", "start", LAB)))
        took["failing"].append(timed(podwalk("lab", "check", LAB), ok=(1,)))
        timed(podwalk("lab", "solve", LAB))
        took["passing"].append(timed(podwalk("lab", "check", LAB)))
        took["reset"].append(timed(podwalk("lab", "reset", LAB)))
        timed(podwalk("lab", "stop", LAB))
    return [
        Row("lab start", took["start"], aim=1.0),
        Row("lab check, failing", took["failing"], aim=1.0),
        Row("lab check, passing", took["passing"], aim=1.0),
        Row("lab reset", took["reset"], aim=0.5),
    ]


def api_server(runs: int) -> list[Row]:
    """The API server by itself, without a cluster around it."""
    import bench_api

    found = bench_api.measure(kubectl(), runs)
    # Each call beside the yardstick that ran just before it: what else the machine does burdens both.
    beside = [(get - version) * 1000 for get, version in zip(found.get, found.version, strict=True)]
    latency = [seconds * 1000 for seconds in found.latency]
    return [
        Row("API server: process started → first answer", found.start, aim=1.0),
        Row("API server: kubectl get pods beside kubectl version", beside, "ms", 15),
        Row("API server: 1,000 Pods created, ten watchers", found.create, aim=2.6),
        Row("API server: its own CPU for them", found.cpu),
        Row("API server: change → ten watchers", latency, "ms", 5),
        Row("API server: change → ten watchers, p99", [found.p99 * 1000], "ms", 13, note=f"of {len(latency)}"),
        Row("API server: memory when idle", found.idle, "MB", 47),
        Row("API server: memory with 1,000 Pods", found.full, "MB", 131),
    ]


def data_plane(runs: int) -> list[Row]:
    """A thousand Services, traces, and the profiles of the Pod network, on clusters of their own."""
    import bench_network

    found = bench_network.measure(runs)
    rows = [Row("trace of a call across nodes", found.traces, aim=1.0)]
    for mode, seconds in found.programmed.items():
        rows.append(Row(f"1,000 Services → rules on every node, {mode}", [seconds]))
        rows.append(Row("  of it: created through the API", [found.created[mode]]))
        rows.append(Row("  one more → rules on every node", [found.one_more[mode] * 1000], "ms"))
    for profile, mtu, rate, trip in found.profiles:
        rows.append(Row(f"{profile}: TCP between nodes", [rate], "Gb", note=f"MTU {mtu}, round trip {trip:.3f} ms"))
    return rows


def routes(runs: int) -> list[Row]:
    """New routes until they answer, on a cluster of their own."""
    import bench_routes

    found = bench_routes.measure(runs)
    for addon, why in found.left_out.items():
        print(f"{addon}: not measured: {why}", file=sys.stderr)
    return [Row(f"{addon}: route created → first answer", took, "ms") for addon, took in found.routes.items()]


def machine(load: float) -> str:
    """What the numbers were measured on."""
    user = "root" if os.geteuid() == 0 else "an ordinary user"
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return (
        f"{day}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}, as {user}, "
        f"load {load:.1f} before the first row"
    )


def render(rows: list[Row], about: str) -> str:
    """The table as text."""
    width = max(len(row.what) for row in rows)
    lines = [about, "", f"{'':{width}}   {'median':>9} {'min':>8} {'max':>8} {'aim':>8}   n"]
    for row in rows:
        digits = 0 if row.unit in ("ms", "MB") else 2
        cells = [f"{value:.{digits}f}" for value in (row.median, min(row.samples), max(row.samples))]
        aim = "" if row.aim is None else f"{row.aim:g} {row.unit}"
        mark = " " if row.aim is None else "✔" if row.median <= row.aim else "✘"
        first = f"{row.what:{width}} {mark} {cells[0] + ' ' + row.unit:>9} {cells[1]:>8} {cells[2]:>8} {aim:>8} "
        lines.append(f"{first}{len(row.samples):>3}  {row.note}".rstrip())
    return "\n".join([*lines, "", "Published elsewhere, measured by other rules:", *(f"  {p}" for p in PUBLISHED)])


if __name__ == "__main__":
    sys.exit(main())
