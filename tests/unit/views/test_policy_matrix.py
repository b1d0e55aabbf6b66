"""The policy matrix as a picture says what its data say, legibly."""

from __future__ import annotations

import itertools

import pytest
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from podwalk.matrix.model import Cell, Matrix, Port
from podwalk.views.policy_matrix import PolicyMatrix

PODS = ["shop/web", "shop/api", "data/db", "data/backup-with-quite-a-long-name-5879674949-bm654", "outside"]


def matrix(names: list[str], ports: list[Port], dropped: set[tuple[str, str]], expect: bool = True) -> Matrix:
    cells = [
        Cell(s, t, p, "dropped" if (s, t) in dropped else "allowed", ((s, t) not in dropped) == expect)
        for s, t, p in itertools.product(names, names, ports)
        if s != t
    ]
    return Matrix(tuple(names), tuple(names), tuple(cells), 0.3, 1)


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """What each label covers; without the slanted ones, whose frames overlap where their letters do not."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    texts = [t for axes in figure.axes for t in axes.texts if t.get_text() and t.get_rotation() == 0]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in texts]


@pytest.mark.parametrize("names", [PODS[:2], PODS, [f"shop/pod-{i}" for i in range(8)]])
@pytest.mark.parametrize("ports", [1, 4])
@pytest.mark.parametrize("twice", [False, True])
def test_no_label_lies_on_another_or_leaves_the_page(names: list[str], ports: int, twice: bool) -> None:
    numbers = [Port(80), Port(5432), Port(53, "UDP"), Port(3868, "SCTP")][:ports]
    after = matrix(names, numbers, {(names[0], names[1])})
    figure = PolicyMatrix(after, matrix(names, numbers, set()) if twice else None).figure()
    found = boxes(figure)
    assert [(a, b) for (a, one), (b, two) in itertools.combinations(found, 2) if one.overlaps(two)] == []
    page = figure.bbox
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    every = [t.get_window_extent(renderer) for axes in figure.axes for t in axes.texts if t.get_text()]
    assert all(page.x0 <= b.x0 and b.x1 <= page.x1 and page.y0 <= b.y0 and b.y1 <= page.y1 for b in every)


def test_it_says_in_words_what_changed() -> None:
    before, after = matrix(PODS[:3], [Port(80)], set()), matrix(PODS[:3], [Port(80)], {("shop/web", "data/db")})
    assert PolicyMatrix(after, before).alt() == "shop/web to data/db:80 is now dropped"
    assert PolicyMatrix(before, before).alt() == "nothing changed"
    assert PolicyMatrix(after).alt() == "dropped: shop/web to data/db:80"


def test_disagreements_are_framed_and_explained() -> None:
    figure = PolicyMatrix(matrix(PODS[:3], [Port(80)], {("shop/web", "data/db")}, expect=False)).figure()
    assert "policies disagree" in [t.get_text() for t in figure.axes[0].texts]
