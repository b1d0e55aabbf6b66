"""Questions for other programs: what all exports share. No format holds everything; each export says what is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from html import escape

from podwalk.drills import asking
from podwalk.drills.asking import Asked
from podwalk.drills.model import Question

LIVE = "needs a running cluster: podwalk drill live"
ONE_DRAW = "one draw of its numbers"
SELF_GRADED = "graded by whoever reads it: the rubric is only shown"
ONE_WORDING = "other wordings of the answer count as wrong"


@dataclass(frozen=True, slots=True)
class Loss:
    """What an export could not carry of a question. ``whole``: the question itself is missing."""

    question: str
    reason: str
    whole: bool = False


@dataclass(slots=True)
class Exported:
    """The text of a file for another program, how many questions are in it, and what was lost on the way."""

    text: str = ""
    count: int = 0
    losses: list[Loss] = field(default_factory=list)

    def drop(self, question: Question, reason: str) -> None:
        """A question that cannot be there."""
        self.losses.append(Loss(question.id, reason, whole=True))

    def lose(self, question: Question, reason: str) -> None:
        """A part of a question that cannot be there."""
        self.losses.append(Loss(question.id, reason))


@dataclass(frozen=True, slots=True)
class Format:
    """A format by its name, the ending of its files, and what writes it."""

    name: str
    suffix: str
    write: Callable[[Iterable[Asked]], Exported]


def drawn(questions: Iterable[Question], language: str = "en", seed: int = 0) -> list[Asked]:
    """Each question as it goes out: answers in the order of the file, numbers drawn once, the same every time."""
    out = []
    for question in questions:
        asked = asking.ask(question, seed, language)
        count = len(question.choices) or (len(question.order.items) if question.order is not None else 0)
        out.append(Asked(question, seed, language, tuple(range(count)), asked.values))
    return out


def shown_text(asked: Asked) -> str:
    """The question as plain text, with what belongs to it: constraints, the artifact, the numbered lines."""
    question = asked.question
    parts = [asked.wording]
    parts += [f"- {asked.fill(c)}" for c in question.constraints]
    if (block := preformatted(question)) is not None:
        parts += ["", block]
    return "\n".join(parts)


def shown_html(asked: Asked) -> str:
    """The same as HTML. Everything is escaped."""
    question = asked.question
    parts = [f"<p>{lines(asked.wording)}</p>"]
    if question.constraints:
        parts.append(f"<ul>{''.join(f'<li>{lines(asked.fill(c))}</li>' for c in question.constraints)}</ul>")
    if (block := preformatted(question)) is not None:
        parts.append(f"<pre>{escape(block)}</pre>")
    return "".join(parts)


def preformatted(question: Question) -> str | None:
    """What is shown in a fixed width: an artifact, or the text with the error."""
    if question.artifact is not None:
        return f"$ {question.artifact.command}\n{question.artifact.text}"
    if question.spot is not None:
        return "\n".join(f"{n:>3}  {line}" for n, line in enumerate(question.spot.text.split("\n"), 1))
    return None


def lines(text: str) -> str:
    """Text as HTML, its lines kept."""
    return escape(text).replace("\n", "<br>")


def references_html(question: Question) -> str:
    """Links to where it is written."""
    return "<br>".join(f'<a href="{escape(a)}">{escape(a)}</a>' for a in question.refs)
