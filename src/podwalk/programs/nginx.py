"""Stand-in for the nginx image where no real nginx is installed: the welcome page on port 80, and its access log.

Files below /usr/share/nginx/html are served when a volume put them there. SIGQUIT and SIGTERM end it with status 0.
``--port`` exists for tests alone; arguments such as ``-g 'daemon off;'`` are accepted and have no effect.
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

TYPE_CHECKING = False  # typing and collections.abc are slow to import, and only the type checker needs them
if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION = "nginx/1.27.5"
ROOT = "/usr/share/nginx/html"
_MODIFIED = ("Wed, 16 Apr 2025 12:01:11 GMT", "67ff9c07-267")
_WELCOME = b"""<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the nginx web server is successfully installed and
working. Further configuration is required.</p>

<p>For online documentation and support please refer to
<a href="http://nginx.org/">nginx.org</a>.<br/>
Commercial support is available at
<a href="http://nginx.com/">nginx.com</a>.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
_REASONS = {200: "OK", 301: "Moved Permanently", 403: "Forbidden", 404: "Not Found", 405: "Not Allowed"}
_KINDS = {
    "html": "text/html", "css": "text/css", "js": "application/javascript", "json": "application/json",
    "txt": "text/plain", "xml": "text/xml", "svg": "image/svg+xml", "png": "image/png",
}  # fmt: skip


def _page(status: int, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    title = f"{status} {_REASONS[status]}"
    lines = (
        "<html>", f"<head><title>{title}</title></head>", "<body>", f"<center><h1>{title}</h1></center>",
        f"<hr><center>{VERSION}</center>", "</body>", "</html>", "",
    )  # fmt: skip
    return Response("\r\n".join(lines).encode(), status, headers, "text/html")


def _find(request: Request) -> Response:
    if request.method not in ("GET", "HEAD"):
        return _page(405)
    path = gohttp.clean_path(request.path)
    file = ROOT + path + ("index.html" if path.endswith("/") else "")
    if os.path.isdir(file):
        return _page(301, (("Location", f"http://{request.host}{path}/"),))
    try:
        with open(file, "rb") as stream:
            body, modified = stream.read(), int(os.fstat(stream.fileno()).st_mtime)
    except OSError as problem:
        if path in ("/", "/index.html") and not os.path.isdir(ROOT):
            return Response(
                _WELCOME, 200, (("Last-Modified", _MODIFIED[0]), ("ETag", f'"{_MODIFIED[1]}"')), "text/html"
            )
        _error(request, file, problem)
        return _page(403 if path.endswith("/") and os.path.isdir(ROOT + path) else 404)
    stamp = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(modified))
    headers = (("Last-Modified", stamp), ("ETag", f'"{modified:x}-{len(body):x}"'))
    return Response(body, 200, headers, _KINDS.get(file.rsplit(".", 1)[-1], "application/octet-stream"))


def _error(request: Request, file: str, problem: OSError) -> None:
    asked = f'request: "{request.method} {request.target} {request.version}", host: "{request.host}"'
    reason = f"({problem.errno}: {os.strerror(problem.errno or 0)})"
    _notice("error", f'*1 open() "{file}" failed {reason}, client: {request.remote[0]}, server: localhost, {asked}')


def _notice(level: str, message: str) -> None:
    gotext.write(2, f"{time.strftime('%Y/%m/%d %H:%M:%S')} [{level}] {os.getpid()}#{os.getpid()}: {message}\n")


def answer(request: Request) -> Response:
    """Return the file, the welcome page or an error page, and log the request to standard output."""
    response = _find(request)
    assert isinstance(response.body, bytes)
    moment = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    size = 0 if request.method == "HEAD" else len(response.body)
    referer, agent, forwarded = (request.header(n) or "-" for n in ("Referer", "User-Agent", "X-Forwarded-For"))
    line = f'"{request.method} {request.target} {request.version}" {response.status} {size}'
    gotext.write(1, f'{request.remote[0]} - - [{moment}] {line} "{referer}" "{agent}" "{forwarded}"\n')
    return response


def writer(request: Request, response: Response, close: bool) -> Iterable[bytes]:
    """Yield the bytes of an answer with nginx's headers in nginx's order."""
    assert isinstance(response.body, bytes)
    before = [(name, value) for name, value in response.headers if name in ("Last-Modified", "Location")]
    after = [("ETag", value) for name, value in response.headers if name == "ETag"]
    headers = [
        ("Server", VERSION), ("Date", gotext.http_date()), ("Content-Type", response.content_type or "text/plain"),
        ("Content-Length", str(len(response.body))), *before, ("Connection", "close" if close else "keep-alive"),
        *after,
    ]  # fmt: skip
    if response.status == 200:
        headers.append(("Accept-Ranges", "bytes"))
    head = f"HTTP/1.1 {response.status} {_REASONS[response.status]}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers)
    yield f"{head}\r\n".encode("latin-1", "replace") + (b"" if request.method == "HEAD" else response.body)


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    import signal

    port = int(arguments[arguments.index("--port") + 1]) if "--port" in arguments else 80
    gotext.handle_signals(lambda: os._exit(0), 0)
    signal.signal(signal.SIGQUIT, lambda _number, _frame: os._exit(0))
    try:
        listener = gohttp.listen(port)
    except OSError as problem:
        reason = f"({problem.errno}: {os.strerror(problem.errno or 0)})"
        _notice("emerg", f"bind() to 0.0.0.0:{port} failed {reason}")
        sys.exit(1)
    _notice("notice", VERSION)
    _notice("notice", "start worker processes")
    gohttp.serve(listener, answer, writer)
    gotext.wait_for_ever()


if __name__ == "__main__":
    main(sys.argv[1:])
