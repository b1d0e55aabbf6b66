"""Devices that hand IP packets to a program instead of a wire: TUN (linux/if_tun.h), or a cable with a packet socket.

The second is for machines without /dev/net/tun, such as containers that were not given the device.
"""

import fcntl
import os
import socket
import struct
from array import array

from podwalk.netns import guard
from podwalk.netns.netlink import Netlink
from podwalk.netns.rtmessage import pack_mac

DEVICE = "/dev/net/tun"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x1, 0x1000
_IFREQ = struct.Struct("=16sH22x")

_SIOCGIFFLAGS, _SIOCSIFFLAGS, _SIOCETHTOOL = 0x8913, 0x8914, 0x8946
_IFF_NOARP = 0x80
_ETHTOOL_STXCSUM = 0x17  # without checksums in hardware there is no segmentation either
_ETH_P_IP = 0x0800


def open_tun(name: str) -> tuple[int, str]:
    """Create a TUN device in this network namespace and return its descriptor and its name.

    ``name`` may hold ``%d``: the kernel puts the first free number there. The device goes when the descriptor is
    closed. Raises OSError where /dev/net/tun does not exist or is refused, and guard.HostNamespaceError.
    """
    guard.refuse_host()
    fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        answer = fcntl.ioctl(fd, _TUNSETIFF, _IFREQ.pack(name.encode(), _IFF_TUN | _IFF_NO_PI))
    except OSError:
        os.close(fd)
        raise
    return fd, _IFREQ.unpack(answer)[0].rstrip(b"\0").decode()


def open_cable(name: str) -> tuple[int, bytes]:
    """Create a device that works as a TUN device for IPv4, and return a packet socket's descriptor and a frame header.

    What the kernel sends into ``name`` is read from the descriptor behind an Ethernet header; what is written there
    behind the returned one arrives on ``name``. Delete the device to end it. Raises NetlinkError, OSError.
    """
    far = f"{name}-far"
    with Netlink() as netlink:
        netlink.add_veth(name, far)
        # A frame is whole when it comes out: nobody behind this cable computes a checksum or cuts a large packet.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            _ethtool(control, name, _ETHTOOL_STXCSUM, 0)
            _without_arp(control, name)
        netlink.set_up(far)
        link = netlink.link(name)
    assert link is not None
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP))
    packets.bind((far, _ETH_P_IP))
    mac = pack_mac(link.mac)
    return packets.detach(), mac + mac + struct.pack("!H", _ETH_P_IP)


def _ethtool(control: socket.socket, name: str, command: int, value: int) -> None:
    data = array("B", struct.pack("=II", command, value))
    address, _ = data.buffer_info()
    fcntl.ioctl(control, _SIOCETHTOOL, struct.pack("16sP16x", name.encode(), address))


def _without_arp(control: socket.socket, name: str) -> None:
    request = struct.Struct("=16sH22x")
    _, flags = request.unpack(fcntl.ioctl(control, _SIOCGIFFLAGS, request.pack(name.encode(), 0)))
    fcntl.ioctl(control, _SIOCSIFFLAGS, request.pack(name.encode(), flags | _IFF_NOARP))
