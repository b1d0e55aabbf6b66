"""The files that Envoy reads: handed over by a move, and kept while a listener that is gone still drains."""

from __future__ import annotations

from pathlib import Path

from podwalk.gateway.proxy import Envoy


def test_a_table_of_routes_outlives_its_listener_by_the_drain_time(tmp_path: Path) -> None:
    now = 0.0
    envoy = Envoy(tmp_path, lambda: now)
    assert envoy.apply({"cds": {}, "rds-a": {"name": "a"}, "lds": {}})
    assert not envoy.apply({"cds": {}, "rds-a": {"name": "a"}, "lds": {}})
    assert envoy.apply({"cds": {}, "lds": {}})
    now = 600.0
    envoy.apply({"cds": {}, "lds": {}})
    assert (tmp_path / "rds-a.json").exists()
    now = 601.0
    envoy.apply({"cds": {}, "lds": {}})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cds.json", "lds.json"]


def test_a_table_that_is_wanted_again_stays(tmp_path: Path) -> None:
    now = 0.0
    envoy = Envoy(tmp_path, lambda: now)
    for resources in ({"rds-a": {"name": "a"}}, {}, {"rds-a": {"name": "b"}}):
        envoy.apply(resources)
    now = 1e6
    envoy.apply({"rds-a": {"name": "b"}})
    assert (tmp_path / "rds-a.json").read_text() == '{"name": "b"}'
