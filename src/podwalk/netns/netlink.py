"""Links, addresses, routes, neighbours and the bridge's forwarding table over one rtnetlink socket.

A socket stays bound to the network namespace it was made in, so the agent of a node keeps one and needs no `ip` process
per step (16 ms each; this takes tens of microseconds). Names and arguments follow iproute2.
"""

import contextlib
import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from podwalk.netns import guard
from podwalk.netns import rtmessage as rt

_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
_CREATE = rt.NLM_F_CREATE | rt.NLM_F_EXCL


class NetlinkError(OSError):
    """The kernel refused a request; `operation` says which, `errno` and the text why."""

    def __init__(self, operation: str, number: int, detail: str = "") -> None:
        super().__init__(number, f"{operation}: {os.strerror(number)}" + (f" ({detail})" if detail else ""))
        self.operation = operation


@dataclass(frozen=True)
class Link:
    """One network interface, as `ip link` shows it; `peer_index`: what it is stacked on, or a veth's other end."""

    index: int
    name: str
    kind: str
    mac: str
    mtu: int
    up: bool
    running: bool
    master: str
    peer_index: int


@dataclass(frozen=True)
class Address:
    """One address of an interface, with its prefix length."""

    dev: str
    address: str
    scope: str


@dataclass(frozen=True)
class Route:
    """One route of the main table; `dst` is `default` or a CIDR."""

    dst: str
    via: str
    dev: str
    src: str
    scope: str
    onlink: bool
    metric: int


@dataclass(frozen=True)
class Neighbour:
    """One entry of the neighbour table, or with `family` AF_BRIDGE of a forwarding table."""

    dev: str
    dst: str
    mac: str
    state: int
    family: int


class Netlink:
    """A rtnetlink socket of the network namespace that the calling thread is in.

    Reading is allowed everywhere; every change raises guard.HostNamespaceError in the host's namespace and NetlinkError
    when the kernel refuses. `delete_*` of something absent is no error.
    """

    def __init__(self) -> None:
        self._inode = guard.current_inode()
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        for option in (_NETLINK_CAP_ACK, _NETLINK_EXT_ACK):
            with contextlib.suppress(OSError):  # older kernels: errors without the explaining text
                self._socket.setsockopt(_SOL_NETLINK, option, 1)
        self._sequence = 0

    def close(self) -> None:
        """Close the socket: an open one keeps the namespace alive."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # --- reading

    def links(self) -> list[Link]:
        """List the interfaces."""
        rows = list(self._dump(rt.RTM_GETLINK, rt.LINK_HEADER, rt.LINK_HEADER.pack(0, 0, 0, 0, 0)))
        names = {header[2]: rt.unpack_text(attrs[rt.IFLA_IFNAME]) for header, attrs in rows}
        return [_link(header, attrs, names) for header, attrs in rows]

    def link(self, name: str) -> Link | None:
        """Return the interface called `name`."""
        return next((link for link in self.links() if link.name == name), None)

    def addresses(self, dev: str | None = None) -> list[Address]:
        """List the addresses, of all interfaces or of `dev`."""
        names = self._names()
        found = []
        for header, attrs in self._dump(rt.RTM_GETADDR, rt.ADDRESS_HEADER, rt.ADDRESS_HEADER.pack(0, 0, 0, 0, 0)):
            own = attrs.get(rt.IFA_LOCAL) or attrs[rt.IFA_ADDRESS]
            scope = rt.SCOPES.get(header[3], str(header[3]))
            found.append(Address(names.get(header[4], ""), f"{rt.format_ip(own)}/{header[1]}", scope))
        return [address for address in found if dev in (None, address.dev)]

    def routes(self, version: int = 4) -> list[Route]:
        """List the routes of the main table."""
        names = self._names()
        family = rt.family_of(version)
        found = []
        for header, attrs in self._dump(
            rt.RTM_GETROUTE, rt.ROUTE_HEADER, rt.ROUTE_HEADER.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        ):
            table = rt.unpack_number(attrs[rt.RTA_TABLE]) if rt.RTA_TABLE in attrs else header[4]
            if header[0] == family and table == rt.RT_TABLE_MAIN and header[7] == rt.RTN_UNICAST:
                found.append(_route(header, attrs, names))
        return found

    def neighbours(self, family: int = socket.AF_INET) -> list[Neighbour]:
        """List the neighbour table, or with rtmessage.AF_BRIDGE the forwarding tables of bridges and VXLAN devices."""
        names = self._names()
        found = []
        for header, attrs in self._dump(
            rt.RTM_GETNEIGH, rt.NEIGHBOUR_HEADER, rt.NEIGHBOUR_HEADER.pack(family, 0, 0, 0, 0)
        ):
            dst = rt.format_ip(attrs[rt.NDA_DST]) if rt.NDA_DST in attrs else ""
            mac = rt.format_mac(attrs.get(rt.NDA_LLADDR, b""))
            found.append(Neighbour(names.get(header[1], ""), dst, mac, header[2], header[0]))
        return found

    # --- links

    def add_bridge(self, name: str, mtu: int | None = None) -> None:
        """Create a bridge."""
        self._add_link(name, "bridge", b"", mtu=mtu)

    def add_veth(
        self,
        name: str,
        peer: str,
        peer_ns_fd: int | None = None,
        mtu: int | None = None,
        mac: str | None = None,
        peer_mac: str | None = None,
    ) -> None:
        """Create a pair of cable ends, `name` here and `peer` here or in the namespace behind `peer_ns_fd`.

        Both ends are down: raise the peer from its own namespace (a peer created up is refused with ENOTCONN).
        """
        attrs = rt.text(rt.IFLA_IFNAME, peer)
        if peer_ns_fd is not None:
            attrs += rt.number(rt.IFLA_NET_NS_FD, peer_ns_fd)
        if mtu is not None:
            attrs += rt.number(rt.IFLA_MTU, mtu)
        if peer_mac is not None:
            attrs += rt.attribute(rt.IFLA_ADDRESS, rt.pack_mac(peer_mac))
        other_end = rt.attribute(rt.VETH_INFO_PEER, rt.LINK_HEADER.pack(0, 0, 0, 0, 0) + attrs)
        self._add_link(name, "veth", other_end, mtu=mtu, mac=mac)

    def add_vxlan(
        self, name: str, vni: int, port: int, local: str, mtu: int | None = None, mac: str | None = None
    ) -> None:
        """Create a VXLAN device that does not learn: addresses come from add_fdb, as flannel does it."""
        data = rt.number(rt.IFLA_VXLAN_ID, vni) + rt.attribute(rt.IFLA_VXLAN_LOCAL, rt.pack_ip(local))
        data += rt.attribute(rt.IFLA_VXLAN_PORT, struct.pack("!H", port))
        data += rt.attribute(rt.IFLA_VXLAN_LEARNING, b"\0")
        self._add_link(name, "vxlan", data, mtu=mtu, mac=mac)

    def _add_link(self, name: str, kind: str, data: bytes, *, mtu: int | None, mac: str | None = None) -> None:
        info = rt.text(rt.IFLA_INFO_KIND, kind) + (rt.nested(rt.IFLA_INFO_DATA, data) if data else b"")
        attrs = rt.text(rt.IFLA_IFNAME, name) + rt.nested(rt.IFLA_LINKINFO, info)
        if mtu is not None:
            attrs += rt.number(rt.IFLA_MTU, mtu)
        if mac is not None:
            attrs += rt.attribute(rt.IFLA_ADDRESS, rt.pack_mac(mac))
        body = rt.LINK_HEADER.pack(0, 0, 0, 0, 0) + attrs
        self._change(f"add {kind} {name}", rt.RTM_NEWLINK, _CREATE, body)

    def delete_link(self, name: str) -> None:
        """Delete an interface; of a veth both ends go."""
        with self._absent_is_fine():
            self._set_link(f"delete link {name}", name, kind=rt.RTM_DELLINK)

    def set_up(self, name: str) -> None:
        """Raise an interface."""
        self._set_link(f"set {name} up", name, flags=rt.IFF_UP, mask=rt.IFF_UP)

    def set_arp_off(self, name: str) -> None:
        """Let an interface ask nobody for hardware addresses: every frame bears its own as the destination."""
        self._set_link(f"set {name} arp off", name, flags=rt.IFF_NOARP, mask=rt.IFF_NOARP)

    def set_down(self, name: str) -> None:
        """Take an interface down."""
        self._set_link(f"set {name} down", name, mask=rt.IFF_UP)

    def set_master(self, name: str, master: str | None) -> None:
        """Plug an interface into a bridge, or unplug it."""
        index = 0 if master is None else self._index(master)
        self._set_link(f"set {name} master {master}", name, rt.number(rt.IFLA_MASTER, index))

    def set_mac(self, name: str, mac: str) -> None:
        """Change the hardware address."""
        self._set_link(f"set {name} address {mac}", name, rt.attribute(rt.IFLA_ADDRESS, rt.pack_mac(mac)))

    def set_mtu(self, name: str, mtu: int) -> None:
        """Change the MTU."""
        self._set_link(f"set {name} mtu {mtu}", name, rt.number(rt.IFLA_MTU, mtu))

    def rename(self, name: str, new_name: str) -> None:
        """Rename an interface, which must be down."""
        self._set_link(f"rename {name} to {new_name}", name, rt.text(rt.IFLA_IFNAME, new_name))

    def move(self, name: str, ns_fd: int) -> None:
        """Move an interface into the network namespace behind `ns_fd`; it arrives down and without addresses."""
        self._set_link(f"move {name}", name, rt.number(rt.IFLA_NET_NS_FD, ns_fd))

    def _set_link(
        self, what: str, name: str, attrs: bytes = b"", *, kind: int = rt.RTM_NEWLINK, flags: int = 0, mask: int = 0
    ) -> None:
        self._change(what, kind, 0, rt.LINK_HEADER.pack(0, 0, self._index(name), flags, mask) + attrs)

    # --- addresses, routes, neighbours

    def add_address(self, name: str, address: str) -> None:
        """Give an interface an address such as `10.0.0.1/24`."""
        self._change(f"add address {address} to {name}", rt.RTM_NEWADDR, _CREATE, self._address_body(name, address))

    def delete_address(self, name: str, address: str) -> None:
        """Take an address away."""
        with self._absent_is_fine():
            body = self._address_body(name, address)
            self._change(f"delete address {address} of {name}", rt.RTM_DELADDR, 0, body)

    def _address_body(self, name: str, address: str) -> bytes:
        interface = ipaddress.ip_interface(address)
        length = interface.network.prefixlen
        header = rt.ADDRESS_HEADER.pack(rt.family_of(interface.version), length, 0, 0, self._index(name))
        attrs = rt.attribute(rt.IFA_LOCAL, interface.ip.packed) + rt.attribute(rt.IFA_ADDRESS, interface.ip.packed)
        if interface.version == 4 and length < 31:
            attrs += rt.attribute(rt.IFA_BROADCAST, interface.network.broadcast_address.packed)
        return header + attrs

    def add_route(
        self, dst: str, via: str | None = None, dev: str | None = None, onlink: bool = False, src: str | None = None
    ) -> None:
        """Add a route to `dst` (a CIDR, an address or `default`); an existing one to `dst` is an error (EEXIST)."""
        body = self._route_body(dst, via, dev, onlink, src)
        self._change(f"add route {dst}", rt.RTM_NEWROUTE, _CREATE, body)

    def replace_route(
        self, dst: str, via: str | None = None, dev: str | None = None, onlink: bool = False, src: str | None = None
    ) -> None:
        """Add a route to `dst`, or change the existing one."""
        body = self._route_body(dst, via, dev, onlink, src)
        self._change(f"replace route {dst}", rt.RTM_NEWROUTE, rt.NLM_F_CREATE | rt.NLM_F_REPLACE, body)

    def delete_route(self, dst: str, via: str | None = None, dev: str | None = None) -> None:
        """Delete the route to `dst`."""
        with self._absent_is_fine():
            body = self._route_body(dst, via, dev, False, None, deleting=True)
            self._change(f"delete route {dst}", rt.RTM_DELROUTE, 0, body)

    def _route_body(
        self, dst: str, via: str | None, dev: str | None, onlink: bool, src: str | None, deleting: bool = False
    ) -> bytes:
        version = ipaddress.ip_address(via).version if via else 4
        network = ipaddress.ip_network(("0.0.0.0/0" if version == 4 else "::/0") if dst == "default" else dst)
        scope = rt.RT_SCOPE_UNIVERSE if via or network.version == 6 else rt.RT_SCOPE_LINK
        protocol, kind = (0, 0) if deleting else (rt.RTPROT_BOOT, rt.RTN_UNICAST)
        scope = 255 if deleting else scope
        header = rt.ROUTE_HEADER.pack(
            rt.family_of(network.version), network.prefixlen, 0, 0, rt.RT_TABLE_MAIN, protocol, scope, kind,
            rt.RTNH_F_ONLINK if onlink else 0,
        )  # fmt: skip
        attrs = rt.attribute(rt.RTA_DST, network.network_address.packed) if network.prefixlen else b""
        attrs += rt.attribute(rt.RTA_GATEWAY, rt.pack_ip(via)) if via else b""
        attrs += rt.number(rt.RTA_OIF, self._index(dev)) if dev else b""
        attrs += rt.attribute(rt.RTA_PREFSRC, rt.pack_ip(src)) if src else b""
        return header + attrs

    def add_neighbour(self, dev: str, ip: str, mac: str) -> None:
        """Fix the hardware address of a neighbour for good (`ip neigh replace ... nud permanent`)."""
        family = rt.family_of(ipaddress.ip_address(ip).version)
        body = self._neighbour_body(family, dev, ip, mac)
        self._change(f"add neighbour {ip}", rt.RTM_NEWNEIGH, rt.NLM_F_CREATE | rt.NLM_F_REPLACE, body)

    def delete_neighbour(self, dev: str, ip: str) -> None:
        """Forget a neighbour."""
        family = rt.family_of(ipaddress.ip_address(ip).version)
        with self._absent_is_fine():
            self._change(f"delete neighbour {ip}", rt.RTM_DELNEIGH, 0, self._neighbour_body(family, dev, ip, None))

    def add_fdb(self, dev: str, mac: str, dst_ip: str) -> None:
        """Tell a VXLAN device behind which node a hardware address lives (`bridge fdb replace`)."""
        body = self._neighbour_body(rt.AF_BRIDGE, dev, dst_ip, mac, rt.NTF_SELF)
        self._change(f"add fdb {mac} dst {dst_ip}", rt.RTM_NEWNEIGH, rt.NLM_F_CREATE | rt.NLM_F_REPLACE, body)

    def delete_fdb(self, dev: str, mac: str, dst_ip: str) -> None:
        """Remove what add_fdb added."""
        with self._absent_is_fine():
            body = self._neighbour_body(rt.AF_BRIDGE, dev, dst_ip, mac, rt.NTF_SELF)
            self._change(f"delete fdb {mac} dst {dst_ip}", rt.RTM_DELNEIGH, 0, body)

    def _neighbour_body(self, family: int, dev: str, dst: str, mac: str | None, flags: int = 0) -> bytes:
        header = rt.NEIGHBOUR_HEADER.pack(family, self._index(dev), rt.NUD_PERMANENT, flags, 0)
        attrs = rt.attribute(rt.NDA_DST, rt.pack_ip(dst))
        return header + attrs + (rt.attribute(rt.NDA_LLADDR, rt.pack_mac(mac)) if mac else b"")

    # --- traffic control

    def attach_classifier(self, dev: str, direction: str, name: str, program_fd: int) -> None:
        """Let a BPF program decide on what comes in (ingress) or goes out (egress) by a device, in place of another.

        As `tc qdisc add dev DEV clsact; tc filter replace dev DEV DIRECTION bpf direct-action object-pinned …`.
        """
        index, what = self._index(dev), f"attach {name} to {dev} {direction}"
        clsact = rt.TC_HEADER.pack(0, index, rt.TC_H_CLSACT_HANDLE, rt.TC_H_CLSACT, 0) + rt.text(rt.TCA_KIND, "clsact")
        try:
            self._change(what, rt.RTM_NEWQDISC, _CREATE, clsact)
        except NetlinkError as error:
            if error.errno != errno.EEXIST:
                raise
        info = 1 << 16 | socket.htons(3)  # priority 1, every protocol
        header = rt.TC_HEADER.pack(0, index, 1, rt.TC_DIRECTIONS[direction], info)
        options = rt.number(rt.TCA_BPF_FD, program_fd) + rt.text(rt.TCA_BPF_NAME, name)
        options += rt.number(rt.TCA_BPF_FLAGS, rt.TCA_BPF_FLAG_ACT_DIRECT)
        body = header + rt.text(rt.TCA_KIND, "bpf") + rt.nested(rt.TCA_OPTIONS, options)
        self._change(what, rt.RTM_NEWTFILTER, rt.NLM_F_CREATE, body)

    def classifiers(self, dev: str, direction: str) -> list[str]:
        """The names of the BPF programs that decide there; none where the device has no clsact."""
        body = rt.TC_HEADER.pack(0, self._index(dev), 0, rt.TC_DIRECTIONS[direction], 0)
        names = []
        with self._absent_is_fine():
            for _, attrs in self._dump(rt.RTM_GETTFILTER, rt.TC_HEADER, body):
                options = rt.parse_attributes(attrs.get(rt.TCA_OPTIONS, b""))
                if rt.TCA_BPF_NAME in options:
                    names.append(rt.unpack_text(options[rt.TCA_BPF_NAME]))
        return names

    # --- transport

    def _index(self, name: str) -> int:
        # if_nametoindex would ask the namespace of the thread, not the one of this socket.
        body = rt.LINK_HEADER.pack(0, 0, 0, 0, 0) + rt.text(rt.IFLA_IFNAME, name)
        for _, data in self._exchange(f"find link {name}", rt.RTM_GETLINK, rt.NLM_F_ACK, body):
            index: int = rt.LINK_HEADER.unpack_from(data)[2]
            return index
        raise NetlinkError(f"find link {name}", errno.ENODEV)

    def _names(self) -> dict[int, str]:
        return {link.index: link.name for link in self.links()}

    def _dump(
        self, kind: int, header: struct.Struct, body: bytes
    ) -> Iterator[tuple[tuple[int, ...], dict[int, bytes]]]:
        for _, data in self._exchange("dump", kind, rt.NLM_F_DUMP, body):
            yield header.unpack_from(data), rt.parse_attributes(data[header.size :])

    def _change(self, what: str, kind: int, flags: int, body: bytes) -> None:
        guard.refuse_inode(self._inode)
        self._exchange(what, kind, flags | rt.NLM_F_ACK, body)

    def _exchange(self, what: str, kind: int, flags: int, body: bytes) -> list[tuple[int, bytes]]:
        """Send one request and return the messages of its answer; NetlinkError when the kernel says no."""
        self._sequence += 1
        length = rt.HEADER.size + len(body)
        self._socket.send(rt.HEADER.pack(length, kind, flags | rt.NLM_F_REQUEST, self._sequence, 0) + body)
        answers: list[tuple[int, bytes]] = []
        while True:
            packet = self._socket.recv(1 << 18)
            while len(packet) >= rt.HEADER.size:
                size, answer, answer_flags, sequence, _ = rt.HEADER.unpack_from(packet)
                data, packet = packet[rt.HEADER.size : size], packet[(size + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if answer == rt.NLMSG_ERROR:
                    _raise_for(what, data, answer_flags)
                    return answers
                if answer == rt.NLMSG_DONE:
                    return answers
                answers.append((answer, data))

    @contextlib.contextmanager
    def _absent_is_fine(self) -> Iterator[None]:
        try:
            yield
        except NetlinkError as error:
            if error.errno not in (errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL):
                raise


def _raise_for(what: str, data: bytes, flags: int) -> None:
    number = -struct.unpack_from("=i", data)[0]
    if not number:
        return
    detail = ""
    if flags & 0x200:  # NLM_F_ACK_TLVS: the header of the request, then attributes
        detail = rt.unpack_text(rt.parse_attributes(data[4 + rt.HEADER.size :]).get(1, b""))
    raise NetlinkError(what, number, detail)


def _link(header: tuple[int, ...], attrs: dict[int, bytes], names: dict[int, str]) -> Link:
    info = rt.parse_attributes(attrs.get(rt.IFLA_LINKINFO, b""))
    master = rt.unpack_number(attrs[rt.IFLA_MASTER]) if rt.IFLA_MASTER in attrs else 0
    return Link(
        index=header[2],
        name=rt.unpack_text(attrs[rt.IFLA_IFNAME]),
        kind=rt.unpack_text(info.get(rt.IFLA_INFO_KIND, b"")),
        mac=rt.format_mac(attrs.get(rt.IFLA_ADDRESS, b"")),
        mtu=rt.unpack_number(attrs[rt.IFLA_MTU]),
        up=bool(header[3] & rt.IFF_UP),
        running=bool(header[3] & rt.IFF_LOWER_UP),
        master=names.get(master, ""),
        peer_index=rt.unpack_number(attrs[rt.IFLA_LINK]) if rt.IFLA_LINK in attrs else 0,
    )


def _route(header: tuple[int, ...], attrs: dict[int, bytes], names: dict[int, str]) -> Route:
    dst = f"{rt.format_ip(attrs[rt.RTA_DST])}/{header[1]}" if rt.RTA_DST in attrs else "default"
    return Route(
        dst=dst,
        via=rt.format_ip(attrs[rt.RTA_GATEWAY]) if rt.RTA_GATEWAY in attrs else "",
        dev=names.get(rt.unpack_number(attrs[rt.RTA_OIF]), "") if rt.RTA_OIF in attrs else "",
        src=rt.format_ip(attrs[rt.RTA_PREFSRC]) if rt.RTA_PREFSRC in attrs else "",
        scope=rt.SCOPES.get(header[6], str(header[6])),
        onlink=bool(header[8] & rt.RTNH_F_ONLINK),
        metric=rt.unpack_number(attrs[rt.RTA_PRIORITY]) if rt.RTA_PRIORITY in attrs else 0,
    )
