"""Nothing is unbounded: bodies, lines, the history of watches, watchers that do not read. A thousand is not many."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Iterator

import orjson
import pytest
from robust_server import TOKEN, Sender, Served

from podwalk.api import resources
from podwalk.apiserver import server as api_server
from podwalk.apiserver import store
from podwalk.apiserver.http import watching

SPACE = "bounds"
BASE = f"/api/v1/namespaces/{SPACE}"
LIMIT = 3 * 1024 * 1024
TOO_LARGE = "Request entity too large: limit is 3145728"


@pytest.fixture(scope="module")
def own() -> Iterator[Served]:
    """A server whose numbers nobody else changes."""
    running = Served()
    running.start()
    send = Sender(running.port)
    for path, name in (("/api/v1/namespaces", SPACE), (f"{BASE}/serviceaccounts", "default")):
        assert send("POST", path, {"metadata": {"name": name}})[0] == 201
    yield running
    running.stop()


@pytest.fixture
def ask(own: Served) -> Sender:
    return Sender(own.port)


def config_map(name: str, size: int) -> bytes:
    """A ConfigMap whose JSON has this size."""
    empty = orjson.dumps({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": {"a": ""}})
    return empty[:-3] + b"x" * (size - len(empty)) + empty[-3:]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_bodies_end_at_three_megabytes(ask: Sender, method: str) -> None:
    path = f"{BASE}/configmaps" if method == "POST" else f"{BASE}/configmaps/large"
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    ask("POST", f"{BASE}/configmaps", {"metadata": {"name": "large"}})
    status, answer = ask(method, path, config_map("large", LIMIT + 1), content_type=kind)
    assert (status, json.loads(answer)["message"], json.loads(answer)["reason"]) == (
        413, TOO_LARGE, "RequestEntityTooLarge",
    )  # fmt: skip


def test_a_body_without_a_length_ends_there_too(own: Served) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=20)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    chunks = (b"x" * 65536 for _ in range(LIMIT // 65536 + 1))
    try:
        connection.request("POST", f"{BASE}/configmaps", body=chunks, headers=headers, encode_chunked=True)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server may hang up before it has been told everything
    assert connection.getresponse().status == 413
    connection.close()


def test_a_configmap_holds_one_megabyte(ask: Sender) -> None:
    status, answer = ask("POST", f"{BASE}/configmaps", config_map("huge", LIMIT - 100))
    assert status == 422
    assert "Too long: may not be more than 1048576 bytes" in json.loads(answer)["message"]


def test_a_line_ends_at_a_megabyte(own: Served) -> None:
    with socket.create_connection(("127.0.0.1", own.port), timeout=20) as opened:
        try:
            # It is refused, and the connection closed, before all of it is sent.
            opened.sendall(b"GET /" + b"x" * (api_server.MAX_LINE * 2))
            answer = opened.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            return
    assert b" 400 " in answer.split(b"\r\n")[0]


def test_history_forgets_and_says_so(own: Served, ask: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = 20
    assert kept < store.HISTORY <= 10_000
    monkeypatch.setattr(store, "HISTORY", kept)
    begin = int(json.loads(ask("GET", f"{BASE}/secrets")[1])["metadata"]["resourceVersion"])
    assert ask("POST", f"{BASE}/secrets", {"metadata": {"name": "s"}})[0] == 201
    for n in range(kept + 1):
        patch = {"metadata": {"labels": {"n": str(n)}}}
        assert ask("PATCH", f"{BASE}/secrets/s", patch, content_type="application/merge-patch+json")[0] == 200
    shelf = own.store._shelf(resources.by_kind("Secret"))
    assert len(shelf.history) == kept
    connection = http.client.HTTPConnection("127.0.0.1", own.port, timeout=20)
    path = f"{BASE}/secrets?watch=1&resourceVersion={begin}"
    connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
    event = json.loads(connection.getresponse().readline())
    connection.close()
    assert (event["type"], event["object"]["code"], event["object"]["reason"]) == ("ERROR", 410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {begin} (")


def test_a_watcher_that_does_not_read_is_cut_off(own: Served, ask: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_STALLED_SECONDS", 0.2)
    shelf = own.store._shelf(resources.by_kind("ConfigMap"))
    before = len(shelf.watchers)
    with socket.create_connection(("127.0.0.1", own.port), timeout=20) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"GET {BASE}/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        deaf.sendall(head.encode())
        until(lambda: len(shelf.watchers) > before)
        n = 0
        while len(shelf.watchers) > before:
            assert n < 200, "it is still being served"
            assert ask("POST", f"{BASE}/configmaps", config_map(f"big-{n}", 500_000))[0] == 201
            n += 1
    assert ask("DELETE", f"{BASE}/configmaps")[0] == 200


def until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_copies_of_copies_end(ask: Sender) -> None:
    """Thirty small operations could double an object thirty times."""
    ask("POST", f"{BASE}/configmaps", {"metadata": {"name": "bomb", "annotations": {"a": "b" * 1000}}})
    place = "/metadata/annotations"
    copies = [{"op": "copy", "from": place, "path": f"{place}/a{n}"} for n in range(60)]
    kind = "application/json-patch+json"
    assert ask("PATCH", f"{BASE}/configmaps/bomb", copies, content_type=kind)[0] == 422
    one = [{"op": "copy", "from": f"{place}/a", "path": f"{place}/c"}]
    assert ask("PATCH", f"{BASE}/configmaps/bomb", one, content_type=kind)[0] == 200


def test_a_pod_of_thousands_of_containers_keeps_nobody_waiting(ask: Sender) -> None:
    """What grows with the square of an object stops the whole server."""
    containers = [{"name": f"c{n}", "image": "x"} for n in range(3000)]
    assert ask("POST", f"{BASE}/pods", {"metadata": {"name": "wide"}, "spec": {"containers": containers}})[0] == 201
    assert ask("DELETE", f"{BASE}/pods/wide?gracePeriodSeconds=0")[0] == 200


AMOUNTS = ["9" * 1_000_000, "-" + "9" * 1_000_000, "0." + "0" * 999_999 + "1", "1e" + "9" * 6000]


@pytest.mark.parametrize("amount", AMOUNTS, ids=["large", "small", "tiny", "exponent"])
def test_quantities_of_a_million_digits(ask: Sender, amount: str) -> None:
    body = {"metadata": {"name": "q"}, "spec": {"hard": {"pods": amount}}}
    assert ask("POST", f"{BASE}/resourcequotas", body)[0] < 500
    ask("DELETE", f"{BASE}/resourcequotas/q")


def test_a_thousand_pods_and_a_thousand_services(own: Served) -> None:
    ask = Sender(own.port, keep=True)
    pod = {"spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]}}
    service = {"spec": {"selector": {"a": "b"}, "ports": [{"port": 80}]}}
    for n in range(1000):
        metadata = {"metadata": {"name": f"n-{n}"}}
        assert ask("POST", f"{BASE}/pods", {**pod, **metadata})[0] == 201
        assert ask("POST", f"{BASE}/services", {**service, **metadata})[0] == 201
    listed = json.loads(ask("GET", f"{BASE}/services")[1])["items"]
    addresses = {item["spec"]["clusterIP"] for item in listed}
    assert len(addresses) == 1000
    assert all(ipaddress.ip_address(a) in ipaddress.ip_network("10.96.0.0/16") for a in addresses)
    names: list[str] = []
    token = ""
    while True:
        page = json.loads(ask("GET", f"{BASE}/pods?limit=300&continue={token}")[1])
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
        if not token:
            break
    assert names == sorted(f"n-{n}" for n in range(1000))
    assert ask("DELETE", f"{BASE}/services")[0] == 200
    assert json.loads(ask("GET", f"{BASE}/services")[1])["items"] == []
    ask.close()
