"""The DNS wire format: messages in, messages out.

Pure. RFC 1035 with compression, RFC 2782 (SRV), RFC 3596 (AAAA), RFC 6891 (EDNS0). Names are text with a final dot and
keep their case; a name that holds a dot inside a label is not handled, Kubernetes has none.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field, replace
from typing import Any

A, NS, CNAME, SOA, PTR, HINFO, MX, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 41, 255
IN = 1
TYPE_NAMES = {
    A: "A", NS: "NS", CNAME: "CNAME", SOA: "SOA", PTR: "PTR", HINFO: "HINFO", MX: "MX", TXT: "TXT", AAAA: "AAAA",
    SRV: "SRV", OPT: "OPT", ANY: "ANY", 35: "NAPTR", 43: "DS", 48: "DNSKEY", 64: "SVCB", 65: "HTTPS", 252: "AXFR",
}  # fmt: skip
CLASS_NAMES = {1: "IN", 3: "CH", 4: "HS", 255: "ANY"}

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
RCODE_NAMES = ("NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED")

QR, AA, TC, RD, RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
FLAG_NAMES = ((QR, "qr"), (AA, "aa"), (TC, "tc"), (RD, "rd"), (RA, "ra"), (0x20, "ad"), (0x10, "cd"))
MIN_UDP_SIZE = 512

_HEADER = struct.Struct("!6H")


class FormatError(ValueError):
    """The bytes are not a DNS message."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    name: str
    type: int
    cls: int = IN

    @property
    def type_name(self) -> str:
        """The type's name, ``TYPE123`` for one without."""
        return TYPE_NAMES.get(self.type, f"TYPE{self.type}")

    @property
    def class_name(self) -> str:
        """The class' name."""
        return CLASS_NAMES.get(self.cls, f"CLASS{self.cls}")


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of class IN.

    ``data`` is text for A and AAAA (the address), CNAME, NS, PTR (a name) and TXT; (priority, weight, port, target) for
    SRV; (mname, rname, serial, refresh, retry, expire, minimum) for SOA; the raw bytes for every other type.
    """

    name: str
    type: int
    ttl: int
    data: Any


@dataclass(frozen=True, slots=True)
class Message:
    """A message; ``udp_size`` is None where it has no EDNS0 record."""

    id: int
    flags: int
    question: Question | None
    rcode: int = NOERROR
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()
    udp_size: int | None = None
    dnssec_ok: bool = False

    @property
    def opcode(self) -> int:
        """0 is a standard query."""
        return self.flags >> 11 & 0xF

    @property
    def flag_text(self) -> str:
        """The flags as CoreDNS' log prints them: ``qr,aa,rd``."""
        return ",".join(name for bit, name in FLAG_NAMES if self.flags & bit)

    def reply(self, rcode: int = NOERROR, *, flags: int = 0, **sections: Any) -> Message:
        """An answer to this query: same id, question and EDNS0 size."""
        kept = self.flags & (RD | 0x10 | 0x7800)
        return replace(self, flags=QR | kept | flags, rcode=rcode, **sections)


def parse(data: bytes) -> Message:
    """Read a message. Raises FormatError."""
    try:
        ident, flags, questions, *counts = _HEADER.unpack_from(data)
        at, question = _HEADER.size, None
        for index in range(questions):
            name, at = _read_name(data, at)
            kind, cls = struct.unpack_from("!HH", data, at)
            at += 4
            if index == 0:
                question = Question(name, kind, cls)
        sections: list[tuple[Record, ...]] = []
        udp_size, dnssec_ok = None, False
        for count in counts:
            records = []
            for _ in range(count):
                name, at = _read_name(data, at)
                kind, cls, ttl, length = struct.unpack_from("!HHIH", data, at)
                at += 10
                if at + length > len(data):
                    raise FormatError("a record runs past the end")
                if kind == OPT:
                    udp_size, dnssec_ok = max(cls, MIN_UDP_SIZE), bool(ttl & 0x8000)
                else:
                    records.append(Record(name, kind, ttl, _read_data(data, at, kind, length)))
                at += length
            sections.append(tuple(records))
    except (struct.error, IndexError, UnicodeDecodeError, ipaddress.AddressValueError) as error:
        raise FormatError(str(error)) from error
    answers, authority, additional = sections
    return Message(ident, flags & ~0xF, question, flags & 0xF, answers, authority, additional, udp_size, dnssec_ok)


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    labels, end, jumps = [], -1, 0
    while True:
        length = data[at]
        if length >= 0xC0:
            if end < 0:
                end = at + 2
            jumps += 1
            if jumps > 64:
                raise FormatError("a name points in circles")
            at = (length & 0x3F) << 8 | data[at + 1]
            continue
        at += 1
        if length == 0:
            break
        if length > 63 or at + length > len(data):
            raise FormatError("a label is too long")
        labels.append(data[at : at + length].decode("latin-1"))
        at += length
    name = ".".join(labels) + "."
    if len(name) > 255:
        raise FormatError("a name is too long")
    return name, end if end >= 0 else at


def _read_data(data: bytes, at: int, kind: int, length: int) -> Any:
    if kind in (CNAME, NS, PTR):
        return _read_name(data, at)[0]
    raw = data[at : at + length]
    if kind == A:
        return str(ipaddress.IPv4Address(raw))
    if kind == AAAA:
        return str(ipaddress.IPv6Address(raw))
    if kind == SRV:
        return (*struct.unpack_from("!3H", raw), _read_name(data, at + 6)[0])
    if kind == SOA:
        mname, after = _read_name(data, at)
        rname, after = _read_name(data, after)
        return (mname, rname, *struct.unpack_from("!5I", data, after))
    if kind == TXT and raw:
        return raw[1 : 1 + raw[0]].decode("latin-1")
    return raw


@dataclass
class _Writer:
    out: bytearray = field(default_factory=bytearray)
    seen: dict[str, int] = field(default_factory=dict)

    def name(self, name: str, *, compress: bool = True) -> None:
        rest = name.rstrip(".")
        while rest:
            key = rest.lower()
            if compress and key in self.seen:
                self.out += struct.pack("!H", 0xC000 | self.seen[key])
                return
            if len(self.out) < 0x4000:
                self.seen.setdefault(key, len(self.out))
            label, _, rest = rest.partition(".")
            raw = label.encode("latin-1")
            self.out += bytes([len(raw)]) + raw
        self.out.append(0)

    def record(self, record: Record) -> None:
        self.name(record.name)
        self.out += struct.pack("!HHIH", record.type, IN, record.ttl, 0)
        start = len(self.out)
        self.data(record)
        struct.pack_into("!H", self.out, start - 2, len(self.out) - start)

    def data(self, record: Record) -> None:
        data = record.data
        if record.type in (CNAME, NS, PTR):
            self.name(data)
        elif record.type in (A, AAAA):
            self.out += ipaddress.ip_address(data).packed
        elif record.type == SRV:
            self.out += struct.pack("!3H", *data[:3])
            self.name(data[3], compress=False)  # RFC 2782: the target is not compressed
        elif record.type == SOA:
            self.name(data[0])
            self.name(data[1])
            self.out += struct.pack("!5I", *data[2:])
        elif record.type == TXT:
            raw = data.encode("latin-1")
            self.out += bytes([len(raw)]) + raw
        else:
            self.out += data


def pack(message: Message, limit: int = 65535) -> bytes:
    """Write a message in at most ``limit`` bytes; what does not fit is left out, and TC says so."""
    answers, authority, additional = list(message.answers), list(message.authority), list(message.additional)
    truncated = False
    while True:
        raw = _pack(message, answers, authority, additional, truncated)
        if len(raw) <= limit:
            return raw
        if additional:
            # Extra addresses are a courtesy: leaving them out alone does not make the answer a truncated one.
            additional.clear()
        elif answers or authority:
            truncated = True
            victims = authority or answers
            del victims[max(len(victims) * limit // len(raw) - 1, 0) :]
        else:
            return raw


def _pack(
    message: Message, answers: list[Record], authority: list[Record], additional: list[Record], truncated: bool
) -> bytes:
    writer = _Writer()
    edns = message.udp_size is not None
    flags = message.flags | message.rcode | (TC if truncated else 0)
    counts = (1 if message.question else 0, len(answers), len(authority), len(additional) + edns)
    writer.out += _HEADER.pack(message.id, flags, *counts)
    if message.question:
        writer.name(message.question.name)
        writer.out += struct.pack("!HH", message.question.type, message.question.cls)
    for record in (*answers, *authority, *additional):
        writer.record(record)
    if message.udp_size is not None:
        writer.out += b"\0" + struct.pack("!HHIH", OPT, message.udp_size, 0x8000 if message.dnssec_ok else 0, 0)
    return bytes(writer.out)
