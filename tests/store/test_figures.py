"""What is counted over all jobs, and commands to many of them at once."""

from dispatcher.domain import events as ev
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import FollowUp, Reason
from dispatcher.ports.store import JobStore, Next
from tests.store.records import (
    DAY,
    T0,
    account,
    added,
    claimed,
    ended,
    in_store,
    job_id,
    stop,
    with_credit_wait,
)


def test_an_empty_store_has_nothing_to_count(store: JobStore) -> None:
    assert store.exposed_accounts() == []
    assert store.reasons() == {}
    assert store.live_ids() == []
    assert store.due_count(now=T0) == 0
    assert store.waiting_count(account()) == 0
    assert store.command_many([], stop(), now=T0) == 0


def test_accounts_are_named_while_they_have_live_jobs(store: JobStore) -> None:
    first, _ = added(store, 1, account="a"), added(store, 2, account="b")
    second = added(store, 3, account="a")
    assert store.exposed_accounts() == ["a", "b"]

    in_store(store, first.id, ended(T0), T0)
    assert store.exposed_accounts() == ["a", "b"]
    in_store(store, second.id, ended(T0), T0)
    assert store.exposed_accounts() == ["b"]
    assert store.live_ids() == [job_id(2)]


def test_reasons_follow_the_records(store: JobStore) -> None:
    jobs = [added(store, number) for number in range(3)]
    assert store.reasons() == {Reason.NEW: 3}

    in_store(store, jobs[0].id, ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK), T0)
    in_store(store, jobs[0].id, ev.Waited(at=T0, reason=Reason.AWAITING_NETWORK), T0)
    assert store.reasons() == {Reason.NEW: 2, Reason.AWAITING_NETWORK: 1}

    in_store(store, jobs[0].id, ended(T0), T0)
    in_store(store, jobs[1].id, ended(T0), T0)
    assert store.reasons() == {Reason.NEW: 1}
    store.take_due(now=T0 + 2 * DAY, limit=0, grace=1)  # those that are over are forgotten
    assert store.reasons() == {Reason.NEW: 1}


def test_what_is_due_and_was_not_taken_is_counted(store: JobStore) -> None:
    for number in range(5):
        added(store, number, due_at=T0 + number)

    assert [store.due_count(now=T0 + later) for later in (-1, 0, 2.5, 9)] == [0, 1, 3, 5]

    store.take_due(now=T0 + 2, limit=2, grace=10)
    assert store.due_count(now=T0 + 2) == 1


def test_those_who_wait_for_credit_are_counted_by_account(store: JobStore) -> None:
    first = with_credit_wait(store, 1, since=T0)
    with_credit_wait(store, 2, since=T0)
    with_credit_wait(store, 3, since=T0, account="other")
    assert (store.waiting_count(account()), store.waiting_count(account("other"))) == (2, 1)

    in_store(store, first, ended(T0), T0)
    assert store.waiting_count(account()) == 1


def test_many_jobs_are_commanded_as_each_would_be(store: JobStore) -> None:
    live = [added(store, number, due_at=T0 + 100).id for number in range(1, 1201)]  # more than one round trip
    over = added(store, 2000).id
    in_store(store, over, ended(T0), T0)
    leased = claimed(store, live[0], T0)

    found = store.command_many([*live, over, JobId("job_unknown")], stop(), now=T0 + 3)

    assert found == 1201  # as for one: a job that is over is there, but keeps no commands
    assert {store.next_due(each) for each in live} == {Next(T0 + 3, FollowUp.STOP)}
    assert store.next_due(over) is None
    assert not store.release(
        leased, leased.job, [], now=T0 + 4, due=Next(T0 + 500, FollowUp.POLL), retention=DAY
    )
    assert claimed(store, live[-1], T0 + 4).commands == (stop(),)
    assert store.command_many(live, stop(), now=T0 + 5) == 1200
    assert claimed(store, live[5], T0 + 6).commands == (stop(),)  # one stop is as good as many
