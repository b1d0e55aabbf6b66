"""The framer, against itself and against bytes written down by hand."""

import struct
import zlib

import pytest

from podwalk.apiserver.streams import spdy


def frames(reader, data):
    return list(reader.feed(data))


def test_the_dictionary_is_the_specifications():
    assert zlib.adler32(spdy.DICTIONARY) == 0xE3C6A7C2  # the id that every SPDY/3 zlib stream names


def test_streams_share_one_compression_context():
    writer, reader = spdy.FrameWriter(), spdy.FrameReader()
    first = writer.syn_stream(1, {"streamType": "error", "port": "8080"})
    second = writer.syn_stream(3, {"streamType": "data", "port": "8080"}, fin=True)
    assert frames(reader, first + second) == [
        spdy.SynStream(1, {"streamtype": "error", "port": "8080"}),
        spdy.SynStream(3, {"streamtype": "data", "port": "8080"}, fin=True),
    ]


def test_frames_may_arrive_byte_by_byte():
    writer, reader = spdy.FrameWriter(), spdy.FrameReader()
    wire = writer.syn_reply(1) + writer.data(1, b"hello", fin=True) + writer.ping(7) + writer.reset(1)
    found = [frame for byte in wire for frame in reader.feed(bytes([byte]))]
    assert found == [spdy.Data(1, b"hello", fin=True), spdy.Ping(7), spdy.Reset(1)]


def test_a_data_frame_is_laid_out_as_specified():
    assert spdy.FrameWriter().data(3, b"ab", fin=True) == bytes.fromhex("00000003 01000002") + b"ab"


def test_settings_are_skipped_and_other_versions_refused():
    reader = spdy.FrameReader()
    settings = struct.pack("!II", 0x80030004, 4) + b"\0\0\0\0"
    assert frames(reader, settings) == []
    with pytest.raises(spdy.SpdyError, match="version 2"):
        frames(reader, struct.pack("!II", 0x80020001, 0))


@pytest.mark.parametrize("payload", [b"", b"\0\0\0\1", b"\0" * 10 + b"garbage"])
def test_a_broken_frame_is_an_error_and_no_crash(payload):
    with pytest.raises(spdy.SpdyError):
        frames(spdy.FrameReader(), struct.pack("!II", 0x80030001, len(payload)) + payload)
