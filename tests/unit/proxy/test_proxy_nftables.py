"""What nft is fed: the first write, small changes, big ones, and what is left behind."""

from __future__ import annotations

from typing import Any

import pytest
from proxy_nft_packets import Ruleset
from proxy_rows import CIDR, CLUSTER_IP, HERE, HERE2, LB_IP, NODE, NODE_PORT, THERE, endpoint, endpoint_slice, service

from podwalk.proxy import model, names, nftrender, nftscript, writers

Object = dict[str, Any]


def table(*objects: Object) -> nftrender.Table:
    services = [o for o in objects if o["kind"] == "Service"]
    slices = [o for o in objects if o["kind"] == "EndpointSlice"]
    return nftrender.render(model.service_ports(services, slices, NODE), NODE, CIDR)


class Kernel:
    """Obeys what nft is told; remembers it, too."""

    def __init__(self) -> None:
        self.rules = Ruleset()
        self.scripts: list[str] = []
        self.refuse = ""

    async def nft(self, script: str) -> str:
        if self.refuse and self.refuse in script:
            self.refuse = ""
            raise writers.RestoreError("nft: refused")
        self.scripts.append(script)
        self.rules.run(script)
        return ""


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Node:
    """A writer with its kernel and its clock."""

    def __init__(self, budget: int = nftscript.BUDGET) -> None:
        self.kernel, self.clock = Kernel(), Clock()
        self.writer = writers.NftablesWriter(self.kernel.nft, CIDR, "10.96.0.0/16", budget=budget, clock=self.clock)

    async def write(self, *objects: Object) -> list[str]:
        before = len(self.kernel.scripts)
        services = [o for o in objects if o["kind"] == "Service"]
        slices = [o for o in objects if o["kind"] == "EndpointSlice"]
        await self.writer.write(model.service_ports(services, slices, NODE), NODE)
        return self.kernel.scripts[before:]


def test_names_tell_the_service_and_carry_a_hash() -> None:
    name = names.nft_service("shop", "web", "tcp", "http")
    hashed, _, rest = name.partition("-")
    assert rest == "shop/web/tcp/http"
    assert len(hashed) == 8
    long = [names.nft_endpoint("n" * 63, "s" * 63, "sctp", "p" * 63 + x, "10.244.100.100", 65535) for x in ("a", "b")]
    assert long[0] != long[1]
    assert names.nft_service("n" * 300, "s", "tcp", "").endswith("...")
    assert len(names.nft_service("n" * 300, "s", "tcp", "")) == 240


def test_a_local_endpoint_is_a_hairpin_and_a_remote_one_is_not() -> None:
    content = table(service(), endpoint_slice(endpoint(HERE), endpoint(THERE)))
    assert list(content.elements["hairpin-connections"]) == [f"{HERE} . {HERE} . tcp . 8080"]


def test_the_ranges_stand_even_while_nobody_answers() -> None:
    ports = [{"name": "http", "port": 80, "nodePort": NODE_PORT}]
    guarded = service(type="LoadBalancer", status_ips=(LB_IP,), ports=ports, loadBalancerSourceRanges=["172.18.0.0/16"])
    content = table(guarded)
    (chain,) = content.chains
    assert content.chains[chain] == [f"ip saddr != {{ 172.18.0.0/16, {LB_IP} }} drop"]
    assert content.elements["firewall-ips"] == {f"{LB_IP} . tcp . 80": f": goto {chain}"}
    assert set(content.elements["no-endpoint-services"]) == {f"{LB_IP} . tcp . 80", f"{CLUSTER_IP} . tcp . 80"}


async def test_a_change_of_endpoints_touches_one_chain() -> None:
    node = Node()
    other = service("other", clusterIP="10.96.7.8", clusterIPs=["10.96.7.8"])
    rest = [other, endpoint_slice(endpoint(THERE), of="other")]
    await node.write(service(), endpoint_slice(endpoint(HERE)), *rest)
    (script,) = await node.write(service(), endpoint_slice(endpoint(HERE), endpoint(THERE)), *rest)
    assert "shop/other" not in script
    assert "service-ips" not in script
    assert script.count("add rule") == 1
    assert await node.write(service(), endpoint_slice(endpoint(HERE), endpoint(THERE)), *rest) == []


async def test_a_chain_that_went_is_emptied_at_once_and_removed_by_a_later_sync() -> None:
    node = Node()
    await node.write(service(), endpoint_slice(endpoint(HERE)))
    await node.write()
    (chain,) = (c for c in node.kernel.rules.chains if "/" in c)
    assert node.kernel.rules.chains[chain] == []
    node.clock.now = 0.5
    await node.write(service("early", clusterIP="10.96.7.9", clusterIPs=["10.96.7.9"]))
    assert chain in node.kernel.rules.chains
    node.clock.now = 2.0
    await node.write()
    assert chain not in node.kernel.rules.chains


async def test_a_chain_that_came_back_is_not_removed() -> None:
    node = Node()
    objects = (service(), endpoint_slice(endpoint(HERE)))
    await node.write(*objects)
    await node.write()
    await node.write(*objects)
    node.clock.now = 2.0
    await node.write(*objects, service("new", clusterIP="10.96.7.9", clusterIPs=["10.96.7.9"]))
    (chain,) = (c for c in node.kernel.rules.chains if "/" in c)
    assert node.kernel.rules.chains[chain]


async def test_another_timeout_makes_the_affinity_sets_anew_and_keeps_the_chains_filled() -> None:
    node = Node()

    def sticky(seconds: int) -> Object:
        return service(sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": seconds}})

    eps = endpoint_slice(endpoint(HERE), endpoint(HERE2))
    await node.write(sticky(600), eps)
    before = {c: list(r) for c, r in node.kernel.rules.chains.items()}
    (script,) = await node.write(sticky(900), eps)
    assert script.count("timeout 900s") == 2
    assert node.kernel.rules.chains == before
    more = endpoint_slice(endpoint(HERE), endpoint(HERE2), endpoint(THERE))
    await node.write(sticky(60), more)
    assert {c: r for c, r in node.kernel.rules.chains.items() if "/" in c} == table(sticky(60), more).chains
    await node.write(service(), eps)
    assert not [name for name in node.kernel.rules.elements if name.startswith("affinity-")]


@pytest.mark.parametrize("budget", [300, 2000, nftscript.BUDGET])
async def test_however_a_big_change_is_cut_every_commit_is_valid_and_the_end_is_the_same(budget: int) -> None:
    node = Node(budget)
    objects: list[Object] = []
    for i in range(30):
        ip = f"10.96.8.{i}"
        objects.append(service(f"s{i}", clusterIP=ip, clusterIPs=[ip], sessionAffinity="ClientIP" if i % 3 else "None"))
        objects.append(endpoint_slice(endpoint(HERE), endpoint(THERE), of=f"s{i}"))
    await node.write(*objects)
    whole = table(*objects)
    assert {c: r for c, r in node.kernel.rules.chains.items() if "/" in c} == whole.chains
    await node.write(*objects[:20])
    assert len(node.kernel.rules.elements["service-ips"]) == 10
    assert len(node.kernel.rules.elements["cluster-ips"]) == 10


async def test_after_a_refusal_the_whole_table_is_written_again() -> None:
    node = Node()
    objects = (service(), endpoint_slice(endpoint(HERE)))
    await node.write(*objects)
    node.kernel.refuse = HERE2
    with pytest.raises(writers.RestoreError):
        await node.write(service(), endpoint_slice(endpoint(HERE2)))
    base, *_ = await node.write(service(), endpoint_slice(endpoint(HERE2)))
    assert base.startswith("add table ip kube-proxy\ndelete table ip kube-proxy\n")


async def test_a_kernel_without_ipv6_tables_is_served_all_the_same() -> None:
    node = Node()
    node.kernel.refuse = "table ip6"
    await node.write(service(), endpoint_slice(endpoint(HERE)))
    assert node.kernel.rules.elements["cluster-ips"] == {CLUSTER_IP: ""}


async def test_a_table_that_went_is_noticed() -> None:
    node = Node()
    await node.write()
    assert await node.writer.intact()
    node.kernel.refuse = "list chain"
    assert not await node.writer.intact()


async def test_the_programs_complaint_is_told_with_its_line() -> None:
    def run(script: str) -> tuple[int, str, str]:
        return 1, "", "<cmdline>:1:1-3: Error: No such file or directory\nadd element ip x\n^^^\n"

    with pytest.raises(writers.RestoreError, match="No such file or directory add element ip x"):
        await writers.nft_by_library(run)("add element ip x")
