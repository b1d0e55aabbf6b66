"""The tree of questions leads to every fault, once, and nowhere else."""

from __future__ import annotations

from collections import Counter

from podwalk.faults import catalogue
from podwalk.faults.method import method


def test_every_fault_stands_at_exactly_one_end() -> None:
    standing = Counter(fault for end in method().ends.values() for fault in end.faults)
    assert standing == Counter(dict.fromkeys(catalogue.FAULTS, 1))


def test_every_answer_leads_somewhere_and_every_place_is_reached_once() -> None:
    tree = method()
    reached = Counter(onward for step in tree.steps.values() for onward in step.answers.values())
    places = {*tree.steps, *tree.ends} - {tree.start}
    assert set(reached) == places
    assert set(reached.values()) == {1}, "a tree: one way to each place"


def test_the_way_to_a_fault_begins_with_the_cheapest_question() -> None:
    way = method().way("F19")
    assert [answer for _, answer in way] == ["yes", "refused", "some"]
    assert way[0][0] is method().steps["name"]
