"""``agnhost netexec``: the HTTP and UDP server that most labs use as a backend.

Behaviour: test/images/agnhost/netexec/netexec.go of kubernetes/kubernetes. SCTP is not served.
"""

from __future__ import annotations

import _thread
import os
import socket
import time

from podwalk.programs import goclient, gohttp, gotext
from podwalk.programs.gohttp import Request, Response, text

SHELL = "/bin/sh"


class _State:
    """What the probes report: the UDP server runs; SIGTERM has come."""

    ready = False
    terminating = False


_LISTENERS: list[socket.socket] = []


def run(_arguments: list[str], flags: dict[str, str]) -> None:
    """Serve until a signal or a request ends the process; flags as the original's."""
    delay = int(flags["delay-shutdown"])
    gotext.handle_signals(lambda: _terminate(delay))
    handler = gohttp.mux(_ROUTES)
    if flags["http-override"]:
        handler = _override(handler, flags["http-override"])
    if (udp_port := int(flags["udp-port"])) != -1:
        for address in _addresses(flags["udp-listen-addresses"]):
            _start_udp(address, udp_port)
    if flags["sctp-port"] != "-1":
        gotext.log(f"SCTP is not served here: --sctp-port {flags['sctp-port']} is ignored")
    port = int(flags["http-port"])
    gotext.log(f"Started HTTP server on port {port}")
    listener = gohttp.listen_or_exit(port)
    _LISTENERS.append(listener)
    try:
        tls = tls_context(flags["tls-cert-file"], flags["tls-private-key-file"])
    except OSError as problem:
        gotext.fatal(str(problem.strerror))
        return
    gohttp.serve(listener, handler, tls=tls)
    gotext.wait_for_ever()


def tls_context(certificate: str, key: str) -> object:
    """Return a server's TLS context, or None without a certificate. Raises OSError, whose text is Go's."""
    if not certificate:
        return None
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key or None)
    except OSError as problem:
        raise OSError(problem.errno, f"open {certificate}: {gotext.system_error(problem)}") from None
    return context


def _terminate(delay: int) -> None:
    _State.terminating = True
    if delay > 0:
        gotext.log(f"Sleeping {delay} seconds before terminating...")
        time.sleep(delay)
    os._exit(0)


def _override(handler: gohttp.Handler, target: str) -> gohttp.Handler:
    def always(request: Request) -> Response:
        return handler(Request("GET", target, request.version, {}, b"", request.remote, request.local))

    return always


def _addresses(listed: str) -> list[str]:
    if not listed:
        return [""]
    for address in listed.split(","):
        try:
            socket.inet_aton(address)
        except OSError:
            gotext.fatal(f"parseAddress: invalid address {address}")
    return sorted(set(listed.split(",")))


def _hostname() -> str:
    return socket.gethostname()


def _root(_request: Request) -> Response:
    gotext.log("GET /")
    return text(f"NOW: {gotext.now()}")


def _client_ip(request: Request) -> Response:
    gotext.log("GET /clientip")
    return text(request.remote_addr)


def _server_port(request: Request) -> Response:
    gotext.log("GET /serverport")
    return text(str(request.local[1]))


def _header(request: Request) -> Response:
    key = request.form_value("key")
    gotext.log(f"GET /header?key={key}" if key else "GET /header")
    return text(request.header(key) if key else gotext.json_text(request.headers))


def _code(request: Request, default: int) -> int | Response:
    wanted = request.form_value("code")
    try:
        return gotext.atoi(wanted) if wanted else default
    except ValueError:
        return text(f"argument 'code' must be an integer or empty, got {gotext.quote(wanted)}\n")


def _echo(request: Request) -> Response:
    message = request.form_value("msg")
    gotext.log(f"GET /echo?msg={message}&code={request.form_value('code')}")
    code = _code(request, 200)
    return code if isinstance(code, Response) else text(message, code)


def _redirect(request: Request) -> Response:
    location = request.form_value("location")
    gotext.log(f"{request.method} /redirect?msg={location}&code={request.form_value('code')}")
    code = _code(request, 302)
    return code if isinstance(code, Response) else gohttp.redirect(request, location, code)


def _exit(request: Request) -> Response:
    wait, timeout, code = (request.form_value(name) for name in ("wait", "timeout", "code"))
    gotext.log(f"GET /exit?code={code}&timeout={timeout}&wait={wait}")
    seconds = []
    for name, value in (("timeout", timeout), ("wait", wait)):
        try:
            seconds.append(gotext.parse_duration(value) if value else 0.0)
        except ValueError:
            got = gotext.quote(value)
            return text(f"argument '{name}' must be a valid golang duration or empty, got {got}\n")
    try:
        status = gotext.atoi(code) if code else 0
    except ValueError:
        return text(f"argument 'code' must be an integer [0-127] or empty, got {gotext.quote(code)}\n")
    waited, allowed = gotext.format_duration(seconds[1]), gotext.format_duration(seconds[0])
    gotext.log(
        f"Will begin shutdown in {waited}, allowing {allowed} for connections to close, then will exit with {status}"
    )
    time.sleep(max(seconds[1], 0))
    if not seconds[0]:
        os._exit(status & 0xFF)
    _thread.start_new_thread(gohttp.graceful_exit, (_LISTENERS[0], seconds[0], status & 0xFF))
    return Response()


def _shutdown(_request: Request) -> Response:
    gotext.log("GET /shutdown")
    os._exit(0)


def _healthz(_request: Request) -> Response:
    gotext.log("GET /healthz")
    return Response(status=200 if _State.ready else 412)


def _readyz(_request: Request) -> Response:
    gotext.log("GET /readyz")
    if _State.terminating:
        return text("shutting down", 503)
    return text("ok") if _State.ready else Response(status=412)


def _host_name(request: Request) -> Response:
    gotext.log(f"GET {request.path}")
    return text(_hostname())


def _dial(request: Request) -> Response:
    host, port, wanted, protocol, tries = (
        request.query_value(name) for name in ("host", "port", "request", "protocol", "tries")
    )
    gotext.log(f"GET /dial?host={host}&protocol={protocol}&port={port}&request={wanted}&tries={tries}")
    try:
        count = gotext.atoi(tries) if tries else 1
    except ValueError as problem:
        return gohttp.error(f"tries parameter is invalid. {problem}", 400)
    if not wanted:
        return gohttp.error("request parameter not specified. <nil>", 400)
    kind = protocol.lower() or "http"
    if kind not in ("http", "udp"):
        return gohttp.error(f"unsupported protocol. {protocol}", 400)
    try:
        address = goclient.resolve(host, port, "udp" if kind == "udp" else "tcp")
    except goclient.NetError as problem:
        return gohttp.error(f"host and/or port param are invalid. {problem}", 400)
    return text(gotext.json_text(_dial_results(kind, wanted, address, count)))


def _dial_results(kind: str, wanted: str, address: goclient.Address, count: int) -> dict[str, list[str]]:
    """Ask ``count`` times; answers are reported only when the last one came, as the original does."""
    responses: list[str] = []
    errors: list[str] = []
    last = ""
    for _ in range(count):
        try:
            last = _dial_once(kind, wanted, address)
            responses.append(last)
        except goclient.NetError as problem:
            last = ""
            errors.append(str(problem))
    return {**({"errors": errors} if errors else {}), **({"responses": responses} if last else {})}


def _dial_once(kind: str, wanted: str, address: goclient.Address) -> str:
    if kind == "http":
        return goclient.get(address, "/" + wanted, 5.0).decode("utf-8", "replace")
    try:
        return goclient.ask_udp(address, wanted.encode(), 5.0).decode("utf-8", "replace")
    except goclient.NetError as problem:
        if problem.kind == "OTHER":
            raise goclient.NetError("OTHER", f"udp dial failed. err:{problem}") from None
        raise goclient.NetError(problem.kind, f"reading from udp connection failed. err:'{problem}'") from None


def _shell(request: Request) -> Response:
    import subprocess

    command = request.form_value("shellCommand") or request.form_value("cmd")
    gotext.log(f"GET /shell?cmd={command}")
    done = subprocess.run(
        [SHELL, "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    output = {}
    if done.stdout:
        output["output"] = done.stdout.decode("utf-8", "replace")
    if done.returncode:
        output["error"] = gotext.exit_status(done.returncode)
    gotext.log("Output: map[" + " ".join(f"{k}:{output[k]}" for k in sorted(output)) + "]")
    return text(gotext.json_text(output))


def _upload(request: Request) -> Response:
    import tempfile

    gotext.log("GET /upload")
    content = _form_file(request, "file")
    if content is None:
        gotext.log("Unable to upload file: http: no such file")
        return text(gotext.json_text({"error": "Unable to upload file."}))
    try:
        descriptor, path = tempfile.mkstemp(prefix="upload", dir="/uploads")
    except OSError as problem:
        gotext.log(f"Unable to open file for write: {gotext.system_error(problem)}")
        return text(gotext.json_text({"error": "Unable to open file for write"}))
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.chmod(path, 0o700)
    gotext.log(f"Wrote upload to {path}")
    return text(gotext.json_text({"output": path}), 201)


def _form_file(request: Request, name: str) -> bytes | None:
    """Return the bytes of one file of a multipart form, or None."""
    kind, _, rest = request.header("Content-Type").partition(";")
    if kind.strip().lower() != "multipart/form-data" or "boundary=" not in rest:
        return None
    boundary = rest.split("boundary=", 1)[1].split(";")[0].strip().strip('"').encode()
    for part in (b"\r\n" + request.body).split(b"\r\n--" + boundary)[1:]:
        head, _, content = part.partition(b"\r\n\r\n")
        if f'name="{name}"'.encode() in head and b"filename=" in head:
            return content
    return None


_ROUTES: dict[str, gohttp.Handler] = {
    "/": _root,
    "/clientip": _client_ip,
    "/serverport": _server_port,
    "/header": _header,
    "/dial": _dial,
    "/echo": _echo,
    "/exit": _exit,
    "/healthz": _healthz,
    "/readyz": _readyz,
    "/hostname": _host_name,
    "/redirect": _redirect,
    "/shell": _shell,
    "/upload": _upload,
    "/hostName": _host_name,
    "/shutdown": _shutdown,
}


def _start_udp(address: str, port: int) -> None:
    try:
        server = gohttp.listen(port, address, socket.SOCK_DGRAM)
    except OSError as problem:
        place = f"{address}:{port}"
        reason = f"listen udp {place}: bind: {gotext.system_error(problem)}"
        gotext.fatal(f"Error occurred: failed to create listener for UDP address {place}:{reason}")
        return
    gotext.log(f"Started UDP server on port {address} {port}")
    _State.ready = True
    _thread.start_new_thread(_serve_udp, (server,))


def _serve_udp(server: socket.socket) -> None:
    while True:
        try:
            data, client = server.recvfrom(2048)
        except ConnectionError:
            continue  # an ICMP error of an earlier answer
        place = goclient.text(client)
        received = data.decode("utf-8", "surrogateescape").strip().lower()
        if received == "hostname":
            gotext.log("Sending udp hostName response")
            answer = _hostname()
        elif received.startswith("echo "):
            answer = received.split(" ", 1)[1]
            gotext.log(f"Echoing {answer} to UDP client {place}")
        elif received == "clientip":
            gotext.log(f"Sending clientip back to UDP client {place}")
            answer = place
        else:
            if received:
                gotext.log(f"Unknown UDP command received from {place}: {received}")
            continue
        try:
            server.sendto(answer.encode("utf-8", "surrogateescape"), client)
        except OSError as problem:
            gotext.log(f"failed to answer UDP client {place}: {gotext.system_error(problem)}")
