"""The programs at the devices of a node: to a Service's address an endpoint's, and on the way back the Service's.

Pure: text for the assembler. The way of a packet is Cilium's (bpf/bpf_lxc.c, bpf_host.c, lib/lb.h, lib/nat.h) in small:
the node of the client chooses the endpoint at the client's own device, remembers it, and turns the answer round.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

from podwalk.proxy.ebpf import maps
from podwalk.proxy.ebpf.assembler import BYTE, DOUBLE, FP, HALF, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, WORD, Assembler

# What a Pod that calls its own Service is seen as by itself: Cilium's IPV4_LOOPBACK.
LOOPBACK = "169.254.42.1"
# Apart from kube-proxy's bits and those of the egress gateway.
MARK_MASQUERADE = 0x01000000
MARK_NO_ENDPOINTS = 0x02000000

_LOOKUP, _UPDATE, _TIME, _RANDOM = 1, 2, 5, 7
_STORE_BYTES, _L3_CHECKSUM, _L4_CHECKSUM, _REDIRECT, _LOAD_BYTES = 9, 10, 11, 23, 26
_ROUTE, _REDIRECT_NEIGHBOUR = 69, 152
_SECOND = 1_000_000_000
_OK, _SHOT = 0, 2
_INGRESS = 1
# struct __sk_buff
_MARK, _PROTOCOL, _IFINDEX = 8, 16, 40
# The frame: Ethernet, IPv4 without options, ports.
_IP_AT, _SOURCE_AT, _DESTINATION_AT, _PORTS_AT, _IP_CHECKSUM_AT, _TCP_FLAGS_AT = 14, 26, 30, 34, 24, 47
_TCP_CHECKSUM_AT, _UDP_CHECKSUM_AT = 50, 40
_PSEUDO_HEADER, _MANGLED_0 = 0x10, 0x20
_SYN, _SYN_ACK = 0x02, 0x12
_TCP, _UDP = 6, 17
# The stack.
_IP, _PORTS, _TUPLE, _BACK, _CHOSEN = -24, -32, -48, -64, -80
_KEY, _SLOT, _WAY_BACK, _NEW_IP, _NEW_PORT, _MACS, _FLAGS = -88, -96, -112, -116, -120, -136, -140
_CLIENT, _KEPT, _RANGE, _LOOK = -152, -168, -184, -248
# struct bpf_fib_lookup, and what stands for "the route is known, the neighbour is not yet".
_LOOK_SIZE, _LOOK_PROTOCOL, _LOOK_PORTS, _LOOK_DEVICE, _LOOK_SOURCE, _LOOK_DESTINATION = 64, 1, 2, 8, 16, 32
_NO_NEIGHBOUR = 7


@dataclass(frozen=True, slots=True)
class Role:
    """What is different where a program sits.

    ``scope``: which entrances it serves, None for none. ``client``: whose ways back it remembers, ``back``: whose it
    walks, as flags. An answer gets the Service's address at the last place before its client: connection tracking sees
    the endpoint's address both ways. The node's own begins before its Service's address is gone, and ends likewise.
    ``sends_on``: the packet was sent to this device before its address was known, and is put on its way anew.
    """

    name: str
    scope: int | None = None
    client: int = 0
    back: int = 0
    sends_on: bool = False


FROM_POD = Role("pw_from_pod", scope=maps.INSIDE, client=maps.POD, back=maps.HAIRPIN | maps.NODE)
TO_POD = Role("pw_to_pod", back=maps.POD)
FROM_FABRIC = Role("pw_from_fabric", scope=maps.OUTSIDE, client=maps.EXTERNAL, back=maps.NODE)
TO_FABRIC = Role("pw_to_fabric", back=maps.EXTERNAL)
FROM_NODE = Role("pw_from_node", scope=maps.INSIDE, client=maps.NODE, sends_on=True)
TO_NODE = Role("pw_to_node", back=maps.NODE)
ROLES = (FROM_POD, TO_POD, FROM_FABRIC, TO_FABRIC, FROM_NODE, TO_NODE)


def program(role: Role) -> Assembler:
    """The program for one place."""
    asm = Assembler()
    _read(asm)
    if role.scope is not None:
        _service(asm, role, role.scope)
    asm.label("back")
    if role.back:
        _back(asm, role)
    asm.label("pass")
    asm.exit(_OK)
    asm.label("drop")
    asm.exit(_SHOT)
    return asm


def _read(asm: Assembler) -> None:
    """R6 the packet, R8 flags and R9 the place of its checksum; addresses, ports and the tuple on the stack."""
    asm.copy(R6, R1)
    asm.load(WORD, R1, R6, _PROTOCOL)
    asm.jump_if("ne", R1, socket.htons(0x0800), "pass")
    _load_bytes(asm, _IP_AT, _IP, 20)
    asm.load(BYTE, R1, FP, _IP)
    asm.jump_if("ne", R1, 0x45, "pass")
    asm.load(HALF, R1, FP, _IP + 6)
    asm.jump_if("set", R1, socket.htons(0x3FFF), "pass")  # a fragment
    _load_bytes(asm, _PORTS_AT, _PORTS, 4)
    asm.store_value(WORD, FP, _FLAGS, 0)
    asm.load(BYTE, R1, FP, _IP + 9)
    asm.store_value(WORD, FP, _TUPLE + 12, 0)
    asm.store(BYTE, FP, _TUPLE + 12, R1)
    asm.set(R8, 0)
    asm.set(R9, _TCP_CHECKSUM_AT)
    asm.jump_if("eq", R1, _TCP, "tcp")
    asm.jump_if("ne", R1, _UDP, "pass")
    asm.set(R8, _MANGLED_0)
    asm.set(R9, _UDP_CHECKSUM_AT)
    asm.jump("tuple")
    asm.label("tcp")
    _load_bytes(asm, _TCP_FLAGS_AT, _FLAGS, 1)
    asm.label("tuple")
    _copy_words(asm, (_IP + 12, _TUPLE), (_IP + 16, _TUPLE + 4), (_PORTS, _TUPLE + 8))


def _copy_words(asm: Assembler, *moves: tuple[int, int]) -> None:
    """From one place of the stack to another, 32 bits each."""
    for source, place in moves:
        asm.load(WORD, R1, FP, source)
        asm.store(WORD, FP, place, R1)


def _copy_value(asm: Assembler, place: int) -> None:
    """The twelve bytes that a look-up has found (R0), to the stack."""
    for offset in (0, 4, 8):
        asm.load(WORD, R1, R0, offset)
        asm.store(WORD, FP, place + offset, R1)


def _service(asm: Assembler, role: Role, scope: int) -> None:
    asm.load(WORD, R1, FP, _IP + 16)
    asm.store(WORD, FP, _KEY, R1)
    asm.load(HALF, R1, FP, _PORTS + 2)
    asm.store(HALF, FP, _KEY + 4, R1)
    asm.load(BYTE, R1, FP, _IP + 9)
    asm.store(BYTE, FP, _KEY + 6, R1)
    asm.store_value(BYTE, FP, _KEY + 7, scope)
    _lookup(asm, maps.SERVICES.name, _KEY)
    asm.jump_if("eq", R0, 0, "back")
    asm.copy(R7, R0)
    _check_source(asm)
    _known_connection(asm)
    _choose(asm, role)
    asm.label("chosen")
    _remember_way_back(asm, role)
    _rewrite(asm, source=False, address=_CHOSEN + 4, port=_CHOSEN + 8)
    if scope == maps.OUTSIDE:
        asm.load(WORD, R1, R7, 8)
        asm.calculate("and", R1, maps.MASQUERADE)
        asm.jump_if("eq", R1, 0, "pass")
        _mark(asm, MARK_MASQUERADE)
    if role.sends_on:
        _send_on(asm)
        return
    if role is FROM_POD:
        asm.load(HALF, R1, FP, _WAY_BACK + 6)
        asm.jump_if("ne", R1, maps.HAIRPIN, "pass")
        asm.load(WORD, R1, FP, _BACK + 4)
        asm.store(WORD, FP, _NEW_IP, R1)
        _rewrite(asm, source=True, address=_NEW_IP, port=None)
        _turn_round(asm)
        return
    asm.jump("pass")


def _check_source(asm: Assembler) -> None:
    """Service.spec.loadBalancerSourceRanges: who is in none of them gets no answer."""
    asm.load(WORD, R1, R7, 8)
    asm.calculate("and", R1, maps.CHECK_SOURCE)
    asm.jump_if("eq", R1, 0, "allowed")
    asm.store_value(WORD, FP, _RANGE, maps.RANGE_BITS + 32)
    _copy_words(asm, (_KEY, _RANGE + 4), (_KEY + 4, _RANGE + 8), (_IP + 12, _RANGE + 12))
    _lookup(asm, maps.RANGES.name, _RANGE)
    asm.jump_if("eq", R0, 0, "drop")
    asm.label("allowed")


def _known_connection(asm: Assembler) -> None:
    """A connection keeps its endpoint; one that begins again, and every datagram, only while the endpoint is there."""
    _lookup(asm, maps.CONNECTIONS.name, _TUPLE)
    asm.jump_if("eq", R0, 0, "choose")
    _copy_value(asm, _CHOSEN)
    asm.load(BYTE, R1, FP, _IP + 9)
    asm.jump_if("eq", R1, _UDP, "check")
    asm.load(BYTE, R1, FP, _FLAGS)
    asm.calculate("and", R1, _SYN_ACK)
    asm.jump_if("ne", R1, _SYN, "chosen")
    asm.label("check")
    _lookup(asm, maps.BACKENDS.name, _CHOSEN)
    asm.jump_if("ne", R0, 0, "chosen")


def _choose(asm: Assembler, role: Role) -> None:
    asm.label("choose")
    asm.load(WORD, R1, R7, 4)
    asm.jump_if("ne", R1, 0, "some")
    _mark(asm, MARK_NO_ENDPOINTS)
    if role.sends_on:
        _redirect(asm, _INGRESS)
    else:
        asm.jump("pass")
    asm.label("some")
    _kept_endpoint(asm)
    asm.label("random")
    asm.call(_RANDOM)
    asm.load(WORD, R1, R7, 4)
    asm.modulo(R0, R1)
    asm.store(WORD, FP, _SLOT + 4, R0)
    asm.load(WORD, R1, R7, 0)
    asm.store(WORD, FP, _SLOT, R1)
    _lookup(asm, maps.SLOTS.name, _SLOT)
    asm.jump_if("eq", R0, 0, "drop")
    asm.load(WORD, R1, R0, 0)
    asm.store(WORD, FP, _CHOSEN, R1)
    _lookup(asm, maps.BACKENDS.name, _CHOSEN)
    asm.jump_if("eq", R0, 0, "drop")
    asm.label("backend")
    asm.load(WORD, R1, R0, 0)
    asm.store(WORD, FP, _CHOSEN + 4, R1)
    asm.load(HALF, R1, R0, 4)
    asm.store_value(WORD, FP, _CHOSEN + 8, 0)
    asm.store(HALF, FP, _CHOSEN + 8, R1)
    _update(asm, maps.CONNECTIONS.name, _TUPLE, _CHOSEN)
    asm.load(WORD, R1, R7, 12)
    asm.jump_if("eq", R1, 0, "chosen")
    asm.call(_TIME)
    asm.store(DOUBLE, FP, _KEPT + 8, R0)
    asm.store_value(WORD, FP, _KEPT + 4, 0)
    asm.load(WORD, R1, FP, _CHOSEN)
    asm.store(WORD, FP, _KEPT, R1)
    _update(asm, maps.AFFINITY.name, _CLIENT, _KEPT)


def _kept_endpoint(asm: Assembler) -> None:
    """Session affinity: the endpoint that this client had last, if that is not too long ago and it is there."""
    _copy_words(asm, (_KEY, _CLIENT), (_KEY + 4, _CLIENT + 4), (_IP + 12, _CLIENT + 8))
    asm.load(WORD, R1, R7, 12)
    asm.jump_if("eq", R1, 0, "random")
    _lookup(asm, maps.AFFINITY.name, _CLIENT)
    asm.jump_if("eq", R0, 0, "random")
    asm.load(WORD, R1, R0, 0)
    asm.store(WORD, FP, _CHOSEN, R1)
    asm.load(DOUBLE, R1, R0, 8)
    asm.store(DOUBLE, FP, _KEPT + 8, R1)
    asm.call(_TIME)
    asm.load(DOUBLE, R1, FP, _KEPT + 8)
    asm.subtract(R0, R1)
    asm.load(WORD, R1, R7, 12)
    asm.calculate("multiply", R1, _SECOND)
    asm.jump_if_registers("gt", R0, R1, "random")
    _lookup(asm, maps.BACKENDS.name, _CHOSEN)
    asm.jump_if("ne", R0, 0, "backend")


def _remember_way_back(asm: Assembler, role: Role) -> None:
    """From (endpoint, client) to the address that the client asked for."""
    asm.load(WORD, R1, FP, _CHOSEN + 4)
    asm.store(WORD, FP, _BACK, R1)
    asm.load(WORD, R2, FP, _IP + 12)
    asm.store(WORD, FP, _BACK + 4, R2)
    asm.store(WORD, FP, _WAY_BACK + 8, R2)
    asm.store_value(HALF, FP, _WAY_BACK + 6, role.client)
    if role is FROM_POD:
        asm.jump_if_registers("ne", R1, R2, "not itself")
        asm.store_value(WORD, FP, _BACK + 4, _as_word(LOOPBACK))
        asm.store_value(HALF, FP, _WAY_BACK + 6, maps.HAIRPIN)
        asm.label("not itself")
    for size, source, place in (
        (HALF, _CHOSEN + 8, _BACK + 8),
        (HALF, _PORTS, _BACK + 10),
        (WORD, _TUPLE + 12, _BACK + 12),
        (WORD, _IP + 16, _WAY_BACK),
        (HALF, _PORTS + 2, _WAY_BACK + 4),
    ):
        asm.load(size, R1, FP, source)
        asm.store(size, FP, place, R1)
    _lookup(asm, maps.REVERSE.name, _BACK)
    asm.jump_if("eq", R0, 0, "write")
    # The client's port may have asked another Service before.
    for offset in (0, 4):
        asm.load(WORD, R1, R0, offset)
        asm.load(WORD, R2, FP, _WAY_BACK + offset)
        asm.jump_if_registers("ne", R1, R2, "write")
    asm.jump("written")
    asm.label("write")
    _update(asm, maps.REVERSE.name, _BACK, _WAY_BACK)
    asm.label("written")


def _back(asm: Assembler, role: Role) -> None:
    _lookup(asm, maps.REVERSE.name, _TUPLE)
    asm.jump_if("eq", R0, 0, "pass")
    _copy_value(asm, _WAY_BACK)
    asm.load(HALF, R1, FP, _WAY_BACK + 6)
    asm.calculate("and", R1, role.back)
    asm.jump_if("eq", R1, 0, "pass")
    _rewrite(asm, source=True, address=_WAY_BACK, port=_WAY_BACK + 4)
    if role is FROM_POD:
        asm.load(HALF, R1, FP, _WAY_BACK + 6)
        asm.jump_if("ne", R1, maps.HAIRPIN, "pass")
        _rewrite(asm, source=False, address=_WAY_BACK + 8, port=None)
        _turn_round(asm)


def _rewrite(asm: Assembler, *, source: bool, address: int, port: int | None) -> None:
    """New address and port from these places of the stack, and the checksums with them."""
    old_ip, ip_at = (_IP + 12, _SOURCE_AT) if source else (_IP + 16, _DESTINATION_AT)
    old_port, port_at = (_PORTS, _PORTS_AT) if source else (_PORTS + 2, _PORTS_AT + 2)

    def replace(size: int, old: int, new: int, flags: int) -> None:
        asm.copy(R1, R6)
        asm.copy(R2, R9)
        asm.load(size, R3, FP, old)
        asm.load(size, R4, FP, new)
        asm.copy(R5, R8)
        asm.calculate("or", R5, size | flags)
        asm.call(_L4_CHECKSUM)
        asm.jump_if("ne", R0, 0, "drop")

    replace(WORD, old_ip, address, _PSEUDO_HEADER)
    if port is not None:
        replace(HALF, old_port, port, 0)
    asm.copy(R1, R6)
    asm.set(R2, _IP_CHECKSUM_AT)
    asm.load(WORD, R3, FP, old_ip)
    asm.load(WORD, R4, FP, address)
    asm.set(R5, WORD)
    asm.call(_L3_CHECKSUM)
    asm.jump_if("ne", R0, 0, "drop")
    _store_bytes(asm, ip_at, address, 4)
    if port is not None:
        _store_bytes(asm, port_at, port, 2)


def _send_on(asm: Assembler) -> None:
    """Ask the routes for the endpoint's device and send the packet there; to this node itself it comes in again.

    It does not pass the forward hook: for a NetworkPolicy it is the node's own packet, which it is.
    """
    for offset in range(0, _LOOK_SIZE, 8):
        asm.store_value(DOUBLE, FP, _LOOK + offset, 0)
    asm.store_value(BYTE, FP, _LOOK, socket.AF_INET)
    for size, source, place in (
        (BYTE, _IP + 9, _LOOK_PROTOCOL),
        (HALF, _PORTS, _LOOK_PORTS),
        (HALF, _CHOSEN + 8, _LOOK_PORTS + 2),
        (WORD, _IP + 12, _LOOK_SOURCE),
        (WORD, _CHOSEN + 4, _LOOK_DESTINATION),
    ):
        asm.load(size, R1, FP, source)
        asm.store(size, FP, _LOOK + place, R1)
    asm.load(WORD, R1, R6, _IFINDEX)
    asm.store(WORD, FP, _LOOK + _LOOK_DEVICE, R1)
    asm.copy(R1, R6)
    asm.address(R2, _LOOK)
    asm.set(R3, _LOOK_SIZE)
    asm.set(R4, 0)
    asm.call(_ROUTE)
    asm.jump_if("eq", R0, 0, "routed")
    asm.jump_if("eq", R0, _NO_NEIGHBOUR, "routed")
    _redirect(asm, _INGRESS)
    asm.label("routed")
    asm.load(WORD, R1, FP, _LOOK + _LOOK_DEVICE)
    for register in (R2, R3, R4):
        asm.set(register, 0)
    asm.call(_REDIRECT_NEIGHBOUR)
    asm.exit_with_result()


def _turn_round(asm: Assembler) -> None:
    """Back to the Pod that it came from: the MAC addresses change places."""
    _load_bytes(asm, 0, _MACS, 12)
    _store_bytes(asm, 0, _MACS + 6, 6)
    _store_bytes(asm, 6, _MACS, 6)
    _redirect(asm, 0)


def _redirect(asm: Assembler, flags: int) -> None:
    asm.load(WORD, R1, R6, _IFINDEX)
    asm.set(R2, flags)
    asm.call(_REDIRECT)
    asm.exit_with_result()


def _mark(asm: Assembler, mark: int) -> None:
    asm.load(WORD, R1, R6, _MARK)
    asm.calculate("or", R1, mark)
    asm.store(WORD, R6, _MARK, R1)


def _lookup(asm: Assembler, name: str, key: int) -> None:
    asm.map(R1, name)
    asm.address(R2, key)
    asm.call(_LOOKUP)


def _update(asm: Assembler, name: str, key: int, value: int) -> None:
    asm.map(R1, name)
    asm.address(R2, key)
    asm.address(R3, value)
    asm.set(R4, 0)
    asm.call(_UPDATE)


def _load_bytes(asm: Assembler, offset: int, place: int, size: int) -> None:
    asm.copy(R1, R6)
    asm.set(R2, offset)
    asm.address(R3, place)
    asm.set(R4, size)
    asm.call(_LOAD_BYTES)
    asm.jump_if("ne", R0, 0, "pass")


def _store_bytes(asm: Assembler, offset: int, place: int, size: int) -> None:
    asm.copy(R1, R6)
    asm.set(R2, offset)
    asm.address(R3, place)
    asm.set(R4, size)
    asm.set(R5, 0)
    asm.call(_STORE_BYTES)
    asm.jump_if("ne", R0, 0, "drop")


def _as_word(address: str) -> int:
    """An address as the number that a store of 32 bits writes."""
    return int(socket.ntohl(int.from_bytes(maps.ip(address), "big")))
