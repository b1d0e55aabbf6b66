"""environment.yml says what pyproject.toml says, in conda's words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
# Where conda-forge has another name; all others are the same in lower case.
CONDA_NAMES = {"matplotlib": "matplotlib-base"}
NOT_ON_CONDA_FORGE = {"fsrs", "pytest-kind-ng"}


def split(requirement: str) -> tuple[str, str]:
    """Return name and version bound of a requirement."""
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)\s*(.*)", requirement)
    assert found, requirement
    return found[1].lower(), found[2].replace(" ", "")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


@pytest.fixture(scope="module")
def environment() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "environment.yml").read_text()))


@pytest.fixture(scope="module")
def wanted(project: dict[str, Any]) -> dict[str, str]:
    """What running podwalk, its notebooks and its kind backend needs, by PyPI's name."""
    extras = project["optional-dependencies"]
    return dict(split(each) for each in [*project["dependencies"], *extras["notebook"], *extras["kind"]])


def test_conda_brings_what_pyproject_names(environment: dict[str, Any], wanted: dict[str, str]) -> None:
    listed = dict(split(each) for each in environment["dependencies"] if isinstance(each, str))
    del listed["python"], listed["pip"]
    in_conda = {name: bound for name, bound in wanted.items() if name not in NOT_ON_CONDA_FORGE}
    assert listed == {CONDA_NAMES.get(name, name): bound for name, bound in in_conda.items()}


def test_pip_brings_the_rest_and_podwalk_itself(environment: dict[str, Any], wanted: dict[str, str]) -> None:
    (section,) = (each["pip"] for each in environment["dependencies"] if isinstance(each, dict))
    assert "-e ." in section
    listed = dict(split(each) for each in section if not each.startswith("-"))
    assert listed == {name: wanted[name] for name in NOT_ON_CONDA_FORGE}


def test_the_python_is_the_same(environment: dict[str, Any], project: dict[str, Any]) -> None:
    assert f"python{project['requires-python']}" in environment["dependencies"]


def test_only_conda_forge_is_asked(environment: dict[str, Any]) -> None:
    assert environment["channels"] == ["conda-forge", "nodefaults"]
