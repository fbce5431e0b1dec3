"""Crashes are counted, and jobs that crash too often are put aside: the same in every store."""

from collections.abc import Callable

import pytest

from dispatcher.domain.crashes import Crash, Trouble, lapsed
from dispatcher.domain.ids import JobId, LeaseToken
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import FollowUp, State
from dispatcher.ports.store import Claim, JobStore, Next
from tests.store.records import (
    DAY,
    LEASE,
    T0,
    account,
    added,
    claimed,
    ended,
    extend,
    in_store,
    job_id,
    retry,
    short_of_credit,
    stop,
    with_credit_wait,
)

LATER = Next(T0 + 500, FollowUp.POLL)
BUG = Crash("ValueError: Ö", 'Traceback "x"\n  line')


def crash(store: JobStore, claim: Claim, now: float = T0, *, wait: float = 2.0, at_most: int = 3) -> Trouble:
    trouble = store.crashed(claim.job.id, claim.token, BUG, now=now, retry_at=now + wait, at_most=at_most)
    assert trouble is not None
    return trouble


def killed(store: JobStore, job: JobId, now: float = T0) -> Trouble:
    """The job is a dead letter."""
    trouble = crash(store, claimed(store, job, now), now, at_most=1)
    assert trouble.dead
    return trouble


def test_a_job_without_trouble_has_none(store: JobStore) -> None:
    job = added(store)
    assert store.trouble(job.id) is None
    assert store.trouble(JobId("job_unknown")) is None
    assert store.dead_letters() == []
    assert store.count_dead() == 0
    assert (claimed(store, job.id).crashes, claimed(store, job.id, T0 + LEASE).lapses) == (0, 1)


def test_after_a_crash_the_job_rests_and_nobody_can_claim_it(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)

    trouble = crash(store, claim)

    assert trouble == Trouble(
        job.id,
        BUG.reason,
        BUG.traceback,
        crashes=1,
        at=T0,
        token=claim.token,
        retry_at=T0 + 2,
        dead=False,
    )
    assert store.trouble(job.id) == trouble
    assert store.next_due(job.id) == Next(T0 + 2, FollowUp.DISPATCH)
    assert store.claim(job.id, now=T0 + 1.999, lease=LEASE) is None
    again = claimed(store, job.id, T0 + 2)
    assert (again.job, again.crashes, again.lapses) == (job, 1, 0)
    assert store.load(job.id) == job
    assert len(store.events(job.id)) == 1


def test_so_many_crashes_in_a_row_make_a_dead_letter(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, extend(), now=T0)
    for number in range(3):
        now = T0 + 10 * number
        trouble = crash(store, claimed(store, job.id, now), now)
        assert (trouble.crashes, trouble.dead) == (number + 1, number == 2)

    assert store.next_due(job.id) is None
    assert store.earliest_due() is None
    assert store.claim(job.id, now=T0 + DAY, lease=LEASE) is None
    assert store.trouble(job.id) == trouble
    assert (trouble.retry_at, trouble.at) == (None, T0 + 20)
    assert store.dead_letters() == [trouble]
    assert store.count_dead() == 1
    assert store.load(job.id) == job
    assert store.counts()[State.ENQUEUED] == 1
    [listed] = store.listing()
    assert (listed.id, listed.state, listed.job, listed.trouble) == (job.id, "enqueued", job, trouble)


def test_a_release_begins_the_count_again(store: JobStore) -> None:
    job = added(store)
    for number in range(6):
        now = T0 + 10 * number
        claim = claimed(store, job.id, now)
        if number % 3 == 2:
            assert store.release(claim, job, [], now=now, due=Next(now, FollowUp.POLL), retention=DAY)
            assert store.trouble(job.id) is None
        else:
            assert not crash(store, claim, now).dead


def test_a_save_does_not_begin_the_count_of_errors_again(store: JobStore) -> None:
    job = added(store)
    for number in range(3):
        now = T0 + 10 * number
        claim = claimed(store, job.id, now)
        claim = store.save(claim, job, [short_of_credit(now)], now=now, lease=LEASE)
        assert crash(store, claim, now).dead == (number == 2)


# --- workers that died ------------------------------------------------------------------------------------


def lapse(store: JobStore, job: JobId, times: int, start: float = T0) -> Claim:
    """So many workers in a row are not heard of again; the claim of the one after them."""
    for number in range(times):
        claimed(store, job, start + number * LEASE)
    return claimed(store, job, start + times * LEASE)


def test_leases_that_lapse_are_counted_by_the_next_claim(store: JobStore) -> None:
    job = added(store)
    claim = lapse(store, job.id, 3)
    assert (claim.lapses, claim.crashes) == (3, 0)


@pytest.mark.parametrize("how", ["release", "event", "crash", "stop"])
def test_what_begins_the_count_of_lapses_again(store: JobStore, how: str) -> None:
    job = added(store)
    claim, now = lapse(store, job.id, 3), T0 + 3 * LEASE
    match how:
        case "release":
            store.release(claim, job, [], now=now, due=Next(now, FollowUp.POLL), retention=DAY)
        case "event":
            assert store.save(claim, job, [short_of_credit(now)], now=now, lease=LEASE)
        case "crash":
            crash(store, claim, now)
        case _:
            store.command(job.id, stop(), now=now)
    lapses_after = {"release": 0, "crash": 0, "event": 1, "stop": 1}
    assert claimed(store, job.id, now + LEASE).lapses == lapses_after[how]


@pytest.mark.parametrize("saved", ["nothing", "a look"])
def test_a_save_without_an_event_is_no_progress(store: JobStore, saved: str) -> None:
    from dispatcher.domain.events import Looked

    job = added(store)
    claim, now = lapse(store, job.id, 3), T0 + 3 * LEASE
    store.save(claim, job, [] if saved == "nothing" else [Looked(at=now)], now=now, lease=LEASE)
    assert claimed(store, job.id, now + LEASE).lapses == 4


def test_a_job_whose_workers_died_is_dead_if_the_claim_counted_enough(store: JobStore) -> None:
    job = added(store)
    claim, now = lapse(store, job.id, 3), T0 + 3 * LEASE
    trouble = store.crashed(job.id, claim.token, lapsed(3), now=now, retry_at=now, at_most=3)
    assert trouble is not None
    assert (trouble.dead, trouble.crashes) == (True, 3)
    assert store.claim(job.id, now=now + DAY, lease=LEASE) is None


def test_a_stop_between_the_claim_and_the_verdict_spares_the_job(store: JobStore) -> None:
    job = added(store)
    claim, now = lapse(store, job.id, 3), T0 + 3 * LEASE
    store.command(job.id, stop(), now=now)
    trouble = store.crashed(job.id, claim.token, lapsed(3), now=now, retry_at=now + 60, at_most=3)
    assert trouble is not None
    assert not trouble.dead
    assert store.next_due(job.id) == Next(now, FollowUp.STOP)
    assert claimed(store, job.id, now).commands == (stop(),)


# --- who may say so ---------------------------------------------------------------------------------------


def test_a_crash_of_a_turn_that_somebody_took_over_is_not_counted(store: JobStore) -> None:
    job = added(store)
    first = claimed(store, job.id)
    second = claimed(store, job.id, T0 + LEASE)
    assert store.crashed(job.id, first.token, BUG, now=T0 + LEASE, retry_at=T0 + DAY, at_most=1) is None
    assert store.trouble(job.id) is None
    store.save(second, job, [], now=T0 + LEASE, lease=LEASE)


def test_a_crash_after_the_lease_lapsed_counts_if_nobody_took_the_job(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    assert crash(store, claim, T0 + LEASE + 1).crashes == 1
    assert claimed(store, job.id, T0 + DAY).lapses == 0


def test_a_crash_after_the_release_is_not_counted(store: JobStore) -> None:
    job = added(store)
    claim = claimed(store, job.id)
    store.release(claim, job, [], now=T0, due=LATER, retention=DAY)
    assert store.crashed(job.id, claim.token, BUG, now=T0, retry_at=T0, at_most=1) is None
    assert store.next_due(job.id) == LATER


def test_a_job_that_is_over_and_closed_does_not_come_back(store: JobStore) -> None:
    job = added(store)
    in_store(store, job.id, ended(T0), T0)
    claim = claimed(store, job.id)
    assert store.crashed(job.id, claim.token, BUG, now=T0, retry_at=T0, at_most=1) is None
    assert (store.next_due(job.id), store.dead_letters()) == (None, [])
    assert claimed(store, job.id).lapses == 0


def test_a_crash_of_no_job_is_not_counted(store: JobStore) -> None:
    assert store.crashed(job_id(9), LeaseToken(1), BUG, now=T0, retry_at=T0, at_most=1) is None


# --- dead letters and operators ---------------------------------------------------------------------------


def test_a_stop_revives_a_dead_letter(store: JobStore) -> None:
    job = added(store)
    trouble = killed(store, job.id)

    assert store.command(job.id, stop(T0 + 5), now=T0 + 5)

    assert store.next_due(job.id) == Next(T0 + 5, FollowUp.STOP)
    claim = claimed(store, job.id, T0 + 5)
    assert (claim.commands, claim.crashes) == ((stop(T0 + 5),), 0)
    after = store.trouble(job.id)
    assert after is not None
    assert (after.dead, after.reason) == (False, trouble.reason)
    assert store.dead_letters() == []


def test_a_second_stop_revives_it_once_more(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, stop(), now=T0)
    for _ in range(2):
        killed(store, job.id)
        assert store.command(job.id, stop(by="another"), now=T0)
    assert claimed(store, job.id).commands == (stop(),)


def test_a_stop_ends_the_rest(store: JobStore) -> None:
    job = added(store)
    crash(store, claimed(store, job.id), wait=60)
    store.command(job.id, stop(), now=T0 + 1)
    assert store.next_due(job.id) == Next(T0 + 1, FollowUp.STOP)
    assert claimed(store, job.id, T0 + 1).crashes == 0


def test_the_first_failure_of_a_stop_is_tried_again_at_once_the_second_is_not(store: JobStore) -> None:
    job = added(store)
    store.command(job.id, stop(), now=T0)
    assert crash(store, claimed(store, job.id), at_most=5).retry_at == T0
    assert crash(store, claimed(store, job.id), at_most=5).retry_at == T0 + 2
    assert store.next_due(job.id) == Next(T0 + 2, FollowUp.STOP)


@pytest.mark.parametrize("make", [extend, retry])
def test_other_commands_wait_in_a_dead_letter(store: JobStore, make: Callable[..., object]) -> None:
    job = added(store)
    killed(store, job.id)
    command = make(T0) if make is retry else extend(60)
    assert store.command(job.id, command, now=T0)  # type: ignore[arg-type]
    assert store.next_due(job.id) is None
    assert store.claim(job.id, now=T0 + DAY, lease=LEASE) is None
    assert store.revive([job.id], now=T0) == [job.id]
    assert claimed(store, job.id).commands == (command,)


def test_waking_leaves_dead_letters_alone(store: JobStore) -> None:
    job = added(store)
    killed(store, job.id)
    store.wake([job.id], now=T0)
    assert store.next_due(job.id) is None
    assert store.take_due(now=T0 + DAY, limit=10, grace=1) == []


def test_reviving_gives_as_many_tries_as_a_new_job_has(store: JobStore) -> None:
    one, two, alive = added(store, 1), added(store, 2), added(store, 3)
    store.command(two.id, extend(), now=T0)
    for job in (one, two):
        killed(store, job.id)
    store.command(one.id, retry(), now=T0)

    assert store.revive([one.id, alive.id, two.id, job_id(9)], now=T0 + 7) == [one.id, two.id]

    assert store.next_due(one.id) == Next(T0 + 7, FollowUp.DISPATCH)
    assert store.next_due(two.id) == Next(T0 + 7, FollowUp.EXTEND)
    assert store.revive([one.id], now=T0 + 7) == []
    assert claimed(store, one.id, T0 + 7).crashes == 0
    assert store.count_dead() == 0


def test_dead_letters_are_listed_the_newest_first(store: JobStore) -> None:
    letters = []
    for number in (2, 1, 3):
        added(store, number)
        letters.append(killed(store, job_id(number), T0 + number))
    newest = sorted(letters, key=lambda letter: letter.at, reverse=True)
    assert store.dead_letters() == newest
    assert store.dead_letters(limit=2) == newest[:2]
    assert store.dead_letters(limit=2, offset=2) == newest[2:]
    assert store.dead_letters(limit=0) == store.dead_letters(offset=3) == []
    assert store.count_dead() == 3


def test_a_dead_letter_waits_for_no_credit(store: JobStore) -> None:
    """It would be served again and again, and take the credit from those behind it."""
    name = with_credit_wait(store, 1, since=T0)
    other = with_credit_wait(store, 2, since=T0 + 1)
    killed(store, name, T0 + 2)
    assert [waiter.id for waiter in store.waiters(account(), 10)] == [other]

    store.revive([name], now=T0 + 3)
    in_store(store, name, short_of_credit(T0), T0 + 3)
    assert [waiter.id for waiter in store.waiters(account(), 10)] == [name, other]


def test_the_last_one_to_wait_for_credit_takes_its_account_along(store: JobStore) -> None:
    killed(store, with_credit_wait(store, 1, since=T0), T0 + 2)
    assert store.waiting_accounts() == []


# --- dropping ---------------------------------------------------------------------------------------------


def test_a_dead_letter_is_taken_to_be_dropped_and_ends_as_any_job(store: JobStore) -> None:
    job = added(store, request_id="r")
    letter = killed(store, job.id)

    token = store.exhume(job.id, letter.token, now=T0, lease=LEASE)

    assert token is not None
    assert token > letter.token
    assert store.claim(job.id, now=T0, lease=LEASE) is None
    assert store.dead_letters() == []
    claim = Claim(job, token, ())
    over = apply(job, ended(T0))
    assert store.release(claim, over, [ended(T0)], now=T0, due=None, retention=100)
    assert store.trouble(job.id) is None
    assert store.find("r") == job.id
    store.take_due(now=T0 + 101, limit=1, grace=1)
    assert (store.find("r"), store.load(job.id)) == (None, None)


def test_whoever_dies_while_dropping_leaves_a_job_that_is_tried_again(store: JobStore) -> None:
    job = added(store)
    letter = killed(store, job.id)
    assert store.exhume(job.id, letter.token, now=T0, lease=LEASE)
    assert store.next_due(job.id) == Next(T0 + LEASE, FollowUp.DISPATCH)
    assert claimed(store, job.id, T0 + LEASE).crashes == 1


def test_what_is_not_dead_under_that_token_is_not_taken_to_be_dropped(store: JobStore) -> None:
    job = added(store)
    letter = killed(store, job.id)
    store.revive([job.id], now=T0)
    assert store.exhume(job.id, letter.token, now=T0, lease=LEASE) is None
    again = killed(store, job.id)
    assert store.exhume(job.id, letter.token, now=T0, lease=LEASE) is None
    assert store.dead_letters() == [again]
    assert store.exhume(job_id(9), letter.token, now=T0, lease=LEASE) is None


def test_a_dead_letter_that_was_over_is_forgotten_with_its_letter(store: JobStore) -> None:
    job = added(store)
    in_store(store, job.id, ended(T0), T0, retention=100)
    store.take_due(now=T0 + 100, limit=1, grace=1)
    assert store.trouble(job.id) is None
    assert store.count_dead() == 0


def test_the_record_is_kept_as_it_is_and_the_log_is_read_as_it_is(store: JobStore) -> None:
    job = added(store)
    raw = store.raw(job.id)
    assert raw is not None
    assert Job.model_validate_json(raw) == job
    assert store.raw(JobId("job_unknown")) is None
    assert store.log(job.id) == store.events(job.id)
    assert store.log(job.id, 1) == []
