"""The HTML of the interview's panel. Whatever anybody wrote is escaped; colours are JupyterLab's own."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from podwalk.checks.render import harmless
from podwalk.drills.asking import Asked
from podwalk.faults.drill import Entry
from podwalk.interview import render
from podwalk.interview.model import Part, Track
from podwalk.interview.presence import PATIENCE
from podwalk.interview.report import InterviewReport
from podwalk.interview.state import State
from podwalk.views import drill_html

_OLDER, _NEWEST = 2_000, 20_000

# The clock counts down in the browser: the kernel says from where to where, and has nothing to do until it is asked.
STYLE = (
    drill_html.STYLE
    + """<style>
@property --pw-left { syntax: '<integer>'; inherits: true; initial-value: 0; }
@property --pw-min { syntax: '<integer>'; inherits: true; initial-value: 0; }
@keyframes pw-down { from { --pw-left: var(--pw-from); } to { --pw-left: var(--pw-to); } }
.podwalk-interview { --pw-ink: var(--jp-ui-font-color1); --pw-pale: var(--jp-ui-font-color2);
  --pw-grid: var(--jp-border-color2); --pw-mark: var(--jp-brand-color1);
  --pw-good: color-mix(in srgb, var(--jp-success-color1) 70%, var(--jp-ui-font-color0));
  --pw-bad: color-mix(in srgb, var(--jp-error-color1) 75%, var(--jp-ui-font-color0)); }
.podwalk-interview .pw-good { color: var(--pw-good); } .podwalk-interview .pw-bad { color: var(--pw-bad); }
.podwalk-interview .pw-clock { font-size: 1.5em; font-variant-numeric: tabular-nums; white-space: nowrap;
  --pw-min: calc((var(--pw-left) - 29.5) / 60); animation-name: pw-down; animation-fill-mode: both; }
.podwalk-interview .pw-clock::after { content: counter(pw-m) ":" counter(pw-s, decimal-leading-zero);
  counter-reset: pw-m var(--pw-min) pw-s calc(var(--pw-left) - 60 * var(--pw-min)); }
.podwalk-interview .pw-parts { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--jp-ui-font-color2); }
.podwalk-interview .pw-parts b { color: var(--jp-ui-font-color1); }
.podwalk-interview h2 { font-size: 1.1em; margin: 14px 0 4px; }
.podwalk-interview ul { margin: 2px 0; padding-left: 20px; }
.podwalk-interview table { border-collapse: collapse; margin: 0 0 12px; }
.podwalk-interview td, .podwalk-interview th { padding: 1px 14px 1px 0; text-align: left; }
.podwalk-interview .pw-beside { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center; }
.podwalk-interview .pw-radar { flex: 1 1 320px; max-width: 500px; }
.podwalk-interview .pw-measure { background: var(--jp-layout-color3); width: 130px; height: 10px; border-radius: 5px; }
.podwalk-interview .pw-measure i { display: block; height: 10px; border-radius: 5px; background: var(--pw-mark); }
.podwalk-interview pre { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 420px; overflow-y: auto; }
.podwalk-interview .pw-log code { margin-left: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.podwalk-interview .pw-own { border-left: 4px solid var(--jp-border-color2); padding-left: 10px; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.podwalk-interview .jupyter-widget-Collapse-header { color: var(--jp-ui-font-color1); white-space: normal;
  height: auto; line-height: 1.4;
  overflow-wrap: anywhere; }
.podwalk-interview button.jupyter-button.mod-success { background: #2e7d32; color: #fff; }
.podwalk-interview .widget-toggle-buttons { width: auto; height: auto; }
.podwalk-interview .widget-toggle-button { width: auto; min-width: 70px; padding: 0 12px; }
.podwalk-interview .pw-do { flex-flow: row wrap; align-items: center; }
.podwalk-interview .pw-do > .widget-text, .podwalk-interview .pw-do > .widget-textarea { flex: 1 1 300px; width: auto; }
</style>"""
)


def welcome(track: Track) -> str:
    """What a track asks of one."""
    parts = "".join(f"<li>{_text(p.title)}, {p.minutes} minutes</li>" for p in track.parts)
    rules = (
        "Nothing is told before the end. Every answer is kept at once: closed, interrupted or left alone, it goes on "
        "where it was, and its clock with it."
    )
    return f"<p><b>{_text(track.title)}</b>: {track.minutes} minutes</p><ul>{parts}</ul><p class=pw-dim>{rules}</p>"


def unfinished(kept: State, title: str) -> str:
    """The interview that can be resumed, in a few words."""
    answered = sum(not g.skipped for g in kept.given)
    return f"<p>Interrupted: <b>{_text(title)}</b>, begun {_text(kept.began)}, {answered} answered.</p>"


def parts(track: Track, now: int) -> str:
    """All parts, and which of them it is."""
    names = [
        f"<b>▸ {_text(p.title)}</b>" if i == now else f"<span>{'✔ ' if i < now else ''}{_text(p.title)}</span>"
        for i, p in enumerate(track.parts)
    ]
    return f"<div class=pw-parts>{''.join(names)}</div>"


def clock(left: float, patience: float = PATIENCE) -> str:
    """The time that is left of a part, counting down for as long as the kernel's clock would."""
    seconds = max(0, round(left))
    to = max(0, seconds - round(patience))
    words = f"{-(-seconds // 60)} minutes left of this part" if seconds else "the time of this part is up"
    steps = max(1, seconds - to)
    style = f"--pw-from:{seconds};--pw-to:{to};animation-duration:{steps}s;animation-timing-function:steps({steps})"
    return f'<span class="pw-clock" role="timer" title="{words}" aria-label="{words}" style="{style}"></span>'


def task(asked: Asked, step: int, count: int) -> str:
    """A question."""
    return drill_html.asking(asked, f"{step + 1} of {count}")


def hints(given: Sequence[str]) -> str:
    """The hints so far."""
    return f"<ul>{''.join(f'<li>{_text(h)}</li>' for h in given)}</ul>" if given else ""


def before_live(part: Part, cluster: str) -> str:
    """What the live part is."""
    what = "Two things" if part.stacked else "Something"
    return (
        f"<p>{what} will be broken in your cluster <b>{_text(cluster)}</b>, and you get a ticket. Say what you "
        "suppose, look, repair it, and say what it was. You may work in a terminal as well; what you run here counts "
        "as evidence by itself. At the end, whatever happens, it is taken back.</p>"
    )


def ticket(text: str, minutes: int, faults: int) -> str:
    """What people see."""
    many = f", {faults} faults" if faults > 1 else ""
    return f"<div class=pw-own>{_text(text)}</div><div class=pw-dim>{minutes} minutes{many}</div>"


def log(entries: Sequence[Entry]) -> str:
    """What was done so far, the newest first and in full."""
    rows = []
    for number, entry in enumerate(reversed(entries)):
        sign = {"command": "$", "hypothesis": "?", "hint": "hint:"}.get(entry.kind, "seen:")
        output = entry.output if entry.kind == "command" else ""
        most = _OLDER if number else _NEWEST
        more = "\n…" if len(output) > most else ""
        shown = f"<pre>{_text(output[:most])}{more}</pre>" if output else ""
        what = f"{entry.seconds:.0f} s <code>{sign} {_text(entry.text)}</code>"
        rows.append(f"<details{'' if number else ' open'}><summary>{what}</summary>{shown}</details>")
    return f"<div class=pw-log>{''.join(rows)}</div>"


def report(found: InterviewReport) -> str:
    """How it went, and what to do next."""
    return f"<p><b>{_text(found.title)}</b> <span class=pw-dim>{_text(found.id)}</span></p>{render.summary(found)}"


def below(found: InterviewReport) -> str:
    """The live part, and what to keep in mind."""
    return f"{render.live(found)}{render.notes(found)}"


def downloads(found: InterviewReport) -> str:
    """The report to take along, in three forms; the same as a command."""
    kinds = (
        ("Markdown", "md", "text/markdown", render.markdown),
        ("HTML", "html", "text/html", render.html),
        ("JSON", "json", "application/json", render.as_json),
    )
    links = " · ".join(
        f'<a download="interview-{_text(found.id)}.{end}" href="data:{kind};charset=utf-8;base64,'
        f'{base64.b64encode(written(found).encode()).decode()}">{name}</a>'
        for name, end, kind, written in kinds
    )
    command = f"podwalk interview report {_text(found.id)} --format html"
    return f"<div>Take it along: {links} <span class=pw-dim>or <code>{command}</code></span></div>"


def own_words(text: str) -> str:
    """What the learner wrote."""
    return f"<div class=pw-own>{_text(text)}</div>" if text.strip() else ""


def good(text: str) -> str:
    """A model answer."""
    return f"<p class=pw-dim>A good answer</p><p>{_text(text)}</p>"


def _text(text: str) -> str:
    return escape(harmless(text))
