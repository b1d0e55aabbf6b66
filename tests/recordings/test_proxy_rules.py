"""Our kube-proxy's rules against those that the real one wrote, case by case.

``PODWALK_RECORDINGS`` names a folder with ``iptables/CASE`` and ``nftables/CASE``: ``stored.yaml`` holds the Service
and the EndpointSlices as an API server kept them (those that the controller made are in
``endpointslices-from-controller.yaml``), ``iptables-save.txt`` or ``nft-ruleset.txt`` the rules on node-a.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from podwalk.proxy import model, nftrender, nftscript, render, restore

Object = dict[str, Any]

_ROOT = os.environ.get("PODWALK_RECORDINGS", "")
_RULES = {"iptables": "iptables-save.txt", "nftables": "nft-ruleset.txt"}
_NODE = model.Node("node-a", "10.10.0.1", "zone-a")
_CIDR, _SERVICES = "10.244.0.0/16", "10.96.0.0/16"

CASES = [
    (mode, case.name)
    for mode, rules in _RULES.items()
    for case in sorted(Path(_ROOT, mode).glob("*"))
    if _ROOT and (case / rules).exists()
]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not CASES, reason="PODWALK_RECORDINGS names no folder with recorded rules"),
]


def _kubernetes() -> list[Object]:
    """The API server's own Service, which every cluster has."""
    port = {"name": "https", "protocol": "TCP"}
    return [
        {
            "kind": "Service",
            "metadata": {"name": "kubernetes", "namespace": "default"},
            "spec": {"type": "ClusterIP", "clusterIP": "10.96.0.1", "ports": [{**port, "port": 443}]},
        },
        {
            "kind": "EndpointSlice",
            "metadata": {
                "name": "kubernetes",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": "kubernetes"},
            },
            "addressType": "IPv4",
            "ports": [{**port, "port": 16443}],
            "endpoints": [{"addresses": ["192.0.2.10"], "conditions": {"ready": True}}],
        },
    ]


def _ports(case: Path) -> list[model.ServicePort]:
    objects = _kubernetes()
    for name in ("stored.yaml", "endpointslices-from-controller.yaml"):
        if (case / name).exists():
            found = [o for o in yaml.safe_load_all((case / name).read_text()) if o]
            objects += [{"kind": "EndpointSlice", **o} for o in found]
    slices = {o["metadata"]["name"]: o for o in objects if o["kind"] == "EndpointSlice"}
    return model.service_ports([o for o in objects if o["kind"] == "Service"], slices.values(), _NODE)


def _scripts(mode: str, ports: list[model.ServicePort]) -> list[str]:
    if mode == "nftables":
        wanted = nftrender.render(ports, _NODE, _CIDR)
        base = [nftscript.base(_NODE.ip, _CIDR, _SERVICES), nftscript.base6()]
        return base + nftscript.changes(nftrender.Table(), wanted)
    nothing = restore.Existing()
    return [restore.base(nothing), restore.changes(None, render.render(ports, _NODE, _CIDR), nothing)]


@pytest.fixture(scope="module")
def ours() -> dict[tuple[str, str], str]:
    """(mode, case) -> what a kernel lists after our rules."""
    jobs = [{"mode": mode, "scripts": _scripts(mode, _ports(Path(_ROOT, mode, case)))} for mode, case in CASES]
    program = Path(__file__).with_name("rules_in_a_kernel.py")
    done = subprocess.run(
        [sys.executable, str(program)], input=json.dumps(jobs), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(CASES, json.loads(done.stdout), strict=True))


def _chains_of_iptables(text: str) -> dict[str, list[str]]:
    """table/chain -> rules; where every rule is about another destination, their order says nothing."""
    chains: dict[str, list[str]] = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(":"):
            chains[f"{table} {line[1:].split()[0]}"] = []
        elif line.startswith("-A ") and "nfacct" not in line:
            chain, _, rule = line[3:].partition(" ")
            chains[f"{table} {chain}"].append(rule)
    unordered = re.compile(r"KUBE-(SERVICES|NODEPORTS|EXTERNAL-SERVICES|PROXY-FIREWALL)$")
    # Empty chains of the kernel's own come and go with the program that asks.
    return {
        name: sorted(rules) if unordered.search(name) else rules
        for name, rules in chains.items()
        if rules or "KUBE" in name
    }


def _objects_of_nftables(text: str) -> dict[str, list[str]]:
    """table and chain, set or map -> its lines; elements one by one, sorted."""
    objects: dict[str, list[str]] = {}
    table = ""
    for block in re.split(r"\n(?=table |\t(?:chain|set|map) )", text):
        head, *lines = block.split("\n")
        if head.startswith("table"):
            table = head.rstrip(" {")
        body = " ".join(line.strip() for line in lines if line.strip() not in ("", "}"))
        elements = re.search(r"elements = \{ (.*?) \}", body)
        rest = body.replace(elements[0], "") if elements else body
        listed = [line.strip() for line in lines if line.strip() not in ("", "}")]
        objects[f"{table} {head.strip()}"] = sorted([rest, *elements[1].split(", ")]) if elements else listed
    return objects


@pytest.mark.parametrize(("mode", "case"), CASES, ids=lambda value: str(value))
def test_our_rules_are_those_of_the_real_kube_proxy(mode: str, case: str, ours: dict[tuple[str, str], str]) -> None:
    recorded = Path(_ROOT, mode, case, _RULES[mode]).read_text()
    parse = _objects_of_nftables if mode == "nftables" else _chains_of_iptables
    assert parse(ours[mode, case]) == parse(recorded)


@pytest.mark.parametrize("mode", sorted({mode for mode, _ in CASES}))
def test_the_comparison_can_tell_rules_apart(mode: str, ours: dict[tuple[str, str], str]) -> None:
    mine = [text for (of, _), text in ours.items() if of == mode]
    parse = _objects_of_nftables if mode == "nftables" else _chains_of_iptables
    assert parse(mine[0]) != parse(mine[1])
