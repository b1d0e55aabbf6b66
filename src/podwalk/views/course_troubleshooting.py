"""What the chapters on troubleshooting and the interview do with the cluster, one line a cell."""

from __future__ import annotations

from podwalk.backends.base import Cluster
from podwalk.faults import catalogue, engine
from podwalk.faults.cheatsheet import entries
from podwalk.views.callers import run_at
from podwalk.views.method_tree import method_tree
from podwalk.views.rule_tree import RuleTree
from podwalk.views.table import Cell, Table


class TroubleshootingCourse:
    """A mix-in of `OpenCourse`. Methods raise BackendError."""

    cluster: Cluster

    def break_it(self, fault: str) -> str:
        """Inject a fault of the catalogue into the tramway, and return the ticket: what people see, never why."""
        found = catalogue.find(fault)
        engine.inject(self.cluster, [found])
        return found.lesson.ticket

    def mend_it(self, keep: bool = True) -> str:
        """Take back what is injected and prove that everything is well again; without ``keep`` the tramway goes too."""
        done = engine.undo(self.cluster, keep=keep)
        what = ", ".join(r.fault for r in done.records) or "nothing"
        return f"{what} taken back; " + ("everything is well" if done.clean else engine.in_words(done.ill))

    def explain_fault(self, fault: str) -> str:
        """What it was, and what repairs it."""
        lesson = catalogue.find(fault).lesson
        return f"{lesson.cause}\nseen by: {lesson.evidence}\nrepaired by: {lesson.fix}"

    def method(self, fault: str = "") -> RuleTree:
        """The tree of questions, or the way to one fault."""
        return method_tree(fault)

    def from_two_nodes(self, places: list[str], url: str) -> Table:
        """The same call from several places: the cheapest way to tell the caller's side from the server's."""
        rows = []
        for place in places:
            done = run_at(self.cluster, place, f"curl -s -o /dev/null -m 2 -w '%{{http_code}} %{{time_total}}' {url}")
            code, _, took = done.stdout.partition(" ")
            good = code.startswith("2")
            rows.append([Cell(place), Cell(f"HTTP {code}" if code != "000" else "no answer", bad=not good), Cell(took)])
        return Table(url, ["from", "ended with", "seconds"], rows)

    def cheat_sheet(self, layer: str = "") -> Table:
        """The commands of a layer (all of them without one); each of them is run by a test."""
        rows = [[Cell(e.layer), Cell(e.question), Cell(e.command)] for e in entries() if layer in ("", e.layer)]
        return Table("Commands", ["layer", "you want to know", "you type"], rows)
