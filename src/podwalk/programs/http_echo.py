"""Stand-in for ``hashicorp/http-echo``: answers every request with one text.

Flags ``-listen`` (``:5678``), ``-text`` (or the variable ECHO_TEXT), ``-status-code``, ``-version``; one dash or two.
Behaviour: main.go and handlers.go of hashicorp/http-echo.
"""

from __future__ import annotations

import sys

if not __package__:
    # The program starts without site-packages; its parts lie beside it.
    sys.path.append(__file__.rsplit("/", 3)[0])

import os
import time

from podwalk.programs import gohttp, gotext
from podwalk.programs.gohttp import Request, Response

VERSION = "1.0.0"
_APP = (("X-App-Name", "http-echo"), ("X-App-Version", VERSION))
_USAGE = """Usage of http-echo:
  -listen string
    \taddress and port to listen (default ":5678")
  -status-code int
    \thttp response code, e.g.: 200 (default 200)
  -text string
    \ttext to put on the webpage
  -version
    \tdisplay version information
"""


def parse(arguments: list[str]) -> dict[str, str]:
    """Return the flags as Go's flag package reads them; ends the process on help, errors and ``-version``."""
    values = {"listen": ":5678", "text": "", "status-code": "200"}
    waiting = list(arguments)
    while waiting and waiting[0].startswith("-") and waiting[0] not in ("-", "--"):
        name, equals, value = waiting.pop(0).lstrip("-").partition("=")
        if name == "version":
            _end(f"http-echo v{VERSION}\n", 0)
        if name in ("h", "help"):
            _end(_USAGE, 0)
        if name not in values:
            _end(f"flag provided but not defined: -{name}\n{_USAGE}", 2)
        if not equals and not waiting:
            _end(f"flag needs an argument: -{name}\n{_USAGE}", 2)
        values[name] = value if equals else waiting.pop(0)
    if not values["status-code"].isdigit():
        _end(f'invalid value "{values["status-code"]}" for flag -status-code: parse error\n{_USAGE}', 2)
    values["text"] = values["text"] or os.environ.get("ECHO_TEXT", "")
    if not values["text"]:
        _end("Missing -text option OR ENV var TEXT is empty!\n", 127)
    if waiting:
        _end("Too many arguments!\n", 127)
    return values


def _end(message: str, code: int) -> None:
    gotext.write(2, message)
    os._exit(code)


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    flags = parse(arguments)
    gotext.handle_signals()
    status, body = int(flags["status-code"]), (flags["text"] + "\n").encode("utf-8", "surrogateescape")

    def echo(request: Request) -> Response:
        began = time.perf_counter()
        response = Response(body, status, _APP)
        line = f'"{request.method} {request.path} {request.version}" {status} {len(body)}'
        took = gotext.format_duration(time.perf_counter() - began)
        stamp, agent = time.strftime("%Y/%m/%d %H:%M:%S"), request.header("User-Agent")
        gotext.write(1, f'{stamp} {request.host} {request.remote_addr} {line} "{agent}" {took}\n')
        return response

    def health(_request: Request) -> Response:
        return Response(b'{"status":"ok"}\n', 200, _APP)

    address, _, port = flags["listen"].rpartition(":")
    gotext.log(f"[INFO] server is listening on {flags['listen']}")
    if not port.isdigit():
        gotext.fatal(f"[ERR] server exited with: listen tcp: lookup tcp/{port}: unknown port")
    try:
        listener = gohttp.listen(int(port), address)
    except OSError as problem:
        reason = f"listen tcp {flags['listen']}: bind: {gotext.system_error(problem)}"
        gotext.fatal(f"[ERR] server exited with: {reason}")
        return
    gohttp.serve(listener, gohttp.mux({"/": echo, "/health": health}))
    gotext.wait_for_ever()


if __name__ == "__main__":
    main(sys.argv[1:])
