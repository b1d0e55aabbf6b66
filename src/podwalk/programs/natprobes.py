"""``agnhost no-snat-test`` and ``agnhost net``: programs that show what address translation does to a connection.

Behaviour: test/images/agnhost/{no-snat-test,net} of kubernetes/kubernetes.
"""

from __future__ import annotations

import os
import socket
import time

from podwalk.programs import goclient, gohttp, gotext
from podwalk.programs.gohttp import Request, Response, text

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from typing import Any


def no_snat_test(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve ``/whoami`` (the client's address) and ``/checknosnat?ips=…`` (do those servers see our Pod's address?)."""
    gotext.handle_signals()
    pod, node = (_address_of(name) for name in ("POD_IP", "NODE_IP"))

    def check(request: Request) -> Response:
        errors = [_snat(ip, pod, node) for ip in request.query_value("ips").split(",")]
        found = [error for error in errors if error]
        return text(", ".join(found), 500) if found else Response()

    routes: dict[str, gohttp.Handler] = {"/whoami": lambda r: text(r.remote_addr), "/checknosnat": check}
    gohttp.serve(gohttp.listen_or_exit(int(flags["port"])), gohttp.mux(routes))
    gotext.wait_for_ever()


def _address_of(name: str) -> str:
    value = os.environ.get(name)
    problem = ""
    if value is None:
        problem = f"{name} env var was not present in the environment"
    else:
        try:
            socket.inet_pton(socket.AF_INET, value)
        except OSError:
            problem = f"{name} env var contained {gotext.quote(value)}, which is not an IP address"
    if problem:
        gotext.write(2, problem + "\n")
        os._exit(1)
    return value or ""


def _snat(target: str, pod: str, node: str) -> str:
    """Ask ``target`` who we are; return an empty text when it saw our Pod, else what it saw."""
    try:
        host, colon, port = target.rpartition(":")
        address = goclient.resolve(host if colon else target, port if colon else "80")
        seen = goclient.get(address, "/whoami", 30.0).decode("utf-8", "replace").split(":")[0]
    except goclient.NetError as problem:
        return str(problem)
    quoted = [gotext.quote(each) for each in (seen, pod, node)]
    if seen == pod:
        return ""
    if seen == node:
        return f"Returned ip {quoted[0]} != my Pod ip {quoted[1]}, == my Node ip {quoted[2]} - SNAT"
    return (
        f"Returned ip {quoted[0]} != my Pod ip {quoted[1]} or my Node ip {quoted[2]} - SNAT to unexpected ip "
        "(possible SNAT through unexpected interface on the way into another node)"
    )


def net(_arguments: list[str], flags: dict[str, str]) -> None:
    """Run ``--runner`` with ``--options`` once, or serve ``POST /run/RUNNER`` on ``--serve``."""
    delay = int(flags["delay-shutdown"])

    def terminate() -> None:
        if delay > 0:
            gotext.log(f"Sleeping {delay} seconds before terminating...")
            time.sleep(delay)
            os._exit(0)

    gotext.handle_signals(terminate)
    if not flags["runner"] and not flags["serve"]:
        gotext.fatal("Must set either --runner or --serve, see --help")
    if flags["serve"]:
        address, _, port = flags["serve"].rpartition(":")
        gotext.log(f"Running server on {flags['serve']}")
        gohttp.serve(gohttp.listen_or_exit(int(port), address), gohttp.mux({"/run/": _run_request}))
        gotext.wait_for_ever()
    lines, error = _execute(flags["runner"], flags["options"])
    if error:
        gotext.log(f"Error: {error}")
    gotext.write(1, "output:\n\n" + "".join(lines))
    os._exit(1 if error else 0)


def _run_request(request: Request) -> Response:
    parts = request.path.split("/")
    if len(parts) != 3:
        return gohttp.error(f"invalid request to run: [{' '.join(parts)}]", 400)
    lines, error = _execute(parts[2], request.body.decode("utf-8", "replace"))
    output = "output:\n\n" + "".join(lines)
    return gohttp.error(f"Error from runner: {error}\n{output}", 500) if error else text(f"ok\n{output}")


# The client's connections that a test asked us to keep: they stay open as long as the process.
_LEAKED: list[socket.socket] = []


def _execute(runner: str, options: str) -> tuple[list[str], str]:
    """Run a runner; return its lines and the error's text, empty when it worked."""
    import json

    runners = {"nat-closewait-client": _close_wait_client, "nat-closewait-server": _close_wait_server}
    if runner not in runners:
        return [], "Invalid runner: '<nil>', see --help"
    try:
        decoded = json.loads(options)
    except ValueError as problem:
        return [], f"Invalid options JSON: {problem}"
    if not isinstance(decoded, dict):
        return [], "Invalid options JSON: json: cannot unmarshal into Go value"
    gotext.log(f"Options: {decoded}")
    lines: list[str] = []
    try:
        runners[runner](decoded, lines)
    except goclient.NetError as problem:
        return lines, str(problem)
    except OSError as problem:
        return lines, gotext.system_error(problem)
    return lines, ""


def _address(listed: str) -> goclient.Address:
    host, port = goclient.split_host_port(listed)
    return goclient.resolve(host, port) if host else ("", int(port))


def _close_wait_server(options: dict[str, Any], lines: list[str]) -> None:
    """Accept one connection and close our half of it, so that the client is in CLOSE_WAIT."""
    address = _address(str(options.get("LocalAddr", "")))
    seconds = int(options.get("PostFinTimeoutSeconds", 0))
    with gohttp.listen(address[1], address[0]) as listener:
        lines.append(f"# closewait.go:91: Server listening on {goclient.text(address)}\n")
        connection, _ = listener.accept()
        with connection:
            lines.append("# closewait.go:99: Client connected\n")
            connection.shutdown(socket.SHUT_WR)
            lines.append(f"# closewait.go:108: Server sent FIN, waiting {seconds} seconds\n")
            time.sleep(seconds)
    lines.append("# closewait.go:113: Done\n")


def _close_wait_client(options: dict[str, Any], lines: list[str]) -> None:
    """Connect, wait for the server's FIN, and stay in CLOSE_WAIT for a while, or for good."""
    seconds, timeout = (int(options.get(name, 0)) for name in ("PostFinTimeoutSeconds", "TimeoutSeconds"))
    connection = goclient.dial_tcp(_address(str(options.get("RemoteAddr", ""))), 0)
    if options.get("LeakConnection"):
        _LEAKED.append(connection)
    try:
        lines.append("# closewait.go:181: Connected to server\n")
        connection.settimeout(timeout or None)
        if connection.recv(1):
            raise goclient.NetError("OTHER", "Got data but expected EOF")
        waiting = f"Server has half-closed the connection, waiting {seconds} seconds"
        lines.append(f"# closewait.go:199: {waiting}\n")
        time.sleep(seconds)
        lines.append("# closewait.go:210: Done\n")
    finally:
        if not options.get("LeakConnection"):
            connection.close()
