"""What is fed to iptables-restore."""

from __future__ import annotations

import re
from typing import Any

from proxy_rows import CIDR, HERE, HERE2, NODE, THERE, endpoint, endpoint_slice, service

from podwalk.proxy import conntrack, model, names, render, restore
from podwalk.proxy.model import ServicePort
from podwalk.proxy.render import Ruleset


def ports_of(count: int, *endpoint_ips: str) -> list[ServicePort]:
    services = [service(f"s{i:03}", clusterIP=f"10.96.1.{i}", clusterIPs=[f"10.96.1.{i}"]) for i in range(count)]
    slices = [endpoint_slice(*map(endpoint, endpoint_ips), of=f"s{i:03}") for i in range(count)]
    return model.service_ports(services, slices, NODE)


def rendered(ports: list[ServicePort]) -> Ruleset:
    return render.render(ports, NODE, CIDR)


def sections(text: str) -> list[list[str]]:
    return [part.strip().splitlines() for part in text.split("COMMIT\n") if part.strip()]


class Kernel:
    """Takes restore input as the kernel does: a jump needs its chain, a chain that is jumped to cannot go."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, list[str]]] = {"filter": {}, "nat": {}, "mangle": {}}

    def restore(self, text: str) -> None:
        for table, *lines in sections(text):
            chains = self.tables[table[1:]]
            for line in lines:
                words = line.split()
                if line.startswith(":"):
                    chains[words[0][1:]] = []
                elif words[0] == "-X":
                    assert not chains.pop(words[1]), f"{words[1]} is not empty"
                elif words[0] in ("-A", "-I"):
                    chains.setdefault(words[1], []).insert(
                        len(chains.get(words[1], [])) if words[0] == "-A" else 0, line.split(" ", 2)[2]
                    )
            for chain, rules in chains.items():
                for rule in rules:
                    target = re.search(r"-j (KUBE-\S+)", rule)
                    assert not target or target[1] in chains, (
                        f"{chain} jumps to {target and target[1]}, which is missing"
                    )

    def holds(self, rules: Ruleset) -> bool:
        return self.tables["filter"] == rules.filter and self.tables["nat"] == rules.nat


def test_nothing_changed_is_nothing_to_do() -> None:
    rules = rendered(ports_of(3, HERE))
    assert restore.changes(rules, rules) == ""


def test_a_new_endpoint_touches_only_its_own_service() -> None:
    before, after = rendered(ports_of(2, HERE)), rendered(ports_of(1, HERE, THERE) + ports_of(2, HERE)[1:])
    text = restore.changes(before, after)
    assert names.SERVICE_PREFIX + ports_of(1)[0].hash in text
    assert ports_of(2)[1].hash not in text
    assert f":{names.SERVICES}" not in text


def test_a_small_change_is_one_transaction() -> None:
    before, after = rendered(ports_of(30, HERE)), rendered(ports_of(31, HERE))
    assert [part[0] for part in sections(restore.changes(before, after))] == ["*nat"]


def test_big_changes_are_cut_and_every_commit_is_valid() -> None:
    kernel = Kernel()
    applied = None
    for wanted in (rendered(ports_of(n, *ips)) for n, ips in ((120, (HERE, THERE)), (119, (HERE, HERE2)), (0, ()))):
        text = restore.changes(applied, wanted, budget=60)
        assert max(len(part) for part in sections(text)) <= 61
        kernel.restore(text)
        assert kernel.holds(wanted)
        applied = wanted


def test_a_full_write_removes_the_chains_of_services_that_are_gone() -> None:
    kernel = Kernel()
    kernel.restore(restore.changes(None, rendered(ports_of(5, HERE))))
    existing = restore.Existing()
    for table, chains in kernel.tables.items():
        existing.chains[table] = set(chains)
    wanted = rendered(ports_of(1, THERE))
    kernel.restore(restore.changes(None, wanted, existing))
    assert kernel.holds(wanted)


def test_jumps_stand_in_order_before_foreign_rules_and_are_not_doubled() -> None:
    save = "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j FLANNEL-FWD\nCOMMIT\n*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n"
    text = restore.base(restore.parse_save(save))
    kernel = Kernel()
    kernel.tables["filter"]["FORWARD"] = ["-j FLANNEL-FWD"]
    kernel.restore(text)
    assert kernel.tables["filter"]["FORWARD"] == [*render.FILTER_JUMPS["FORWARD"], "-j FLANNEL-FWD"]
    again = "".join(
        f"*{table}\n"
        + "".join(f":{chain} - [0:0]\n" for chain in chains)
        + "".join(f"-A {chain} {rule}\n" for chain, rules in chains.items() for rule in rules)
        + "COMMIT\n"
        for table, chains in kernel.tables.items()
    )
    assert restore.base(restore.parse_save(again)) == ""


def test_an_error_of_iptables_is_told_with_the_line_it_means() -> None:
    text = "*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j NOWHERE\nCOMMIT\n"
    assert restore.failing_line("iptables-restore: line 3 failed", text) == "-A KUBE-SERVICES -j NOWHERE"
    assert restore.failing_line("Error occurred at line: 2", text) == ":KUBE-SERVICES - [0:0]"
    assert restore.failing_line("Another app is currently holding the xtables lock", text) is None


def udp(*ips: str, **spec: Any) -> list[ServicePort]:
    dns = service(
        "dns", ports=[{"name": "dns", "port": 53, "protocol": "UDP", "nodePort": spec.pop("node_port", 0)}], **spec
    )
    slices = [endpoint_slice(*map(endpoint, ips), of="dns", ports=[{"name": "dns", "port": 53, "protocol": "UDP"}])]
    return model.service_ports([dns], slices, NODE)


def test_udp_flows_to_an_endpoint_that_went_are_forgotten() -> None:
    (command,) = conntrack.stale_flows(udp(HERE, THERE), udp(THERE))
    assert command[:4] == ["conntrack", "-D", "-p", "udp"]
    assert command[4:] == [
        "--orig-dst", "10.96.7.7", "--orig-port-dst", "53", "--reply-src", HERE, "--reply-port-src", "53",
    ]  # fmt: skip


def test_udp_flows_by_node_port_are_forgotten_too_and_also_when_the_service_goes() -> None:
    commands = conntrack.stale_flows(udp(HERE, node_port=30053), [])
    assert [("30053" in c, "10.96.7.7" in c) for c in commands] == [(False, True), (True, False)]


def test_udp_flows_from_before_the_first_endpoint_are_forgotten() -> None:
    (command,) = conntrack.stale_flows(udp(), udp(HERE))
    assert command[4:] == ["--orig-dst", "10.96.7.7", "--orig-port-dst", "53"]


def test_tcp_flows_are_left_alone() -> None:
    assert conntrack.stale_flows(ports_of(2, HERE), []) == []


def test_udp_flows_to_a_port_that_the_service_left_are_forgotten() -> None:
    before, after = udp(HERE, node_port=30053), udp(HERE, node_port=30054)
    commands = conntrack.stale_flows(before, after)
    assert [c[4:] for c in commands] == [
        ["--orig-port-dst", "30053", "--reply-src", HERE, "--reply-port-src", "53"],
        # Whoever asked at the new port before it was one passed untranslated.
        ["--orig-port-dst", "30054"],
    ]
