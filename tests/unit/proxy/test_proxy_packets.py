"""Where packets go, by the rendered rules."""

from __future__ import annotations

import pytest
from proxy_packets import Outcome, Packet, trace
from proxy_rows import CIDR, NODE, ROWS, Row, endpoint_slice

from podwalk.proxy import model, render


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_packets_end_where_the_service_says(row: Row) -> None:
    ports = model.service_ports([row.service], [endpoint_slice(*row.endpoints)], NODE)
    rules = render.render(ports, NODE, CIDR)
    outcomes = trace(rules, Packet(row.source, row.destination, row.port), NODE.ip)
    assert outcomes == {Outcome(target, target in row.masqueraded) for target in row.targets}
