"""Where packets go, by the rendered rules."""

from __future__ import annotations

import proxy_nft_packets
import pytest
from proxy_packets import Outcome, Packet, trace
from proxy_rows import CIDR, NODE, ROWS, Row, endpoint_slice

from podwalk.proxy import model, nftrender, nftscript, render


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_packets_end_where_the_service_says(row: Row) -> None:
    ports = model.service_ports([row.service], [endpoint_slice(*row.endpoints)], NODE)
    rules = render.render(ports, NODE, CIDR)
    outcomes = trace(rules, Packet(row.source, row.destination, row.port), NODE.ip)
    assert outcomes == {Outcome(target, target in row.masqueraded) for target in row.targets}


@pytest.mark.parametrize("row", [row.of_mode("nftables") for row in ROWS], ids=lambda row: row.id)
def test_packets_end_where_the_service_says_in_nftables_mode(row: Row) -> None:
    ports = model.service_ports([row.service], [endpoint_slice(*row.endpoints)], NODE)
    rules = proxy_nft_packets.Ruleset()
    rules.run(nftscript.base(NODE.ip, CIDR, "10.96.0.0/16"))
    for script in nftscript.changes(nftrender.Table(), nftrender.render(ports, NODE, CIDR)):
        rules.run(script)
    outcomes = proxy_nft_packets.trace(rules, Packet(row.source, row.destination, row.port), NODE.ip)
    assert outcomes == {Outcome(target, target in row.masqueraded) for target in row.targets}
