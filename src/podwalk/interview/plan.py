"""Drawing the questions of an interview: from every layer, what was not seen before first, weak layers more often."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping

from podwalk.drills.bank import Bank
from podwalk.drills.model import LAYERS, Question
from podwalk.interview.model import Part, Track, followups, talks

Plan = list[list[str]]


def draw(
    track: Track, bank: Bank, seed: int, seen: Collection[str] = (), weak: Mapping[str, float] | None = None
) -> Plan:
    """The ids of the questions of each part; a live part has none.

    ``seen``: questions that were asked lately, taken only where others run out. ``weak``: share known, by layer.
    """
    rng, taken = random.Random(seed), set[str]()
    plan: Plan = []
    for part in track.parts:
        chosen = _of(part, bank, rng, taken, set(seen), weak or {})
        taken |= set(chosen)
        plan.append(chosen)
    return plan


def _of(
    part: Part, bank: Bank, rng: random.Random, taken: set[str], seen: set[str], weak: Mapping[str, float]
) -> list[str]:
    if part.kind == "live":
        return []
    if part.kind == "tree":
        return [q.id for q in followups()[: part.depth]]
    if part.kind == "talk":
        return [talks()[part.talk].id]
    types = ("design",) if part.kind == "design" else part.types
    fitting = [q for q in bank.select(part.layers, part.levels, types) if q.id not in taken]
    return [q.id for q in _stratified(fitting, part.count, rng, seen, weak)]


def _stratified(
    questions: list[Question], count: int, rng: random.Random, seen: set[str], weak: Mapping[str, float]
) -> list[Question]:
    """One of each layer in turn, the weakest layer first, until there are enough."""
    rng.shuffle(questions)
    questions.sort(key=lambda q: q.id in seen)
    layers = sorted(LAYERS, key=lambda layer: (weak.get(layer, 0.5), rng.random()))
    piles = [pile for layer in layers if (pile := [q for q in questions if q.layer == layer])]
    chosen: list[Question] = []
    while piles and len(chosen) < count:
        for pile in piles:
            if len(chosen) < count:
                chosen.append(pile.pop(0))
        piles = [pile for pile in piles if pile]
    return chosen


def resolve(name: str, bank: Bank) -> Question:
    """The question of an id, of the bank or of the interview's own. Raises KeyError where it is gone."""
    own = {q.id: q for q in (*followups(), *talks().values())}
    return own[name] if name in own else bank.questions[name]
