"""What an interview has shown, in numbers and words: by layer, by dimension, answer by answer, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from podwalk.course.catalogue import LabSpec
from podwalk.drills.asking import ask
from podwalk.drills.bank import Bank
from podwalk.drills.model import LAYERS
from podwalk.faults.grading import EVIDENCE
from podwalk.interview import plan
from podwalk.interview.model import Track, tracks
from podwalk.interview.state import TIME_UP, Given, State

# A few answers are drawn towards the middle, as if two half-right ones stood beside them; fewer than three tell little.
_WEIGHT, _MIDDLE, _FEW = 2, 0.5, 3
# A live part counts as much as so many questions.
_LIVE_WEIGHT = 4
_GOOD = 0.999
_LABS = 3
# Where a layer of the questions is practised.
_LAB_LAYERS = {
    "pod-network": "pod-network", "services": "services", "dns": "services", "ingress": "ingress",
    "policy": "policy-egress", "troubleshooting": "services", "design": "ingress",
}  # fmt: skip
_NOT_ASKED = ("two were missed before it", "it is no longer in the bank")


@dataclass(frozen=True, slots=True)
class Spoke:
    """A layer of the radar. ``share`` is drawn towards the middle where ``count`` is small; ``bar``: the track's."""

    layer: str
    count: int
    share: float
    bar: float | None

    @property
    def thin(self) -> bool:
        """Whether too little was asked to say anything."""
        return self.count < _FEW


@dataclass(frozen=True, slots=True)
class Told:
    """One answer in the retrospective."""

    question: str
    layer: str
    asked: str
    said: str
    share: float
    seconds: float
    model: str
    missed: tuple[str, ...] = ()
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class InterviewReport:
    """All of it, as data."""

    id: str
    track: str
    title: str
    began: str
    seed: int
    observed: bool
    overall: float
    passed: bool
    short_of: tuple[str, ...]
    spokes: tuple[Spoke, ...]
    dimensions: dict[str, float]
    told: tuple[Told, ...]
    live: dict[str, Any] | None
    live_skipped: str
    practise: tuple[str, ...]
    minutes: tuple[float, float]
    notes: tuple[str, ...] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def make(
    state: State, bank: Bank, labs: Sequence[LabSpec] = (), done: Mapping[str, bool] | None = None
) -> InterviewReport:
    """The report of an interview, finished or not. ``done``: labs that were passed already, by name."""
    track = tracks()[state.track]
    told = tuple(_told(g, bank) for g in state.given)
    scored = [t for t in told if t.skipped not in _NOT_ASKED]
    weights = [(t.layer, t.share, 1) for t in scored]
    if state.live is not None:
        weights.append(("troubleshooting", state.live["points"] / 100, _LIVE_WEIGHT))
    spokes = tuple(
        _spoke(layer, weights, track)
        for layer in LAYERS
        if any(w[0] == layer for w in weights) or layer in track.layers
    )
    total = sum(w for *_, w in weights)
    overall = sum(share * w for _, share, w in weights) / total if total else 0.0
    short = _short_of(track, overall, spokes, state)
    return InterviewReport(
        state.id, state.track, track.title, state.began, state.seed, state.observed, overall, not short, short, spokes,
        _dimensions(state, scored), told, state.live, state.live_skipped,
        _practise(spokes, told, bank, labs, done or {}), (sum(state.spent) / 60, float(track.minutes)),
        _notes(state, spokes),
    )  # fmt: skip


def _told(given: Given, bank: Bank) -> Told:
    try:
        question = plan.resolve(given.question, bank)
    except KeyError:
        return Told(given.question, "", given.question, given.text, 0.0, given.seconds, "", skipped=_NOT_ASKED[1])
    asked = ask(question, given.seed)
    share = given.marks if given.marks is not None else given.score
    missed: tuple[str, ...] = ()
    if question.written and given.ticks:
        pairs = zip(question.rubric, given.ticks, strict=False)
        missed = tuple(asked.fill(p.point) for p, ticked in pairs if ticked == p.antipattern)
    model = asked.fill(question.answer) if question.answer is not None else asked.fill(question.explain)
    return Told(
        given.question, question.layer, asked.wording, given.text, share, given.seconds, model, missed, given.skipped
    )


def _spoke(layer: str, weights: Sequence[tuple[str, float, int]], track: Track) -> Spoke:
    mine = [(share, w) for its, share, w in weights if its == layer]
    count = sum(w for _, w in mine)
    share = (sum(s * w for s, w in mine) + _MIDDLE * _WEIGHT) / (count + _WEIGHT)
    bar = track.layers.get(layer)
    return Spoke(layer, count, share, bar / 100 if bar is not None else None)


def _short_of(track: Track, overall: float, spokes: Sequence[Spoke], state: State) -> tuple[str, ...]:
    """What keeps it from being a pass, one line each."""
    found = []
    if overall * 100 < track.overall:
        found.append(f"{overall:.0%} overall, of {track.overall} %")
    for spoke in spokes:
        if spoke.bar is not None and not spoke.thin and spoke.share < spoke.bar:
            found.append(f"{spoke.layer}: {spoke.share:.0%}, of {spoke.bar:.0%}")
    if any(p.kind == "live" for p in track.parts) and state.live is None:
        found.append(f"the live part was left out ({state.live_skipped or 'not reached'})")
    if not state.ended:
        found.append("it was not finished")
    return tuple(found)


def _dimensions(state: State, scored: Sequence[Told]) -> dict[str, float]:
    """Method, evidence and safety of the live part; speed of all; in words only where somebody listened."""
    found: dict[str, float] = {}
    live = state.live
    if live is not None:
        commands, guesses = live["method"]["commands"], live["method"]["hypotheses"]
        # A supposition for every third command is a person who thinks first.
        found["method"] = min(1.0, 3 * guesses / commands) if commands else 0.0
        faults = live["faults"]
        found["evidence"] = min(1.0, sum(f["evidence"] for f in faults) / (EVIDENCE * len(faults)))
        found["safety"] = max(0.0, 1 - sum(d["points"] for d in live["deductions"]) / 50)
    reached = [t for t in scored if t.skipped != TIME_UP]
    found["speed"] = len(reached) / len(scored) if scored else 0.0
    if state.observed:
        words = [t.share for t in scored if t.question.startswith(("curl.", "talk."))]
        found["communication"] = sum(words) / len(words) if words else 0.0
    return found


def _practise(
    spokes: Sequence[Spoke], told: Sequence[Told], bank: Bank, labs: Sequence[LabSpec], done: Mapping[str, bool]
) -> tuple[str, ...]:
    """Three labs: those that missed questions name, then those of the weakest layers; the passed ones last."""
    there = {lab.name: lab for lab in labs}
    wanted: list[str] = []
    for t in told:
        if t.share < _GOOD and t.skipped not in _NOT_ASKED:
            try:
                wanted += [name for name in plan.resolve(t.question, bank).labs if name in there]
            except KeyError:
                continue
    for spoke in sorted(spokes, key=lambda s: s.share):
        layer = _LAB_LAYERS[spoke.layer]
        wanted += [lab.name for lab in labs if lab.layer == layer and not done.get(lab.name)]
    ordered = sorted(dict.fromkeys(wanted), key=lambda name: done.get(name, False))
    return tuple(ordered[:_LABS])


def _notes(state: State, spokes: Sequence[Spoke]) -> tuple[str, ...]:
    notes = ["The bars are our own proposal: what a pass means is decided by those who hire."]
    if thin := [s.layer for s in spokes if s.thin]:
        notes.append(f"Too few questions to say much: {', '.join(thin)}.")
    if not state.observed:
        notes.append(
            "What you said in your own words was judged by patterns and by yourself. Let somebody listen: --observed."
        )
    return tuple(notes)
