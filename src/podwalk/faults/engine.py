"""Injecting faults and taking them back: the cluster must be well before, the symptom must show, and nothing may stay.

The order makes every death survivable: start the keeper, plan, store the record in the cluster, break. `undo` is
harmless where nothing was broken yet.
"""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from podwalk.backends.base import Cluster
from podwalk.faults import app, catalogue, keeper, nodestate, record
from podwalk.faults.bench import Bench, matches, open_bench
from podwalk.faults.model import Fault, FaultError, Hands
from podwalk.faults.record import Record

DEFAULT_SECONDS = 30 * 60.0
# A CoreDNS that rolls answers for 5 s while it ends, and its readiness is looked at every 10 s.
WELL_SECONDS = 60.0
SHOW_SECONDS = 25.0
# The profiles in which a Pod reaches the others of its node, and the node, without its gateway.
_LINKED = ("flannel", "flannel-host-gw", "flannel-udp", "kindnet")
_SBIN = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin"

Say = Callable[[str], None]


class NoSymptomError(FaultError):
    """A fault was injected and did not show; it was taken back."""


@dataclass(frozen=True, slots=True)
class Injected:
    """What was injected, and what its probes see."""

    records: tuple[Record, ...]
    seen: dict[str, str] = field(default_factory=dict)


def lacking(fault: Fault, cluster: Cluster) -> str:
    """What a cluster (or this machine) lacks for a fault, in words; empty where it has everything."""
    options = cluster.status().details.get("options", {})
    # The tramway is not well without these, whatever is broken in it.
    if not options.get("networkPolicy", True):
        return "a cluster that enforces NetworkPolicies"
    if options.get("proxyMode") == "none" or options.get("cni") == "none":
        return "a cluster with a Pod network and a kube-proxy"
    missing = {
        "link": ("" if options.get("cni", "flannel") in _LINKED else "Pods that share a link with those beside them"),
        "vxlan": ("" if options.get("cni", "flannel") == "flannel" else "a Pod network of flannel's (VXLAN)"),
        "iptables": ("" if options.get("proxyMode", "iptables") == "iptables" else "a kube-proxy that writes iptables"),
        "balancer": ("" if options.get("loadBalancer", True) else "a cluster with load balancers"),
        "ingress": ("" if shutil.which("nginx", path=_SBIN) else "nginx: sudo apt-get install nginx-light"),
        "gateway": ("" if keeper.has_module("envoy") else "Envoy: pip install 'podwalk[gateway]'"),
    }
    needs = fault.needs | ({"balancer"} if fault.needs & {"ingress", "gateway"} else set())
    return next((missing[need] for need in sorted(needs) if missing.get(need)), "")


def inject(
    cluster: Cluster,
    faults: Sequence[Fault],
    *,
    seconds: float = DEFAULT_SECONDS,
    hidden: bool = False,
    seed: int | None = None,
    parts: Collection[str] = (),
    lifeline: bool = False,
    say: Say = lambda text: None,
) -> tuple[Injected, keeper.Keeper]:
    """Inject these faults into a well cluster and prove their symptoms. Raises FaultError; then nothing is broken.

    The keeper takes them back after ``seconds``; with ``lifeline`` also as soon as this process has ended or closes
    the keeper that is returned.
    """
    _refuse(cluster, faults)
    with open_bench(cluster) as bench:
        if there := record.load(bench.client):
            what = "a fault of a drill" if there[0].hidden else there[0].fault
            raise FaultError(f"{what} is injected already; take it back first: podwalk fault undo")
        bench.put({p for f in faults for p in f.needs if p in app.PARTS} | set(parts))
        say("the tramway runs")
        if ill := bench.sick(WELL_SECONDS):
            raise FaultError(f"the cluster is not clean: {in_words(ill)}; start over: podwalk down && podwalk up")
        say(f"{len(bench.questions())} questions are answered as they should")
        # The keeper comes first: whoever kills us from here on leaves nothing broken.
        held = keeper.start(cluster)
        try:
            done = strike(bench, faults, seconds=seconds, hidden=hidden, seed=seed)
        except BaseException:
            held.close()
            raise
    if not lifeline:
        held.let_go()
    return done, held


def _refuse(cluster: Cluster, faults: Sequence[Fault]) -> None:
    if cluster.backend != "embedded":
        raise FaultError(f"cluster {cluster.name} is {cluster.backend}; faults need an embedded one: podwalk up")
    for fault in faults:
        if missing := lacking(fault, cluster):
            raise FaultError(f"{fault.id} needs {missing}")


def strike(
    bench: Bench,
    faults: Sequence[Fault],
    *,
    seconds: float = DEFAULT_SECONDS,
    hidden: bool = False,
    seed: int | None = None,
) -> Injected:
    """Inject into an application that is known to be well, without a keeper, and wait until everything shows.

    Raises FaultError; then it was taken back.
    """
    facts = bench.facts()
    nodes = nodestate.read(bench, list(facts.node_ips))
    records, rng = [], random.Random(seed)
    try:
        for fault in faults:
            now = time.time()
            plan = fault.plan(bench, facts, rng)
            records.append(record.save(bench.client, Record(fault.id, plan, now, now + seconds, hidden, nodes)))
            fault.inject(bench, plan)
        return Injected(tuple(records), _shown(bench, faults))
    except BaseException:
        undo_all(bench)
        raise


def _shown(bench: Bench, faults: Sequence[Fault]) -> dict[str, str]:
    """What the probes see once every symptom is there. Raises FaultError where one does not come."""
    wanted = {name: pattern for fault in faults for name, pattern in fault.shows.items()}
    seen = bench.wait_to_see(wanted, SHOW_SECONDS)
    if not matches(seen, wanted):
        raise NoSymptomError(f"{faults[0].id} does not show: {in_words(seen)}; it was taken back, try: podwalk doctor")
    return seen


def undo_all(hands: Hands) -> list[Record]:
    """Take back everything that is injected, the newest first. Raises FaultError after trying all."""
    done, complaints = [], []
    for each in record.load(hands.client):
        try:
            catalogue.find(each.fault).undo(hands, each.plan)
        except FaultError as error:
            complaints.append(str(error))
            continue
        record.remove(hands.client, each)
        done.append(each)
    if complaints:
        raise FaultError("; ".join(complaints))
    return done


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back, what is ill all the same, and what differs on the nodes."""

    records: tuple[Record, ...]
    ill: dict[str, str]
    left: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is left of it."""
        return not self.ill and not self.left


def undo(cluster: Cluster, *, keep: bool = False, prove: bool = True) -> Undone:
    """Take back everything, prove that the cluster is clean, and take the application away unless it is to stay."""
    with open_bench(cluster) as bench:
        there = record.load(bench.client)
        undo_all(bench)
        ill: dict[str, str] = {}
        left: list[str] = []
        if prove and "core" in app.parts(bench.client):
            ill = bench.sick(WELL_SECONDS)
            if there:
                left = nodestate.differences(there[-1].nodes, nodestate.read(bench, list(there[-1].nodes)))
        if not keep:
            app.take_away(bench.client)
    return Undone(tuple(there), ill, tuple(left))


def in_words(answers: dict[str, str], most: int = 3) -> str:
    """A few probes and what they saw, in words."""
    from podwalk.faults.probes import PROBES

    said = [f"{PROBES[name].what}: {answer}" for name, answer in answers.items()]
    return "; ".join(said[:most]) + (f"; and {len(said) - most} more" if len(said) > most else "")
