"""nft without starting a program: libnftables in this process, so that a small change costs a millisecond.

Upstream execs nft (sigs.k8s.io/knftables); the library is what nft itself is made of.
"""

from __future__ import annotations

import ctypes
import os
import socket

# Asked for, and granted as far as the machine's net.core.wmem_max allows: how large one transaction may be.
_SEND_BUFFER = 4 << 20
_SONAME = "libnftables.so.1"


class Libnftables:
    """A context of libnftables: talks to the network namespace in which it was made.

    Raises OSError where the machine has no libnftables.
    """

    def __init__(self) -> None:
        library = ctypes.CDLL(_SONAME)
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_ctx_free.argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_buffer_output", "nft_ctx_buffer_error"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
            getattr(library, name).restype = ctypes.c_char_p
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._library = library
        before = _netlink_sockets()
        self._context = library.nft_ctx_new(0)
        if not self._context:
            raise OSError("libnftables gives no context")
        for fd in _netlink_sockets() - before:
            _enlarge(fd)
        library.nft_ctx_buffer_output(self._context)
        library.nft_ctx_buffer_error(self._context)

    def run(self, text: str) -> tuple[int, str, str]:
        """Run commands as one transaction: status (0 is success), output and error text."""
        code = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        output = self._library.nft_ctx_get_output_buffer(self._context) or b""
        error = self._library.nft_ctx_get_error_buffer(self._context) or b""
        return code, output.decode(errors="replace"), error.decode(errors="replace")

    def close(self) -> None:
        """Give the context back."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


def _netlink_sockets() -> set[int]:
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{entry}").startswith("socket:"):
                found.add(int(entry))
        except OSError:
            continue  # the descriptor of the listing itself
    return found


def _enlarge(fd: int) -> None:
    os.set_inheritable(fd, False)
    borrowed = socket.socket(fileno=os.dup(fd))
    with borrowed:
        borrowed.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
