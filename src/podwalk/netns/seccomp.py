"""Let programs believe that they may change user and group, where only one uid is mapped.

An ordinary user's namespace maps a single uid, so setuid, setgroups and chown fail with EPERM or EINVAL, and tcpdump,
nginx, install and tar give up. The filter answers these calls with success and does nothing. Rootless builders
(fakeroot and the `ignore_chown_errors` of containers/storage) play the same trick.
"""

import platform
import struct

from podwalk.netns import syscalls

_RET_ALLOW = 0x7FFF0000
_RET_ERRNO_0 = 0x00050000
_LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN = 0x06

# AUDIT_ARCH, then the numbers of setuid setgid setreuid setregid setgroups setresuid setresgid setfsuid setfsgid and of
# the chown family.
_CALLS: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (0xC000003E, (105, 106, 113, 114, 116, 117, 119, 122, 123, 92, 93, 94, 260)),
    "aarch64": (0xC00000B7, (146, 144, 145, 143, 159, 147, 149, 151, 152, 54, 55)),
}


def _program() -> bytes:
    arch, numbers = _CALLS[platform.machine()]
    count = len(numbers)
    code = [(_LOAD, 0, 0, 4), (_JUMP_EQUAL, 0, count + 1, arch), (_LOAD, 0, 0, 0)]
    code += [(_JUMP_EQUAL, count - index, 0, number) for index, number in enumerate(numbers)]
    code += [(_RETURN, 0, 0, _RET_ALLOW), (_RETURN, 0, 0, _RET_ERRNO_0)]
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in code)


def single_uid(pid: int | None = None) -> bool:
    """Tell whether the user namespace of this process, or of `pid`, maps exactly one uid."""
    with open(f"/proc/{pid or 'self'}/uid_map") as file:
        lines = file.read().split("\n")
    ranges = [line.split() for line in lines if line.strip()]
    return len(ranges) == 1 and ranges[0][2] == "1"


def fake_credential_calls() -> None:
    """Install the filter; inherited by everything started from here. Needs CAP_SYS_ADMIN in the user namespace."""
    syscalls.set_filter(_program())
