"""The bytes of rtnetlink: attributes and headers, packed and unpacked. See linux/rtnetlink.h and linux/if_link.h."""

import ipaddress
import socket
import struct

NLM_F_REQUEST, NLM_F_ACK = 0x1, 0x4
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLM_F_DUMP = 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3

RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWQDISC, RTM_NEWTFILTER, RTM_GETTFILTER = 36, 44, 46

IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER = 1, 3, 4, 5, 10
IFLA_LINKINFO, IFLA_NET_NS_FD = 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA = 1, 2
VETH_INFO_PEER = 1
IFLA_VXLAN_ID, IFLA_VXLAN_LINK, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PORT = 1, 3, 4, 7, 15
IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST = 1, 2, 3, 4
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 1, 4, 5, 6, 7, 15
NDA_DST, NDA_LLADDR, NDA_MASTER = 1, 2, 9
TCA_KIND, TCA_OPTIONS = 1, 2
TCA_BPF_FD, TCA_BPF_NAME, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT = 6, 7, 8, 1
TC_H_CLSACT, TC_H_CLSACT_HANDLE = 0xFFFFFFF1, 0xFFFF0000
TC_DIRECTIONS = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}

IFF_UP, IFF_NOARP, IFF_LOWER_UP = 0x1, 0x80, 0x10000
RT_TABLE_MAIN, RTPROT_BOOT = 254, 3
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK = 0, 253
RTN_UNICAST, RTN_LOCAL = 1, 2
RTNH_F_ONLINK = 4
NUD_PERMANENT, NTF_SELF, NTF_MASTER = 0x80, 0x02, 0x04
AF_BRIDGE = 7

HEADER = struct.Struct("=IHHII")
LINK_HEADER = struct.Struct("=BxHiII")
ADDRESS_HEADER = struct.Struct("=BBBBi")
ROUTE_HEADER = struct.Struct("=BBBBBBBBI")
NEIGHBOUR_HEADER = struct.Struct("=BxxxiHBB")
TC_HEADER = struct.Struct("=BxxxiIII")

SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


def attribute(kind: int, payload: bytes) -> bytes:
    """Pack one attribute, padded to four bytes."""
    return struct.pack("=HH", len(payload) + 4, kind) + payload + b"\0" * (-len(payload) % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """Pack an attribute that holds attributes."""
    return attribute(kind | 0x8000, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    """Pack a zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def number(kind: int, value: int) -> bytes:
    """Pack a 32-bit number."""
    return attribute(kind, struct.pack("=I", value))


def parse_attributes(data: bytes) -> dict[int, bytes]:
    """Unpack a row of attributes; flags in the type are ignored, of repeated types the last one wins."""
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def pack_mac(mac: str) -> bytes:
    """Turn `aa:bb:cc:dd:ee:ff` into six bytes."""
    return bytes.fromhex(mac.replace(":", ""))


def format_mac(data: bytes) -> str:
    """Turn bytes into `aa:bb:cc:dd:ee:ff`."""
    return data.hex(":")


def format_ip(data: bytes) -> str:
    """Turn 4 or 16 bytes into an address."""
    return str(ipaddress.ip_address(data))


def pack_ip(address: str) -> bytes:
    """Turn an address into its bytes."""
    return ipaddress.ip_address(address).packed


def family_of(version: int) -> int:
    """Return the address family of an IP version."""
    return int(socket.AF_INET if version == 4 else socket.AF_INET6)


def unpack_number(data: bytes) -> int:
    """Unpack a 32-bit number."""
    value: int = struct.unpack("=I", data[:4])[0]
    return value


def unpack_text(data: bytes) -> str:
    """Unpack a zero-terminated string."""
    return data.rstrip(b"\0").decode(errors="replace")
