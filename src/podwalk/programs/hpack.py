"""HPACK, the compression of HTTP/2's headers (RFC 7541): all of it to read, the plain part to write."""

from __future__ import annotations

# Appendix A: the names (and some values) that both sides know from the start.
_WORDS = (
    ":authority :method=GET :method=POST :path=/ :path=/index.html :scheme=http :scheme=https :status=200 "
    ":status=204 :status=206 :status=304 :status=400 :status=404 :status=500 accept-charset "
    "accept-encoding=gzip,+deflate accept-language accept-ranges accept access-control-allow-origin age allow "
    "authorization cache-control content-disposition content-encoding content-language content-length "
    "content-location content-range content-type cookie date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified link location max-forwards "
    "proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
    "strict-transport-security transfer-encoding user-agent vary via www-authenticate"
)
_STATIC = tuple((name, value) for name, _, value in (entry.partition("=") for entry in _WORDS.split()))
# Appendix B: the length of each byte's code, as a letter ("A" is 1); the codes follow from the lengths, for they are
# handed out in the order of length, then of byte.
_LENGTHS = (
    "MW\\\\\\\\\\\\\\X^\\\\^\\\\\\\\\\\\\\\\^\\\\\\\\\\\\\\\\\\FJJLMFHKJJHKHFFFEEEFFFFFFFGHOFLJ"
    "MFGGGGGGGGGGGGGGGGGGGGGGHGHMSMNFOEFEFEFFFEGGFFFEFGFEEFGGGGGOKNM\\"
    "TVTTVVVWVWWWWWXWXXVWXWWWWUVWVWWXVUTVVWWUWVVXUVWWUUVUWVWWTVVVWVVW"
    "ZZTSVWVYZZZ[[ZXYSUZ[[Z[XUUZZ\\[[[TXTUVUUWVVYYXXZWZ[ZZ[[[[[\\[[[[[Z"
)
_TABLE_BYTES = 4096


class HpackError(ValueError):
    """Bytes that are no header block."""


def _codes() -> dict[tuple[int, int], int]:
    """(length, code) -> byte."""
    out = {}
    code = before = 0
    for length, byte in sorted((ord(letter) - 64, byte) for byte, letter in enumerate(_LENGTHS)):
        code <<= length - before
        out[length, code] = byte
        code, before = code + 1, length
    return out


_decoding: dict[tuple[int, int], int] = {}


def huffman_decode(data: bytes) -> str:
    """The text behind Huffman-coded bytes; what is left at the end is padding."""
    if not _decoding:
        _decoding.update(_codes())
    out = bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            if (found := _decoding.get((length, code))) is not None:
                out.append(found)
                code = length = 0
    return out.decode("latin-1")


class Decoder:
    """Reads the header blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._table: list[tuple[str, str]] = []
        self._limit = _TABLE_BYTES
        self._data, self._at = b"", 0

    def decode(self, block: bytes) -> list[tuple[str, str]]:
        """The headers of one block. Raises HpackError."""
        self._data, self._at = block, 0
        out = []
        try:
            while self._at < len(block):
                first = block[self._at]
                if first & 0x80:
                    out.append(self._entry(self._integer(7)))
                elif first & 0xE0 == 0x20:
                    self._limit = min(self._integer(5), _TABLE_BYTES)
                    self._shrink()
                else:
                    index = self._integer(6 if first & 0x40 else 4)
                    name = self._entry(index)[0] if index else self._string()
                    header = (name, self._string())
                    out.append(header)
                    if first & 0x40:
                        self._table.insert(0, header)
                        self._shrink()
        except IndexError:
            raise HpackError("broken header block") from None
        return out

    def _shrink(self) -> None:
        while sum(len(name) + len(value) + 32 for name, value in self._table) > self._limit:
            self._table.pop()

    def _entry(self, index: int) -> tuple[str, str]:
        if index == 0:
            raise HpackError("index 0")
        if index <= len(_STATIC):
            name, value = _STATIC[index - 1]
            return name, value.replace("+", " ")
        return self._table[index - len(_STATIC) - 1]

    def _integer(self, bits: int) -> int:
        most = (1 << bits) - 1
        value = self._data[self._at] & most
        self._at += 1
        if value < most:
            return value
        shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value += (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value
            if shift > 28:
                raise HpackError("integer too large")

    def _string(self) -> str:
        coded = self._data[self._at] & 0x80
        length = self._integer(7)
        data = self._data[self._at : self._at + length]
        if len(data) < length:
            raise HpackError("string cut off")
        self._at += length
        return huffman_decode(data) if coded else data.decode("latin-1")


def encode(headers: list[tuple[str, str]]) -> bytes:
    """A header block of literals, which changes no table."""
    out = bytearray()
    for name, value in headers:
        out.append(0)
        for text in (name.encode("latin-1"), value.encode("latin-1")):
            out += _length(len(text)) + text
    return bytes(out)


def _length(value: int) -> bytes:
    if value < 127:
        return bytes([value])
    out = bytearray([127])
    value -= 127
    while value >= 128:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])
