from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from controllers_fake import FakeClient
from test_job import job

from podwalk.api import cron, meta
from podwalk.api.meta import Object
from podwalk.controllers import cronjob_plan
from podwalk.controllers.cronjob import CronJobController


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * *", "2026-01-01 00:00:30", "2026-01-01 00:01"),
        ("*/15 * * * *", "2026-01-01 00:46", "2026-01-01 01:00"),
        ("0 22 * * 1-5", "2026-01-02 22:00", "2026-01-05 22:00"),
        ("5 4 * * sun", "2026-01-01 00:00", "2026-01-04 04:05"),
        ("0 0 29 2 *", "2026-01-01 00:00", "2028-02-29 00:00"),
        # Two restrictions on the day mean either of them.
        ("0 0 13 * fri", "2026-01-03 00:00", "2026-01-09 00:00"),
        ("0 0 13 * fri", "2026-01-09 00:00", "2026-01-13 00:00"),
        ("@monthly", "2026-12-15 00:00", "2027-01-01 00:00"),
        ("10/20 8,9 * JAN *", "2026-01-01 08:31", "2026-01-01 08:50"),
        ("@every 1h30m", "2026-01-01 00:00", "2026-01-01 01:30"),
    ],
)
def test_the_next_time(text: str, after: str, expected: str) -> None:
    assert cron.parse(text).next(at(after)) == at(expected)


def test_a_day_that_never_comes() -> None:
    assert cron.parse("0 0 30 2 *").next(at("2026-01-01 00:00")) is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@nightly", "unrecognized descriptor: @nightly"),
        ("", "empty spec string"),
    ],
)
def test_what_is_no_schedule(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(error)}$"):
        cron.parse(text)


def cronjob(**spec: Any) -> Object:
    spec = {
        "schedule": "*/5 * * * *",
        "concurrencyPolicy": "Allow",
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 1,
        "jobTemplate": {"spec": job()["spec"]},
        **spec,
    }
    metadata = {"name": "tick", "namespace": "default", "creationTimestamp": "2026-01-01T00:01:00Z"}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("now", "last", "expected", "many"),
    [
        ("2026-01-01 00:04", None, None, False),
        ("2026-01-01 00:05", None, "2026-01-01 00:05", False),
        ("2026-01-01 00:23", None, "2026-01-01 00:20", False),
        ("2026-01-01 00:23", "2026-01-01T00:20:00Z", None, False),
        ("2026-01-11 00:23", "2026-01-01T00:20:00Z", "2026-01-11 00:20", True),
    ],
)
def test_what_is_due(now: str, last: str | None, expected: str | None, many: bool) -> None:
    one = cronjob()
    if last:
        one["status"] = {"lastScheduleTime": last}
    due = cronjob_plan.due(one, cron.parse(one["spec"]["schedule"]), at(now))
    assert (due.at, due.many) == (at(expected) if expected else None, many)


def test_the_name_of_a_job_is_the_minute() -> None:
    made = cronjob_plan.job_for(
        {**cronjob(), "metadata": {**cronjob()["metadata"], "uid": "u"}}, at("2026-01-01 00:05")
    )
    assert made["metadata"]["name"] == "tick-29453765"
    assert made["metadata"]["annotations"] == {
        "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T00:05:00Z"
    }


async def _step(fake: FakeClient, monkeypatch: pytest.MonkeyPatch, now: str, one: Object) -> None:
    monkeypatch.setattr(CronJobController, "now", lambda self: at(now))
    fake.objects["CronJob", "default/tick"]["metadata"]["creationTimestamp"] = "2026-01-01T00:01:00Z"
    annotations = {"metadata": {"annotations": {"test": now}}}
    await fake.patch("CronJob", "tick", annotations, "default")


def _cronjob(fake: FakeClient) -> Object:
    found = fake.find("CronJob", "default/tick")
    assert found is not None
    return found


async def test_a_job_at_every_time_and_forbid_waits(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CronJobController, "now", lambda self: at("2026-01-01 00:02"))
    await fake.create(cronjob(concurrencyPolicy="Forbid"))
    await _step(fake, monkeypatch, "2026-01-01 00:05:01", cronjob())
    await fake.until(lambda: [meta.name(j) for j in fake.all("Job")] == ["tick-29453765"])
    await fake.until(lambda: _cronjob(fake).get("status", {}).get("lastScheduleTime") == "2026-01-01T00:05:00Z")
    await _step(fake, monkeypatch, "2026-01-01 00:10:01", cronjob())
    await fake.until(lambda: [e for e in fake.all("Event") if e["reason"] == "JobAlreadyActive"])
    assert len(fake.all("Job")) == 1
    done = {"conditions": [{"type": "Complete", "status": "True"}], "completionTime": "2026-01-01T00:11:00Z"}
    await fake.patch("Job", "tick-29453765", {"status": done}, "default", subresource="status")
    await fake.until(lambda: _cronjob(fake)["status"].get("lastSuccessfulTime") == "2026-01-01T00:11:00Z")
    await fake.until(lambda: [e for e in fake.all("Event") if e["reason"] == "SawCompletedJob"])
    # 00:10 is made up for, and only the newest finished Job is kept.
    await fake.until(lambda: "tick-29453770" in [meta.name(j) for j in fake.all("Job")])
    await fake.patch("Job", "tick-29453770", {"status": done}, "default", subresource="status")
    await fake.until(lambda: [meta.name(j) for j in fake.all("Job")] == ["tick-29453770"])


async def test_replace_ends_the_one_that_runs(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CronJobController, "now", lambda self: at("2026-01-01 00:02"))
    await fake.create(cronjob(concurrencyPolicy="Replace"))
    await _step(fake, monkeypatch, "2026-01-01 00:05:01", cronjob())
    await fake.until(lambda: _cronjob(fake).get("status", {}).get("active"))
    await _step(fake, monkeypatch, "2026-01-01 00:10:01", cronjob())
    await fake.until(lambda: [meta.name(j) for j in fake.all("Job")] == ["tick-29453770"])
    await fake.until(lambda: [r["name"] for r in _cronjob(fake)["status"].get("active", ())] == ["tick-29453770"])


async def test_a_start_that_comes_too_late_is_left_out(fake: FakeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CronJobController, "now", lambda self: at("2026-01-01 00:02"))
    await fake.create(cronjob(schedule="bad"))
    await fake.until(lambda: [e for e in fake.all("Event") if e["reason"] == "UnparseableSchedule"])
    await fake.patch("CronJob", "tick", {"spec": {"schedule": "5 * * * *", "startingDeadlineSeconds": 30}}, "default")
    await _step(fake, monkeypatch, "2026-01-01 00:05:40", cronjob())
    await fake.quiet()
    assert fake.all("Job") == []
