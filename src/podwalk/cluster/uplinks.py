"""The racks around the nodes of the profile `calico`: two switches that talk BGP, and one server behind both of them.

Nobody hears of that server by itself: its network is known to the switches alone, until a BGPPeer makes the nodes ask
them. Each switch has its own AS number, and so has the server, as in a routed data centre (RFC 7938).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from podwalk.cluster import internet
from podwalk.cluster.messages import Channel
from podwalk.cluster.spec import BRIDGE, FABRIC_PREFIX, GATEWAY
from podwalk.dns.loop import Loop
from podwalk.netns import sandbox
from podwalk.netns.netlink import Netlink
from podwalk.network.calico import switch
from podwalk.network.calico.switch import Switch

SERVER = "storage"
SERVER_AS = 65100
SERVER_ADDRESS = "172.20.0.10"
NETWORK = "172.20.0.0/24"
SWITCHES = (
    Switch("tor-a", "172.18.0.251", 65001, "172.20.1.0", "172.20.1.1"),
    Switch("tor-b", "172.18.0.252", 65002, "172.20.2.0", "172.20.2.1"),
)
_FABRIC = f"172.18.0.0/{FABRIC_PREFIX}"
_DOWNLINK = "to-server"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIG = Path("/etc/bird/bird.conf")
_SOCKET = Path("/run/bird/bird.ctl")  # where birdc looks by itself


def start(netlink: Netlink, channel: Channel) -> None:
    """Start all three as children of the sandbox's init, cabled: to the fabric's bridge, and to the server."""
    with _machine(SERVER, _serve, channel) as server_fd:
        for place in SWITCHES:
            with _machine(place.name, partial(_forward, place), channel) as switch_fd:
                netlink.add_veth(place.name, "eth0", peer_ns_fd=switch_fd)
                netlink.set_master(place.name, BRIDGE)
                netlink.set_up(place.name)
                netlink.add_veth(_DOWNLINK, place.name, peer_ns_fd=server_fd)
                netlink.move(_DOWNLINK, switch_fd)


@contextmanager
def _machine(name: str, main: Callable[[], int], channel: Channel) -> Iterator[int]:
    """A machine that waits for its cables: its network namespace, for a `with` block after which it runs."""
    process = sandbox.spawn_node(name, main, keep_fds=())
    with process.netns_fd() as fd:
        yield fd
    channel.send("beside", name=name, pid=process.pid)
    process.go()


def _forward(place: Switch) -> int:
    """Become the switch: addresses, forwarding, BIRD."""
    with Netlink() as netlink:
        netlink.add_address("eth0", f"{place.address}/{FABRIC_PREFIX}")
        netlink.add_address(_DOWNLINK, f"{place.inner}/31")
        netlink.set_up("eth0")
        netlink.set_up(_DOWNLINK)
        netlink.add_route("0.0.0.0/0", via=GATEWAY)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    bird = _bird(switch.switch_file(place, _FABRIC, SERVER_AS))
    os.execve(bird[0], bird, {"PATH": _PATH})


def _serve() -> int:
    """Be the server: one address, a cable to each switch, and a web page."""
    with Netlink() as netlink:
        netlink.add_address("lo", f"{SERVER_ADDRESS}/32")
        for place in SWITCHES:
            netlink.add_address(place.name, f"{place.behind}/31")
            netlink.set_up(place.name)
    bird = _bird(switch.server_file(SERVER_ADDRESS, SERVER_AS, NETWORK, SWITCHES))
    subprocess.Popen(bird, stdin=subprocess.DEVNULL, env={"PATH": _PATH}, cwd="/")
    loop = Loop()
    for place in SWITCHES:
        page = f"{SERVER}, by way of {place.name}\n".encode()
        internet.serve_web(loop, _listener(place.name), SERVER, {b"/": partial(bytes, page)})
    loop.run()
    return 1


def _listener(device: str) -> socket.socket:
    """A listening socket for the connections that come by one device, so that the server knows which way they took."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    listener.bind((SERVER_ADDRESS, internet.WEB_PORT))
    listener.listen(64)
    return listener


def _bird(config: str) -> list[str]:
    """Write a configuration; the command that runs it."""
    for path in (_CONFIG, _SOCKET):
        path.parent.mkdir(parents=True, exist_ok=True)
    _CONFIG.write_text(config)
    return [shutil.which("bird", path=_PATH) or "bird", "-f", "-c", str(_CONFIG)]
