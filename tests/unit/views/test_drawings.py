"""The drawings say what the facts say, and no label lies on another, however many endpoints there are."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from podwalk.views.drawing import Drawing
from podwalk.views.service_facts import Backend, Rule, ServiceFacts
from podwalk.views.service_map import ServiceMap
from podwalk.views.spread import Spread

LONG = "a-namespace-with-quite-a-long-name/a-deployment-with-an-even-longer-name-5879674949-bm654"


def facts(
    count: int, *, unready: int = 0, rules: Sequence[Rule] | None = None, refused: str = "", long: bool = False
) -> ServiceFacts:
    pod = LONG.partition("/")[2] if long else "bread-5879674949-bm654"
    node = "a-cluster-with-a-long-name-worker" if long else "podwalk-worker"
    found = [Backend(f"10.244.{i % 3}.{100 + i}:30080", f"{pod}{i}", f"{node}{i % 3}", True) for i in range(count)]
    found.sort(key=lambda b: b.target)
    legs = [Rule("KUBE-SEP-BWHGELGX6BITPZVO", b.target, 1 / (count - i), 1 / count) for i, b in enumerate(found)]
    found += [Backend(f"10.244.1.{200 + i}:30080", f"{pod}x{i}", f"{node}1", False) for i in range(unready)]
    chain = "" if refused else "KUBE-SVC-B65U7CAL7QUVYUSA"
    client = LONG if long else "shop/customer"
    chosen = tuple(legs if rules is None else rules)
    return ServiceFacts(
        "shop/bread", "10.96.143.148:30080", "app=bread", client, "10.244.1.5", f"{node}1", chain, refused, chosen,
        tuple(found),
    )  # fmt: skip


def labels(figure: Figure) -> list[Text]:
    return [t for axes in figure.axes for t in axes.texts if t.get_text()]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    return [(t.get_text(), t.get_window_extent(figure.canvas.get_renderer())) for t in labels(figure)]  # type: ignore[attr-defined]


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    return [(a, b) for (a, one), (b, two) in itertools.combinations(boxes(figure), 2) if one.overlaps(two)]


def outside(figure: Figure) -> list[str]:
    page = figure.bbox
    inside = [(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1) for _, b in boxes(figure)]
    return [words for (words, _), fits in zip(boxes(figure), inside, strict=True) if not fits]


def spread(count: int, **failed: int) -> Spread:
    answered = {f"bread-5879674949-bm65{i}": 5 * i + 1 for i in range(count)}
    return Spread("http://bread/hostname", LONG, 200, answered, failed)


DRAWINGS: dict[str, Drawing] = {
    **{f"map of {n}": ServiceMap(facts(n)) for n in (1, 2, 3, 8, 12)},
    "map with Pods that are not ready": ServiceMap(facts(8, unready=3)),
    "map with long names": ServiceMap(facts(3, unready=1, long=True)),
    "map of an empty chain": ServiceMap(facts(3, rules=())),
    "map of an empty list": ServiceMap(facts(0, refused="shop/bread has no endpoints")),
    "map of a list without a ready Pod": ServiceMap(facts(0, unready=2, refused="shop/bread has no endpoints")),
    "map to a stranger": ServiceMap(facts(2, rules=[Rule("KUBE-SEP-X", "10.244.9.9:80", 1.0, 1.0)])),
    **{f"spread over {n}": spread(n) for n in (1, 3, 8)},
    "spread with failures": spread(2, timeout=3),
    "spread of nothing": spread(0),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_no_label_lies_on_another_or_leaves_the_page(name: str) -> None:
    figure = DRAWINGS[name].figure()
    assert labels(figure)
    assert overlapping(figure) == []
    assert outside(figure) == []


def test_two_labels_on_one_place_would_be_noticed() -> None:
    figure = ServiceMap(facts(3)).figure()
    first, second = labels(figure)[-2:]
    second.set_position(first.get_position())
    assert (first.get_text(), second.get_text()) in overlapping(figure)


def test_the_probabilities_are_those_of_the_rules() -> None:
    words = [t.get_text() for t in labels(ServiceMap(facts(3)).figure())]
    assert [w for w in words if "probability" in w or "the rest" in w] == [
        "1.  probability 0.3333",
        "2.  probability 0.5",
        "3.  the rest",
    ]


def test_a_pod_that_is_not_ready_is_drawn_and_nothing_leads_to_it() -> None:
    ready = ServiceMap(facts(3)).figure().axes[0]
    more = ServiceMap(facts(3, unready=1)).figure().axes[0]
    assert any("not ready" in t.get_text() for t in more.texts)
    arrows = [[p for p in axes.patches if type(p).__name__ == "FancyArrowPatch"] for axes in (ready, more)]
    assert len(arrows[0]) == len(arrows[1])


def test_an_address_that_the_list_has_and_the_rules_do_not_is_told() -> None:
    known = facts(2).rules[:1]
    assert any("in no rule here" in t.get_text() for t in labels(ServiceMap(facts(2, rules=known)).figure()))


@pytest.mark.parametrize(
    ("map_of", "says"),
    [
        (facts(0, refused="shop/bread has no endpoints"), "refused (shop/bread has no endpoints)"),
        (facts(3, rules=()), "no rule of its node leads on"),
        (facts(2), "50% to 10.244.0.100:30080"),
    ],
)
def test_the_picture_has_words_for_those_who_do_not_see_it(map_of: ServiceFacts, says: str) -> None:
    assert says in ServiceMap(map_of).alt()


def test_a_dollar_in_a_name_is_no_formula() -> None:
    drawn = Spread("http://bread/$a$", "shop/$x^2$", 1, {"$y_1$": 1}, {})
    assert drawn.png().startswith(b"\x89PNG")
    assert "$y_1$" in [t.get_text() for t in labels(drawn.figure())]


def test_a_notebook_gets_the_picture_and_the_words() -> None:
    data, metadata = spread(3)._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "bread-5879674949-bm650: 1" in data["text/plain"]
    assert metadata["image/png"]["width"] < 1200
