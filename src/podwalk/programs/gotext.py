"""The texts a Go program prints: log lines, durations, times, quoted strings, JSON, errors of the net package.

Learners compare what they see here with what they see on a real cluster, and the conformance suite compares bytes, so
the stand-ins print what Go's standard library would. Nothing here needs a module that is slow to import.
"""

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    JSON = str | Sequence["JSON"] | Mapping[str, "JSON"]

_START = time.monotonic()
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def write(descriptor: int, text: str) -> None:
    """Write ``text`` at once, without a buffer that a sudden exit would lose; a reader that has gone is no error."""
    try:
        os.write(descriptor, text.encode("utf-8", "surrogateescape"))
    except OSError:
        return


def log(message: str) -> None:
    """Print a line to standard error as Go's ``log.Printf``."""
    write(2, f"{time.strftime('%Y/%m/%d %H:%M:%S')} {message.removesuffix(chr(10))}\n")


def fatal(message: str) -> None:
    """Log ``message`` and end the process with status 1, as Go's ``log.Fatal``; never returns."""
    log(message)
    os._exit(1)


def now() -> str:
    """Return the present as Go's ``fmt`` prints ``time.Now()``, monotonic reading included."""
    nanoseconds = time.time_ns()
    moment = time.gmtime(nanoseconds // 1_000_000_000)
    fraction = f"{nanoseconds % 1_000_000_000:09d}".rstrip("0")
    point = f".{fraction}" if fraction else ""
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', moment)}{point} +0000 UTC m=+{time.monotonic() - _START:.9f}"


def http_date() -> str:
    """Return the present for an HTTP ``Date`` header."""
    moment = time.gmtime()
    day = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")[moment.tm_wday]
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][moment.tm_mon - 1]
    return f"{day}, {moment.tm_mday:02d} {month} {moment.tm_year} {time.strftime('%H:%M:%S', moment)} GMT"


def parse_duration(text: str) -> float:
    """Return the seconds in a Go duration such as ``1m30s``. Raises ValueError with Go's message."""
    rest = text[1:] if text[:1] in ("+", "-") else text
    sign = -1.0 if text[:1] == "-" else 1.0
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(f"time: invalid duration {quote(text)}")
    total = 0.0
    while rest:
        digits = len(rest) - len(rest.lstrip("0123456789."))
        number, rest = rest[:digits], rest[digits:]
        if number in ("", ".") or number.count(".") > 1:
            raise ValueError(f"time: invalid duration {quote(text)}")
        letters = len(rest) - len(rest.lstrip("abcdefghijklmnopqrstuvwxyzµμ"))
        unit, rest = rest[:letters], rest[letters:]
        if not unit:
            raise ValueError(f"time: missing unit in duration {quote(text)}")
        if unit not in _UNITS:
            raise ValueError(f"time: unknown unit {quote(unit)} in duration {quote(text)}")
        total += float(number) * _UNITS[unit]
    return sign * total


def format_duration(seconds: float) -> str:
    """Return ``seconds`` as Go's ``time.Duration.String``."""
    nanoseconds = round(abs(seconds) * 1e9)
    sign = "-" if seconds < 0 else ""
    if nanoseconds == 0:
        return "0s"
    for limit, divisor, unit in ((1_000, 1, "ns"), (1_000_000, 1_000, "µs"), (1_000_000_000, 1_000_000, "ms")):
        if nanoseconds < limit:
            return f"{sign}{_decimal(nanoseconds, divisor)}{unit}"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if minutes:
        hours, minutes = divmod(minutes, 60)
        text = f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}"
    return sign + text


def _decimal(value: int, divisor: int) -> str:
    whole, rest = divmod(value, divisor)
    if not rest:
        return str(whole)
    digits = len(str(divisor)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0")


def atoi(text: str) -> int:
    """Return the integer in ``text``. Raises ValueError with the message of Go's ``strconv.Atoi``."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not digits or not digits.isascii() or not digits.isdigit():
        raise ValueError(f"strconv.Atoi: parsing {quote(text)}: invalid syntax")
    return int(text)


def quote(text: str) -> str:
    """Return ``text`` as Go's ``%q``."""
    simple = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\a": "\\a", "\b": "\\b"}
    return '"' + "".join(simple.get(c, c if c.isprintable() else f"\\x{ord(c):02x}") for c in text) + '"'


def json_text(value: JSON) -> str:
    """Return ``value`` as Go's ``json.Marshal``: keys sorted, no spaces, ``< > &`` escaped."""
    if isinstance(value, str):
        return '"' + "".join(_json_character(c) for c in value) + '"'
    if isinstance(value, dict):
        return "{" + ",".join(f"{json_text(k)}:{json_text(value[k])}" for k in sorted(value)) + "}"
    return "[" + ",".join(json_text(item) for item in value) + "]"


def _json_character(c: str) -> str:
    known = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
    if c in known:
        return known[c]
    if c < " " or c in "<>&\u2028\u2029":
        return f"\\u{ord(c):04x}"
    return "\\ufffd" if "\ud800" <= c <= "\udfff" else c


def system_error(error: OSError) -> str:
    """Return what Go prints for the errno of ``error``, such as ``connection refused``."""
    if isinstance(error, TimeoutError) and error.errno is None:
        return "i/o timeout"
    if error.errno == errno.EADDRINUSE:
        return "address already in use"
    return os.strerror(error.errno or 0).lower()


def exit_status(code: int) -> str:
    """Return what Go's ``exec.ExitError`` says of a child that returned ``code`` (negative: killed by a signal)."""
    if code >= 0:
        return f"exit status {code}"
    names = {1: "hangup", 2: "interrupt", 6: "aborted", 9: "killed", 11: "segmentation fault", 15: "terminated"}
    return f"signal: {names.get(-code, f'signal {-code}')}"


def handle_signals(on_term: Callable[[], None] | None = None, on_interrupt: int = 2) -> None:
    """Decide how the process ends: SIGTERM calls ``on_term``, then status 2; SIGINT gives status ``on_interrupt``.

    Signals that were held back until now (a container begins with both blocked) come then. ``on_term`` runs beside the
    program, as a goroutine does: whoever is told to go while they start still serves until they go.

    Status 2 is what the Go runtime makes of a signal in a container, where the program is pid 1 and the kernel
    therefore ignores the default action.
    """
    import _thread
    import signal

    def end() -> None:
        if on_term is not None:
            on_term()
        os._exit(2)

    def terminate(_number: int, _frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _thread.start_new_thread(end, ())

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(on_interrupt))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})


def wait_for_ever() -> None:
    """Leave the process to the server's threads until a signal ends it; never returns."""
    import signal

    # Not signal.pause(): a signal that comes between Python's last look and the system call would be slept through.
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    while True:
        os.read(readable, 64)
