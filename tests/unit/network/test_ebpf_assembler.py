"""The assembler's bytes, against RFC 9669, and what a program must never be."""

import struct

import pytest

from podwalk.proxy.ebpf import maps, programs
from podwalk.proxy.ebpf.assembler import DOUBLE, FP, HALF, R0, R1, R2, R6, WORD, Assembler


def words(asm, **known):
    code = asm.assemble(known)
    return [code[at : at + 8].hex() for at in range(0, len(code), 8)]


def test_instructions_are_those_of_the_standard():
    asm = Assembler()
    asm.copy(R6, R1)
    asm.load(WORD, R1, R6, 16)
    asm.store(HALF, FP, -2, R1)
    asm.store_value(DOUBLE, FP, -16, 0)
    asm.calculate("or", R1, 0x10)
    asm.modulo(R0, R2)
    asm.call(7)
    asm.exit(2)
    assert words(asm) == [
        "bf16000000000000",
        "6161100000000000",
        "6b1afeff00000000",
        "7a0af0ff00000000",
        "4701000010000000",
        "9c20000000000000",
        "8500000007000000",
        "b700000002000000",
        "9500000000000000",
    ]


def test_a_map_takes_two_places_and_jumps_count_them():
    asm = Assembler()
    asm.jump_if("eq", R0, 0, "end")
    asm.map(R1, "services")
    asm.label("end")
    asm.exit(0)
    assert words(asm, services=9)[:3] == ["1500020000000000", "1811000009000000", "0000000000000000"]


def test_what_is_not_there_is_an_error():
    asm = Assembler()
    asm.jump("nowhere")
    with pytest.raises(KeyError, match="nowhere"):
        asm.assemble({})
    asm.label("nowhere")
    with pytest.raises(ValueError, match="label nowhere is there twice"):
        asm.label("nowhere")
    asm.map(R1, "unknown")
    with pytest.raises(KeyError, match="unknown"):
        asm.assemble({"other": 1})


@pytest.mark.parametrize("role", programs.ROLES, ids=lambda role: role.name)
def test_every_program_is_whole_and_small(role):
    code = programs.program(role).assemble({spec.name: 100 for spec in maps.ALL})
    count = len(code) // 8
    # 4096 is the limit of kernels before 5.2, and of whoever is not root.
    assert count < 4096
    assert code[-8:-7] == b"\x95"
    for at in range(count):
        opcode, _, offset, _ = struct.unpack_from("=BBhi", code, at * 8)
        if opcode & 0x07 == 0x05 and opcode not in (0x85, 0x95):
            assert 0 <= at + 1 + offset < count
            assert offset >= 0, "no loops"
    assert len(role.name) <= 15
