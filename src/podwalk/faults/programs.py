"""The programs that some faults put in the place of the application's: two web servers that serve badly."""

from __future__ import annotations

_SLOW = """
import socket, time
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 8080))
server.listen(1)
while True:
    asked, _ = server.accept()
    time.sleep(2)
    body = socket.gethostname().encode()
    try:
        asked.recv(4096)
        asked.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    except OSError:
        pass
    asked.close()
"""
_LOCAL = """
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(socket.gethostname().encode())
http.server.HTTPServer(("127.0.0.1", 8080), Handler).serve_forever()
"""


def slow_to_accept() -> list[str]:
    """A server that takes two seconds for each caller and lets one wait."""
    return ["python3", "-S", "-c", _SLOW]


def bound_to_loopback() -> list[str]:
    """A server that only its own Pod can reach."""
    return ["python3", "-S", "-c", _LOCAL]
