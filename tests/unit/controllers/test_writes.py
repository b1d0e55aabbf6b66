from __future__ import annotations

import pytest
from controllers_fake import FakeClient
from objects import pod, service

from podwalk.api.meta import Object
from podwalk.client.informer import Informer
from podwalk.controllers import writes
from podwalk.controllers.trigger_time import TriggerTimes


def at(version: int, deleting: bool = False) -> Object:
    one = pod("p")
    one["metadata"]["resourceVersion"] = str(version)
    if deleting:
        one["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return one


@pytest.fixture
def informer() -> Informer:
    return Informer(FakeClient(), "Pod")


def test_a_create_is_settled_when_the_cache_shows_it(informer: Informer) -> None:
    pending = writes.Writes(informer)
    pending.note("owner", at(5))
    assert not pending.settled("owner")
    assert pending.settled("somebody else")
    informer._store("default/p", at(5))
    assert pending.settled("owner")


def test_an_answer_that_comes_after_its_event_is_settled(informer: Informer) -> None:
    pending = writes.Writes(informer)
    informer._store("default/p", at(6))
    pending.note("owner", at(5))
    assert pending.settled("owner")


def test_a_deletion_is_not_settled_by_any_other_change(informer: Informer) -> None:
    pending = writes.Writes(informer)
    informer._store("default/p", at(5))
    pending.note_deleted("owner", "default/p")
    informer._store("default/p", at(6))
    assert not pending.settled("owner")
    informer._store("default/p", at(7, deleting=True))
    assert pending.settled("owner")


def test_a_change_that_is_never_shown_expires(informer: Informer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writes, "EXPIRY_SECONDS", 0.0)
    pending = writes.Writes(informer)
    pending.note("owner", at(5))
    assert pending.settled("owner")


def test_a_deleted_object_settles_what_was_written_to_it(informer: Informer) -> None:
    pending = writes.Writes(informer)
    informer._store("default/p", at(5))
    pending.note("owner", at(6))
    informer._store("default/p", None)
    assert pending.settled("owner")


def test_trigger_times_count_each_change_once() -> None:
    def ready(name: str, since: str) -> Object:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
        return {**pod(name), "status": {"conditions": conditions}}

    times = TriggerTimes()
    assert times.compute(service(), [ready("p1", "2026-01-01T00:00:05Z")]) == "2026-01-01T00:00:00Z"
    assert times.compute(service(), [ready("p1", "2026-01-01T00:00:05Z")]) is None
    both = [ready("p1", "2026-01-01T00:00:09Z"), ready("p2", "2026-01-01T00:00:07Z")]
    assert times.compute(service(), both) == "2026-01-01T00:00:07Z"
