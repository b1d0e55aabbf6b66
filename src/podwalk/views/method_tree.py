"""The tree of questions of `podwalk.faults.method`, drawn; with a fault, only the way that leads there."""

from __future__ import annotations

from podwalk.faults.method import Method, Step, method
from podwalk.views.rule_tree import Branch, RuleTree


def method_tree(fault: str = "") -> RuleTree:
    """All of it, or (``fault``: an id of the catalogue) one way through it. Raises KeyError for an unknown fault."""
    tree = method()
    if not fault:
        roots = (_step(tree, tree.start, ""),)
        return RuleTree(
            "Where is the fault?", "", "from the cheapest question on; the command that answers it beside it", roots
        )
    way = tree.way(fault)
    end = next(e for e in tree.ends.values() if fault in e.faults)
    branch = Branch(end.text, "", "leg")
    for number in range(len(way) - 1, -1, -1):
        step, answer = way[number]
        before = way[number - 1][1] if number else ""
        branch = Branch(_head(before, step), step.test, "hook" if not number else "map", below=(_leaf(answer, branch),))
    return RuleTree("The way there", "", "the questions in their order, and the answers", (branch,))


def _leaf(answer: str, branch: Branch) -> Branch:
    """The end carries its own answer; a step carries the one that led to it already."""
    return Branch(f"{answer}: {branch.head}", branch.note, branch.kind) if branch.kind == "leg" else branch


def _head(answer: str, step: Step) -> str:
    return f"{answer}: {step.ask}" if answer else step.ask


def _step(tree: Method, name: str, answer: str) -> Branch:
    step = tree.steps[name]
    below = tuple(
        _step(tree, onward, said)
        if onward in tree.steps
        else Branch(said, tree.ends[onward].text, "end" if onward == "allowed" else "other")
        for said, onward in step.answers.items()
    )
    return Branch(_head(answer, step), step.test, "map" if answer else "hook", below=below)
