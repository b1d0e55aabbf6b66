"""Questions for other programs and from them: what arrives, and that what does not arrive is said."""

from __future__ import annotations

import csv
import json
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_questions import BANK

from podwalk.drills import anki, bank, exchange, gift, gift_reader, jupyterquiz, moodle
from podwalk.drills.bank import Bank
from podwalk.drills.exchange import Exported
from podwalk.drills.model import QuestionError

FORMATS = {"anki": anki.write, "gift": gift.write, "jupyterquiz": jupyterquiz.write, "moodle": moodle.write}


def export(form: str, questions: Bank) -> Exported:
    return FORMATS[form](exchange.drawn(questions))


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_question_is_carried_or_named_as_lost(form: str) -> None:
    done = export(form, BANK)
    whole = [loss.question for loss in done.losses if loss.whole]
    assert len(whole) == len(set(whole))
    assert done.count + len(whole) == len(BANK)
    assert {q.id for q in BANK if q.type == "drill"} <= set(whole)
    assert {q.id for q in BANK if q.numeric} <= {loss.question for loss in done.losses}
    assert export(form, BANK).text == done.text, "the same every time"


def test_anki_knows_a_note_by_the_questions_id(questions: Bank) -> None:
    text = export("anki", questions).text
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert "#guid column:1" in head
    rows = list(csv.reader(text.splitlines()[len(head) :], delimiter="\t"))
    assert len(rows) == 9
    assert all(len(row) == 5 for row in rows)
    ids = [row[0] for row in rows]
    assert sorted(ids) == sorted(set(ids))
    assert "podwalk-t-single" in ids
    single = next(row for row in rows if row[0] == "podwalk-t-single")
    assert "Too hot." in single[2]
    assert "Too hot." not in single[1]
    assert single[3] == "podwalk::services"


def test_moodle_gets_its_own_types_and_fractions(questions: Bank) -> None:
    quiz = ET.fromstring(export("moodle", questions).text)
    found = {q.findtext("name/text"): q for q in quiz.findall("question") if q.get("type") != "category"}
    assert [found[f"t-{n}"].get("type") for n in ("single", "order", "free", "spot", "predict")] == [
        "multichoice",
        "ordering",
        "essay",
        "numerical",
        "shortanswer",
    ]
    assert [a.get("fraction") for a in found["t-multi"].findall("answer")] == ["50", "50", "-50", "-50"]
    assert [a.findtext("text") for a in found["t-order"].findall("answer")] == ["first", "second", "third", "fourth"]
    assert "kernel" in (found["t-free"].findtext("graderinfo/text") or "")
    assert any(
        loss.question == "t-order" and "right orders" in loss.reason for loss in export("moodle", questions).losses
    )


def test_jupyterquiz_gets_its_own_types(questions: Bank) -> None:
    rows = json.loads(export("jupyterquiz", questions).text)
    assert sorted(row["type"] for row in rows) == [
        "many_choice",
        "multiple_choice",
        "multiple_choice",
        "numeric",
        "numeric",
        "string",
    ]
    for row in rows:
        assert any(answer.get("correct") for answer in row["answers"])


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


@pytest.mark.parametrize("form", ["anki", "jupyterquiz", "moodle"])
def test_markup_in_a_question_stays_text(form: str, root: Path) -> None:
    path = root / "drills/questions/services.yaml"
    evil = '"<script>alert(1)</script>"'
    text = (
        path.read_text()
        .replace("Too hot.", evil)
        .replace("stem: Which?", f"stem: {evil}")
        .replace("green}", f"{evil}}}")
    )
    path.write_text(text)
    done = export(form, bank.load(root)).text
    # In Moodle's file only some texts are HTML; the others are shown as they are.
    pages = [done]
    if form == "moodle":
        pages = [n.findtext("text") or "" for n in ET.fromstring(done).iter() if n.get("format") == "html"]
    assert pages
    for page in pages:
        tags = _Tags()
        tags.feed(page)
        assert "script" not in tags.seen


def test_what_gift_carries_comes_back(tmp_path: Path) -> None:
    done = export("gift", BANK)
    taken = gift_reader.read(done.text, "own-x")
    back = {q["id"].removeprefix("own-x-"): q for found in taken.layers.values() for q in found}
    for question in BANK:
        if question.chosen:
            got = back[question.id]
            assert [(c["text"], bool(c.get("ok"))) for c in got["choices"]] == [
                (c.text.en, c.ok) for c in question.choices
            ]
            assert [c.get("why", "") for c in got["choices"]] == [c.why.en if c.why else "" for c in question.choices]
            assert got["explain"] == question.explain.en
    assert set(taken.layers) == {q.layer for q in BANK}
    for layer, found in taken.layers.items():
        path = tmp_path / f"{layer}.yaml"
        path.write_text(yaml.safe_dump({"layer": layer, "questions": found}, allow_unicode=True))
        assert len(bank.read_file(path, tmp_path, strict=True)) == len(found)


GIFT = """\
// a comment
$CATEGORY: course/dns

::One:: Who answers\\: A or B? {=A #yes ~B #no, it is A ####Because.}

::Two::[html]Grant is buried in {=Grant's tomb ~a pond#too wet ~%50%nowhere} and not elsewhere.

Truth {T#It is true, really.}

::Number:: How many? {#=%100%3.5:0.5#right =%0%7#twice as many}

::Range:: How many? {#1..5}

::Essay:: Write. {}

::Match:: Match. {=a -> b =c -> d}

::Several:: Name one. {=one =two}

no answers at all

::Broken:: {=a ~b#no}
"""


def test_a_gift_file_of_somebody_else_is_read_and_what_is_not_taken_is_said() -> None:
    taken = gift_reader.read(GIFT, "own-q")
    assert set(taken.layers) == {"dns"}
    got = {q["id"]: q for q in taken.layers["dns"]}
    assert got["own-q-one"]["stem"] == "Who answers: A or B?"
    assert got["own-q-one"]["choices"] == [
        {"ok": True, "text": "A", "why": "yes"},
        {"text": "B", "why": "no, it is A"},
    ]
    assert got["own-q-two"]["stem"] == "Grant is buried in _____ and not elsewhere."
    assert [c.get("ok") for c in got["own-q-two"]["choices"]] == [True, None, True]
    assert got["own-q-line-8"]["choices"][1]["why"] == "It is true, really."
    assert got["own-q-number"]["numeric"] == {
        "expr": 3.5,
        "tol": 0.5,
        "traps": [{"expr": 7.0, "why": "twice as many"}],
    }
    assert got["own-q-range"]["numeric"] == {"expr": 3.0, "tol": 2.0}
    lost = {loss.question: loss.reason for loss in taken.losses if loss.whole}
    assert set(lost) == {"line 14", "line 16", "line 18", "line 20", "line 22"}
    assert "rubric" in lost["line 14"]
    assert "matching" in lost["line 16"]


def test_a_question_without_a_layer_is_named() -> None:
    taken = gift_reader.read("Q {=a ~b#no}", "own-q")
    assert [loss.reason for loss in taken.losses] == ["no $CATEGORY names a layer; say --layer"]


@pytest.mark.parametrize("text", ["", "\n\n//\n", "x" * 2_000_001])
def test_a_file_that_holds_nothing_is_a_complaint(text: str) -> None:
    with pytest.raises(QuestionError, match=r"^the file: .*; "):
        gift_reader.read(text, "own-q")


@given(st.text(alphabet="ab1 =~#{}:%\\\n>-T", max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        taken = gift_reader.read(text, "own-q", layer="dns")
    except QuestionError:
        return
    for found in taken.layers.values():
        assert all(q["stem"] and q["explain"] for q in found)
