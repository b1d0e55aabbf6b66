"""The wire format."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwalk.dns import message
from podwalk.dns.message import FormatError, Message, Question, Record

SAMPLES = (
    Record("a.example.", message.A, 5, "192.0.2.1"),
    Record("a.example.", message.AAAA, 5, "2001:db8::1"),
    Record("b.example.", message.CNAME, 5, "a.example."),
    Record("_x._tcp.example.", message.SRV, 5, (0, 100, 80, "a.example.")),
    Record("example.", message.SOA, 5, ("ns.example.", "host.example.", 1, 2, 3, 4, 5)),
    Record("example.", message.TXT, 5, "1.1.0"),
    Record("example.", 99, 5, b"\x01\x02"),
)


def test_what_is_written_can_be_read() -> None:
    whole = Message(
        1, message.QR | message.AA, Question("a.example.", message.A), message.NXDOMAIN, SAMPLES, SAMPLES[:1]
    )
    assert message.parse(message.pack(whole)) == whole


def test_edns_is_kept() -> None:
    query = Message(7, message.RD, Question(".", message.NS), udp_size=1232, dnssec_ok=True)
    assert message.parse(message.pack(query)) == query


def test_repeated_names_are_written_once() -> None:
    name = "a-rather-long-name.default.svc.cluster.local."
    answers = tuple(Record(name, message.A, 5, f"10.0.0.{i}") for i in range(10))
    raw = message.pack(Message(1, 0, Question(name, message.A), answers=answers))
    assert raw.count(b"rather") == 1


def test_what_does_not_fit_is_left_out_and_said() -> None:
    answers = tuple(Record("a.example.", message.A, 5, f"10.0.{i}.1") for i in range(100))
    raw = message.pack(Message(1, message.QR, Question("a.example.", message.A), answers=answers), 512)
    cut = message.parse(raw)
    assert 400 < len(raw) <= 512
    assert cut.flags & message.TC
    assert cut.answers == answers[: len(cut.answers)]


def test_additional_records_go_first_without_truncation() -> None:
    extra = tuple(Record("a.example.", message.A, 5, f"10.0.{i}.1") for i in range(100))
    raw = message.pack(
        Message(1, message.QR, Question("a.example.", message.A), answers=SAMPLES, additional=extra), 512
    )
    cut = message.parse(raw)
    assert cut.answers == SAMPLES
    assert not cut.flags & message.TC


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0" * 11,
        bytes.fromhex("000101000001000000000000c00c00010001"),  # a name that points at itself
        bytes.fromhex("00010100000100000000000005616263"),  # a label that ends too early
        bytes.fromhex("0001010000000001000000000000010001000000050004c0"),  # a record that ends too early
    ],
)
def test_what_is_no_message_is_refused(raw: bytes) -> None:
    with pytest.raises(FormatError):
        message.parse(raw)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    try:
        message.parse(raw)
    except FormatError:
        pass
