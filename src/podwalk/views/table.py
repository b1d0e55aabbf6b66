"""A small table in a notebook: HTML in JupyterLab's own colours, aligned text everywhere else. All of it is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from podwalk.checks.render import harmless

_STYLE = """<style>
.pw-table { border-collapse: collapse; margin: 4px 2px; color: var(--jp-ui-font-color1); font-size: 0.95em; }
.jp-RenderedHTMLCommon table.pw-table td, .jp-RenderedHTMLCommon table.pw-table th { text-align: left !important;
  padding: 3px 12px 3px 8px; vertical-align: top; max-width: 30em; overflow-wrap: normal; }
.jp-RenderedHTMLCommon table.pw-table td:first-child { overflow-wrap: anywhere; }
.jp-RenderedHTMLCommon table.pw-table th { border-bottom: 1px solid var(--jp-border-color1); }
.pw-table small { color: var(--jp-ui-font-color2); }
.pw-table .pw-bad { color: var(--jp-error-color1); }
.pw-wide { overflow-x: auto; }
</style>"""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one cell says: ``text``, a smaller ``note`` below it, and whether it is bad news."""

    text: str
    note: str = ""
    bad: bool = False

    def plain(self) -> str:
        """Without markup."""
        return f"{self.text} ({self.note})" if self.note else self.text

    def html(self) -> str:
        """Escaped."""
        kind = ' class="pw-bad"' if self.bad else ""
        lines = "<br>".join(f"<small>{escape(harmless(line))}</small>" for line in self.note.splitlines())
        return f"<span{kind}>{escape(harmless(self.text))}</span>{f'<br>{lines}' if lines else ''}"


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Rows under heads. ``title`` says what was asked, ``foot`` what to see in it."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    foot: str = ""

    def __repr__(self) -> str:
        cells = [list(self.heads), *([c.plain().replace("\n", ", ") for c in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.heads))]
        lines = ["  ".join(word.ljust(w) for word, w in zip(row, widths, strict=True)).rstrip() for row in cells]
        return "\n".join([self.title, *lines, *([self.foot] if self.foot else [])])

    def _repr_html_(self) -> str:
        heads = "".join(f"<th>{escape(h)}</th>" for h in self.heads)
        rows = "".join(f"<tr>{''.join(f'<td>{c.html()}</td>' for c in row)}</tr>" for row in self.rows)
        foot = f"<div><small>{escape(harmless(self.foot))}</small></div>" if self.foot else ""
        table = f'<table class="pw-table"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'
        return f'{_STYLE}<div class="pw-wide"><b>{escape(harmless(self.title))}</b>{table}{foot}</div>'
