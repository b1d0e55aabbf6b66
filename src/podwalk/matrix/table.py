"""A matrix in a terminal: one row a source, one column a destination, one mark a port."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from podwalk.matrix.model import Cell, Matrix

# Told apart without colour too.
_MARKS = {"allowed": "✔", "refused": "○", "dropped": "✘", "could not tell": "?"}
_STYLES = {"allowed": "green", "refused": "cyan", "dropped": "red", "could not tell": "yellow"}
LEGEND = "✔ allowed   ○ delivered, nobody listens   ✘ dropped   ? could not tell   ! packets and policies disagree"


def mark(cell: Cell) -> str:
    """The sign of a cell; an exclamation mark where packets and policies contradict each other."""
    return _MARKS[cell.outcome] + ("!" if cell.disagrees else "")


def common_namespace(names: Sequence[str]) -> str:
    """The namespace (with its slash) that all names share, so that it need not be repeated; else nothing."""
    spaces = {n.partition("/")[0] for n in names if "/" in n}
    return f"{spaces.pop()}/" if len(spaces) == 1 else ""


def render(matrix: Matrix, console: Console) -> None:
    """Print the table, the legend and every disagreement with its reason."""
    prefix = common_namespace([*matrix.sources, *matrix.targets])
    table = Table(title_justify="left", pad_edge=False)
    table.add_column("from \\ to", no_wrap=True)
    for target in matrix.targets:
        table.add_column(_heading(matrix, target, prefix), no_wrap=True)
    for source in matrix.sources:
        cells = [_joined(matrix.between(source, target), source == target) for target in matrix.targets]
        table.add_row(source.removeprefix(prefix), *cells)
    if console.is_terminal and console.measure(table).minimum <= console.width:
        console.print(table)
    else:
        _plain(matrix, console)
    console.print(LEGEND, style="dim", soft_wrap=True)
    for cell in matrix.disagreements:
        said = "the policies say allowed" if cell.expected else "the policies say denied"
        words = f"! {cell.source} → {cell.target}:{cell.port} is {cell.outcome}, though {said} ({cell.why})"
        console.print(words, style="bold red", soft_wrap=True, highlight=False)
    for note in _notes(matrix):
        console.print(f"? {note}", style="yellow", soft_wrap=True, highlight=False)
    console.print(_summary(matrix), soft_wrap=True, highlight=False)


def _heading(matrix: Matrix, target: str, prefix: str) -> str:
    ports = next((matrix.between(s, target) for s in matrix.sources if matrix.between(s, target)), [])
    return "\n".join([target.removeprefix(prefix), *[f":{c.port}" for c in ports]])


def _joined(cells: Sequence[Cell], self_same: bool) -> Text:
    if self_same:
        return Text("·", style="dim")
    out = Text()
    for index, cell in enumerate(cells):
        style = "bold white on red" if cell.disagrees else _STYLES[cell.outcome]
        out.append(("\n" if index else "") + mark(cell), style=style)
    return out


def _plain(matrix: Matrix, console: Console) -> None:
    """One line a cell: for pipes, and for tables wider than the terminal."""
    widths = [max((len(getattr(c, k)) for c in matrix.cells), default=0) for k in ("source", "target")]
    for c in matrix.cells:
        line = f"{mark(c):<2} {c.source:<{widths[0]}} → {c.target:<{widths[1]}} :{c.port!s:<9} {c.outcome:<15} {c.why}"
        console.print(line.rstrip(), soft_wrap=True, highlight=False, markup=False)


def _notes(matrix: Matrix) -> list[str]:
    unclear = dict.fromkeys(f"{c.source} → {c.target}: {c.note}" for c in matrix.cells if c.outcome == "could not tell")
    shown = list(unclear)[:8]
    more = [f"and {len(unclear) - len(shown)} more"] if len(unclear) > len(shown) else []
    return [*matrix.notes, *shown, *more]


def _summary(matrix: Matrix) -> str:
    count = len(matrix.disagreements)
    agreement = "packets and policies agree" if not count else f"packets and policies disagree {count} times"
    plural = "policy" if matrix.policies == 1 else "policies"
    return f"{len(matrix.cells)} connections, {matrix.policies} {plural}, {matrix.seconds:.2f} s: {agreement}"
