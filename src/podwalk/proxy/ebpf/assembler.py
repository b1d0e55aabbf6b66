"""An assembler for eBPF: instructions with names, jumps to labels, maps by name. Pure.

The instruction set is that of RFC 9669; registers are numbers, 10 is the frame's end. Byte order is this machine's.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, FP = range(11)
BYTE, HALF, WORD, DOUBLE = 1, 2, 4, 8

_LOAD = {1: 0x71, 2: 0x69, 4: 0x61, 8: 0x79}
_STORE = {1: 0x73, 2: 0x6B, 4: 0x63, 8: 0x7B}
_STORE_IMMEDIATE = {1: 0x72, 2: 0x6A, 4: 0x62, 8: 0x7A}
_ALU = {"add": 0x00, "subtract": 0x10, "multiply": 0x20, "or": 0x40, "and": 0x50, "mod": 0x90, "mov": 0xB0}
_JUMP = {"eq": 0x10, "gt": 0x20, "set": 0x40, "ne": 0x50}
_ALU64, _ALU32, _JMP, _REGISTER = 0x07, 0x04, 0x05, 0x08
_JA, _CALL, _EXIT, _LOAD_WIDE = 0x05, 0x85, 0x95, 0x18
_PSEUDO_MAP_FD = 1


class Assembler:
    """Collects instructions. Values that start with ``R`` are registers where ``register`` is in the name."""

    def __init__(self) -> None:
        self._code: list[tuple[int, int, int, int, int]] = []
        self._labels: dict[str, int] = {}
        self._jumps: dict[int, str] = {}
        self._maps: dict[int, str] = {}

    def _add(self, opcode: int, dst: int = 0, src: int = 0, offset: int = 0, value: int = 0) -> None:
        self._code.append((opcode, dst, src, offset, value))

    def label(self, name: str) -> None:
        """Name the next instruction. Raises ValueError for a name that there is."""
        if name in self._labels:
            raise ValueError(f"label {name} is there twice")
        self._labels[name] = len(self._code)

    def set(self, dst: int, value: int) -> None:
        """dst = value, sign-extended."""
        self._add(_ALU64 | _ALU["mov"], dst, value=value)

    def copy(self, dst: int, src: int) -> None:
        """dst = src."""
        self._add(_ALU64 | _ALU["mov"] | _REGISTER, dst, src)

    def calculate(self, operation: str, dst: int, value: int) -> None:
        """dst = dst operation value: add, multiply, or, and."""
        self._add(_ALU64 | _ALU[operation], dst, value=value)

    def subtract(self, dst: int, src: int) -> None:
        """dst = dst - src."""
        self._add(_ALU64 | _ALU["subtract"] | _REGISTER, dst, src)

    def modulo(self, dst: int, src: int) -> None:
        """dst = dst % src, both as 32 bits; 0 as src changes nothing."""
        self._add(_ALU32 | _ALU["mod"] | _REGISTER, dst, src)

    def load(self, size: int, dst: int, base: int, offset: int) -> None:
        """dst = what stands at base + offset."""
        self._add(_LOAD[size], dst, base, offset)

    def store(self, size: int, base: int, offset: int, src: int) -> None:
        """Write a register to base + offset."""
        self._add(_STORE[size], base, src, offset)

    def store_value(self, size: int, base: int, offset: int, value: int) -> None:
        """Write a number to base + offset."""
        self._add(_STORE_IMMEDIATE[size], base, 0, offset, value)

    def address(self, dst: int, offset: int) -> None:
        """dst = the address of a place on the stack."""
        self.copy(dst, FP)
        self.calculate("add", dst, offset)

    def map(self, dst: int, name: str) -> None:
        """dst = the map of this name."""
        self._maps[len(self._code)] = name
        self._add(_LOAD_WIDE, dst, _PSEUDO_MAP_FD)
        self._add(0)

    def jump(self, label: str) -> None:
        """Go on at a label."""
        self._jumps[len(self._code)] = label
        self._add(_JA)

    def jump_if(self, condition: str, register: int, value: int, label: str) -> None:
        """Go on at a label if the register is eq, ne or gt the value, or has one of its bits set."""
        self._jumps[len(self._code)] = label
        self._add(_JMP | _JUMP[condition], register, value=value)

    def jump_if_registers(self, condition: str, register: int, other: int, label: str) -> None:
        """The same, with another register."""
        self._jumps[len(self._code)] = label
        self._add(_JMP | _JUMP[condition] | _REGISTER, register, other)

    def call(self, helper: int) -> None:
        """Call a helper of the kernel: R1 to R5 are its arguments and are lost, R0 is the answer."""
        self._add(_CALL, value=helper)

    def exit(self, code: int) -> None:
        """End with this answer."""
        self.set(R0, code)
        self._add(_EXIT)

    def exit_with_result(self) -> None:
        """End with what the last helper answered."""
        self._add(_EXIT)

    def assemble(self, maps: Mapping[str, int]) -> bytes:
        """The program's bytes; ``maps`` gives descriptors. Raises KeyError for a label or map that there is not."""
        out = []
        for at, (opcode, dst, src, offset, value) in enumerate(self._code):
            if at in self._jumps:
                offset = self._labels[self._jumps[at]] - at - 1
            if at in self._maps:
                value = maps[self._maps[at]]
            registers = dst | src << 4 if struct.pack("=H", 1)[0] else dst << 4 | src
            out.append(struct.pack("=BBhi", opcode, registers, offset, value))
        return b"".join(out)
