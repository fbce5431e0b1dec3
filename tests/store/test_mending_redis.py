"""Indexes that only the store on Redis has: what the store in memory reads off its records."""

import pytest
import redis

from dispatcher.domain.job import Job
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.mending import Damage as Found
from dispatcher.ports.mending import Source
from dispatcher.ports.store import Next
from dispatcher.store.redis import RedisStore
from tests.domain.made import running_job
from tests.store.damage import Damage
from tests.store.mended import NOW, closed, mend, mended, told, wait_at
from tests.store.records import (
    DAY,
    T0,
    added,
    claimed,
    job_id,
)


@pytest.fixture
def store(client: redis.Redis) -> RedisStore:
    return RedisStore(client, "test")


@pytest.fixture
def on_redis(store: RedisStore, client: redis.Redis) -> Damage:
    return Damage(store, client)


def test_a_job_is_listed_in_its_state_alone(store: RedisStore, on_redis: Damage) -> None:
    job = wait_at(store)
    on_redis.listed(job, State.ENQUEUED, there=False)
    on_redis.listed(job, State.RUNNING, there=True)
    on_redis.listed(job, State.COMPLETED, there=True)
    assert store.list_jobs(states=[State.ENQUEUED]) == []

    assert mended(store, job) == (Found.WRONG_STATE,)

    assert on_redis.states(job) == [State.ENQUEUED]
    older = added(store, 0, at=T0 - 5)
    newest_first = [each.id for each in store.list_jobs(states=[State.ENQUEUED])]
    assert newest_first == [job, older.id], "in the order of their creation"
    assert told(store, job) == Found.WRONG_STATE


def test_a_job_can_be_found_by_its_address_again(store: RedisStore, on_redis: Damage) -> None:
    job = on_the_network(store)
    assert job.remote is not None
    on_redis.lose_address(job)
    assert store.find_address(job.remote.address) is None

    assert mended(store, job.id) == (Found.NO_ADDRESS,)

    assert store.find_address(job.remote.address) == job.id


def on_the_network(store: RedisStore) -> Job:
    """A stored job that runs."""
    job, made = added(store), running_job()
    running = job.model_copy(update={"state": State.RUNNING, "quote": made.quote, "remote": made.remote})
    claim = claimed(store, job.id)
    store.release(claim, running, [], now=T0, due=Next(NOW + 5, FollowUp.POLL), retention=DAY)
    return running


def test_a_record_that_cannot_be_read_keeps_no_other_from_being_mended(
    store: RedisStore, on_redis: Damage
) -> None:
    spoilt, other = wait_at(store, 1), wait_at(store, 2)
    on_redis.spoil(spoilt)
    on_redis.due(spoilt, None)
    on_redis.due(other, None)

    first, second = mend(store, spoilt, other)

    assert (first.job, first.damages) == (None, (Found.NOT_ON_AGENDA,))
    assert (second.job, second.damages) == (store.load(other), (Found.NOT_ON_AGENDA,))


def test_a_job_that_is_over_leaves_no_commands(store: RedisStore, on_redis: Damage) -> None:
    job = closed(store)
    on_redis.leave_command(job)

    assert mended(store, job) == (Found.LEFT_COMMANDS,)

    assert on_redis.commands(job) == 0


def test_lists_of_jobs_whose_record_was_lost_are_cleared(store: RedisStore, on_redis: Damage) -> None:
    job = wait_at(store)
    on_redis.leave_command(job)
    on_redis.lose_record(job)

    assert mended(store, job) == (Found.GONE,)

    assert on_redis.states(job) == []
    assert on_redis.commands(job) == 0


def test_a_lost_command_list_is_met_by_the_walk_through_records(store: RedisStore, on_redis: Damage) -> None:
    on_redis.leave_command(job_id(7))
    assert store.walk(Source.RECORDS, "", 1000).ids == (job_id(7),)
