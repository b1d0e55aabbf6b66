"""The script for somebody who interviews: what to ask, what to listen for, and how to help without giving it away."""

from __future__ import annotations

from podwalk.drills.asking import ask
from podwalk.drills.bank import Bank
from podwalk.interview import plan
from podwalk.interview.model import ladders, tracks
from podwalk.interview.state import State

_ANCHORS = (
    "1: recites nouns.  2: the right way with prompts.  3: tests suppositions, cites evidence, repairs safely.",
    "4: also says how far it reaches, how to keep it from coming back, and what is uncertain.",
)


def write(state: State, bank: Bank) -> str:
    """All parts as Markdown. Not for the eyes of whoever is asked."""
    track = tracks()[state.track]
    lines = [f"# {track.title}: for the interviewer", "", f"{track.minutes} minutes. Seed {state.seed}.", "", *_ANCHORS]
    for part, names in zip(track.parts, state.plan, strict=True):
        lines += ["", f"## {part.title} ({part.minutes} minutes)"]
        if part.kind == "live":
            lines += ["", "Let them work. Ask now and then: what do you suppose, and what would show it?"]
        if part.kind == "tree":
            lines += ["", "Go on as long as it goes well; after two misses, leave it."]
        for name in names:
            try:
                asked = ask(plan.resolve(name, bank), state.seed)
            except KeyError:
                continue
            question = asked.question
            lines += ["", f"### {asked.wording}", ""]
            lines += [
                f"- [ ] {asked.fill(p.point)}{' (must)' if p.must else ''}"
                for p in question.rubric
                if not p.antipattern
            ]
            lines += [f"- a mistake: {asked.fill(p.point)}" for p in question.rubric if p.antipattern]
            model = asked.fill(question.answer) if question.answer is not None else asked.fill(question.explain)
            lines += ["", f"A good answer: {model}"]
            lines += [f"- hint {n}: {hint}" for n, hint in enumerate(ladders().get(name, ()), 1)]
    return "\n".join(lines) + "\n"
