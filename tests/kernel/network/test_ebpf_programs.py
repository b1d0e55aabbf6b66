"""The programs alone: one frame in, what the kernel's own machine makes of it out. Nothing is sent anywhere."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import pytest

from podwalk.netns import bpf
from podwalk.proxy.ebpf import maps, programs
from podwalk.proxy.ebpf.programs import FROM_FABRIC, FROM_POD, LOOPBACK, TO_FABRIC, TO_NODE, TO_POD, Role

pytestmark = pytest.mark.kernel

POD, BACKEND, SERVICE = ("10.244.1.2", 40000), ("10.244.2.2", 8080), ("10.96.0.7", 80)
SYN, ACK = 0x02, 0x10
OK, SHOT, REDIRECT = 0, 2, 7
MACS = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"
Place = tuple[str, int]


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data if len(data) % 2 == 0 else data + b"\0"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(source: Place, target: Place, protocol: str = "tcp", flags: int = SYN, fragment: int = 0) -> bytes:
    """A frame with right checksums."""
    number = maps.PROTOCOLS[protocol]
    if protocol == "tcp":
        segment = struct.pack("!HHIIBBHHH", source[1], target[1], 1, 0, 0x50, flags, 1000, 0, 0) + b"data"
        at = 16
    else:
        segment, at = struct.pack("!HHHH", source[1], target[1], 12, 0) + b"data", 6
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    pseudo = addresses + struct.pack("!BBH", 0, number, len(segment))
    segment = segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2 :]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 7, fragment, 64, number, 0) + addresses
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    return MACS[0] + MACS[1] + b"\x08\0" + header + segment


def ends(data: bytes) -> tuple[Place, Place]:
    """Who sends to whom; the checksums are right."""
    header, segment = data[14:34], data[34:]
    assert checksum(header) == 0
    assert checksum(header[12:20] + struct.pack("!BBH", 0, header[9], len(segment)) + segment) == 0
    ports = struct.unpack("!HH", segment[:4])
    source, target = socket.inet_ntoa(header[12:16]), socket.inet_ntoa(header[16:20])
    return (source, ports[0]), (target, ports[1])


class Machine:
    """The maps and programs, at no device."""

    def __init__(self) -> None:
        self.maps = {spec.name: bpf.Map.create(spec) for spec in maps.ALL}
        fds = {name: one.fd for name, one in self.maps.items()}
        self.programs = {
            role: bpf.load_classifier(role.name, programs.program(role).assemble(fds)) for role in programs.ROLES
        }

    def close(self) -> None:
        for one in self.maps.values():
            one.close()
        for fd in self.programs.values():
            os.close(fd)

    def serve(
        self, place: Place, *backends: Place, scope: int = maps.INSIDE, identity: int = 1, flags: int = 0
    ) -> None:
        for protocol in maps.PROTOCOLS:
            key = maps.service_key(*place, protocol, scope)
            self.maps[maps.SERVICES.name].set(key, maps.service(identity, len(backends), flags))
        for slot, backend in enumerate(backends):
            number = identity * 100 + slot
            self.maps[maps.BACKENDS.name].set(maps.number(number), maps.backend(*backend, "tcp"))
            self.maps[maps.SLOTS.name].set(maps.slot_key(identity, slot), maps.number(number))

    def run(self, role: Role, data: bytes) -> tuple[int, bytes]:
        return bpf.run_classifier(self.programs[role], data)

    def entries(self, spec: bpf.MapSpec) -> int:
        return len(list(self.maps[spec.name].items()))


@pytest.fixture(scope="module")
def loaded() -> Iterator[Machine]:
    if (reason := bpf.may_load()) is not None:
        pytest.skip(f"BPF programs cannot be loaded here: {reason}")
    made = Machine()
    yield made
    made.close()


@pytest.fixture
def machine(loaded: Machine) -> Machine:
    for one in loaded.maps.values():
        for key, _ in list(one.items()):
            one.delete(key)
    return loaded


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_there_and_back(machine: Machine, protocol: str) -> None:
    machine.serve(SERVICE, BACKEND)
    answer, seen = machine.run(FROM_POD, frame(POD, SERVICE, protocol))
    assert (answer, ends(seen)) == (OK, (POD, BACKEND))
    answer, seen = machine.run(TO_POD, frame(BACKEND, POD, protocol, SYN | ACK))
    assert (answer, ends(seen)) == (OK, (SERVICE, POD))


def test_an_answer_for_a_pod_keeps_the_endpoints_address_until_its_own_device(machine: Machine) -> None:
    machine.serve(SERVICE, BACKEND)
    machine.run(FROM_POD, frame(POD, SERVICE))
    answer = frame(BACKEND, POD, flags=SYN | ACK)
    for role in (FROM_POD, FROM_FABRIC, TO_FABRIC, TO_NODE):
        assert machine.run(role, answer) == (OK, answer)
    assert ends(machine.run(TO_POD, answer)[1])[0] == SERVICE


def test_what_is_no_services_passes_untouched(machine: Machine) -> None:
    machine.serve(SERVICE, BACKEND)
    strange = [
        frame(POD, BACKEND),
        frame(POD, (SERVICE[0], 81)),
        frame(POD, SERVICE, fragment=0x2000),
        frame(POD, SERVICE, fragment=0x0005),
        frame(POD, SERVICE)[:36],
        MACS[0] + MACS[1] + b"\x08\x06" + bytes(40),
    ]
    for role in (FROM_POD, TO_POD, FROM_FABRIC, TO_FABRIC):
        for data in strange:
            assert machine.run(role, data) == (OK, data)


def test_a_connection_keeps_its_endpoint(machine: Machine) -> None:
    others = [(f"10.244.2.{n}", 8080) for n in range(2, 10)]
    machine.serve(SERVICE, *others)
    _, seen = machine.run(FROM_POD, frame(POD, SERVICE))
    chosen = ends(seen)[1]
    for _ in range(20):
        assert ends(machine.run(FROM_POD, frame(POD, SERVICE, flags=ACK))[1])[1] == chosen


def test_the_choice_goes_over_all(machine: Machine) -> None:
    others = [(f"10.244.2.{n}", 8080) for n in range(2, 6)]
    machine.serve(SERVICE, *others)
    seen = {ends(machine.run(FROM_POD, frame((POD[0], 40000 + n), SERVICE))[1])[1] for n in range(200)}
    assert seen == set(others)


def test_when_its_endpoint_is_gone_a_new_one_begins_and_an_old_one_goes_on(machine: Machine) -> None:
    machine.serve(SERVICE, BACKEND)
    machine.run(FROM_POD, frame(POD, SERVICE))
    machine.run(FROM_POD, frame(POD, SERVICE, "udp"))
    machine.maps[maps.BACKENDS.name].delete(maps.number(100))
    fresh = ("10.244.2.9", 8080)
    machine.serve(SERVICE, fresh, identity=2)
    assert ends(machine.run(FROM_POD, frame(POD, SERVICE, flags=ACK))[1])[1] == BACKEND
    assert ends(machine.run(FROM_POD, frame(POD, SERVICE))[1])[1] == fresh
    assert ends(machine.run(FROM_POD, frame(POD, SERVICE, "udp"))[1])[1] == fresh


def test_a_port_that_asked_another_service_before_gets_the_right_address_back(machine: Machine) -> None:
    second = ("10.96.0.8", 80)
    machine.serve(SERVICE, BACKEND)
    machine.serve(second, BACKEND, identity=2)
    for asked in (SERVICE, second, SERVICE):
        machine.run(FROM_POD, frame(POD, asked))
        assert ends(machine.run(TO_POD, frame(BACKEND, POD, flags=ACK))[1])[0] == asked


def test_a_pod_that_meets_itself_is_turned_round_at_its_own_device(machine: Machine) -> None:
    itself = (POD[0], 8080)
    machine.serve(SERVICE, itself)
    answer, seen = machine.run(FROM_POD, frame(POD, SERVICE))
    assert (answer, ends(seen)) == (REDIRECT, ((LOOPBACK, POD[1]), itself))
    assert seen[:12] == MACS[1] + MACS[0]
    answer, seen = machine.run(FROM_POD, frame(itself, (LOOPBACK, POD[1]), flags=SYN | ACK))
    assert (answer, ends(seen)) == (REDIRECT, (SERVICE, POD))


def test_from_beyond_only_what_is_open_there(machine: Machine) -> None:
    client, entrance = ("172.18.0.1", 50000), ("172.18.0.3", 30080)
    machine.serve(SERVICE, BACKEND)
    machine.serve(entrance, BACKEND, scope=maps.OUTSIDE, identity=2)
    asked = frame(client, SERVICE)
    assert machine.run(FROM_FABRIC, asked) == (OK, asked)
    assert ends(machine.run(FROM_FABRIC, frame(client, entrance))[1]) == (client, BACKEND)
    back = frame(BACKEND, client, flags=SYN | ACK)
    # Only at the way out, when connection tracking has seen it.
    assert machine.run(FROM_POD, back) == (OK, back)
    assert ends(machine.run(TO_FABRIC, back)[1]) == (entrance, client)


def test_source_ranges(machine: Machine) -> None:
    machine.serve(SERVICE, BACKEND, flags=maps.CHECK_SOURCE)
    key = maps.service_key(*SERVICE, "tcp", maps.INSIDE)
    machine.maps[maps.RANGES.name].set(maps.range_key(key, "10.244.1.0/24"), maps.number(1))
    assert machine.run(FROM_POD, frame(POD, SERVICE))[0] == OK
    assert machine.run(FROM_POD, frame(("10.244.3.2", 40000), SERVICE))[0] == SHOT


def test_affinity_until_its_endpoint_is_gone(machine: Machine) -> None:
    others = [(f"10.244.2.{n}", 8080) for n in range(2, 10)]
    machine.serve(SERVICE, *others)
    key = maps.service_key(*SERVICE, "tcp", maps.INSIDE)
    machine.maps[maps.SERVICES.name].set(key, maps.service(1, len(others), 0, 10800))

    def asked() -> set[Place]:
        return {ends(machine.run(FROM_POD, frame((POD[0], 40000 + n), SERVICE))[1])[1] for n in range(20)}

    (first,) = asked()
    for slot in range(len(others)):
        if others[slot] == first:
            machine.maps[maps.BACKENDS.name].delete(maps.number(100 + slot))
            machine.maps[maps.SLOTS.name].set(maps.slot_key(1, slot), maps.number(100 + (slot + 1) % len(others)))
    connections = machine.maps[maps.CONNECTIONS.name]
    for entry, _ in list(connections.items()):
        connections.delete(entry)
    (second,) = asked()
    assert second != first


def test_no_endpoints_leaves_no_trace_in_the_tables(machine: Machine) -> None:
    machine.serve(SERVICE)
    data = frame(POD, SERVICE)
    assert machine.run(FROM_POD, data) == (OK, data)
    assert (machine.entries(maps.CONNECTIONS), machine.entries(maps.REVERSE)) == (0, 0)


def test_the_verifiers_words_are_in_the_error() -> None:
    if (reason := bpf.may_load()) is not None:
        pytest.skip(f"BPF programs cannot be loaded here: {reason}")
    exit_without_a_value = struct.pack("=BBhi", 0x95, 0, 0, 0)
    with pytest.raises(OSError, match=r"(?s)BPF_PROG_LOAD bad.*the verifier says: .*R0 !read_ok"):
        bpf.load_classifier("bad", exit_without_a_value)
