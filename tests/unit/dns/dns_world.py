"""A small cluster for the DNS server, and the server on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from podwalk.dns import corefile, message
from podwalk.dns.loop import Loop
from podwalk.dns.message import Message, Question
from podwalk.dns.server import Server
from podwalk.dns.store import Store

Object = dict[str, Any]

KUBERNETES = """
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 30
    }
"""


def service(name: str, **spec: Any) -> Object:
    """A Service in namespace shop with TCP port 80 named http."""
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": ports, **spec}}


def endpoint_slice(of: str, *endpoints: Object, name: str = "") -> Object:
    """An EndpointSlice in namespace shop with TCP port 8080 named http."""
    return {
        "metadata": {"name": name or f"{of}-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": of}},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def endpoint(ip: str, hostname: str | None = None, *, ready: bool = True) -> Object:
    """An endpoint."""
    out: Object = {"addresses": [ip], "conditions": {"ready": ready}}
    return {**out, "hostname": hostname} if hostname else out


def store() -> Store:
    """A store that has listed: Services web (cluster IP), db and empty (headless), ext (ExternalName)."""
    filled = Store()
    for namespace in ("default", "shop", "kube-system"):
        filled.put("Namespace", {"metadata": {"name": namespace}})
    for one in (
        service("web", clusterIP="10.96.1.1", clusterIPs=["10.96.1.1"]),
        service("db", clusterIP="None"),
        service("empty", clusterIP="None"),
        service("ext", type="ExternalName", externalName="www.example.test"),
        service("alias", type="ExternalName", externalName="web.shop.svc.cluster.local"),
    ):
        filled.put("Service", one)
    filled.put("EndpointSlice", endpoint_slice("web", endpoint("10.244.1.5"), endpoint("10.244.2.6")))
    pets = (endpoint("10.244.1.7", "db-0"), endpoint("10.244.2.8", "db-1"), endpoint("10.244.2.9"))
    filled.put("EndpointSlice", endpoint_slice("db", *pets, endpoint("10.244.2.10", "db-3", ready=False)))
    filled.put("EndpointSlice", endpoint_slice("empty", endpoint("10.244.1.11", ready=False)))
    filled._pending.clear()
    return filled


class Running:
    """A server in a thread of its own."""

    def __init__(self, text: str, known: Store) -> None:
        self.loop = Loop()
        self.store = known
        self.fatal: list[str] = []
        self.server = Server(self.loop, known, address="127.0.0.1", port=0)
        self.server.fatal = self.fatal.append
        known._started = True  # there is no API server to watch
        self.server.configure(corefile.parse(text))
        self._thread = threading.Thread(target=self.loop.run)
        self._thread.start()
        # Wakes the loop, so that it sees that it should stop.
        self._waker, self._woken = socket.socketpair()
        self.loop.add(self._woken, lambda: self.loop.stop())

    def stop(self) -> None:
        """End the thread and close everything."""
        self._waker.send(b"x")
        self._thread.join(5)
        self.loop.close_all()
        self._waker.close()

    def ask_raw(self, data: bytes, *, tcp: bool = False) -> bytes:
        """Send bytes, return the answer's."""
        port = self.server.bound_port("tcp" if tcp else "udp")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect(("127.0.0.1", port))
            if not tcp:
                sock.send(data)
                return sock.recv(65535)
            sock.sendall(len(data).to_bytes(2, "big") + data)
            with sock.makefile("rb") as file:
                return file.read(int.from_bytes(file.read(2), "big"))

    def ask(self, name: str, kind: int = message.A, *, tcp: bool = False, udp_size: int | None = None) -> Message:
        """Ask a question."""
        query = Message(4711, message.RD, Question(name, kind), udp_size=udp_size)
        return message.parse(self.ask_raw(message.pack(query), tcp=tcp))


@contextmanager
def serving(text: str, known: Store | None = None) -> Iterator[Running]:
    """A server with this Corefile."""
    running = Running(text, known or store())
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def upstream(answer: Callable[[Message], Message | None]) -> Iterator[int]:
    """Another DNS server on loopback over UDP, which answers as told (None: not at all); yields its port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    port = int(sock.getsockname()[1])

    def run() -> None:
        while True:
            data, client = sock.recvfrom(65535)
            if not data:
                return
            reply = answer(message.parse(data))
            if reply is not None:
                sock.sendto(message.pack(reply), client)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield port
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
            end.sendto(b"", ("127.0.0.1", port))
        thread.join(5)
        sock.close()
