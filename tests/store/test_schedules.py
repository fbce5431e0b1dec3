"""Schedules are kept, and changed by compare-and-set: every store alike."""

import threading
from typing import Any

import pytest
import redis

from dispatcher.domain.errors import UnreadableSchedule
from dispatcher.domain.ids import JobId
from dispatcher.domain.schedules import Kept, ScheduleState
from dispatcher.domain.schedules.decide import by_hand, enqueued
from dispatcher.domain.schedules.state import begun
from dispatcher.ports.schedules import ScheduleStore
from dispatcher.store.memory import MemorySchedules
from dispatcher.store.redis import RedisSchedules
from tests.domain.test_schedule_form import schedule

T0 = 1_700_000_000.125


@pytest.fixture
def store(backend: redis.Redis | None) -> ScheduleStore:
    return MemorySchedules() if backend is None else RedisSchedules(backend, "test")


def created(store: ScheduleStore, name: str = "nightly", wakes_at: float | None = T0, **fields: Any) -> Kept:
    made = schedule(name=name, **fields)
    kept = store.create(made, begun(made, T0), source="store", wakes_at=wakes_at)
    assert kept is not None
    return kept


def other(state: ScheduleState, **fields: Any) -> ScheduleState:
    return state.model_copy(update=fields)


def test_it_is_read_as_it_was_written(store: ScheduleStore) -> None:
    kept = created(store, jitter="5m", budget="5/day", tz="Europe/Amsterdam")
    assert store.get("nightly") == kept
    assert store.get("other") is None
    there = by_hand(kept, "x", T0)
    state = enqueued(Kept(kept.schedule, there, 1, 1), JobId("job_1"), T0 + 1)
    saved = store.save(kept, state, wakes_at=None)
    assert saved is not None
    assert store.get("nightly") == saved
    assert saved.state == state
    assert (saved.generation, saved.source) == (kept.generation, "store")


def test_there_is_one_of_a_name(store: ScheduleStore) -> None:
    kept = created(store)
    made = schedule(every="1h", cron=None)
    assert store.create(made, begun(made, T0), source="settings", wakes_at=None) is None
    assert store.get("nightly") == kept
    assert store.due(now=T0) == ["nightly"]


def test_of_two_who_read_the_same_one_saves(store: ScheduleStore) -> None:
    kept = created(store)
    first = store.save(kept, other(kept.state, enqueued=1), wakes_at=T0 + 5)
    assert first is not None
    assert store.save(kept, other(kept.state, enqueued=9), wakes_at=T0 + 9) is None
    made = schedule(overlap="queue")
    assert store.change(kept, made, kept.state, source="store", wakes_at=None) is None
    assert store.get("nightly") == first
    assert (store.due(now=T0 + 4), store.due(now=T0 + 5)) == ([], ["nightly"])
    changed = store.change(first, made, first.state, source="settings", wakes_at=None)
    assert changed is not None
    assert store.get("nightly") == changed
    assert (changed.schedule, changed.source, changed.generation) == (made, "settings", kept.generation)
    assert store.due(now=T0 + 99) == []


def test_what_was_removed_is_not_changed_any_more_nor_its_successor(store: ScheduleStore) -> None:
    kept = created(store)
    store.remove("nightly")
    store.remove("nightly")
    assert store.get("nightly") is None
    assert (store.names(), store.due(now=T0 + 99)) == ([], [])
    assert store.save(kept, kept.state, wakes_at=T0) is None
    assert (store.names(), store.due(now=T0 + 99)) == ([], [])
    again = created(store)
    assert again.generation > kept.generation
    assert again.request_id(T0) != kept.request_id(T0)
    assert store.save(kept, other(kept.state, enqueued=9), wakes_at=None) is None
    assert store.get("nightly") == again


def test_names_and_who_is_due(store: ScheduleStore) -> None:
    for name, wakes_at in (("b", T0 + 2), ("c", T0 + 1), ("a", None), ("d", T0 + 3)):
        created(store, name, wakes_at)
    assert store.names() == ["a", "b", "c", "d"]
    assert store.due(now=T0 + 2) == ["c", "b"]


def test_ticks(store: ScheduleStore) -> None:
    assert store.last_tick() is None
    store.note_tick(now=T0)
    store.note_tick(now=T0 + 0.25)
    assert store.last_tick() == T0 + 0.25


def test_of_many_at_once_one_saves_each_time(store: ScheduleStore) -> None:
    created(store)
    wins: list[int] = []

    def race(number: int) -> None:
        for _ in range(20):
            kept = store.get("nightly")
            assert kept is not None
            state = other(kept.state, enqueued=kept.state.enqueued + 1)
            if store.save(kept, state, wakes_at=None) is not None:
                wins.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept = store.get("nightly")
    assert kept is not None
    assert kept.state.enqueued == len(wins) >= 20


@pytest.mark.parametrize("field", ["schedule", "state"])
def test_what_a_newer_version_wrote_is_left_as_it_is(client: redis.Redis, field: str) -> None:
    store = RedisSchedules(client, "test")
    created(store)
    client.hset("test:schedule:nightly", field, '{"newer": 1}')
    with pytest.raises(UnreadableSchedule, match="schedule remove nightly"):
        store.get("nightly")
    assert (store.names(), store.due(now=T0)) == (["nightly"], ["nightly"])
    store.remove("nightly")
    assert store.get("nightly") is None
    assert client.keys("test:*") == [b"test:schedules:serial"]
