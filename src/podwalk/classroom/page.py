"""The marks of a class as one HTML file: no script, nothing from the network, readable in light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from podwalk.classroom.grades import Grade, Mark

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; } .wide { overflow-x: auto; }
th, td { border-bottom: 1px solid GrayText; padding: .3rem .7rem; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } .bad { font-weight: bold; }
summary { cursor: pointer; margin-top: .7rem; } ul { margin: .2rem 0; }
"""


def page(grades: Sequence[Grade], made: str) -> str:
    """The whole page: who has what in which lab, then the evidence for each learner. ``made``: the time to show."""
    labs = sorted({mark.lab for one in grades for mark in one.marks})
    head = "".join(f"<th scope=col>{escape(lab)}</th>" for lab in labs)
    rows = "".join(_row(one, labs) for one in grades)
    details = "".join(_details(one) for one in grades if one.marks)
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>podwalk: the class</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{STYLE}</style><h1>The class</h1><p>Made {escape(made)}. Points count where the file is sealed.</p>"
        "<div class=wide><table><thead><tr><th scope=col>learner</th><th scope=col>file</th>"
        f"<th scope=col>points</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
        f"<h2>Evidence</h2>{details}</html>\n"
    )


def _row(one: Grade, labs: Sequence[str]) -> str:
    by_lab = {mark.lab: mark for mark in one.marks}
    cells = "".join(_cell(by_lab.get(lab)) for lab in labs)
    if one.file == "sealed":
        state = f"<td>sealed {escape(one.collected)}</td>"
    else:
        state = f"<td class=bad>{escape(one.file)}: {escape(one.why)}</td>"
    name = escape(one.learner.name)
    return f"<tr><th scope=row>{name}</th>{state}<td class=n>{one.points}</td>{cells}</tr>"


def _cell(mark: Mark | None) -> str:
    if mark is None:
        return "<td></td>"
    return f"<td class=n>{'✔ ' if mark.done else ''}{mark.points} of {mark.possible}</td>"


def _details(one: Grade) -> str:
    parts = "".join(_lab(mark) for mark in one.marks)
    return f"<details><summary>{escape(one.learner.name)}: {one.points} points</summary>{parts}</details>"


def _lab(mark: Mark) -> str:
    facts = [f"{mark.checks} checks", f"{mark.hints} hints"]
    facts += [f"passed {mark.passed_at}"] if mark.passed_at else []
    facts += ["solution shown"] if mark.solution_shown else []
    facts += [f"at collection: {mark.recheck}"] if mark.recheck else []
    lines = "".join(f"<li>{escape(line)}</li>" for line in mark.evidence)
    title = f"{escape(mark.lab)}: {mark.points} of {mark.possible}"
    return f"<h3>{title}</h3><p>{escape(', '.join(facts))}</p><ul>{lines}</ul>"
