"""Stand-in for cert-manager's acmesolver: answers one HTTP-01 challenge on ``--listen-port``.

Behaviour: pkg/issuer/acme/http/solver/solver.go of cert-manager. ``/healthz`` is 200; a request for another host,
another path or another token is 404.
"""

from __future__ import annotations

import sys

if not __package__:
    # The program starts without site-packages; its parts lie beside it.
    sys.path.append(__file__.rsplit("/", 3)[0])

from podwalk.programs import gohttp, gotext
from podwalk.programs.gohttp import Request, Response

_PATH = "/.well-known/acme-challenge"
_FLAGS = ("listen-port", "domain", "token", "key")


def parse(arguments: list[str]) -> dict[str, str]:
    """The flags, ``--name=value`` or ``--name value``; ends the process on an unknown one."""
    values = {"listen-port": "8089", "domain": "", "token": "", "key": ""}
    waiting = list(arguments)
    while waiting:
        name, equals, value = waiting.pop(0).lstrip("-").partition("=")
        if name not in _FLAGS or (not equals and not waiting):
            gotext.fatal(f"error executing command: unknown flag or missing value: --{name}")
        values[name] = value if equals else waiting.pop(0)
    if not values["listen-port"].isdigit():
        gotext.fatal(f'error executing command: invalid argument "{values["listen-port"]}" for "--listen-port" flag')
    return values


def answer(flags: dict[str, str], request: Request) -> Response:
    """What is said to one request."""
    if request.path == "/healthz":
        return Response(b"", 200)
    host = request.host.rsplit(":", 1)[0] if not request.host.endswith("]") else request.host
    base, _, token = request.path.rpartition("/")
    if not base.startswith(_PATH):
        return gohttp.text("", 404)
    if host != flags["domain"]:
        gotext.log(f'invalid host "{host}", expected "{flags["domain"]}"')
        return gohttp.text("", 404)
    if base != _PATH or token != flags["token"]:
        gotext.log(f'invalid token "{token}", expected "{flags["token"]}"')
        return gohttp.text("", 404)
    gotext.log(f'got successful challenge request, writing key for host "{host}"')
    return gohttp.text(flags["key"])


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    flags = parse(arguments)
    gotext.handle_signals()
    gotext.log(f"starting listener for domain {flags['domain']} on port {flags['listen-port']}")
    listener = gohttp.listen_or_exit(int(flags["listen-port"]))
    gohttp.serve(listener, lambda request: answer(flags, request))
    gotext.wait_for_ever()


if __name__ == "__main__":
    main(sys.argv[1:])
