"""What the learner's file knows about questions: cards, and every answer that was given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from podwalk.course.progress import Progress
from podwalk.drills import schedule
from podwalk.drills.grading import MOST_ANSWER


@dataclass(frozen=True, slots=True)
class Review:
    """An answer that was given, as it is kept. ``session`` groups what was answered in one sitting."""

    session: str
    question: str
    rating: int
    score: float
    seconds: float
    hints: int = 0
    sure: bool = False
    seed: int = 0
    answer: str = ""


class Memory:
    """The cards and reviews in a progress file. ``notices``: what was odd about them, one line each."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.notices: list[str] = []

    def due(self, now: datetime) -> list[str]:
        """The questions whose time has come, the longest overdue first.

        Cards that a clock's jump has put too far away are due too.
        """
        rows = self.progress.rows(
            "SELECT question FROM cards WHERE due <= ? OR due > ? ORDER BY due > ?, due, question",
            _stamp(now),
            _stamp(schedule.latest(now)),
            _stamp(now),
        )
        return [row[0] for row in rows]

    def seen(self) -> dict[str, datetime]:
        """Every question that was answered once, and when it is due."""
        found = {}
        for question, due in self.progress.rows("SELECT question, due FROM cards"):
            try:
                found[str(question)] = datetime.fromisoformat(due)
            except ValueError:
                found[str(question)] = datetime.now(UTC)
        return found

    def record(self, review: Review, now: datetime) -> datetime:
        """Keep an answer and move its card, as one fact; when it is due again."""
        with self.progress.transaction() as db:
            # Read inside the transaction: another session may have moved the card since.
            row = db.execute("SELECT card FROM cards WHERE question = ?", (review.question,)).fetchone()
            try:
                after = schedule.review(row[0] if row else None, review.rating, now)
            except ValueError:
                self.notices.append(f"the card of {review.question} was damaged; it begins anew")
                after = schedule.review(None, review.rating, now)
            db.execute(
                "INSERT INTO cards VALUES (?, ?, ?) ON CONFLICT (question)"
                " DO UPDATE SET due = excluded.due, card = excluded.card",
                (review.question, _stamp(after.due), after.data),
            )
            db.execute(
                "INSERT INTO reviews (session, question, at, rating, score, seconds, hints, sure, seed, answer)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (review.session, review.question, _stamp(now), review.rating, review.score, review.seconds)
                + (review.hints, int(review.sure), review.seed, review.answer[:MOST_ANSWER]),
            )
        return after.due

    def reviews(self, question: str | None = None) -> list[tuple[datetime, Review]]:
        """The answers that were given, the oldest first: to one question, or to all."""
        where, values = ("WHERE question = ?", (question,)) if question else ("", ())
        rows = self.progress.rows(
            "SELECT at, session, question, rating, score, seconds, hints, sure, seed, answer"
            f" FROM reviews {where} ORDER BY id",
            *values,
        )
        return [
            (
                datetime.fromisoformat(at),
                Review(session, name, rating, score, seconds, hints, bool(sure), seed, answer),
            )
            for at, session, name, rating, score, seconds, hints, sure, seed, answer in rows
        ]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds")
