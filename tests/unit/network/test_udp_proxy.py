"""The tunnel program of flannel's udp backend."""

import json
import os
import socket
import struct
import threading

import pytest

from podwalk.network.udp_proxy import Proxy, Routes, checksum, decrement_ttl, net_unreachable

SOURCE, TARGET = socket.inet_aton("10.244.1.2"), socket.inet_aton("10.244.2.2")


def packet(*, ttl=64, protocol=17, fragment=0, payload=b"12345678"):
    fields = (0x45, 0, 20 + len(payload), 7, fragment, ttl, protocol)
    header = struct.pack("!BBHHHBBH4s4s", *fields, 0, SOURCE, TARGET)
    header = struct.pack("!BBHHHBBH4s4s", *fields, checksum(header), SOURCE, TARGET)
    return bytearray(header + payload)


def test_the_longest_prefix_wins():
    routes = Routes()
    routes.replace({"10.244.0.0/16": "a", "10.244.2.0/24": "b", "10.244.2.128/25": "c"})
    assert routes.find(TARGET) == "b"
    assert routes.find(socket.inet_aton("10.244.2.200")) == "c"
    assert routes.find(SOURCE) == "a"
    assert routes.find(socket.inet_aton("10.245.0.1")) is None


@pytest.mark.parametrize("ttl", [2, 64, 255])
def test_a_hop_costs_one_and_the_checksum_stays_right(ttl):
    changed = packet(ttl=ttl)
    assert decrement_ttl(changed)
    assert changed[8] == ttl - 1
    assert checksum(bytes(changed[:20])) == 0


def test_the_checksum_stays_right_when_it_overflows():
    for identification in range(0, 65536, 257):
        changed = packet()
        changed[4:6] = struct.pack("!H", identification)
        changed[10:12] = b"\0\0"
        changed[10:12] = struct.pack("!H", checksum(bytes(changed[:20])))
        assert decrement_ttl(changed)
        assert checksum(bytes(changed[:20])) == 0


@pytest.mark.parametrize("ttl", [0, 1])
def test_a_packet_dies_at_the_end_of_its_life(ttl):
    assert not decrement_ttl(packet(ttl=ttl))


def test_what_nobody_takes_is_answered():
    own = socket.inet_aton("10.244.1.0")
    answer = net_unreachable(bytes(packet()), own)
    assert answer[12:20] == own + SOURCE
    assert (answer[9], answer[20], answer[21]) == (1, 3, 0)
    assert checksum(answer[:20]) == checksum(answer[20:]) == 0
    assert answer[28:] == bytes(packet())[:28]
    assert net_unreachable(bytes(packet(protocol=1)), own) is None
    assert net_unreachable(bytes(packet(fragment=3)), own) is None


def test_packets_pass_both_ways():
    """The TUN device is a socket pair here: one read is one packet, as with the device."""
    kernel, tun = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    udp, peer = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    udp.bind(("127.0.0.1", 0))
    peer.bind(("127.0.0.1", 0))
    for end in (kernel, peer):
        end.settimeout(5)
    proxy = Proxy(os.dup(tun.fileno()), udp, theirs, "10.244.1.0", peer.getsockname()[1])
    thread = threading.Thread(target=proxy.run)
    # Before the start, so that it is known before the first packet.
    control.send(json.dumps({"10.244.2.0/24": "127.0.0.1"}).encode())
    thread.start()
    try:
        kernel.send(packet())
        assert peer.recv(2000)[8] == 63
        peer.sendto(packet(ttl=9), udp.getsockname())
        assert kernel.recv(2000)[8] == 8
        elsewhere = packet()
        elsewhere[18] = 9
        kernel.send(elsewhere)
        assert kernel.recv(2000)[9] == 1  # unreachable
    finally:
        control.close()
        thread.join(5)
        for end in (kernel, tun, theirs, udp, peer):
            end.close()
        os.close(proxy._tun)
    assert not thread.is_alive()
