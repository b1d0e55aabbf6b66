"""The panel of questions: the same sitting as in the terminal, by widgets."""

from __future__ import annotations

from datetime import UTC, datetime
from html import escape
from pathlib import Path

import ipywidgets as widgets
import pytest
from drilling import right_answer
from test_questions import BANK

from podwalk.course.progress import Progress
from podwalk.drills import session
from podwalk.drills.memory import Memory
from podwalk.views import drill_html
from podwalk.views.drill_panel import DrillPanel


@pytest.fixture(autouse=True)
def _at_home(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODWALK_COURSE", str(root))
    monkeypatch.setenv("PODWALK_HOME", str(root / "home"))


def kept(root: Path) -> dict[str, float]:
    with Progress(root / "home" / "progress.sqlite") as progress:
        return {review.question: review.score for _, review in Memory(progress).reviews()}


def panel(kind: str, root: Path) -> DrillPanel:
    """A panel that asks the one question of a type."""
    path = root / "drills/questions/services.yaml"
    head, *blocks = path.read_text().split("  - id: ")
    [block] = [b for b in blocks if b.startswith(f"t-{kind}\n")]
    path.write_text(f"{head}  - id: {block}".replace("    prereq: [t-single]\n", ""))
    return DrillPanel(seed=3)


def give(found: DrillPanel) -> None:
    """Give the right answer as a learner would: with the widgets."""
    asked = found._asked
    assert asked
    answer = right_answer(asked)
    children = found._place.children
    if asked.question.order is not None:
        wanted = [asked.marks.index(m) for m in answer.split()]
        for place, item in enumerate(wanted):
            for below in range(len(wanted) - 1, place, -1):
                if asked.shown[item] in children[below].children[2].value:
                    children[below].children[0].click()
    elif isinstance(children[0], widgets.Checkbox):
        for mark, box in zip(asked.marks, children, strict=True):
            box.value = mark in answer.split()
    else:
        children[0].value = answer


@pytest.mark.parametrize("kind", ["single", "multi", "order", "predict", "numeric", "spot", "myth"])
def test_every_type_is_answered_by_its_widgets(kind: str, root: Path) -> None:
    found = panel(kind, root)
    assert found._feedback.value == ""
    give(found)
    found._buttons["answer"].click()
    assert "✔ right" in found._feedback.value
    assert kept(root) == {f"t-{kind}": 1.0}
    found._buttons["next"].click()
    assert "1 of 1 right" in found._question.value


@pytest.mark.parametrize(("kind", "score"), [("free", 1.0), ("design", 1.0)])
def test_own_words_are_ticked_before_they_count(kind: str, score: float, root: Path) -> None:
    found = panel(kind, root)
    give(found)
    found._buttons["answer"].click()
    assert kept(root) == {}
    assert [t.value for t in found._ticks][:2] == [True, True]
    found._buttons["answer"].click()
    assert kept(root) == {f"t-{kind}": score}
    assert "A good answer" in found._feedback.value


def test_no_answer_is_not_judged(root: Path) -> None:
    found = panel("single", root)
    found._buttons["answer"].click()
    assert "Not judged yet: write letters" in found._said.value
    assert kept(root) == {}
    found._buttons["hint"].click()
    assert "The green one." in found._said.value


def test_what_is_written_breaks_no_page(root: Path) -> None:
    path = root / "drills/questions/services.yaml"
    path.write_text(path.read_text().replace("stem: What will it say?", 'stem: "<img src=x onerror=alert(1)>"'))
    found = panel("predict", root)
    assert "<img" not in found._question.value
    found._place.children[0].value = "<script>alert(1)</script>"
    found._buttons["answer"].click()
    assert "✘ wrong" in found._feedback.value
    assert "<script" not in found._feedback.value
    assert "10.0.0.1" in found._feedback.value


def test_a_wrong_file_is_told_in_the_panel(root: Path) -> None:
    (root / "drills/questions/services.yaml").write_text("layer: services\nquestions: 3\n")
    found = DrillPanel()
    assert "podwalk: " in found._question.value
    assert "services.yaml" in found._question.value


def test_where_widgets_are_not_shown_the_question_stands_there(root: Path) -> None:
    assert repr(panel("single", root)) == "Questions: Which?"


def test_no_question_of_the_course_reveals_its_answer(tmp_path: Path) -> None:
    shown = drill_html.question
    with Progress(tmp_path / "progress.sqlite") as progress:
        sitting = session.begin(BANK, Memory(progress), 300, seed=1)
        while (asked := sitting.next()) is not None:
            before = shown(asked, sitting)
            graded = sitting.answer(asked, right_answer(asked), 1)
            after = drill_html.feedback(graded, datetime.now(UTC))
            explain = escape(asked.question.explain.en)
            assert explain not in before, asked.question.id
            assert explain.replace("\n", "<br>") in after, asked.question.id
    assert len(sitting.graded) == sum(q.type != "drill" for q in BANK)
