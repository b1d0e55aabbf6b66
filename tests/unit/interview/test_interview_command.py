"""``podwalk interview`` as it is typed, by somebody at the other end of a pipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from podwalk.cli.main import cli


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("PODWALK_HOME", str(tmp_path))
    return CliRunner()


def test_a_track_is_begun_interrupted_resumed_and_reported(runner: CliRunner) -> None:
    begun = runner.invoke(cli, ["interview", "junior", "--seed", "4", "--no-live"], input="?\n?\n")
    assert "Kept. Go on with: podwalk interview resume" in begun.output
    resumed = runner.invoke(cli, ["interview", "resume", "--no-live"], input="?\n" * 40)
    assert "Left out: it was not wanted." in resumed.output
    assert "Not yet, by our bar" in resumed.output
    told = runner.invoke(cli, ["interview", "report", "--format", "json"])
    assert told.exit_code == 1
    assert json.loads(told.output)["track"] == "junior"
    assert "junior" in runner.invoke(cli, ["interview", "list"]).output


def test_nothing_to_report_is_a_clear_line(runner: CliRunner) -> None:
    told = runner.invoke(cli, ["interview", "report"])
    assert told.exit_code
    assert "there is no interview yet; begin one: podwalk interview junior" in told.output + str(told.exception)
