"""The HTML of the question panel. Whatever a file or a learner wrote is escaped; colours are JupyterLab's own."""

from __future__ import annotations

from datetime import datetime, timedelta
from html import escape

from podwalk.checks.render import harmless
from podwalk.drills import schedule
from podwalk.drills.asking import Asked
from podwalk.drills.grading import Outcome, Remark
from podwalk.drills.session import Graded, Session

STYLE = """<style>
.podwalk-drill { border: 1px solid var(--jp-border-color2); border-radius: 6px; padding: 10px 16px 12px;
  margin: 6px 2px; background: var(--jp-layout-color1); color: var(--jp-ui-font-color1); max-width: 900px; }
.podwalk-drill .widget-html, .podwalk-drill .widget-html-content, .podwalk-drill .widget-label {
  line-height: 1.45; height: auto; overflow: visible; white-space: normal; color: var(--jp-ui-font-color1); }
.podwalk-drill .widget-radio, .podwalk-drill .widget-radio-box { width: auto; max-width: 100%; height: auto; }
.podwalk-drill .widget-radio-box label, .podwalk-drill .widget-checkbox label { white-space: normal; height: auto;
  line-height: 1.4; padding: 3px 0; color: var(--jp-ui-font-color1); width: auto; }
.podwalk-drill .widget-radio-box label, .podwalk-drill .widget-checkbox label { display: flex; gap: 7px;
  align-items: flex-start; }
.podwalk-drill .widget-radio-box label { flex-direction: row-reverse; justify-content: flex-end; }
.podwalk-drill .widget-radio-box input, .podwalk-drill .widget-checkbox input { flex: none; float: none;
  width: 14px; height: 14px; margin: 3px 0 0; }
.podwalk-drill .widget-checkbox { width: auto; height: auto; }
.podwalk-drill button.jupyter-button { width: auto; min-width: 84px; padding: 0 12px; }
.podwalk-drill button.pw-move { min-width: 30px; width: 30px; padding: 0; flex: none; }
.podwalk-drill pre { background: var(--jp-layout-color2); color: var(--jp-ui-font-color1); padding: 8px 10px;
  border-radius: 4px; overflow-x: auto; font-family: var(--jp-code-font-family); font-size: 0.9em; line-height: 1.4; }
.podwalk-drill .pw-dim { color: var(--jp-ui-font-color2); } .podwalk-drill .pw-gut { color: var(--jp-ui-font-color3);
  user-select: none; } .podwalk-drill .pw-top { display: flex; justify-content: space-between; gap: 12px; }
.podwalk-drill .pw-good { color: var(--jp-success-color1); font-weight: 600; }
.podwalk-drill .pw-bad { color: var(--jp-error-color1); font-weight: 600; }
.podwalk-drill .pw-said { border-left: 4px solid var(--jp-border-color2); padding: 2px 0 2px 10px; margin: 4px 0; }
.podwalk-drill .pw-right { border-color: var(--jp-success-color1); }
.podwalk-drill .pw-wrong { border-color: var(--jp-error-color1); }
.podwalk-drill .pw-missed { border-color: var(--jp-warn-color1); }
.podwalk-drill a { color: var(--jp-content-link-color); overflow-wrap: anywhere; }
</style>"""
_WORDS = {"right": "✔", "wrong": "✘", "missed": "not said", "note": ""}


def question(asked: Asked, session: Session) -> str:
    """What is asked, with what belongs to it."""
    where = "once more" if session.repeating else f"{session.position} of {len(session.plan)}"
    return asking(asked, where)


def asking(asked: Asked, where: str) -> str:
    """A question without its answer; ``where``: how far one has come."""
    q = asked.question
    about = f"{_text(q.layer)} · {_text(q.level)} · {_text(q.id)}"
    parts = [f'<div class="pw-top pw-dim"><span>{about}</span><span>{where}</span></div>']
    parts.append(f"<p><b>{_lines(asked.wording)}</b></p>")
    if q.constraints:
        parts.append(f"<ul>{''.join(f'<li>{_lines(asked.fill(c))}</li>' for c in q.constraints)}</ul>")
    if q.artifact is not None:
        parts.append(f"<pre>$ {_text(q.artifact.command)}\n{_text(q.artifact.text)}</pre>")
    if q.spot is not None:
        rows = enumerate(q.spot.text.split("\n"), 1)
        parts.append("<pre>" + "\n".join(f'<span class="pw-gut">{n:>3}</span>  {_text(s)}' for n, s in rows) + "</pre>")
    return "".join(parts)


def feedback(graded: Graded, now: datetime) -> str:
    """What the answer was worth, why, and when the question comes again."""
    again = "once more in this sitting" if graded.again else when(graded.due - now)
    rating = f'<div class="pw-dim">{schedule.NAMES[graded.rating]}; again {again}</div>'
    return f"{judged(graded.asked, graded.outcome)}{rating}"


def judged(asked: Asked, outcome: Outcome, *, points: bool = True) -> str:
    """What an answer was worth, and why; ``points``: those of the rubric as well."""
    q = asked.question
    kind, mark = ("pw-good", "✔") if outcome.right else ("pw-bad", "✘")
    share = round(100 * outcome.score)
    if q.written:
        verdict = f'<span class="{kind}">{mark} {share} % of the points</span>'
        parts = [f"<div>{verdict}</div>", _remarks(outcome.remarks) if points else ""]
        parts.append(f'<p class="pw-dim">A good answer</p><p>{_lines(outcome.expected)}</p>')
    else:
        partly = f" ({share} % of it)" if 0 < outcome.score < 1 else ""
        word = "right" if outcome.right else "wrong"
        verdict = f'<span class="{kind}">{mark} {word}{partly}</span>'
        parts = [f"<div>{verdict}: {_lines(outcome.expected)}</div>", _remarks(outcome.remarks)]
        if q.spot is not None and not outcome.right:
            parts.append(f"<pre>{_text(q.spot.repair)}</pre>")
    parts.append(reasons(asked))
    return "".join(parts)


def reasons(asked: Asked) -> str:
    """Why it is so, where it is written, and where it is practised."""
    q = asked.question
    links = " · ".join(f'<a href="{_text(a)}" target="_blank" rel="noopener">{_text(_short(a))}</a>' for a in q.refs)
    practice = "".join(
        f" · practise it: <code>podwalk lab start {_text(lab.rpartition('/')[2])}</code>" for lab in q.labs[:1]
    )
    below = f'<div class="pw-dim">{links}{practice}</div>' if links or practice else ""
    # Of the interview's own questions the model answer is all that there is to say.
    why = f"<p>{_lines(asked.fill(q.explain))}</p>" if q.explain != q.answer else ""
    return f"{why}{below}"


def closing(session: Session) -> str:
    """How the sitting went."""
    right = sum(g.outcome.right for g in session.graded)
    return f"<p><b>{right} of {len(session.graded)} right.</b> Everything is kept. What you missed comes back soon.</p>"


def said(words: str) -> str:
    """A word to the learner."""
    return f'<span class="pw-dim">{_lines(words)}</span>' if words else ""


def failed(words: str) -> str:
    """What went wrong, with its cure."""
    return f'<span class="pw-bad">podwalk: {_text(words)}</span>'


def item(text: str) -> str:
    """One of the things to be ordered."""
    return f"<div>{_lines(text)}</div>"


def when(left: timedelta) -> str:
    """How long until a card is due."""
    minutes = max(left.total_seconds() / 60, 1)
    if minutes < 90:
        return f"in {round(minutes)} min"
    return f"in {round(minutes / 60)} h" if minutes < 36 * 60 else f"in {round(minutes / 1440)} days"


def _remarks(remarks: tuple[Remark, ...]) -> str:
    out = []
    for remark in remarks:
        mark = f"{_WORDS[remark.kind]} " if _WORDS[remark.kind] else ""
        why = f'<div class="pw-dim">{_lines(remark.why)}</div>' if remark.why else ""
        out.append(f'<div class="pw-said pw-{remark.kind}">{mark}{_lines(remark.text)}{why}</div>')
    return "".join(out)


def _short(address: str) -> str:
    parts = [p for p in address.removeprefix("https://").split("/") if p]
    return f"{parts[0]} … {parts[-1]}" if len(parts) > 2 else "/".join(parts)


def _lines(text: str) -> str:
    return _text(text).replace("\n", "<br>")


def _text(text: str) -> str:
    return escape(harmless(text))
