"""The HTML of the start page: where the learner stands. Titles are escaped; colours are JupyterLab's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from podwalk.course.catalogue import LabSpec
from podwalk.course.path import Chapter, Step
from podwalk.course.progress import Standing

STYLE = """<style>
.podwalk-start { max-width: 900px; padding: 2px 2px 12px; color: var(--jp-ui-font-color1);
  --pw-good: color-mix(in srgb, var(--jp-success-color1) 70%, var(--jp-ui-font-color0)); }
.podwalk-start .widget-html, .podwalk-start .widget-html-content { line-height: 1.45; height: auto; overflow: visible;
  white-space: normal; color: var(--jp-ui-font-color1); }
.podwalk-start .jp-OutputArea-prompt { display: none; }
.podwalk-start .jp-OutputArea-output { padding: 0; overflow: visible; }
.podwalk-start .jp-RenderedHTMLCommon { font-size: var(--jp-widgets-font-size, 13px); padding-right: 0; }
.podwalk-start .jp-RenderedHTMLCommon a:focus-visible, .podwalk-start button:focus-visible {
  outline: 2px solid var(--jp-brand-color1); outline-offset: 1px; }
.podwalk-start .widget-toggle-buttons { flex-flow: row wrap; }
.podwalk-start .widget-toggle-button { width: auto; padding: 0 14px; }
.pw-next-step { border-left: 4px solid var(--jp-brand-color1); background: var(--jp-layout-color2);
  border-radius: 0 6px 6px 0; padding: 8px 14px; margin: 4px 0 8px; font-size: 1.08em; }
.pw-next-step > b { margin-right: 10px; }
.pw-next-step .pw-dim { color: var(--jp-ui-font-color1); opacity: 0.85; }
.pw-total { display: grid; grid-template-columns: auto 1fr auto; gap: 12px; align-items: center; margin: 4px 0 10px; }
.pw-total .pw-bar, .pw-chapter .pw-bar { margin: 0; }
.pw-bar { height: 6px; border-radius: 3px; background: var(--jp-layout-color3); overflow: hidden; }
.pw-bar div { height: 100%; background: var(--jp-success-color1); }
.pw-heading { font-weight: 600; font-size: 1.15em; margin: 12px 0 4px; }
.pw-chapter { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: center; padding: 5px 4px;
  border-bottom: 1px solid var(--jp-border-color3); }
.pw-chapter .pw-mark { flex: 0 0 1.2em; } .pw-chapter a { flex: 1 1 20em; }
.pw-chapter .pw-far { display: flex; gap: 10px; align-items: center; flex: 0 0 16em;
  margin-left: auto; }
.pw-chapter .pw-bar { flex: 1; } .pw-chapter .pw-dim { flex: 0 0 6.5em; }
.pw-dim { color: var(--jp-ui-font-color2); } .pw-good { color: var(--pw-good); font-weight: 600; }
.pw-row { display: grid; grid-template-columns: 4.5em 6.5em 9.5em; gap: 10px; align-items: center; padding: 0 6px; }
.podwalk-labs > .widget-hbox { flex-flow: row wrap; align-items: center; overflow: visible;
  border-bottom: 1px solid var(--jp-border-color3); }
.podwalk-labs > .widget-hbox > button.jupyter-button { flex: 1 1 20em; width: auto; height: auto; text-align: left;
  white-space: normal; line-height: 1.4; background: none; padding: 4px 6px; color: var(--jp-content-link-color);
  box-shadow: none; }
.podwalk-labs > .widget-hbox > button.jupyter-button:hover { text-decoration: underline; }
.podwalk-labs > .widget-hbox > .widget-html { flex: 0 0 auto; margin: 0 2px; }
</style>"""
_MARKS = {True: ('<span class="pw-good" title="read">✔</span>'), False: '<span class="pw-dim" title="begun">▸</span>'}


def top(step: Step, labs: Sequence[LabSpec], standings: Mapping[str, Standing], due: int | None) -> str:
    """The next step, and how far the learner has come; ``due`` is None for somebody who has answered no drill yet."""
    target = f' <a href="{escape(step.chapter.file)}">Open it</a>' if step.chapter else ""
    if step.lab:
        target = f' <span class="pw-dim">It is below, among the labs of {escape(step.lab.layer)}.</span>'
    points, possible = sum(standings[lab.name].points for lab in labs), sum(lab.possible for lab in labs)
    done = sum(standings[lab.name].done for lab in labs)
    words = f"{done} of {len(labs)} labs"
    return (
        f'{STYLE}<div class="pw-next-step"><b>Next</b>{escape(step.words)}{target}<div>{_drills(due)}</div></div>'
        f'<div class="pw-total"><span>{words}</span>{bar(points, possible)}'
        f'<span class="pw-dim">{points} of {possible} points</span></div>'
    )


def chapters(
    course: Sequence[Chapter], labs: Sequence[LabSpec], seen: Mapping[str, bool], standings: Mapping[str, Standing]
) -> str:
    """The chapters as links, each with the labs that it leads into."""
    rows = []
    for chapter in course:
        own = [lab for lab in labs if chapter.teaches(lab.layer)]
        done = sum(standings[lab.name].done for lab in own)
        mark = f'<span class="pw-mark">{_MARKS[seen[chapter.stem]] if chapter.stem in seen else ""}</span>'
        count = f'{bar(done, len(own))}<span class="pw-dim">{done} of {len(own)} labs</span>' if own else ""
        far = f'<span class="pw-far">{count}</span>'
        link = f'<a href="{escape(chapter.file)}">{escape(chapter.title)}</a>'
        rows.append(f'<div class="pw-chapter">{mark}{link}{far}</div>')
    return f'<div class="pw-heading">Chapters</div>{"".join(rows)}'


def lab(spec: LabSpec, standing: Standing, runs: bool) -> str:
    """What stands beside the name of a lab."""
    low, high = spec.minutes
    if standing.done:
        state = f'<span class="pw-good">✔ {standing.points} of {spec.possible}</span>'
    elif runs:
        state = "▸ runs now"
    elif standing.shown:
        state = '<span class="pw-dim">solution shown</span>'
    else:
        state = '<span class="pw-dim">begun</span>' if standing.checks else ""
    size = f"<span>{escape(spec.difficulty)}</span><span>{low} to {high} min</span>"
    return f'<div class="pw-row">{size}<span>{state}</span></div>'


def bar(part: int, whole: int) -> str:
    """How much of something is done."""
    share = round(100 * part / whole) if whole else 0
    return f'<div class="pw-bar" title="{part} of {whole}"><div style="width:{share}%"></div></div>'


def _drills(due: int | None) -> str:
    if due is None:
        return "Questions, asked until you know the answers: <code>podwalk drill</code>"
    if not due:
        return '<span class="pw-dim">No drill is due.</span>'
    return f"{due} {'drill is' if due == 1 else 'drills are'} due: <code>podwalk drill</code>"
