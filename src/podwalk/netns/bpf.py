"""bpf(2) as far as a Service's data plane needs it: maps, programs for tc, and their names in a bpf file system.

Every function raises OSError with the name of the command. See linux/bpf.h; layouts are those of Linux 5.4 and later.
A user namespace may do none of it: `may_load` says so before anything starts. Standard library only.
"""

import contextlib
import ctypes
import os
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from podwalk.netns import syscalls

HASH, LRU_HASH, LPM_TRIE = 1, 9, 11
DIRECTORY = Path("/sys/fs/bpf")
_SYS_BPF = {"x86_64": 321, "aarch64": 280}
_MAP_CREATE, _LOOKUP, _UPDATE, _DELETE, _NEXT_KEY, _PROG_LOAD, _PIN, _GET = range(8)
_TEST_RUN = 10
_SCHED_CLS = 3
_NO_PREALLOC = 1
_NAME = 15
_LOG_BYTES = 1 << 20
_NOP = struct.pack("=BBhi", 0xB7, 0, 0, 0) + struct.pack("=BBhi", 0x95, 0, 0, 0)

_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command: int, what: str, attributes: bytes) -> int:
    size = max(len(attributes), 128)
    buffer = ctypes.create_string_buffer(attributes, size)
    number = _SYS_BPF.get(platform.machine())
    if number is None:
        raise OSError(38, f"bpf: no system call number for {platform.machine()}")
    result: int = _libc.syscall(ctypes.c_long(number), ctypes.c_int(command), buffer, ctypes.c_uint(size))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf({what}): {os.strerror(error)}")
    return result


def _name(text: str) -> bytes:
    return text.encode()[:_NAME].ljust(_NAME + 1, b"\0")


@dataclass(frozen=True, slots=True)
class MapSpec:
    """What a map holds: the sizes of its keys and values, and how many."""

    name: str
    kind: int
    key_size: int
    value_size: int
    max_entries: int


class Map:
    """One map of the kernel. It lives as long as a descriptor, a program or a name in a bpf file system has it."""

    def __init__(self, fd: int, key_size: int, value_size: int) -> None:
        self.fd, self._key_size, self._value_size = fd, key_size, value_size

    @classmethod
    def create(cls, spec: MapSpec) -> "Map":
        """Make an empty map."""
        flags = 0 if spec.kind == LRU_HASH else _NO_PREALLOC
        numbers = (spec.kind, spec.key_size, spec.value_size, spec.max_entries, flags, 0, 0)
        fd = _bpf(_MAP_CREATE, f"BPF_MAP_CREATE {spec.name}", struct.pack("=7I", *numbers) + _name(spec.name))
        os.set_inheritable(fd, False)
        return cls(fd, spec.key_size, spec.value_size)

    @classmethod
    def pinned(cls, path: Path, spec: MapSpec) -> "Map":
        """Open the map of this name in a bpf file system."""
        text = ctypes.create_string_buffer(os.fsencode(path))
        fd = _bpf(_GET, f"BPF_OBJ_GET {path}", struct.pack("=QII", ctypes.addressof(text), 0, 0))
        return cls(fd, spec.key_size, spec.value_size)

    def pin(self, path: Path) -> None:
        """Give it a name in a bpf file system, in place of what had the name before."""
        path.unlink(missing_ok=True)
        _pin(self.fd, path)

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self.fd)

    def _element(self, command: int, what: str, key: bytes | None, value: "ctypes.Array[ctypes.c_char] | None") -> None:
        pointer = None if key is None else ctypes.create_string_buffer(key, self._key_size)
        at = 0 if pointer is None else ctypes.addressof(pointer)
        second = 0 if value is None else ctypes.addressof(value)
        _bpf(command, what, struct.pack("=IxxxxQQQ", self.fd, at, second, 0))

    def get(self, key: bytes) -> bytes | None:
        """The value under a key; None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        try:
            self._element(_LOOKUP, "BPF_MAP_LOOKUP_ELEM", key, value)
        except FileNotFoundError:
            return None
        return value.raw

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value, whether the key is there or not."""
        self._element(_UPDATE, "BPF_MAP_UPDATE_ELEM", key, ctypes.create_string_buffer(value, self._value_size))

    def delete(self, key: bytes) -> None:
        """Take a key out; an absent one is no error."""
        with contextlib.suppress(FileNotFoundError):
            self._element(_DELETE, "BPF_MAP_DELETE_ELEM", key, None)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """What is in it now. What changes meanwhile may be seen twice or not at all; it ends in any case."""
        keys: dict[bytes, None] = {}
        key: bytes | None = None
        while True:
            following = ctypes.create_string_buffer(self._key_size)
            try:
                self._element(_NEXT_KEY, "BPF_MAP_GET_NEXT_KEY", key, following)
            except FileNotFoundError:
                break
            key = following.raw
            if key in keys:  # the key asked about was gone: the kernel began again
                break
            keys[key] = None
        for known in keys:
            value = self.get(known)
            if value is not None:
                yield known, value


def load_classifier(name: str, instructions: bytes) -> int:
    """Give a program for tc to the kernel's verifier and return its descriptor.

    Raises OSError; where the verifier refused, with the end of what it says.
    """
    try:
        return _load(name, instructions, 0)
    except OSError as error:
        log = ctypes.create_string_buffer(_LOG_BYTES)
        with contextlib.suppress(OSError):
            os.close(_load(name, instructions, 1, log))
        said = log.value.decode(errors="replace").strip()
        if not said:
            raise
        raise OSError(error.errno, f"{error.strerror}; the verifier says: {said[-2000:]}") from None


def _load(name: str, instructions: bytes, level: int, log: "ctypes.Array[ctypes.c_char] | None" = None) -> int:
    code = ctypes.create_string_buffer(instructions, len(instructions))
    licence = ctypes.create_string_buffer(b"GPL")
    where = (0, 0) if log is None else (_LOG_BYTES, ctypes.addressof(log))
    count = len(instructions) // 8
    head = struct.pack("=IIQQ", _SCHED_CLS, count, ctypes.addressof(code), ctypes.addressof(licence))
    tail = struct.pack("=IIQII", level, *where, 0, 0)
    fd = _bpf(_PROG_LOAD, f"BPF_PROG_LOAD {name}", head + tail + _name(name))
    os.set_inheritable(fd, False)
    return fd


def run_classifier(fd: int, frame: bytes) -> tuple[int, bytes]:
    """What a program answers for one Ethernet frame, and what it makes of it; nothing is sent (BPF_PROG_TEST_RUN)."""
    data = ctypes.create_string_buffer(frame, len(frame))
    out = ctypes.create_string_buffer(len(frame) + 256)
    attributes = struct.pack(
        "=IIIIQQII", fd, 0, len(frame), len(out), ctypes.addressof(data), ctypes.addressof(out), 1, 0
    ).ljust(128, b"\0")
    number = _SYS_BPF[platform.machine()]
    buffer = ctypes.create_string_buffer(attributes, 128)
    result = _libc.syscall(ctypes.c_long(number), ctypes.c_int(_TEST_RUN), buffer, ctypes.c_uint(128))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf(BPF_PROG_TEST_RUN): {os.strerror(error)}")
    _, answer, _, size = struct.unpack_from("=IIII", buffer.raw)
    return answer, out.raw[:size]


def pin_program(fd: int, path: Path) -> None:
    """Give a program a name in a bpf file system, in place of what had the name before."""
    path.unlink(missing_ok=True)
    _pin(fd, path)


def _pin(fd: int, path: Path) -> None:
    text = ctypes.create_string_buffer(os.fsencode(path))
    _bpf(_PIN, f"BPF_OBJ_PIN {path}", struct.pack("=QII", ctypes.addressof(text), fd, 0))


def mount() -> None:
    """Mount a bpf file system of the node's own; the mount namespace, and with it all names, ends with the node."""
    if not os.path.ismount(DIRECTORY):
        syscalls.mount("bpf", str(DIRECTORY), "bpf", 0, "mode=0700")


def may_load() -> str | None:
    """Why this process cannot load programs for tc; None where it can. Leaves nothing behind."""
    try:
        os.close(_load("podwalk_probe", _NOP, 0))
    except OSError as error:
        return os.strerror(error.errno) if error.errno else str(error)
    return None
