"""What the maps hold, byte by byte, and the same as text. Pure.

Addresses and ports stand as they stand in a packet, so that a program compares without turning them round. The maps'
roles are those of Cilium's cilium_lb4_services, _backends, _reverse_nat and cilium_ct4.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

from podwalk.netns.bpf import HASH, LPM_TRIE, LRU_HASH, MapSpec

SERVICES = MapSpec("pw_services", HASH, 8, 16, 65536)
SLOTS = MapSpec("pw_slots", HASH, 8, 4, 262144)
BACKENDS = MapSpec("pw_backends", HASH, 4, 8, 65536)
CONNECTIONS = MapSpec("pw_connections", LRU_HASH, 16, 12, 16384)
REVERSE = MapSpec("pw_reverse", LRU_HASH, 16, 12, 16384)
AFFINITY = MapSpec("pw_affinity", LRU_HASH, 12, 16, 16384)
RANGES = MapSpec("pw_ranges", LPM_TRIE, 16, 4, 16384)
ALL = (SERVICES, SLOTS, BACKENDS, CONNECTIONS, REVERSE, AFFINITY, RANGES)

INSIDE, OUTSIDE = 0, 1  # a Service's scope: who asks, the node and its Pods or somebody beyond eth0
MASQUERADE, CHECK_SOURCE = 1, 2  # flags of a Service
RANGE_BITS = 64  # of a range's prefix: the Service's key
# Whose way back it is: of a client beyond eth0, of a Pod that met itself, of another Pod, of the node.
EXTERNAL, HAIRPIN, POD, NODE = 1, 2, 4, 8

PROTOCOLS = {"tcp": 6, "udp": 17}
_PROTOCOL_NAMES = {number: name.upper() for name, number in PROTOCOLS.items()}

_SERVICE_KEY = struct.Struct("=4s2sBB")
_SERVICE = struct.Struct("=IIII")
_SLOT_KEY = struct.Struct("=II")
_RANGE_KEY = struct.Struct("=I8s4s")
_NUMBER = struct.Struct("=I")
_BACKEND = struct.Struct("=4s2sBx")
_TUPLE = struct.Struct("=4s4s2s2sB3x")
_CONNECTION = struct.Struct("=I4s2s2x")
_REVERSE = struct.Struct("=4s2sH4s")


def ip(text: str) -> bytes:
    """An address as in a packet."""
    return ipaddress.IPv4Address(text).packed


def _port(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _at(address: bytes, port: bytes) -> str:
    return f"{ipaddress.IPv4Address(address)}:{int.from_bytes(port, 'big')}"


def service_key(address: str, port: int, protocol: str, scope: int) -> bytes:
    """The key of a Service's entrance."""
    return _SERVICE_KEY.pack(ip(address), _port(port), PROTOCOLS[protocol], scope)


def service(identity: int, count: int, flags: int, affinity_seconds: int = 0) -> bytes:
    """Which set of endpoints an entrance leads to, how many they are, and how long a client keeps one of them."""
    return _SERVICE.pack(identity, count, flags, affinity_seconds)


def range_key(service: bytes, cidr: str) -> bytes:
    """The key of a source range of a Service, as a longest-prefix trie has them."""
    network = ipaddress.IPv4Network(cidr)
    return _RANGE_KEY.pack(RANGE_BITS + network.prefixlen, service, network.network_address.packed)


def slot_key(identity: int, slot: int) -> bytes:
    """The key of one endpoint of a set."""
    return _SLOT_KEY.pack(identity, slot)


def number(value: int) -> bytes:
    """A backend's number: what a slot holds, and the key of a backend."""
    return _NUMBER.pack(value)


def backend(address: str, port: int, protocol: str) -> bytes:
    """An endpoint."""
    return _BACKEND.pack(ip(address), _port(port), PROTOCOLS[protocol])


def service_line(key: bytes, value: bytes) -> str:
    """A Service as text, without its endpoints."""
    address, port, protocol, scope = _SERVICE_KEY.unpack(key)
    identity, count, flags, affinity = _SERVICE.unpack(value)
    words = [_PROTOCOL_NAMES[protocol], _at(address, port), "from outside" if scope == OUTSIDE else "from inside"]
    words += [f"set {identity}", f"{count} endpoints"] + (["masqueraded"] if flags & MASQUERADE else [])
    words += ["source ranges"] if flags & CHECK_SOURCE else []
    words += [f"affinity {affinity} s"] if affinity else []
    return "  ".join(words)


def slot_of(key: bytes, value: bytes) -> tuple[int, int, int]:
    """(set, slot, backend's number)."""
    identity, slot = _SLOT_KEY.unpack(key)
    return identity, slot, _NUMBER.unpack(value)[0]


def set_of(value: bytes) -> int:
    """The number of the set that a Service's value names."""
    return int(_SERVICE.unpack(value)[0])


def backend_text(value: bytes) -> str:
    """An endpoint as text."""
    address, port, _ = _BACKEND.unpack(value)
    return _at(address, port)


@dataclass(frozen=True, slots=True)
class Connection:
    """One entry of the connection table: who asked whom, and who answers."""

    protocol: str
    client: str
    service: str
    backend: str

    def __str__(self) -> str:
        return f"{self.protocol}  {self.client}  {self.service}  -> {self.backend}"


def connection_of(key: bytes, value: bytes) -> Connection:
    """Read an entry of the connection table."""
    source, destination, source_port, port, protocol = _TUPLE.unpack(key)
    _, address, to_port = _CONNECTION.unpack(value)
    name = _PROTOCOL_NAMES[protocol]
    return Connection(name, _at(source, source_port), _at(destination, port), _at(address, to_port))


def reverse_line(key: bytes, value: bytes) -> str:
    """A way back as text: what comes from the backend for the client gets the Service's address."""
    source, destination, source_port, port, protocol = _TUPLE.unpack(key)
    address, service_port, flags, client = _REVERSE.unpack(value)
    text = f"{_PROTOCOL_NAMES[protocol]}  {_at(source, source_port)}  {_at(destination, port)}"
    end = f"  for {ipaddress.IPv4Address(client)} itself" if flags & HAIRPIN else ""
    return f"{text}  from {_at(address, service_port)}{end}"
