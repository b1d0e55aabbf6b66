"""The course's own questions: every file by the schema and every rule, and the bank as a whole."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from drilling import right_answer

from podwalk.api import resources
from podwalk.course import catalogue
from podwalk.drills import asking, bank
from podwalk.drills.bank import Bank
from podwalk.drills.grading import grade
from podwalk.drills.model import LAYERS, LEVELS, TYPES, Question
from podwalk.faults.catalogue import FAULTS

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "drills" / "questions").glob("*.yaml"))
BANK: Bank = bank.load(ROOT)


def coverage() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((ROOT / "docs" / "coverage.yaml").read_text())
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_file_is_well_formed(path: Path) -> None:
    for question in bank.read_file(path, ROOT, strict=True):
        assert question.layer == path.stem


def test_there_are_enough_of_every_kind() -> None:
    assert len(BANK) >= 115
    assert {q.type for q in BANK} == set(TYPES)
    assert {q.level for q in BANK} == set(LEVELS)
    assert {q.layer for q in BANK} == set(LAYERS)


def test_every_myth_of_the_course_is_a_question() -> None:
    asked = {name for q in BANK for name in q.covers}
    entries = coverage()
    assert asked <= {e["id"] for e in entries}
    assert {e["id"] for e in entries if e["kind"] == "myth"} <= asked


def test_articles_questions_have_a_chinese_text_beside_every_other() -> None:
    assert sum(q.article for q in BANK) >= 66 + 7
    covered = {e["id"] for e in coverage() if e["kind"] == "myth" or e["id"].endswith("-questions")}
    assert all(q.article for q in BANK if covered & set(q.covers))


def test_the_right_answer_is_seldom_the_longest() -> None:
    chosen = [q for q in BANK if q.choices and q.type != "multi"]
    longest = [q.id for q in chosen if len(_right(q)) > max(len(c.text.en) for c in q.choices if not c.ok)]
    assert len(longest) <= 0.45 * len(chosen), longest


def _right(question: Question) -> str:
    return next(c.text.en for c in question.choices if c.ok)


def test_named_labs_exist() -> None:
    labs = {spec.name for spec in catalogue.all_labs(ROOT)}
    assert {lab for q in BANK for lab in q.labs} <= labs


def test_what_is_predicted_was_captured() -> None:
    assert all(q.artifact for q in BANK if q.type == "predict")


@pytest.mark.parametrize(
    ("name", "pattern", "shift"),
    [
        ("pod-011", r"mtu=(\d+)", -28),
        ("pod-013", r"eth0@if(\d+)", 0),
        ("pod-016", r"default via (\S+)", None),
        ("pod-017", r"\A\S+ dst (\S+)", None),
        ("svc-008", r" src=(\S+) dst=10.244.1.3 sport=8080 ", None),
        ("svc-024", r"(?m)^door .* 80:(\d+)/TCP", None),
        ("fix-011", r"table ip (\w+) \{", None),
    ],
)
def test_a_prediction_is_what_the_artifact_says_today(name: str, pattern: str, shift: int | None) -> None:
    question = BANK.get(name)
    assert question.artifact
    found = re.search(pattern, question.artifact.text)
    assert found
    said = found[1] if shift is None else str(int(found[1]) + shift)
    assert grade(asking.ask(question, 1), said).right, said


def test_live_drills_name_faults_that_there_are() -> None:
    drills = [q.drill for q in BANK if q.drill]
    assert {d.fault for d in drills} <= set(FAULTS)
    for drill in drills:
        assert drill.layer == FAULTS[drill.fault].layer, drill.fault


def test_every_reference_is_used_and_every_artifact_is_shown() -> None:
    references = yaml.safe_load((ROOT / "drills" / "references.yaml").read_text())
    used = {name for path in FILES for q in yaml.safe_load(path.read_text())["questions"] for name in q["refs"]}
    assert set(references) <= used
    shown = Counter(q.artifact.name for q in BANK if q.artifact)
    assert set(shown) <= {p.name for p in (ROOT / "drills" / "artifacts").glob("*.txt")}


@pytest.mark.parametrize("question", [q for q in BANK if q.type != "drill"], ids=lambda q: q.id)
def test_its_own_answer_is_right(question: Question) -> None:
    asked = asking.ask(question, 7)
    outcome = grade(asked, right_answer(asked))
    assert outcome.right, outcome
    assert outcome.score >= 0.6


@pytest.mark.parametrize("question", [q for q in BANK if q.spot], ids=lambda q: q.id)
def test_a_repaired_text_differs_in_little_and_still_parses(question: Question) -> None:
    assert question.spot
    wrong, fixed = question.spot.text.split("\n"), question.spot.fix.split("\n")
    assert sum(line not in fixed for line in wrong) <= 2
    if question.spot.text.startswith("apiVersion"):
        for text in (question.spot.text, question.spot.fix):
            for obj in yaml.safe_load_all(text):
                assert obj["metadata"]["name"]
                if not obj["apiVersion"].startswith("gateway."):
                    resources.of(obj)
