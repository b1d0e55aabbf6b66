"""Frames are cut into the headers that they consist of, whatever wraps them and wherever they are cut short."""

from __future__ import annotations

import socket
import struct

import pytest

from podwalk.views.encapsulation import Encapsulation
from podwalk.views.frames import Frame, Layer, Tap, dissect, first_record
from podwalk.views.profile_run import echo_to

INNER_MACS, OUTER_MACS = bytes.fromhex("020000000002020000000001"), bytes.fromhex("0242ac1200040242ac120003")


def ipv4(source: str, target: str, protocol: int, rest: bytes) -> bytes:
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(rest), 0, 0, 64, protocol, 0)
    return head + socket.inet_aton(source) + socket.inet_aton(target) + rest


def udp(target: int, rest: bytes) -> bytes:
    return struct.pack("!HHHH", 40000, target, 8 + len(rest), 0) + rest


def echo(size: int) -> bytes:
    return ipv4("10.244.1.6", "10.244.2.5", 1, struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(size))


def ethernet(macs: bytes, packet: bytes, kind: int = 0x0800) -> bytes:
    return macs + struct.pack("!H", kind) + packet


def vxlan(frame: bytes) -> bytes:
    return ethernet(OUTER_MACS, ipv4("172.18.0.3", "172.18.0.4", 17, udp(8472, bytes(4) + b"\0\0\x01\0" + frame)))


def names(frame: bytes) -> list[tuple[str, int, bool]]:
    return [(layer.name, layer.length, layer.outer) for layer in dissect(frame)]


BARE = [("Ethernet", 14, False), ("IPv4", 20, False), ("ICMP", 8, False), ("payload", 56, False)]


def test_a_bare_echo() -> None:
    frame = ethernet(INNER_MACS, echo(56))
    assert names(frame) == BARE
    assert dissect(frame)[0].words == ("02:00:00:00:00:01", "02:00:00:00:00:02")
    assert dissect(frame)[1].words == ("10.244.1.6", "10.244.2.5")


def test_vxlan_puts_fifty_bytes_in_front() -> None:
    frame = Frame("node one", "eth0", dissect(vxlan(ethernet(INNER_MACS, echo(56)))))
    outer = [("Ethernet", 14, True), ("IPv4", 20, True), ("UDP", 8, True), ("VXLAN", 8, True)]
    assert [(x.name, x.length, x.outer) for x in frame.layers] == outer + BARE
    assert frame.layers[3].words == ("VNI 1",)
    assert (frame.overhead, frame.length) == (50, 148)


def test_flannels_udp_carries_packets_and_no_frames() -> None:
    wrapped = ethernet(OUTER_MACS, ipv4("172.18.0.3", "172.18.0.4", 17, udp(8285, echo(56))))
    outer = [("Ethernet", 14, True), ("IPv4", 20, True), ("UDP", 8, True)]
    assert names(wrapped) == outer + BARE[1:]


def test_tcp_and_padding() -> None:
    segment = struct.pack("!HHIIBBHHH", 41000, 8080, 0, 0, 0x80, 2, 0, 0, 0) + bytes(12)
    frame = ethernet(INNER_MACS, ipv4("10.244.1.6", "10.244.2.5", 6, segment)) + bytes(6)
    assert names(frame) == [("Ethernet", 14, False), ("IPv4", 20, False), ("TCP", 32, False)]
    assert dissect(frame)[2].words == ("to 8080",)


@pytest.mark.parametrize("keep", range(0, 148, 7))
def test_what_is_cut_short_is_payload_and_no_error(keep: int) -> None:
    cut = vxlan(ethernet(INNER_MACS, echo(56)))[:keep]
    assert sum(layer.length for layer in dissect(cut)) == keep


def test_arp_is_named() -> None:
    assert names(ethernet(INNER_MACS, bytes(28), 0x0806)) == [("Ethernet", 14, False), ("ARP", 28, False)]


def test_the_first_frame_of_a_pcap_stream() -> None:
    frame = ethernet(INNER_MACS, echo(56))
    for order, link in (("<", 1), (">", 1), ("<", 101)):
        data = struct.pack(f"{order}IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, link)
        sent = frame if link == 1 else frame[14:]
        data += struct.pack(f"{order}IIII", 1, 2, len(sent), len(sent)) + sent
        assert first_record(data[:-1]) == b""
        expected = BARE if link == 1 else BARE[1:]
        assert names(first_record(data + b"more")) == expected


def test_the_filter_means_one_address_wherever_it_is_wrapped() -> None:
    wrapped = vxlan(ethernet(INNER_MACS, echo(56)))
    number = int.from_bytes(socket.inet_aton("10.244.2.5"))
    begin = 14 + 20
    assert f"udp[46:4] == {number:#010x}" in echo_to("10.244.2.5")
    assert wrapped[begin + 46 : begin + 50] == number.to_bytes(4)
    assert wrapped[begin + 39] == 1
    bare = ethernet(OUTER_MACS, ipv4("172.18.0.3", "172.18.0.4", 17, udp(8285, echo(1))))
    assert bare[begin + 24 : begin + 28] == number.to_bytes(4)
    assert bare[begin + 17] == 1


def test_a_tap_enters_the_pods_namespace_first() -> None:
    assert Tap("Pod", "one", "eth0", "cni-1").argv("icmp")[:2] == ["nsenter", "--net=/run/netns/cni-1"]
    assert Tap("node", "one", "eth0").argv("icmp")[0] == "tcpdump"


def test_the_drawing_says_what_is_in_front() -> None:
    frames = tuple(
        Frame("node a-cluster-with-a-long-name-worker2", device, dissect(data))
        for device, data in (
            ("veth7bde8a74", ethernet(INNER_MACS, echo(56))),
            ("eth0", vxlan(ethernet(INNER_MACS, echo(1400)))),
        )
    )
    drawing = Encapsulation("one ping", frames)
    assert "VXLAN 8 (VNI 1) | Ethernet 14" in drawing.alt()
    words = [t.get_text() for t in drawing.figure().axes[0].texts]
    assert "blue: what the nodes put in front, 50 bytes" in words
    assert "1492 B" in words
    assert "no device saw it" in Encapsulation("one ping", ()).alt()
    assert Layer("UDP", 8).words == ()
