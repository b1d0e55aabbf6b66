"""The other end of a BGPPeer with a peerIP: a switch at the top of a rack, and a server behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from podwalk.network.calico.bgp import AS_NUMBER

# Three keepalives: so long it takes until one end knows that the other is gone. The default of most routers is 90 s or
# more, which is why people run BFD beside BGP.
HOLD_SECONDS = 6

_TIMES = f"""\
  hold time {HOLD_SECONDS};
  keepalive time {HOLD_SECONDS // 3};
  connect delay time 1;
  connect retry time 3;
  error wait time 1, 5;
"""

_COMMON = """\
router id {address};

protocol device {{
  scan time 2;
}}

# What the neighbours told, into the kernel's table; two equal ways become one route with two next hops.
protocol kernel {{
  merge paths on;
  ipv4 {{
    import none;
    export where source = RTS_BGP;
  }};
}}
"""

_SWITCH = """\
# A switch at the top of a rack; birdc show protocols tells who has called.
{common}
# The nodes' network, as long as there is a cable to it.
protocol direct {{
  ipv4;
  interface "eth0";
  check link;
}}

protocol bgp server {{
  description "what is behind this switch";
  local {inner} as {as_number};
  neighbor {behind} as {server_as};
{times}  ipv4 {{
    import all;
    export where source = RTS_DEVICE;
    next hop self;
  }};
}}

# Whichever node calls is answered: nobody configures a switch again for every node that comes.
protocol bgp nodes {{
  description "the rack's nodes";
  local {address} as {as_number};
  neighbor range {nodes} as {cluster_as};
  dynamic name "node_";
{times}  ipv4 {{
    import all;
    export where proto = "server";
    next hop self;
  }};
}}
"""

_SERVER = """\
# A server that speaks BGP itself, with both switches.
{common}
protocol static {{
  ipv4;
  route {network} unreachable;
}}
{sessions}"""

_TO_SWITCH = """
protocol bgp {name} {{
  local {behind} as {server_as};
  neighbor {inner} as {as_number};
{times}  ipv4 {{
    import all;
    export where source = RTS_STATIC;
    next hop self;
  }};
}}
"""


@dataclass(frozen=True, slots=True)
class Switch:
    """A switch: its IPv4 address among the nodes, its AS number, and both ends of its cable to the server."""

    name: str
    address: str
    as_number: int
    inner: str
    behind: str


def switch_file(switch: Switch, nodes: str, server_as: int) -> str:
    """bird.conf of a switch; ``nodes`` is the range of IPv4 addresses (AS 64512) from which it takes calls."""
    return _SWITCH.format(
        common=_COMMON.format(address=switch.address),
        times=_TIMES,
        address=switch.address,
        as_number=switch.as_number,
        inner=switch.inner,
        behind=switch.behind,
        nodes=nodes,
        server_as=server_as,
        cluster_as=AS_NUMBER,
    )


def server_file(address: str, server_as: int, network: str, switches: Iterable[Switch]) -> str:
    """bird.conf of the server at ``address``, which tells all switches of its ``network``."""
    sessions = (
        _TO_SWITCH.format(
            name=switch.name.replace("-", "_"),
            behind=switch.behind,
            inner=switch.inner,
            as_number=switch.as_number,
            server_as=server_as,
            times=_TIMES,
        )
        for switch in switches
    )
    return _SERVER.format(common=_COMMON.format(address=address), network=network, sessions="".join(sessions))
