"""A wrong file of questions: the complaint names file, question, reason and cure."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwalk.drills import bank
from podwalk.drills.model import QuestionError


def complaint(root: Path, old: str, new: str) -> str:
    path = root / "drills/questions/services.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(QuestionError) as caught:
        bank.read_file(path, root, strict=True)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("    stem: Which?\n", "", "t-single: 'stem' is a required property; add it"),
        ("level: junior", "level: genius", "t-single: level: 'genius' is not one of"),
        ("why: Too hot.", "reason: Too hot.", "t-single: choices[1]: "),
        ("    hint: The green one.\n", "    tip: x\n", "t-single: Unevaluated properties are not allowed ('tip' was"),
        (
            "{ok: true, text: green}",
            "{text: green, why: Not so.}",
            "t-single: choices: 0 of them are right; mark exactly",
        ),
        ("text: blue", "text: Red", "t-single: choices: two of them are the same"),
        ("text: green", "text: green as the grass that grows on the other side", "t-single: choices: the right one"),
        ("[[2, 1, 3, 4]]", "[[2, 1, 3, 3]]", "t-order: order.also: [2, 1, 3, 3] does not hold"),
        ("expr: 1 / n\n", "expr: 1 / m\n", "t-numeric: numeric: '1 / m' has no value: m is not allowed or not known"),
        ("expr: 1 / n\n", "expr: __import__('os')\n", "t-numeric: numeric: \"__import__('os')\" has no value"),
        ("expr: 1 / n\n", "expr: 9 ** 9 ** 9 ** 9\n", "has no value: the power is too large"),
        ("expr: 1 / (n - 1)", "expr: 1 / n", "t-numeric: numeric.traps: 1 / n is the right answer"),
        ('"{n} legs', '"{k} legs', "t-numeric: stem: {k} is no parameter"),
        ("any_of: [kernel]", "any_of: ['(kernel']", "t-free: rubric[0].any_of: '(kernel' is no regular expression"),
        ("any_of: [kernel]", "any_of: ['(k+)+']", "t-free: rubric[0].any_of[0]: '(k+)+' does not match"),
        ("any_of: [kernel]", "any_of: [cable]", "t-free: rubric[0]: the model answer does not say this"),
        ("      lines: [2]", "      lines: [9]", "t-spot: spot: there are only 2 lines"),
        ("answer: 10.0.0.1", "answer: 10.0.0.2", "t-predict: predict.traps: 10\\.0\\.0\\.2 matches the right answer"),
        ("artifact: shown.txt", "artifact: lost.txt", "t-predict: artifact: "),
        ("refs: [page]", "refs: [book]", "t-single: refs: book is not in drills/references.yaml; add it there"),
        ("layer: services\n", "layer: servers\n", "layer: 'servers' is not one of"),
        ("    type: free\n", "    type: free\n    article: true\n", "t-free: explain: has no zh"),
        ("  - id: t-multi", "  - id: [", "line "),
    ],
)
def test_a_complaint_names_question_reason_and_cure(root: Path, old: str, new: str, says: str) -> None:
    line = complaint(root, old, new)
    assert says in line
    assert "; " in line


def test_an_id_stands_there_once(root: Path) -> None:
    text = (root / "drills/questions/services.yaml").read_text()
    (root / "drills/questions/dns.yaml").write_text(text.replace("layer: services", "layer: dns"))
    with pytest.raises(QuestionError, match=r"t-single: id: .*dns.yaml has it too; ids are permanent"):
        bank.load(root)


@pytest.mark.parametrize(
    ("prereq", "says"), [("t-nobody", "there is no question t-nobody"), ("t-predict", "goes round in a circle")]
)
def test_prerequisites_exist_and_form_no_circle(root: Path, prereq: str, says: str) -> None:
    path = root / "drills/questions/services.yaml"
    path.write_text(path.read_text().replace("    stem: Which?\n", f"    stem: Which?\n    prereq: [{prereq}]\n"))
    with pytest.raises(QuestionError, match=says):
        bank.load(root)


@pytest.mark.parametrize("text", ["", "[]", "layer: dns", "layer: dns\nquestions: 3", "\x00", "a: &a [*a]"])
def test_a_file_that_is_no_bank_is_a_complaint(root: Path, text: str) -> None:
    path = root / "drills/questions/dns.yaml"
    path.write_text(text)
    with pytest.raises(QuestionError, match=r"dns.yaml: "):
        bank.load(root)


def test_bytes_that_are_no_text_are_a_complaint(root: Path) -> None:
    path = root / "drills/questions/dns.yaml"
    path.write_bytes(b"\xff\xfe\x00layer")
    with pytest.raises(QuestionError, match=r"is no UTF-8"):
        bank.load(root)


def test_the_learners_own_questions_come_too_and_are_checked_in_full(root: Path) -> None:
    own = root / "own"
    own.mkdir()
    text = (root / "drills/questions/services.yaml").read_text().replace("id: t-", "id: own-")
    (own / "mine.yaml").write_text(text.replace("prereq: [t-single]", "prereq: [own-single]"))
    assert len(bank.load(root, own)) == 20
    (own / "mine.yaml").write_text(text.replace("text: blue", "text: red"))
    with pytest.raises(QuestionError, match="two of them are the same"):
        bank.load(root, own)


def test_a_question_follows_what_it_needs(root: Path) -> None:
    names = list(bank.load(root).questions)
    assert names.index("t-single") < names.index("t-predict")
    assert names.index("t-myth") < names.index("t-order") < names.index("t-free") < names.index("t-design")
