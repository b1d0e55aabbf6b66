"""Every lab's files are complete and well-formed; needs no cluster."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from podwalk.course import catalogue, schema
from podwalk.course.catalogue import LabSpec

ROOT = Path(__file__).resolve().parents[2]
LABS = catalogue.all_labs(ROOT)

each_lab = pytest.mark.parametrize("lab", LABS, ids=lambda lab: lab.id)


def test_there_are_labs() -> None:
    assert LABS


@each_lab
def test_lab_yaml_satisfies_the_schema(lab: LabSpec) -> None:
    path = lab.folder / "lab.yaml"
    schema.validate(catalogue.documents(path)[0], path)


@each_lab
def test_the_setup_stays_in_the_namespaces_of_the_lab(lab: LabSpec) -> None:
    assert {o["metadata"]["name"] for o in lab.objects() if o["kind"] == "Namespace"} == set(lab.namespaces)


def test_no_two_labs_share_a_namespace_or_an_id() -> None:
    namespaces = [n for lab in LABS for n in lab.namespaces]
    ids = [lab.id for lab in LABS]
    assert len(namespaces) == len(set(namespaces))
    assert len(ids) == len(set(ids))


@each_lab
def test_the_checker_imports_nothing_but_the_checks(lab: LabSpec) -> None:
    tree = ast.parse(lab.checker_path.read_text(encoding="utf-8"))
    imports = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports == ["from podwalk.checks import Lab"]
    assert callable(lab.checker())


@pytest.mark.parametrize("lab", [lab for lab in LABS if "context" in lab.backends], ids=lambda lab: lab.id)
def test_a_lab_for_somebody_elses_cluster_reaches_for_no_node(lab: LabSpec) -> None:
    assert not any((lab.cluster, lab.addons, lab.outside, lab.breaks, lab.cluster_kinds()))
    scripts = [*lab.scripts(), *lab.solution.glob("*/*.sh"), *([lab.teardown] if lab.teardown.is_file() else [])]
    assert not [path for path in scripts if "podwalk " in path.read_text(encoding="utf-8")]
    tree = ast.parse(lab.checker_path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if text == "outside" or text.startswith(("node:", "kube-system"))]
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"walk", "node_ip", "nodes"}


@each_lab
def test_the_ticket_says_when_it_is_done_and_what_to_leave_alone(lab: LabSpec) -> None:
    ticket = lab.ticket()
    assert ticket.startswith(f"# {lab.title}\n")
    for part in ("**Done when**", "**Leave alone**", "**Time**", "**You may want**"):
        assert part in ticket
    low, high = lab.minutes
    assert f"{low} to {high} minutes" in ticket


@each_lab
def test_the_solution_tells_why_on_the_wire_and_names_the_temptations(lab: LabSpec) -> None:
    text = catalogue.read(lab.solution / "README.md")
    for part in ("**Evidence.**", "**Also right.**", "**Not right, though the symptom goes.**", "**In production.**"):
        assert part in text
    assert list((lab.solution / "fix").iterdir())
    assert len(list((lab.solution / "wrong").iterdir())) >= 3


@each_lab
def test_every_answer_says_what_it_is_in_its_first_lines(lab: LabSpec) -> None:
    for path in (lab.solution / "wrong").iterdir():
        first, second, *_ = path.read_text(encoding="utf-8").splitlines()
        assert first.removeprefix("# fails: ") in lab.checker_path.read_text(encoding="utf-8"), path
        assert second.startswith("# "), f"{path}: the second line says why somebody would try this"
    for path in (lab.solution / "also").glob("*"):
        assert path.read_text(encoding="utf-8").startswith("# also right: "), path


@each_lab
def test_nothing_of_the_scaffold_is_left(lab: LabSpec) -> None:
    files = [p for folder in (lab.folder, lab.solution) for p in folder.rglob("*") if p.is_file()]
    assert [p for p in (*files, lab.checker_path) if "TODO" in p.read_text(encoding="utf-8")] == []
