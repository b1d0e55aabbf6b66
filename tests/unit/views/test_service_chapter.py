"""What the chapter about Services reads: calls during a change, the name server's log, sources, tables."""

from __future__ import annotations

from podwalk.views import callers, name_server, rollout
from podwalk.views.predict import predict
from podwalk.views.spread import Spread, _kept
from podwalk.views.table import Cell, Table

LOG = """
[INFO] Reloading complete
[INFO] 10.244.1.4:51246 - 46451 "A IN web.shop.svc.cluster.local. udp 69 false 512" NXDOMAIN qr,aa,rd 123 0.000123253s
[INFO] 10.244.1.9:40117 - 7171 "AAAA IN web. udp 52 false 512" NOERROR qr,aa,rd 106 1.5s
[ERROR] plugin/errors: 2 web. A: read udp: i/o timeout
"""


def record(begun: int, body: str, status: int, exit: int, seconds: float) -> str:
    return f"<<begun {begun}>>\n{answer(body, status, exit, seconds)}"


def answer(body: str, status: int = 200, exit: int = 0, seconds: float = 0.1) -> str:
    return f"{body}\n<<podwalk {status:03d} {exit} 10.96.0.1 {seconds} words>>\n"


def test_calls_are_read_with_their_times() -> None:
    said = record(1500, '{"output":"web-b\\n"}', 200, 0, 0.3) + record(1000, "web-a", 200, 0, 0.1)
    calls = rollout.read(said + record(1700, "", 0, 52, 0.2))
    assert [(c.begun, c.server, c.outcome) for c in calls] == [
        (0.0, "web-a", "HTTP 200"), (0.5, "web-b", "HTTP 200"), (0.7, "", "empty reply"),
    ]  # fmt: skip
    timeline = rollout.Timeline("http://web", "shop/client", calls, "a change", 0.6)
    assert timeline.lost == 1
    assert "3 calls from shop/client to http://web while: a change: 1 × empty reply" in repr(timeline)
    assert timeline.png()
    assert "none was lost" in repr(rollout.Timeline("u", "c", calls[:2], "e", 1.0))
    assert rollout.Timeline("u", "c", (), "e", 1.0).png()


def test_overlapping_calls_have_lines_of_their_own() -> None:
    calls = [rollout.Call(begun / 10, 0.25, "a", "HTTP 200") for begun in (0, 1, 2, 3)]
    assert [lane for lane, _ in rollout._lanes(calls)] == [0, 1, 2, 0]


def test_the_log_of_the_name_server() -> None:
    asked = name_server.parse(LOG.splitlines())
    assert [(q.client, q.type, q.name, q.code) for q in asked] == [
        ("10.244.1.4", "A", "web.shop.svc.cluster.local.", "NXDOMAIN"),
        ("10.244.1.9", "AAAA", "web.", "NOERROR"),
    ]
    assert asked[1].seconds == 1.5


def test_who_was_seen() -> None:
    owners = {"10.244.1.4": "pod shop/client", "10.244.1.1": "cni0 of worker", "172.18.0.1": "outside"}
    one = callers._cell(answer("10.244.1.4:5000"), "shop/client", owners)
    assert (one.text, one.note, one.bad) == ("10.244.1.4", "the caller itself", False)
    both = answer("10.244.1.4:5000") + answer("10.244.1.1:5000")
    two = callers._cell(both, "shop/other", owners)
    assert two.text == "2 addresses"
    assert two.note.splitlines() == ["10.244.1.1: cni0 of worker", "10.244.1.4: pod shop/client"]
    assert callers._cell(answer("172.18.0.1:5"), "outside", owners).note == "the caller itself"
    lost = callers._cell(answer("", 0, 28), "outside", owners)
    assert (lost.text, lost.bad) == ("timeout", True)
    assert callers._cell(answer("", 0, 7), "outside", owners).text == "could not connect"


def test_kept_connections_are_counted_and_named() -> None:
    assert _kept("http://web/x", 40, 5).count("probe=[1-8]") == 5
    kept = Spread("http://web", "shop/client", 40, {"a": 40}, {}, 1)
    assert "on 1 kept connections" in repr(kept)
    assert kept.png()


def test_tables_are_escaped_and_readable_as_text() -> None:
    table = Table("<b>", ["one", "two"], [[Cell("<i>", "note"), Cell("x", bad=True)]], "foot")
    assert "<i>" not in table._repr_html_()
    assert "&lt;i&gt;" in table._repr_html_()
    assert repr(table).splitlines() == ["<b>", "one         two", "<i> (note)  x", "foot"]


def test_a_prediction_is_text_where_widgets_are_not() -> None:
    assert repr(predict("who?", "a", "b")) == "Before you look: who?"
