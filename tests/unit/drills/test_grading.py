"""What answers are worth: every type, right and wrong, and what is no answer at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podwalk.drills import asking
from podwalk.drills.asking import Asked
from podwalk.drills.bank import Bank
from podwalk.drills.grading import AnswerError, Outcome, grade, proposed
from podwalk.drills.numbers import ExpressionError, evaluate, parse, show


def ask(questions: Bank, name: str, seed: int = 3) -> Asked:
    return asking.ask(questions.get(name), seed)


def mark(asked: Asked, text: str) -> str:
    return asked.marks[asked.shown.index(text)]


def test_the_same_seed_asks_the_same(questions: Bank) -> None:
    for question in questions:
        assert asking.ask(question, 5) == asking.ask(question, 5)
    orders = {asking.ask(questions.get("t-multi"), seed).order for seed in range(20)}
    assert len(orders) > 5


def test_a_choice_says_why_each_wrong_one_is_wrong(questions: Bank) -> None:
    asked = ask(questions, "t-single")
    wrong = grade(asked, mark(asked, "red"))
    assert not wrong.right
    assert wrong.expected.endswith("green")
    assert [(r.kind, r.why) for r in wrong.remarks] == [("wrong", "Too hot."), ("note", "Too cold.")]
    right = grade(asked, f" {mark(asked, 'green').upper()} ")
    assert right.right
    assert {r.why for r in right.remarks} == {"Too hot.", "Too cold."}


@pytest.mark.parametrize(
    ("chosen", "score", "right"),
    [
        (("one", "two"), 1.0, True),
        (("one",), 0.5, False),
        (("one", "two", "three"), 0.5, False),
        (("one", "two", "three", "four"), 0.0, False),
        (("four",), 0.0, False),
    ],
)
def test_choosing_all_of_several_is_worth_nothing(
    questions: Bank, chosen: tuple[str, ...], score: float, right: bool
) -> None:
    asked = ask(questions, "t-multi")
    outcome = grade(asked, " ".join(mark(asked, c) for c in chosen))
    assert (outcome.score, outcome.right) == (score, right)


def ordered(questions: Bank, *items: str) -> Outcome:
    asked = ask(questions, "t-order")
    return grade(asked, " ".join(mark(asked, item) for item in items))


def test_an_order_may_have_two_right_answers_and_half_a_path_is_half_right(questions: Bank) -> None:
    assert ordered(questions, "first", "second", "third", "fourth").right
    assert ordered(questions, "second", "first", "third", "fourth").right
    shifted = ordered(questions, "fourth", "first", "second", "third")
    assert not shifted.right
    assert shifted.score == pytest.approx(2 / 3)
    assert ordered(questions, "fourth", "third", "second", "first").score < 0.5


def test_what_is_to_be_ordered_is_never_shown_in_order(questions: Bank) -> None:
    question = questions.get("t-order")
    assert question.order
    for seed in range(200):
        assert asking.ask(question, seed).order not in question.order.accepted


def test_a_prediction_is_compared_without_case_and_space_and_a_trap_explains(questions: Bank) -> None:
    asked = ask(questions, "t-predict")
    assert grade(asked, "  10.0.0.1  ").right
    wrong = grade(asked, "10.0.0.2")
    assert not wrong.right
    assert wrong.remarks[0].why == "That is the other one."


def test_a_number_is_drawn_and_may_be_written_as_one_likes(questions: Bank) -> None:
    asked = ask(questions, "t-numeric")
    legs = int(asked.values["n"])
    assert asked.stem == f"{legs} legs: which share?"
    for text in (f"1/{legs}", f"{1 / legs:.3f}", f"{100 / legs:.1f} %"):
        assert grade(asked, text).right, text
    wrong = grade(asked, f"1/{legs - 1}")
    assert not wrong.right
    assert wrong.remarks[0].why == "One fewer."


def test_a_line_is_named_and_a_near_one_is_explained(questions: Bank) -> None:
    asked = ask(questions, "t-spot")
    assert grade(asked, "line 2").right
    assert grade(asked, "1").remarks[0].why == "It is right."


def test_own_words_are_judged_by_points_and_the_learner_has_the_last_word(questions: Bank) -> None:
    asked = ask(questions, "t-free")
    text = "The KERNEL does, but the proxy carries it."
    assert proposed(asked.question.rubric, text) == (True, False, True)
    found = grade(asked, text)
    assert found.score == pytest.approx(1 / 4)
    assert not found.right
    confirmed = grade(asked, text, (True, True, False))
    assert confirmed.right
    assert confirmed.vouched == pytest.approx(1 / 4)
    assert not grade(asked, "conntrack", None).right, "a must is missing"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("t-single", ""),
        ("t-single", "z"),
        ("t-single", "a b"),
        ("t-multi", " "),
        ("t-order", "1 2"),
        ("t-order", "1 1 2 3"),
        ("t-predict", ""),
        ("t-numeric", "many"),
        ("t-numeric", "1/0"),
        ("t-spot", "the second"),
        ("t-free", "  \n "),
        ("t-drill", "a"),
    ],
)
def test_what_is_no_answer_says_what_would_be(questions: Bank, name: str, answer: str) -> None:
    with pytest.raises(AnswerError, match=r"write|answered in a running cluster"):
        grade(ask(questions, name), answer)


@given(st.text(max_size=300))
def test_any_text_is_an_answer_or_a_complaint(text: str) -> None:
    for asked in ASKED:
        try:
            outcome = grade(asked, text)
        except AnswerError:
            continue
        assert 0 <= outcome.score <= 1


def _asked() -> list[Asked]:
    from test_questions import BANK

    chosen = {q.type: q for q in BANK}
    return [asking.ask(q, 1) for q in chosen.values()]


ASKED = _asked()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1450", 1450),
        ("1,450 bytes", 1450),
        ("1 450", 1450),
        ("524'288", 524288),
        ("-3.5", -3.5),
        (".25", 0.25),
        ("1/3", 1 / 3),
        ("33 %", 0.33),
        ("none", None),
        ("1/0", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: float | None) -> None:
    assert parse(text) == (None if number is None else pytest.approx(number))


@pytest.mark.parametrize(("number", "text"), [(256.0, "256"), (1 / 3, "0.3333"), (0.5, "0.5"), (1422.5, "1422.5")])
def test_numbers_are_shown_as_people_write_them(number: float, text: str) -> None:
    assert show(number) == text


@pytest.mark.parametrize("expression", ["x", "a.b", "1 if 1 else 2", "[1]", "'a'", "True", "1e300 * 1e300", "(" * 300])
def test_only_arithmetic_is_evaluated(expression: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(expression)


def test_arithmetic_is_evaluated() -> None:
    assert evaluate("min(max(16, 2 ** (32 - p) / 16), 256)", {"p": 20}) == 256
    assert evaluate("small - ceil(log2(nodes))", {"small": 24, "nodes": 5000}) == 11
