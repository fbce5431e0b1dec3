"""Leases: one worker at a time, and one that lost its lease changes nothing."""

import pytest

from dispatcher.domain.errors import Bug, LeaseLost
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.store import Claim, JobStore, Next
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    added,
    claimed,
    ended,
    extend,
    in_store,
    job_id,
    new_job,
    short_of_credit,
    stop,
)

LATER = Next(T0 + 500, FollowUp.POLL)


def write(store: JobStore, how: str, claim: Claim, job: Job, now: float) -> object:
    log = [short_of_credit(now)]
    if how == "save":
        return store.save(claim, job, log, now=now, lease=LEASE, taken=1, result={"by": how})
    return store.release(claim, job, log, now=now, due=LATER, retention=DAY, taken=1, result={"by": how})


WRITES = pytest.mark.parametrize("how", ["save", "release"])


def test_a_claimed_job_cannot_be_claimed(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    assert claim.job == job
    assert claim.commands == ()
    assert store.claim(job.id, now=T0 + LEASE - 0.001, lease=LEASE) is None


def test_a_lapsed_lease_can_be_taken_over_with_a_greater_token(store: JobStore) -> None:
    job = added(store)
    first = claimed(store, job.id)

    second = claimed(store, job.id, T0 + LEASE)

    assert second.token > first.token


def test_a_released_job_can_be_claimed_at_once_with_a_greater_token(store: JobStore) -> None:
    job = added(store)
    first = claimed(store, job.id)
    assert store.release(first, job, [], now=T0, due=LATER, retention=DAY)

    assert claimed(store, job.id).token > first.token


def test_leases_of_different_jobs_do_not_touch_each_other(store: JobStore) -> None:
    one, two = added(store, 1), added(store, 2)
    claim_one, claim_two = claimed(store, one.id), claimed(store, two.id)

    store.release(claim_one, one, [], now=T0, due=LATER, retention=DAY)

    assert store.claim(two.id, now=T0, lease=LEASE) is None
    store.save(claim_two, two, [], now=T0, lease=LEASE)


def test_saving_replaces_the_record_and_renews_the_lease(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    event = short_of_credit(T0 + 50)
    changed = apply(job, event)

    after = store.save(claim, changed, [event], now=T0 + 50, lease=LEASE)

    assert after == Claim(changed, claim.token, ())
    assert store.load(job.id) == changed
    assert store.claim(job.id, now=T0 + 50 + LEASE - 0.001, lease=LEASE) is None
    assert store.claim(job.id, now=T0 + 50 + LEASE, lease=LEASE) is not None


def test_saving_leaves_the_agenda_alone(store: JobStore) -> None:
    job = added(store, due_at=T0 + 7)

    store.save(claimed(store, job.id), job, [], now=T0, lease=LEASE)

    assert store.next_due(job.id) == Next(T0 + 7, FollowUp.DISPATCH)


@WRITES
@pytest.mark.parametrize(
    "way", ["lapsed", "lapsed and taken over", "taken over and released", "released before"]
)
def test_without_the_lease_nothing_is_saved(store: JobStore, how: str, way: str) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    store.command(job.id, stop(), now=T0)
    now = T0 + LEASE
    if way == "released before":
        now = T0 + 1
        store.release(claim, job, [], now=now, due=LATER, retention=DAY)
    elif way != "lapsed":
        other = claimed(store, job.id, now)
        if way == "taken over and released":
            store.release(other, job, [], now=now, due=LATER, retention=DAY)
    log, due = store.events(job.id), store.next_due(job.id)

    with pytest.raises(LeaseLost, match=job.id):
        write(store, how, claim, apply(job, short_of_credit(now)), now)

    assert store.load(job.id) == job
    assert store.events(job.id) == log
    assert store.next_due(job.id) == due
    assert store.result(job.id) is None
    assert store.waiting_accounts() == []
    assert claimed(store, job.id, now + LEASE).commands == (stop(),)


@WRITES
def test_the_last_moment_of_a_lease_still_counts(store: JobStore, how: str) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    assert write(store, how, claim, job, T0 + LEASE - 0.001)


@WRITES
def test_a_job_that_was_forgotten_cannot_be_saved(store: JobStore, how: str) -> None:
    job = added(store)
    over = in_store(store, job.id, ended(T0), T0, retention=10)
    claim = claimed(store, job.id, T0 + 5)
    store.take_due(now=T0 + 10, limit=10, grace=30)

    with pytest.raises(LeaseLost):
        write(store, how, claim, over, T0 + 10)

    assert store.load(job.id) is None
    assert store.counts() == dict.fromkeys(State, 0)


def test_releasing_sets_the_agenda_and_saves(store: JobStore) -> None:
    job = added(store)
    event = short_of_credit(T0 + 1)
    changed = apply(job, event)
    due = Next(T0 + 33.3, FollowUp.EXTEND)

    assert store.release(
        claimed(store, job.id), changed, [event], now=T0 + 1, due=due, retention=DAY, result={"a": 1}
    )

    assert store.load(job.id) == changed
    assert store.events(job.id, 1) == [event]
    assert store.result(job.id) == {"a": 1}
    assert store.next_due(job.id) == due


def test_a_job_that_is_over_leaves_the_agenda(store: JobStore) -> None:
    job = added(store)
    in_store(store, job.id, ended(T0 + 1), T0 + 1)

    assert store.next_due(job.id) is None
    assert store.earliest_due() is None
    assert store.take_due(now=T0 + 9e9, limit=10, grace=30) == []


def test_a_job_that_is_not_over_may_not_leave_the_agenda(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    with pytest.raises(Bug, match="must fall due"):
        store.release(claim, job, [], now=T0, due=None, retention=DAY)

    assert store.save(claim, job, [], now=T0, lease=LEASE)


@pytest.mark.parametrize("forgotten_by", ["take_due", "release of another job"])
def test_a_job_that_is_over_is_kept_for_its_retention_and_then_forgotten(
    store: JobStore, forgotten_by: str
) -> None:
    job, other = added(store, 1, request_id="r"), added(store, 2)
    over = in_store(store, job.id, ended(T0), T0, retention=100)

    def pass_by(now: float) -> None:
        if forgotten_by == "take_due":
            store.take_due(now=now, limit=1, grace=30)
        else:
            # A job that is over already may be looked at again: that keeps it no longer.
            claim = claimed(store, other.id, now)
            gone = claim.job if claim.job.state.is_final else apply(claim.job, ended(now))
            store.release(claim, gone, [], now=now, due=None, retention=DAY)

    pass_by(T0 + 99.9)
    assert store.load(job.id) == over
    assert store.find("r") == job.id

    pass_by(T0 + 100)
    assert store.load(job.id) is None
    assert store.find("r") is None
    assert store.document(job.id) is None
    assert store.events(job.id) == []
    assert store.claim(job.id, now=T0 + 100, lease=LEASE) is None
    assert store.load(other.id) is not None
    assert store.add([new_job(3, request_id="r")])[0].new


def test_looking_at_a_job_that_is_over_does_not_keep_it_longer(store: JobStore) -> None:
    job = added(store)
    over = in_store(store, job.id, ended(T0), T0, retention=100)
    store.release(claimed(store, job.id, T0 + 50), over, [], now=T0 + 50, due=None, retention=100)

    store.take_due(now=T0 + 100, limit=1, grace=30)

    assert store.load(job.id) is None


def test_forgetting_is_bounded_and_goes_on(store: JobStore) -> None:
    for number in range(50):
        added(store, number)
        in_store(store, job_id(number), ended(T0), T0, retention=10)

    store.take_due(now=T0 + 10, limit=10, grace=30)
    left = store.counts()[State.REJECTED]
    assert 0 < left < 50
    for _ in range(5):
        store.take_due(now=T0 + 10, limit=10, grace=30)

    assert store.counts()[State.REJECTED] == 0


def test_commands_of_a_claim_that_lapsed_are_there_for_the_next(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, extend(), now=T0)
    first = claimed(store, job.id)

    assert first.commands == (extend(),)
    assert claimed(store, job.id, T0 + LEASE).commands == (extend(),)
