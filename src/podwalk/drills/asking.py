"""A question as it is asked this time: its answers shuffled and its numbers drawn, the same for the same seed."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field

from podwalk.drills import numbers
from podwalk.drills.model import Question, Words

MOST_SEED = 2**31
_MYTH = {"en": "Somebody says: {} What is true?", "zh": "有人说：{} 实际情况是什么？"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One asking. ``order``: where the choices, or the things to be ordered, stand; ``values``: the drawn numbers."""

    question: Question
    seed: int
    language: str = "en"
    order: tuple[int, ...] = ()
    values: dict[str, float] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        """What is asked."""
        return self.fill(self.question.stem)

    @property
    def wording(self) -> str:
        """The stem as one asks it: a myth is put into somebody's mouth."""
        if self.question.type != "myth":
            return self.stem
        return _MYTH[self.language if self.question.stem.zh else "en"].format(self.stem)

    @property
    def shown(self) -> list[str]:
        """The choices, or the things to be ordered, as they are shown this time."""
        if self.question.order is not None:
            return [self.fill(self.question.order.items[i]) for i in self.order]
        return [self.fill(self.question.choices[i].text) for i in self.order]

    @property
    def marks(self) -> str:
        """What the shown things are called: letters for choices, digits for an order."""
        marks = string.digits[1:] + "abc" if self.question.order is not None else string.ascii_lowercase
        return marks[: len(self.order)]

    @property
    def number(self) -> float:
        """The right answer of a numeric question."""
        assert self.question.numeric is not None
        return numbers.evaluate(self.question.numeric.expr, self.values)

    def fill(self, words: Words) -> str:
        """A text in the language, with the drawn numbers in it."""
        text = words.of(self.language)
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", numbers.show(value))
        return text


def ask(question: Question, seed: int, language: str = "en") -> Asked:
    """Draw what there is to draw."""
    rng = random.Random(f"{question.id}:{seed}")
    count = len(question.order.items) if question.order is not None else len(question.choices)
    order = list(range(count))
    rng.shuffle(order)
    if question.order is not None and tuple(order) in question.order.accepted:
        # Already right: nothing would be left to do.
        order.append(order.pop(0))
        order = order[::-1] if tuple(order) in question.order.accepted else order
    values: dict[str, float] = {}
    if question.numeric is not None:
        values = {name: rng.choice(list(choices)) for name, choices in question.numeric.params.items()}
    return Asked(question, seed, language, tuple(order), values)
