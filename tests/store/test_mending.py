"""A store that was damaged is put right: everything that follows from the records is derived from them again."""

import pytest
import redis

from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp
from dispatcher.ports.mending import Checked, Source
from dispatcher.ports.mending import Damage as Found
from dispatcher.ports.store import Command, JobStore, Next
from tests.store.damage import Damage
from tests.store.mended import GRACE, NOW, closed, mend, mended, told, wait_at
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    in_store,
    job_id,
    retry,
    stop,
    with_credit_wait,
)


@pytest.fixture
def damage(store: JobStore, backend: redis.Redis | None) -> Damage:
    return Damage(store, backend)


# --- jobs that are not over


def test_a_whole_store_is_left_as_it_is(store: JobStore, damage: Damage) -> None:
    ids = [wait_at(store), with_credit_wait(store, 2, since=T0), closed(store, 3), added(store, 4).id]
    claimed(store, ids[3], NOW)
    before = damage.everything()

    checked = mend(store, *ids)

    assert [each.id for each in checked] == ids
    assert not any(each.damages for each in checked)
    assert [each.due_at for each in checked] == [NOW + 3600, T0 + 1000, None, T0]
    assert [each.lease_until for each in checked] == [None, None, None, NOW + LEASE]
    assert [each.job for each in checked] == [*store.load_many(ids[:2]), None, store.load(ids[3])]
    assert damage.everything() == before


def test_a_job_without_an_agenda_entry_is_due_at_once(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    damage.due(job, None)

    assert mended(store, job) == (Found.NOT_ON_AGENDA,)

    assert store.next_due(job) == Next(NOW, FollowUp.DISPATCH)
    assert [due.id for due in store.take_due(now=NOW, limit=10, grace=10)] == [job]
    assert told(store, job) == Found.NOT_ON_AGENDA


def test_a_job_that_somebody_has_gets_its_agenda_entry_too(store: JobStore, damage: Damage) -> None:
    job = added(store)
    claim = claimed(store, job.id, NOW)
    damage.due(job.id, None)

    (checked,) = mend(store, job.id)

    assert (checked.lease_until, checked.damages) == (NOW + LEASE, (Found.NOT_ON_AGENDA,))
    later = Next(NOW + 500, FollowUp.POLL)
    assert not store.release(claim, job, [], now=NOW + 1, due=later, retention=DAY)
    assert store.next_due(job.id) == Next(NOW + 1, FollowUp.DISPATCH)
    assert told(store, job.id) == Found.NOT_ON_AGENDA


def test_an_operators_stop_goes_before_what_was_mended(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    store.command(job, stop(NOW), now=NOW)
    damage.due(job, None)

    assert mended(store, job) == (Found.NOT_ON_AGENDA,)

    assert store.next_due(job) == Next(NOW, FollowUp.STOP)
    assert [command.kind for command in claimed(store, job, NOW).commands] == ["stop", "mended"]


def test_what_is_not_taken_yet_is_not_told_twice(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    for _ in range(3):
        damage.due(job, None)
        assert mended(store, job) == (Found.NOT_ON_AGENDA,)

    assert len(claimed(store, job, NOW).commands) == 1


def test_a_job_that_waits_for_credit_is_put_back_among_those_that_do(store: JobStore, damage: Damage) -> None:
    job = with_credit_wait(store, 1, since=T0, priority=3)
    with_credit_wait(store, 2, since=T0)
    damage.awaited(job, None)
    assert [waiter.id for waiter in store.waiters(account(), 9)] == [job_id(2)]

    assert mended(store, job) == (Found.NOT_AWAITED,)
    assert told(store, job) == Found.NOT_AWAITED

    assert [waiter.id for waiter in store.waiters(account(), 9)] == [job, job_id(2)]
    assert mended(store, job) == ()


def test_a_job_that_does_not_wait_for_credit_is_taken_off_the_list(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    damage.awaited(job, "default")
    assert store.waiting_accounts() == ["default"]

    assert mended(store, job) == (Found.AWAITED,)

    assert store.waiting_accounts() == []
    assert told(store, job) == Found.AWAITED


def test_a_job_that_waits_for_another_account_is_listed_there_alone(store: JobStore, damage: Damage) -> None:
    job = with_credit_wait(store, 1, since=T0)
    damage.awaited(job, "other")

    assert set(mend(store, job)[0].damages) == {Found.AWAITED, Found.NOT_AWAITED}
    told(store, job)

    assert store.waiting_accounts() == ["default"]
    assert mended(store, job) == ()


def test_a_live_job_is_not_forgotten(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    damage.forget_at(job, NOW - 1)

    assert mended(store, job) == (Found.FORGOTTEN,)

    store.take_due(now=NOW + 10 * DAY, limit=1, grace=10)
    assert store.load(job) is not None


def test_several_damages_are_told_together(store: JobStore, damage: Damage) -> None:
    job = wait_at(store)
    damage.due(job, None)
    damage.forget_at(job, NOW)
    damage.awaited(job, "default")

    found = mended(store, job)

    assert set(found) == {Found.AWAITED, Found.FORGOTTEN, Found.NOT_ON_AGENDA}
    assert told(store, job) == "; ".join(found)


# --- jobs that are over


def test_a_job_that_is_over_leaves_the_agenda_and_the_lists(store: JobStore, damage: Damage) -> None:
    job = closed(store)
    damage.due(job, NOW + 3600)
    damage.awaited(job, "default")

    assert set(mended(store, job)) == {Found.AWAITED, Found.LEFT_ON_AGENDA}

    assert store.next_due(job) is None
    assert store.waiting_accounts() == []
    assert claimed(store, job, NOW).commands == ()


@pytest.mark.parametrize("due_at", [None, NOW + 3600])
def test_a_job_that_was_never_closed_is_given_to_a_worker(
    store: JobStore, damage: Damage, due_at: float | None
) -> None:
    """Its end is saved, but nobody closed its holds, and it would never be forgotten."""
    job = added(store)
    claim = claimed(store, job.id)
    over = apply(job, ended(T0))
    store.save(claim, over, [], now=T0, lease=LEASE)
    damage.due(job.id, due_at)

    assert mended(store, job.id) == (Found.KEPT,)

    assert store.next_due(job.id) == Next(NOW, FollowUp.DISPATCH)


def test_a_job_whose_end_is_just_being_closed_is_left_to_its_worker(store: JobStore, damage: Damage) -> None:
    job = added(store)
    claim = claimed(store, job.id, NOW)
    store.save(claim, apply(job, ended(NOW)), [], now=NOW, lease=LEASE)
    before = damage.everything()

    assert mend(store, job.id, now=NOW + 1)[0].damages == ()
    assert damage.everything() == before
    damage.due(job.id, None)
    assert mend(store, job.id, now=NOW + LEASE + GRACE - 1)[0].damages == ()


# --- jobs that do not exist


def test_nothing_points_to_a_job_that_does_not_exist(store: JobStore, damage: Damage) -> None:
    ghost = job_id(99)
    damage.due(ghost, NOW + 500)
    damage.awaited(ghost, "default")
    damage.forget_at(ghost, NOW + 500)
    other = wait_at(store)

    assert mended(store, ghost) == (Found.GONE,)

    assert store.earliest_due() == NOW + 3600
    assert store.next_due(other) is not None
    assert store.waiting_accounts() == []
    assert store.walk(Source.ENDED, "", 10).ids == ()


def test_a_store_whose_record_was_lost_goes_on(store: JobStore, damage: Damage) -> None:
    job, other = wait_at(store, 1, NOW), wait_at(store, 2, NOW)
    over = closed(store, 3)
    damage.lose_record(job)
    damage.lose_record(over)

    store.wake([job, other], now=NOW)
    assert store.next_due(job) is None
    assert [due.id for due in store.take_due(now=NOW + 2 * DAY, limit=9, grace=10)] == [other]
    assert not store.command(job, stop(), now=NOW)


def test_an_unknown_job_is_no_damage(store: JobStore, damage: Damage) -> None:
    before = damage.everything()
    (checked,) = mend(store, job_id(1))
    assert checked == Checked(job_id(1), None, None, lease_until=None, damages=())
    assert damage.everything() == before


# --- walking


@pytest.mark.parametrize("limit", [1, 7, 1000])
@pytest.mark.parametrize("source", Source)
def test_a_walk_meets_everything(store: JobStore, source: Source, limit: int) -> None:
    live = [wait_at(store, number) for number in range(20)]
    waiting = [with_credit_wait(store, 100 + n, since=T0, account=f"a{n % 3}") for n in range(9)]
    over = [closed(store, 200 + number) for number in range(5)]
    expected = {
        Source.LIVE: {*live, *waiting},
        Source.AGENDA: {*live, *waiting},
        Source.WAITING: set(waiting),
        Source.ENDED: set(over),
        Source.RECORDS: {*live, *waiting, *over},
    }[source]

    met, cursor, rounds = set[JobId](), "", 0
    while rounds == 0 or cursor:
        walked = store.walk(source, cursor, limit)
        met |= set(walked.ids)
        cursor, rounds = walked.cursor, rounds + 1
        assert rounds < 300

    assert met == expected


def test_a_walk_through_nothing_ends(store: JobStore) -> None:
    assert {source: store.walk(source, "", 10).ids for source in Source} == dict.fromkeys(Source, ())


def test_a_walk_goes_on_when_what_it_stood_on_is_gone(store: JobStore) -> None:
    """The account for which nobody waits any more is where the last round stopped."""
    first = with_credit_wait(store, 1, since=T0, account="a")
    last = with_credit_wait(store, 2, since=T0, account="z")
    walked = store.walk(Source.WAITING, "", 1)
    assert walked.ids == (first,)
    in_store(store, first, ended(T0), T0)

    assert store.walk(Source.WAITING, walked.cursor, 1).ids == (last,)


def test_those_that_are_over_or_unknown(store: JobStore) -> None:
    live, over = wait_at(store, 1), closed(store, 2)
    assert store.over([live, over, job_id(3)]) == [over, job_id(3)]
    assert store.over([]) == []


# --- commands of reconciliation


def test_commands_with_a_detail_come_back_as_they_were(store: JobStore) -> None:
    job = wait_at(store)
    adopt = Command("adopt", "reconcile", NOW, detail="9yB2uV")
    word = Command("mended", "reconcile", NOW, detail='ä "quoted" word; and more')
    for command in (adopt, word, retry(NOW), word, adopt):
        store.command(job, command, now=NOW)

    assert claimed(store, job, NOW).commands == (adopt, word, retry(NOW))
    assert store.next_due(job) == Next(NOW, FollowUp.DISPATCH)
