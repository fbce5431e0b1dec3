"""The agenda: what falls due, when, and that nothing that is due gets lost."""

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp
from dispatcher.ports.store import DueJob, JobStore, Next
from tests.store.records import DAY, LEASE, T0, added, claimed, ended, in_store, job_id, new_job


def due(number: int, follow_up: FollowUp = FollowUp.DISPATCH) -> DueJob:
    return DueJob(job_id(number), follow_up)


def test_what_is_due_is_taken_the_longest_due_first(store: JobStore) -> None:
    for number, at in enumerate([30, 10, 20, 10, 40]):
        added(store, number, due_at=T0 + at)

    assert store.take_due(now=T0 + 9.9, limit=10, grace=30) == []
    assert store.take_due(now=T0 + 30, limit=10, grace=30) == [due(1), due(3), due(2), due(0)]
    assert store.earliest_due() == T0 + 40


def test_no_more_than_the_limit_is_taken(store: JobStore) -> None:
    for number in range(5):
        added(store, number, due_at=T0 + number)

    assert store.take_due(now=T0 + 10, limit=2, grace=30) == [due(0), due(1)]
    assert store.take_due(now=T0 + 10, limit=2, grace=30) == [due(2), due(3)]
    assert store.take_due(now=T0 + 10, limit=0, grace=30) == []
    assert store.take_due(now=T0 + 10, limit=2, grace=30) == [due(4)]


def test_what_was_taken_is_due_again_after_the_grace(store: JobStore) -> None:
    added(store)
    store.take_due(now=T0, limit=10, grace=30)

    assert store.next_due(job_id(1)) == Next(T0 + 30, FollowUp.DISPATCH)
    assert store.take_due(now=T0 + 29.9, limit=10, grace=30) == []
    assert store.take_due(now=T0 + 30, limit=10, grace=30) == [due(1)]


@pytest.mark.parametrize("follow_up", list(FollowUp))
def test_what_is_due_says_for_what(store: JobStore, follow_up: FollowUp) -> None:
    job = added(store)
    next_one = Next(T0 + 60, follow_up)
    store.release(claimed(store, job.id), job, [], now=T0, due=next_one, retention=DAY)

    assert store.next_due(job.id) == next_one
    assert store.earliest_due() == T0 + 60
    assert store.take_due(now=T0 + 60, limit=10, grace=30) == [due(1, follow_up)]


def test_times_keep_their_digits(store: JobStore) -> None:
    at = 1_791_234_567.123457
    added(store, 1, due_at=at)

    assert store.next_due(job_id(1)) == Next(at, FollowUp.DISPATCH)
    assert store.earliest_due() == at
    assert store.take_due(now=at - 0.000001, limit=1, grace=0.1) == []
    assert store.take_due(now=at, limit=1, grace=0.1) == [due(1)]
    assert store.earliest_due() == at + 0.1


def test_waking_makes_jobs_due_at_once(store: JobStore) -> None:
    for number in range(4):
        added(store, number, due_at=T0 + 100 + number)

    store.wake([job_id(3), job_id(1)], now=T0 + 5)

    assert store.next_due(job_id(3)) == Next(T0 + 5, FollowUp.DISPATCH)
    assert store.take_due(now=T0 + 5, limit=10, grace=30) == [due(1), due(3)]


def test_waking_never_puts_off(store: JobStore) -> None:
    added(store, due_at=T0)

    store.wake([job_id(1)], now=T0 + 5)

    assert store.earliest_due() == T0


def test_jobs_that_are_over_or_unknown_are_not_woken(store: JobStore) -> None:
    added(store)
    in_store(store, job_id(1), ended(T0), T0)

    store.wake([job_id(1), JobId("job_unknown")], now=T0)

    assert store.earliest_due() is None
    assert store.load(JobId("job_unknown")) is None


def test_thousands_are_woken(store: JobStore) -> None:
    jobs = [new_job(number, due_at=T0 + 100) for number in range(1100)]
    store.add(jobs)

    store.wake([new.job.id for new in jobs], now=T0)

    assert len(store.take_due(now=T0, limit=2000, grace=30)) == len(jobs)


def test_a_job_that_is_woken_while_somebody_has_it_is_due_at_once_after_that(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    store.take_due(now=T0, limit=1, grace=30)

    store.wake([job.id], now=T0 + 1)

    # What the worker saw may be from before the wake: it cannot put the job off.
    assert store.release(claim, job, [], now=T0 + 2, due=Next(T0 + 600, FollowUp.POLL), retention=DAY)
    assert store.next_due(job.id) == Next(T0 + 2, FollowUp.POLL)


def test_a_wake_before_the_claim_has_done_its_work(store: JobStore) -> None:
    job = added(store)
    store.wake([job.id], now=T0)
    claim = claimed(store, job.id)

    store.release(claim, job, [], now=T0 + 2, due=Next(T0 + 600, FollowUp.POLL), retention=DAY)

    assert store.next_due(job.id) == Next(T0 + 600, FollowUp.POLL)


def test_a_job_stays_on_the_agenda_while_somebody_has_it(store: JobStore) -> None:
    job = added(store)
    store.take_due(now=T0, limit=1, grace=30)
    claimed(store, job.id, T0, lease=LEASE)

    # The worker dies. After the grace, and then after the lease, the job goes on.
    assert store.take_due(now=T0 + LEASE, limit=1, grace=30) == [due(1)]
    assert store.claim(job.id, now=T0 + LEASE, lease=LEASE) is not None


def test_turns_go_to_one_caller_a_period(store: JobStore) -> None:
    assert store.take_turn("sweep", now=T0, period=10)
    assert not store.take_turn("sweep", now=T0 + 9.9, period=10)
    assert store.take_turn("other", now=T0, period=10)
    assert store.take_turn("sweep", now=T0 + 10, period=10)
    assert not store.take_turn("sweep", now=T0 + 19.9, period=10)


def test_a_turn_of_a_clock_that_is_a_little_ahead_counts(store: JobStore) -> None:
    assert store.take_turn("sweep", now=T0 + 0.5, period=10)

    assert not store.take_turn("sweep", now=T0, period=10)


def test_a_turn_of_another_clock_does_not_block_for_ever(store: JobStore) -> None:
    assert store.take_turn("sweep", now=T0 + 9e6, period=10)

    assert store.take_turn("sweep", now=T0, period=10)
