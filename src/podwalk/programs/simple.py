"""The agnhost subcommands that print something and end, or wait.

Behaviour: test/images/agnhost/{pause,dns,entrypoint-tester,logs-generator} of kubernetes/kubernetes.
"""

from __future__ import annotations

import os
import sys
import time

from podwalk.programs import gotext


def pause(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Wait for a signal; SIGINT ends with status 1, SIGTERM with 2."""
    gotext.handle_signals(on_interrupt=1)
    gotext.write(1, "Paused\n")
    gotext.wait_for_ever()


def _panic(message: str) -> None:
    gotext.write(2, f"panic: {message}\n\ngoroutine 1 [running]:\n")
    os._exit(2)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as problem:
        _panic(f"open {path}: {gotext.system_error(problem)}")
        raise


def _resolv_conf(keyword: str) -> str:
    for line in _read("/etc/resolv.conf").split("\n"):
        if line.startswith(keyword):
            return ",".join(line.split(" ")[1:])
    _panic("Could not find DNS search list!")
    return ""


def dns_suffix(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Print the search list of /etc/resolv.conf, separated by commas."""
    gotext.write(1, _resolv_conf("search") + "\n")


def dns_server_list(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Print the (first) nameserver line of /etc/resolv.conf, separated by commas."""
    gotext.write(1, _resolv_conf("nameserver") + "\n")


def etc_hosts(_arguments: list[str], _flags: dict[str, str]) -> None:
    """Print /etc/hosts and one more line end."""
    gotext.write(1, _read("/etc/hosts") + "\n")


def entrypoint_tester(arguments: list[str], _flags: dict[str, str]) -> None:
    """Print the whole argument vector as Go prints a slice, beginning with the image's entry point."""
    name = sys.argv[0] if sys.argv[0].startswith("/agnhost") else "/agnhost"
    gotext.write(1, f"[{' '.join([name, 'entrypoint-tester', *arguments])}]\n")


def logs_generator(_arguments: list[str], flags: dict[str, str]) -> None:
    """Print ``--log-lines-total`` lines evenly over ``--run-duration``, in klog's format, on standard error."""
    total, duration = int(flags["log-lines-total"]), gotext.parse_duration(flags["run-duration"])
    if total <= 0:
        _klog("F", f"Invalid total number of lines: {total}")
        os._exit(255)
    if duration <= 0:
        _klog("F", f"Invalid duration: {gotext.format_duration(duration)}")
        os._exit(255)
    began = time.monotonic()
    for number in range(total):
        _klog("I", _line(number))
        time.sleep(max(0.0, began + (number + 1) * duration / total - time.monotonic()))


def _klog(severity: str, message: str) -> None:
    nanoseconds = time.time_ns()
    stamp = time.strftime("%m%d %H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    micro = nanoseconds // 1_000 % 1_000_000
    gotext.write(2, f"{severity}{stamp}.{micro:06d} {os.getpid():7d} logs_generator.go:76] {message}\n")


def _line(number: int) -> str:
    seed = os.urandom(8)
    method = ("GET", "POST", "PUT")[seed[0] % 3]
    namespace = ("kube-system", "default", "ns")[seed[1] % 3]
    letters = "bcdfghjklmnpqrstvwxz2456789"
    pod = "".join(letters[byte % len(letters)] for byte in seed[2 : 5 + seed[7] % 2])
    status = 200 + int.from_bytes(seed[5:7], "big") % 400
    return f"{number} {method} /api/v1/namespaces/{namespace}/pods/{pod} {status}"
