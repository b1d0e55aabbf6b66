"""The picture of a walk: no label lies on another or leaves its column; the stepper says what the walk says."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.transforms import Bbox

from podwalk.trace.follow import read
from podwalk.trace.model import Walk
from podwalk.views.packet_walk import PacketWalk
from podwalk.views.walk_stepper import WalkStepper

_RECORDINGS = Path(__file__).resolve().parents[1] / "trace" / "recordings"
NAMES = ("same-node", "cross-node", "node-port", "hairpin", "no-endpoints", "drop-rule", "no-route", "wrong-vtep")
_COLUMN_PIXELS = 150


def walk(name: str) -> Walk:
    return read(json.loads(gzip.decompress((_RECORDINGS / f"{name}.json.gz").read_bytes())))


def long_names(found: Walk) -> Walk:
    found = copy.deepcopy(found)
    for hop in found.hops:
        hop.namespace = (
            hop.namespace and f"a-namespace-with-quite-a-long-name/{hop.namespace.rpartition('/')[2]}-5879674949-bm654"
        )
        hop.place = hop.place if hop.place == "outside" else f"a-cluster-with-quite-a-long-name-{hop.place}"
        hop.rules = [replace(r, comment="a policy with a name that says at length what it is for") for r in hop.rules]
    found.url = f"http://a-service-with-quite-a-long-name.{'a' * 60}.svc.cluster.local:8080/and/a/path"
    return found


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    return [(t.get_text(), t.get_window_extent(renderer)) for a in figure.axes for t in a.texts if t.get_text()]


def boxes(figure: Figure) -> list[Bbox]:
    found = (p.get_window_extent() for a in figure.axes for p in a.patches if isinstance(p, FancyBboxPatch))
    return [box for box in found if box.width > _COLUMN_PIXELS]


@pytest.mark.parametrize(
    ("name", "long"),
    [
        *((name, False) for name in NAMES),
        *((name, True) for name in ("node-port", "drop-rule")),
    ],
)
def test_no_label_lies_on_another_or_leaves_its_box(name: str, long: bool) -> None:
    found = long_names(walk(name)) if long else walk(name)
    for direction in ("request", "reply") if name in ("cross-node", "node-port", "hairpin") else ("",):
        figure = PacketWalk(found, direction=direction).figure()
        labels = texts(figure)
        assert labels
        assert [(a, b) for (a, one), (b, two) in itertools.combinations(labels, 2) if one.overlaps(two)] == []
        page = figure.bbox
        for words, label in labels:
            assert page.x0 <= label.x0, words
            assert label.x1 <= page.x1, words
            for box in boxes(figure):
                inside = box.x0 <= label.x0 <= box.x1 and box.y0 <= (label.y0 + label.y1) / 2 <= box.y1
                assert not inside or label.x1 <= box.x1, words


def test_the_picture_shows_every_station_and_every_header_once() -> None:
    found = walk("cross-node")
    words = [w for w, _ in texts(PacketWalk(found).figure())]
    headers = {str(h.packet) for h in found.hops if h.direction == "request" and h.kind != "hook"}
    assert headers <= set(words)
    outer = next(str(h.encapsulation.outer) for h in found.hops if h.encapsulation)
    assert words.count(outer) == 1
    assert sum(w in ("PREROUTING", "FORWARD", "POSTROUTING") for w in words) == 6


@pytest.mark.parametrize(
    ("name", "mark"),
    [("drop-rule", "✘ maintenance window"), ("no-route", "✘ no route"), ("wrong-vtep", "✘ wrong vtep")],
)
def test_the_place_of_death_is_marked_once(name: str, mark: str) -> None:
    words = [w for w, _ in texts(PacketWalk(walk(name)).figure())]
    assert [w for w in words if w.startswith("✘") and not w.startswith(("✘ lost", "✘ dropped"))] == [mark]


def test_a_lost_answer_is_drawn_on_its_way_back() -> None:
    assert {h.direction for h in PacketWalk(walk("reply-dropped")).hops()} == {"reply"}
    assert {h.direction for h in PacketWalk(walk("drop-rule")).hops()} == {"request"}


def test_a_walk_without_a_packet_is_a_picture_too() -> None:
    picture = PacketWalk(walk("no-such-name"))
    assert picture.png().startswith(b"\x89PNG")
    assert "Nobody knows the name" in picture.alt()


def test_stepping_shows_each_hop_and_stops_at_the_ends() -> None:
    found = walk("no-endpoints")
    stepper = WalkStepper(found)
    hops = PacketWalk(found).hops()
    assert stepper.hop == hops[0]
    first = stepper.children[-1].value
    seen = []
    for _ in hops:
        seen.append(stepper.hop)
        assert stepper.hop is not None
        assert stepper.hop.sentence.split("“")[0][:20] in stepper.sentence.replace("&#x27;", "'")
        stepper.step(1)
    assert seen == hops
    assert stepper.hop == hops[-1]
    assert stepper.children[-1].value != first
    stepper.step(-100)
    assert stepper.hop == hops[0]


def test_stepping_through_nothing_says_why() -> None:
    stepper = WalkStepper(walk("no-such-name"))
    stepper.step(1)
    assert stepper.hop is None
    assert "Nobody knows the name" in stepper.sentence
