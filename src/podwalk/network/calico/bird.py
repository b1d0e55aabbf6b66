"""BIRD's configuration, and its control socket.

The files have the names and the shape of those that confd writes for calico-node, in the language of BIRD 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

from podwalk.network.calico.bgp import Session

CONFIG = Path("/etc/calico/confd/config")
SOCKET = Path("/run/bird/bird.ctl")  # where birdc looks by itself
_TIMEOUT_SECONDS = 5.0

_MAIN = """\
# Written by calico-node; birdc shows what came of it.
include "bird_aggr.cfg";
include "bird_ipam.cfg";

router id {ip};

# How long a BIRD that is started again waits for peers before it takes what it has for the truth.
graceful restart wait 10;

# Between BIRD's table and the kernel's.
protocol kernel {{
  learn;             # routes that others put into the kernel, too: those of the Pods
  persist;           # routes stay when BIRD ends
  scan time 2;
  metric 0;
  merge paths on;    # several ways to one block become one route with several next hops (ECMP)
  graceful restart;
  ipv4 {{
    import all;
    export filter calico_kernel_programming;
  }};
}}

protocol device {{
  scan time 2;
}}

# The networks of the interfaces; without them no next hop of a BGP route would be known.
protocol direct {{
  ipv4;
  interface -"cali*", -"kube-ipvs*", "*";
}}

template bgp bgp_template {{
  debug {{ states }};
  description "Connection to BGP peer";
  local {ip} as {own_as};
  multihop;
  graceful restart;
  connect delay time 1;
  connect retry time 3;
  error wait time 1, 5;
  ipv4 {{
    gateway recursive;
    import all;
    export filter calico_export_to_bgp_peers;
    add paths on;
  }};
}}
"""

_SESSION = """
protocol bgp {name} from bgp_template {{
  neighbor {neighbour} as {as_number};
{options}}}
"""

_IPAM = """\
# Written by calico-node: what other nodes are told, and what the kernel gets.
filter calico_export_to_bgp_peers
{{
  calico_aggr();       # decides about this node's own blocks
  if net ~ {pool} then accept;
  reject;
}}

filter calico_kernel_programming
{{
  if source = RTS_BGP || source = RTS_STATIC then accept;
  reject;
}}
"""


def main_file(ip: str, own_as: int, sessions: Iterable[Session]) -> str:
    """bird.cfg."""
    return _MAIN.format(ip=ip, own_as=own_as) + "".join(_session(session) for session in sessions)


def _session(session: Session) -> str:
    options = []
    if session.passive:
        options.append("passive on;  # the other end opens the connection")
    options.append(f"graceful restart time {session.restart_seconds};")
    if session.client_of:
        options += ["rr client;", f"rr cluster id {session.client_of};"]
    text = "".join(f"  {option}\n" for option in options)
    return _SESSION.format(name=session.name, neighbour=session.neighbour, as_number=session.as_number, options=text)


def aggregation_file(blocks: Iterable[str]) -> str:
    """bird_aggr.cfg: the node's blocks as routes, and nothing smaller for the peers."""
    blocks = list(blocks)
    routes = "".join(f"  route {block} blackhole;\n" for block in blocks)
    rules = "".join(f"  if net = {block} then accept;\n  if net ~ {block} then reject;\n" for block in blocks)
    return (
        "# Written by calico-node: the blocks of this node. An address that no Pod has is dropped here.\n"
        f"protocol static {{\n  ipv4;\n{routes}}}\n\n"
        f"function calico_aggr()\n{{\n{rules}\n}}\n"
    )


def pool_file(pool: str) -> str:
    """bird_ipam.cfg."""
    return _IPAM.format(pool=pool)


async def command(line: str) -> str:
    """Send one command to BIRD and return its answer. Raises OSError, TimeoutError."""
    async with asyncio.timeout(_TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(str(SOCKET))
        try:
            await _answer(reader)
            writer.write(f"{line}\n".encode())
            await writer.drain()
            return await _answer(reader)
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    """Lines until the one whose four-digit code is followed by a blank."""
    lines = []
    while line := (await reader.readline()).decode(errors="replace").rstrip("\n"):
        lines.append(line)
        if line[:4].isdigit() and line[4:5] == " ":
            return "\n".join(lines)
    raise ConnectionResetError("BIRD closed its control socket")
