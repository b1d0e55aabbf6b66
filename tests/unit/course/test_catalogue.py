"""Finding labs, and what is said about a lab whose files are wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podwalk.course import catalogue, fitting, scaffold, schema
from podwalk.course.catalogue import LabSpec
from podwalk.course.schema import LabError


def edit(root: Path, old: str, new: str, name: str = "labs/services/shut/lab.yaml") -> Path:
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("name", ["shut", "services/shut", "sh", "services/s", "services/shut/"])
def test_a_lab_is_found_by_any_name_that_means_only_it(root: Path, name: str) -> None:
    assert catalogue.find(root, name).name == "services/shut"


def test_an_exact_id_wins_over_the_beginning_of_another(root: Path) -> None:
    scaffold.new_lab(root, "services/shut-too")
    assert catalogue.find(root, "shut").id == "shut"
    with pytest.raises(LabError, match="could be services/shut or services/shut-too"):
        catalogue.find(root, "sh")


def test_an_unknown_lab_says_where_to_look(root: Path) -> None:
    with pytest.raises(LabError, match="there is no lab nothing; see: podwalk lab list"):
        catalogue.find(root, "nothing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("order: 10\n", "", "the file: 'order' is a required property; add it"),
        ("minutes:", "minuets:", "'minuets' was unexpected.*look for the spelling"),
        ("difficulty: easy", "difficulty: trivial", "difficulty: 'trivial' is not one of"),
        ("[embedded]", "[docker]", r"backends\[0\]: 'docker' is not one of"),
        ("[5, 10]", "[10, 5]", "minutes: 10 is more than 5"),
        ("it answers: 5", "it answers: five", "points.it answers: 'five' is not of type 'integer'"),
        ("cost: 2", "cost: 9", "hints: together they cost 9 of 5 points"),
        ("title: The shop is shut", "title: [a", "line 2: .*; mend the YAML"),
    ],
)
def test_a_wrong_lab_yaml_is_named_with_file_field_reason_and_cure(
    root: Path, old: str, new: str, message: str
) -> None:
    path = edit(root, old, new)
    with pytest.raises(LabError, match=message) as raised:
        schema.validate(catalogue.documents(path)[0], path)
    assert str(raised.value).startswith(f"{path}: ")
    assert ";" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_field_that_is_missing_is_noticed_without_asking_for_it(root: Path) -> None:
    edit(root, "order: 10\n", "")
    with pytest.raises(LabError, match="order"):
        catalogue.find(root, "shut")


def test_every_object_gets_the_label_of_the_lab(lab: LabSpec) -> None:
    labels = [o["metadata"]["labels"] for o in lab.objects()]
    assert labels == [{"podwalk.dev/lab": "services.shut"}] * 2


def test_an_object_outside_the_namespaces_of_the_lab_is_refused(root: Path, lab: LabSpec) -> None:
    edit(root, "  namespace: shop", "  namespace: default", "labs/services/shut/setup/10.yaml")
    with pytest.raises(LabError, match="Pod/client: is outside the lab's namespaces"):
        lab.objects()


def test_a_kind_that_the_cluster_does_not_serve_is_refused(root: Path, lab: LabSpec) -> None:
    edit(root, "kind: Pod", "kind: Prod", "labs/services/shut/setup/10.yaml")
    with pytest.raises(LabError, match=r"kind: .*Prod"):
        lab.objects()


def test_a_missing_checker_and_one_without_check_are_told_apart(root: Path, lab: LabSpec) -> None:
    lab.checker_path.write_text("x = 1\n")
    with pytest.raises(LabError, match="check: is no function"):
        lab.checker()
    lab.checker_path.unlink()
    with pytest.raises(LabError, match="the file: is missing"):
        lab.checker()


def test_a_scaffold_is_a_valid_lab_that_is_found(root: Path) -> None:
    files = scaffold.new_lab(root, "services/web-times-out")
    assert root / "checkers/services/web_times_out.py" in files
    made = catalogue.find(root, "web-times-out")
    path = made.folder / "lab.yaml"
    schema.validate(catalogue.documents(path)[0], path)
    assert made.objects()
    assert callable(made.checker())


@pytest.mark.parametrize("name", ["web", "Services/Web", "services/web_out", "services/../x", "services/"])
def test_a_scaffold_wants_a_proper_id(root: Path, name: str) -> None:
    with pytest.raises(LabError, match="is no layer/id"):
        scaffold.new_lab(root, name)


def test_a_scaffold_overwrites_nothing(root: Path) -> None:
    before = (root / "labs/services/shut/lab.yaml").read_text()
    with pytest.raises(LabError, match="exists already"):
        scaffold.new_lab(root, "services/shut")
    assert (root / "labs/services/shut/lab.yaml").read_text() == before


def test_the_course_is_where_the_environment_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODWALK_COURSE", str(root))
    assert catalogue.course_root() == root
    monkeypatch.setenv("PODWALK_COURSE", str(root / "labs" / "services"))
    with pytest.raises(LabError, match="labs: is not there"):
        catalogue.course_root()


def test_a_cluster_for_a_lab_without_a_plugin_is_one_without_a_plugin(lab: LabSpec) -> None:
    own = replace(lab, cluster={"cni": "none", "networkPolicy": False})
    assert fitting.config(own, "x").options() == {**fitting.config(lab, "x").options(), **own.cluster}
    assert not fitting.config(own, "x").default_cni
    assert fitting.config(lab, "x").default_cni
