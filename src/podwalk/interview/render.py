"""The report as Markdown, as one HTML page that loads nothing, and as JSON. All that was typed is escaped."""

from __future__ import annotations

import json
import math
from html import escape

from podwalk.checks.render import harmless
from podwalk.interview.report import InterviewReport, Told

_STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1f2430}
h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}table{border-collapse:collapse;margin:0 0 1rem}
td,th{padding:.2rem .8rem .2rem 0;text-align:left;vertical-align:middle}
pre{background:#f4f4f1;padding:.6rem;overflow-x:auto;white-space:pre-wrap}details{margin:.4rem 0}
.pw-beside{display:flex;flex-wrap:wrap;gap:1rem 2rem;align-items:center}.pw-radar{flex:1 1 22rem;max-width:34rem}
.pw-measure{background:#e5e7eb;width:9rem;height:.7rem;border-radius:.35rem}.pw-measure i{display:block;
height:.7rem;border-radius:.35rem;background:#0072b2}.pw-bad{color:#b42318}.pw-dim{color:#6b7280}
@media print{details>*{display:block}}"""
# Where a page has its own colours, as a notebook has, the radar takes them.
_INK, _PALE, _GRID, _MARK = (
    f"var(--pw-{name},{colour})"
    for name, colour in (("ink", "#1f2430"), ("pale", "#6b7280"), ("grid", "#d8d8d2"), ("mark", "#0072b2"))
)
_SIZE, _RADIUS = 420, 130


def as_json(report: InterviewReport) -> str:
    """All of it."""
    return json.dumps(report.as_dict(), indent=2, ensure_ascii=False)


def markdown(report: InterviewReport) -> str:
    """A page to read in a terminal or to keep in a notebook."""
    lines = [f"# Interview: {report.title}", "", _verdict(report), "", *(f"- {s}" for s in report.short_of), ""]
    lines += ["| layer | asked | reached | bar |", "|---|---|---|---|"]
    for s in report.spokes:
        bar = f"{s.bar:.0%}" if s.bar is not None else ""
        lines.append(f"| {s.layer} | {s.count} | {'(' if s.thin else ''}{s.share:.0%}{')' if s.thin else ''} | {bar} |")
    lines += ["", *(f"- {name}: {share:.0%}" for name, share in report.dimensions.items())]
    lines += [
        "",
        "## What to do next",
        "",
        *(f"- `podwalk lab start {n.rpartition('/')[2]}` ({n})" for n in report.practise),
    ]
    lines += ["", "## Looking back"]
    for t in report.told:
        lines += ["", f"### {_one_line(t.asked)}", "", f"{_share(t)}", ""]
        lines += [f"> {_no_tag(_one_line(line))}" for line in t.said.splitlines()] if t.said else []
        lines += (
            ["", *(f"- missing: {_one_line(m)}" for m in t.missed), "", f"A good answer: {_one_line(t.model)}"]
            if t.model
            else []
        )
    lines += ["", *map(_no_tag, _live(report)), "", *(f"*{n}*" for n in report.notes)]
    return "\n".join(lines).rstrip() + "\n"


def html(report: InterviewReport) -> str:
    """One page that loads nothing."""
    told = "".join(_told(t) for t in report.told)
    title = f"Interview: {escape(report.title)}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1>{summary(report)}<h2>Looking back</h2>{told}{live(report)}{notes(report)}</html>\n"
    )


def summary(report: InterviewReport) -> str:
    """How it went and what to do next, as a part of a page: the radar, beside it the dimensions and the layers."""
    bars = "".join(
        f"<tr><td>{escape(name)}</td><td><div class=pw-measure><i style='width:{share:.0%}'></i></div></td>"
        f"<td>{share:.0%}</td></tr>"
        for name, share in report.dimensions.items()
    )
    rows = "".join(
        f"<tr{' class=pw-dim' if s.thin else ''}><td>{escape(s.layer)}</td><td>{s.count}</td><td>{s.share:.0%}</td>"
        f"<td>{f'{s.bar:.0%}' if s.bar is not None else ''}</td></tr>"
        for s in report.spokes
    )
    layers = f"<table><tr><th>layer</th><th>asked</th><th>reached</th><th>bar</th></tr>{rows}</table>"
    short = "".join(f"<li class=pw-bad>{escape(s)}</li>" for s in report.short_of)
    labs = "".join(
        f"<li><code>podwalk lab start {escape(n.rpartition('/')[2])}</code> ({escape(n)})</li>" for n in report.practise
    )
    return (
        f"<p><b>{escape(_verdict(report))}</b></p><ul>{short}</ul>"
        f"<div class=pw-beside><div class=pw-radar>{radar(report)}</div><div><table>{bars}</table>{layers}</div></div>"
        f"<h2>What to do next</h2><ul>{labs}</ul>"
    )


def live(report: InterviewReport) -> str:
    """The live part as a part of a page: what it was, and a replay of what was done."""
    lines = escape("\n".join(_live(report)))
    return f"<pre>{lines}</pre>" if lines else ""


def notes(report: InterviewReport) -> str:
    """What to keep in mind, as a part of a page."""
    return "".join(f"<p class=pw-dim>{escape(n)}</p>" for n in report.notes)


def radar(report: InterviewReport) -> str:
    """The layers as a radar: what was reached, what the track asks for, and how many were asked."""
    spokes = report.spokes
    if len(spokes) < 3:
        return ""
    middle = _SIZE / 2

    def at(index: int, share: float) -> tuple[float, float]:
        angle = 2 * math.pi * index / len(spokes) - math.pi / 2
        return middle + _RADIUS * share * math.cos(angle), middle + _RADIUS * share * math.sin(angle)

    def shape(shares: list[float]) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(i, s) for i, s in enumerate(shares)))

    parts = [
        f"<polygon points='{shape([ring] * len(spokes))}' style='fill:none;stroke:{_GRID}'/>"
        for ring in (0.25, 0.5, 0.75, 1)
    ]
    asked_for = shape([s.bar or 0 for s in spokes])
    parts.append(f"<polygon points='{asked_for}' style='fill:none;stroke:{_PALE};stroke-dasharray:4 3'/>")
    parts.append(
        f"<polygon points='{shape([s.share for s in spokes])}' style='fill:{_MARK};fill-opacity:.25;stroke:{_MARK}'/>"
    )
    for index, s in enumerate(spokes):
        x, y = at(index, 1.16)
        anchor = "middle" if abs(x - middle) < 12 else "start" if x > middle else "end"
        ink = _PALE if s.thin else _INK
        parts.append(
            f"<text x='{x:.0f}' y='{y:.0f}' text-anchor={anchor} style='fill:{ink};font-size:13px'>"
            f"{escape(s.layer)} ({s.count})</text>"
        )
    words = "; ".join(f"{s.layer} {s.share:.0%}" for s in spokes)
    box = f"viewBox='-90 20 {_SIZE + 180} {_SIZE - 40}' width=100%"
    return f"<svg {box} role=img aria-label='{escape(words)}'>{''.join(parts)}</svg>"


def _verdict(report: InterviewReport) -> str:
    spent, given = report.minutes
    word = "A pass, by our bar" if report.passed else "Not yet, by our bar"
    return f"{word}: {report.overall:.0%} overall, in {spent:.0f} of {given:.0f} minutes."


def _share(t: Told) -> str:
    return f"{t.skipped}" if t.skipped else f"{t.share:.0%}, after {t.seconds:.0f} s"


def _told(t: Told) -> str:
    missed = "".join(f"<li class=pw-bad>missing: {escape(m)}</li>" for m in t.missed)
    said = f"<pre>{escape(harmless(t.said))}</pre>" if t.said else ""
    model = f"<p>A good answer: {escape(t.model)}</p>" if t.model else ""
    head = f"{escape(t.asked)} <b>{escape(_share(t))}</b>"
    return f"<details><summary>{head}</summary>{said}<ul>{missed}</ul>{model}</details>"


def _live(report: InterviewReport) -> list[str]:
    live = report.live
    if live is None:
        return [f"No live part: {report.live_skipped}."] if report.live_skipped else []
    lines = [f"Live: {live['points']} points in {live['seconds']} s"]
    lines += [
        f"  it was: {_one_line(t['cause'])}; seen by {_one_line(t['evidence'])}; repaired by {_one_line(t['fix'])}"
        for t in live["truth"]
    ]
    lines += [f"  less {d['points']}: {_one_line(d['for'])}" for d in live["deductions"]]
    lines += [f"  {e['seconds']:6.0f} s  {e['kind']:<10} {_one_line(e['text'])}" for e in live["replay"]]
    return lines


def _one_line(text: str) -> str:
    return " ".join(harmless(text).split())


def _no_tag(text: str) -> str:
    """Text in which Markdown finds no HTML."""
    return text.replace("<", "\\<")
