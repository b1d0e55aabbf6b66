"""The HTML of a lab panel. Everything that a Pod, the API or a file said is escaped; colours are JupyterLab's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from podwalk.checks.render import harmless
from podwalk.checks.report import Report, StepResult, Verdict
from podwalk.course.catalogue import Hint, LabSpec
from podwalk.course.progress import Standing

_KINDS = {
    Verdict.PASS: ("✔", "pass"),
    Verdict.NOT_YET: ("✘", "not-yet"),
    Verdict.COULD_NOT_TELL: ("?", "unknown"),
    Verdict.NOT_TRIED: ("·", "not-tried"),
}

_STYLE = """<style>
.podwalk-lab { border: 1px solid var(--jp-border-color2); border-radius: 6px; padding: 10px 16px 12px; margin: 6px 2px;
  background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); max-width: 900px;
  --pw-good: color-mix(in srgb, var(--jp-success-color1) 70%, var(--jp-ui-font-color0));
  --pw-bad: color-mix(in srgb, var(--jp-error-color1) 75%, var(--jp-ui-font-color0)); }
.podwalk-lab .widget-html, .podwalk-lab .widget-html-content { line-height: 1.45; height: auto; overflow: visible;
  white-space: normal; color: var(--jp-ui-font-color1); }
.podwalk-lab .jp-OutputArea-prompt { display: none; }
.podwalk-lab .jp-RenderedMarkdown h1 { display: none; }
.podwalk-lab button.jupyter-button { width: auto; min-width: 92px; padding: 0 14px; }
.podwalk-lab button.jupyter-button.mod-success { background: #2e7d32; color: #fff; }
.pw-head { display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; }
.pw-head b { font-size: 1.25em; }
.pw-dim { color: var(--jp-ui-font-color2); }
.pw-bar { height: 6px; border-radius: 3px; background: var(--jp-layout-color3); margin: 6px 0 2px; overflow: hidden; }
.pw-bar div { height: 100%; background: var(--jp-success-color1); }
.pw-spin { display: inline-block; width: 10px; height: 10px; margin-right: 8px; border-radius: 50%;
  border: 2px solid var(--jp-border-color1); border-top-color: var(--jp-brand-color1);
  animation: pw-turn 0.9s linear infinite; }
@keyframes pw-turn { to { transform: rotate(360deg); } }
.pw-step { border-left: 4px solid var(--jp-border-color2); padding: 3px 0 3px 10px; margin: 4px 0; }
.pw-step > div:first-child { display: flex; gap: 8px; }
.pw-step .pw-title { flex: 1; } .pw-mark { width: 1em; text-align: center; }
.pw-pass { border-color: var(--jp-success-color1); } .pw-pass .pw-mark { color: var(--pw-good); }
.pw-not-yet { border-color: var(--jp-error-color1); } .pw-not-yet .pw-mark { color: var(--pw-bad); }
.pw-unknown { border-color: var(--jp-warn-color1); } .pw-unknown .pw-mark { color: var(--jp-warn-color1); }
.pw-not-tried .pw-title { color: var(--jp-ui-font-color2); }
.pw-facts { display: grid; grid-template-columns: 5.5em 1fr; gap: 1px 8px; margin: 2px 0 2px 20px; }
.pw-facts code, .pw-hint code { font-family: var(--jp-code-font-family); font-size: 0.93em; white-space: pre-wrap;
  overflow-wrap: anywhere; background: var(--jp-layout-color2); color: inherit; padding: 0 4px; border-radius: 3px; }
.pw-facts > span { overflow-wrap: anywhere; }
.pw-next { margin-top: 8px; font-style: italic; } .pw-good { color: var(--pw-good); font-weight: 600; }
.pw-bad { color: var(--pw-bad); overflow-wrap: anywhere; }
.pw-hint { margin: 4px 0 4px 4px; }
</style>"""


def head(lab: LabSpec, standing: Standing) -> str:
    """Title, how long it takes, and the points there are and were reached."""
    low, high = lab.minutes
    share = round(100 * standing.points / lab.possible)
    reached = f"{standing.points} of {lab.possible} points"
    done = ' <span class="pw-good">done</span>' if standing.done else ""
    about = f"{_text(lab.difficulty)} · {low} to {high} minutes · {reached}{done}"
    title = f'<div class="pw-head"><b>{_text(lab.title)}</b><span class="pw-dim">{about}</span></div>'
    return f'{_STYLE}{title}<div class="pw-bar" title="{reached}"><div style="width:{share}%"></div></div>'


def busy(doing: str) -> str:
    """The sign that work is going on."""
    return f'<span role="status"><span class="pw-spin"></span>{_text(doing)} …</span>'


def said(words: str) -> str:
    """A word about how it went."""
    return f'<span class="pw-dim" role="status">{_text(words)}</span>' if words else ""


def failed(words: str) -> str:
    """What went wrong, with its cure."""
    return f'<span class="pw-bad" role="alert">podwalk: {_text(words)}</span>'


def report(found: Report) -> str:
    """The steps of a check, and how to go on."""
    steps = "".join(_step(step) for step in found.steps)
    return f"{_score(found)}{steps}{_closing(found)}"


def hints(all_of_them: Sequence[Hint], taken: int) -> str:
    """The hints that were read so far, and what the next one costs."""
    if not taken:
        return ""
    rows = "".join(f'<li class="pw-hint">{_code(h.text)}</li>' for h in all_of_them[:taken])
    left = all_of_them[taken:]
    more = f"{len(left)} more" if left else "no more"
    if left and left[0].cost:
        more += f"; the next one costs {left[0].cost} points"
    return f'<div><b>Hints</b> <span class="pw-dim">({more})</span><ol style="margin:2px 0">{rows}</ol></div>'


def _score(found: Report) -> str:
    if found.verdict is Verdict.COULD_NOT_TELL:
        return "<b>could not tell</b>"
    kind = "pw-good" if found.passed else ""
    return f'<b class="{kind}">{found.points} of {found.possible} points</b>'


def _step(step: StepResult) -> str:
    mark, kind = _KINDS[step.verdict]
    top = f'<span class="pw-mark">{mark}</span><span class="pw-title">{_text(step.title)}</span>'
    return (
        f'<div class="pw-step pw-{kind}"><div>{top}<span class="pw-dim">{_right(step)}</span></div>{_facts(step)}</div>'
    )


def _right(step: StepResult) -> str:
    if step.kind == "control":
        return _text(step.reason)
    if step.verdict is Verdict.NOT_TRIED:
        return "not tried"
    if step.kind == "guard":
        return "guard: holds back all points" if step.verdict is Verdict.NOT_YET else "guard"
    if step.verdict is Verdict.COULD_NOT_TELL:
        return "could not tell"
    return f"{step.points} of {step.possible}"


def _facts(step: StepResult) -> str:
    found = step.finding
    if found is None:
        rows = [("because", _text(step.reason))] if step.reason and step.kind != "control" else []
    else:
        rows = [("expected", _text(found.expected)), ("observed", _text(found.observed))]
        rows += [("see it", f"<code>{_text(found.see_it)}</code>")] if found.see_it else []
        rows += [("it died", _text(found.died))] if found.died else []
    cells = "".join(f'<span class="pw-dim">{label}</span><span>{value}</span>' for label, value in rows)
    return f'<div class="pw-facts">{cells}</div>' if cells else ""


def _closing(found: Report) -> str:
    if found.passed:
        why = "<code>podwalk lab show --solution</code>"
        return f'<div class="pw-next pw-good">Done. Why it was so, and what else would have been right: {why}</div>'
    if found.verdict is Verdict.COULD_NOT_TELL:
        words = "This says nothing about your work. When the cluster is well again, check once more."
        return f'<div class="pw-next">{words}</div>'
    return f'<div class="pw-next">Next: {_text(found.next)}</div>' if found.next else ""


def _text(words: str) -> str:
    return escape(harmless(words))


def _code(words: str) -> str:
    """Escaped text in which what stands between back quotes is code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(words))
