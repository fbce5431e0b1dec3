"""What events make of a job's record: waits and their tries, calls and orders, what is reserved, what is shown."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.ids import RemoteAddress
from dispatcher.domain.job import Job, Remote
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    ADDRESS,
    RESULT,
    T0,
    after,
    confirmed,
    ended,
    expired,
    extended,
    extending_job,
    held,
    intended,
    job_in,
    new_job,
    observed,
    ordered_stop,
    pinned_job,
    posted,
    posting_job,
    queued_job,
    refused,
    running_job,
    short,
    stopping_job,
    undecided,
    waited,
)


def wait_of(job: Job) -> tuple[Reason, float, float, int]:
    assert job.wait is not None
    return job.wait.reason, job.wait.since, job.wait.last, job.wait.tries


def ordered(job: Job, *seconds: int) -> Job:
    return after(job, *(ev.ExtendOrdered(at=T0, seconds=one, by="tester") for one in seconds))


def test_a_wait_counts_its_tries_and_remembers_since_when() -> None:
    job = after(
        new_job(), waited(Reason.AWAITING_CREDIT, at=T0 + 1), waited(Reason.AWAITING_CREDIT, at=T0 + 9)
    )
    assert wait_of(job) == (Reason.AWAITING_CREDIT, T0 + 1, T0 + 9, 2)
    assert job.reason is Reason.AWAITING_CREDIT
    job = apply(job, waited(Reason.AWAITING_NETWORK, at=T0 + 20))
    assert wait_of(job) == (Reason.AWAITING_NETWORK, T0 + 20, T0 + 20, 1)
    job = apply(job, held(job))
    assert job.wait is None
    assert job.reason is Reason.NEW


def test_a_job_that_is_woken_keeps_its_place_on_the_ladder() -> None:
    job = after(new_job(), waited(Reason.AWAITING_CREDIT, at=T0 + 1), ev.Woken(at=T0 + 5, by="credit"))
    assert wait_of(job) == (Reason.AWAITING_CREDIT, T0 + 1, 0, 1)


def test_credit_that_is_short_is_remembered_until_the_job_is_posted() -> None:
    job = apply(new_job(), waited(Reason.AWAITING_CREDIT, at=T0 + 1))
    assert job.short_since == T0 + 1
    job = after(job, waited(Reason.AWAITING_NETWORK, at=T0 + 2), waited(Reason.AWAITING_CREDIT, at=T0 + 3))
    job = apply(job, held(job))
    job = apply(job, ev.Pinned(at=T0 + 4, known=True))
    job = apply(job, intended(job, Operation.POST, at=T0 + 4))
    again = apply(job, short(job, at=T0 + 5))
    assert (again.state, again.quote, again.short_since) == (State.ENQUEUED, None, T0 + 1)
    assert apply(job, posted(job, at=T0 + 5)).short_since is None


def test_every_post_that_credit_did_not_pay_for_makes_the_next_wait_longer() -> None:
    job = new_job()
    for post in (1, 2, 3):
        job = apply(job, held(job))
        job = apply(job, ev.Pinned(at=T0, known=True))
        job = apply(job, intended(job, Operation.POST))
        job = apply(job, short(job, at=T0 + post))
        assert wait_of(job) == (Reason.AWAITING_CREDIT, T0 + post, T0 + post, post)
    assert job.posts == 3
    assert job.short_since == T0 + 1


def test_an_extension_that_credit_does_not_pay_for_is_no_post() -> None:
    job = extending_job(1800)
    job = apply(job, short(job, at=T0 + 5))
    assert (job.state, job.short_since, job.call) == (State.RUNNING, None, None)
    assert wait_of(job) == (Reason.AWAITING_CREDIT, T0 + 5, T0 + 5, 1)


def test_an_undecided_call_keeps_its_key_and_an_expired_one_gets_the_next_epoch() -> None:
    job = posting_job()
    assert job.call is not None
    key = job.call.key
    job = after(job, undecided(job, retry_at=T0 + 2))
    job = after(job, undecided(job, retry_at=T0 + 6))
    assert job.call is not None
    assert (job.call.key, job.call.epoch, job.call.tries, job.call.retry_at) == (key, 1, 2, T0 + 6)
    job = apply(job, expired(job, retry_at=T0 + 9))
    assert job.call is not None
    assert (job.call.key, job.call.epoch, job.call.tries) == (key.removesuffix("1") + "2", 2, 0)
    assert (job.posts, job.call.amount) == (1, Decimal("1.8"))


def test_a_refused_post_is_remembered_and_not_repeated() -> None:
    job = posting_job()
    job = apply(job, refused(job))
    assert (job.state, job.reason, job.call) == (State.PINNED, Reason.REFUSED, None)
    assert job.post_refused == "no (HTTP 400)"


def test_what_is_posted_and_extended_is_reserved() -> None:
    job = queued_job()
    assert job.remote is not None
    assert (job.spend.posted, job.remote.timeout, job.remote.deadline) == (Decimal("1.8"), 1800, None)
    job = apply(job, observed(job, Phase.RUNNING, at=T0 + 100))
    assert job.remote is not None
    assert job.remote.deadline == T0 + 1900
    job = apply(job, intended(job, Operation.EXTEND, 600))
    job = apply(job, extended(job, at=T0 + 200))
    assert job.remote is not None
    assert (job.spend.posted, job.remote.timeout, job.remote.deadline) == (Decimal("2.4"), 2400, T0 + 2500)
    assert (job.extends, job.extend_calls, job.remote.extended_at) == (1, 1, T0 + 200)


def test_an_extension_that_the_index_shows_before_its_answer_comes_counts_once() -> None:
    job = extending_job(600)
    job = apply(job, undecided(job))
    job = apply(job, observed(job, Phase.RUNNING, at=T0 + 1, timeout=2400))
    job = apply(job, extended(job, at=T0 + 3))
    assert job.remote is not None
    assert (job.remote.timeout, job.spend.posted, job.extends) == (2400, Decimal("2.4"), 1)


def test_an_extension_of_a_job_that_was_over_adds_nothing_and_waits_for_the_end() -> None:
    job = running_job()
    job = after(job, *(ev.Looked(at=T0 + n) for n in range(9)))
    job = apply(job, intended(job, Operation.EXTEND, 600))
    job = apply(job, extended(job, at=T0 + 200, landed=False))
    assert job.remote is not None
    assert (job.spend.posted, job.remote.timeout, job.extends, job.call) == (Decimal("1.8"), 1800, 0, None)
    assert wait_of(job) == (Reason.AWAITING_RESULT, T0 + 200, T0 + 200, 1)
    assert (job.remote.unchanged_looks, job.reason) == (0, Reason.AWAITING_RESULT)
    looked = apply(job, ev.Looked(at=T0 + 210))
    assert wait_of(looked) == wait_of(job)
    alive = apply(job, observed(job, Phase.RUNNING, at=T0 + 210, timeout=1801))
    assert (alive.wait, alive.reason) == (None, Reason.RUNNING)
    over = apply(job, observed(job, Phase.DONE, at=T0 + 210))
    assert over.wait is None  # its result is fetched at once
    assert over.reason is Reason.AWAITING_RESULT


@pytest.mark.parametrize("answer", [extended, refused])
def test_an_order_is_done_with_once_the_network_has_answered(answer: Callable[[Job], ev.Event]) -> None:
    job = ordered(running_job(), 600, 600, 900)
    job = apply(job, intended(job, Operation.EXTEND, 600))
    assert job.call is not None
    assert job.call.ordered
    assert job.extend_ordered == (600, 600, 900)
    job = apply(job, answer(job))
    assert job.extend_ordered == (600, 900)
    assert job.extend_refused is None  # what an operator cannot have, the policy still may


def test_an_order_stays_while_credit_does_not_pay_for_it() -> None:
    job = ordered(running_job(), 600)
    job = apply(job, intended(job, Operation.EXTEND, 600))
    job = apply(job, short(job))
    assert job.extend_ordered == (600,)


@pytest.mark.parametrize("landed", [True, False])
def test_an_extension_by_policy_leaves_an_order_that_came_meanwhile(landed: bool) -> None:
    job = ordered(extending_job(600), 600)
    assert job.call is not None
    assert not job.call.ordered
    assert apply(job, extended(job, landed=landed)).extend_ordered == (600,)
    assert apply(job, refused(job)).extend_ordered == (600,)


def test_an_extension_by_policy_that_is_refused_is_the_last() -> None:
    job = extending_job(600)
    job = apply(job, refused(job))
    assert (job.extend_refused, job.reason, job.call) == ("no (HTTP 400)", Reason.RUNNING, None)


def test_a_dropped_order_leaves_the_others() -> None:
    job = ordered(running_job(), 600, 900, 600)
    job = apply(job, ev.ExtendDropped(at=T0, seconds=900, detail="no"))
    assert job.extend_ordered == (600, 600)
    assert apply(job, ev.ExtendDropped(at=T0, seconds=1, detail="no")).extend_ordered == (600, 600)


def test_any_number_of_orders_can_be_kept() -> None:
    job = ordered(running_job(), *[60] * 200)
    assert Job.model_validate_json(job.model_dump_json()) == job


def test_a_stop_forgets_orders_and_takes_the_place_of_an_open_extension() -> None:
    job = ordered(extending_job(600), 900)
    job = apply(job, ordered_stop(at=T0 + 5))
    assert (job.state, job.reason, job.extend_ordered) == (State.RUNNING, Reason.STOP_REQUESTED, ())
    job = apply(job, intended(job, Operation.STOP, at=T0 + 5))
    assert job.call is not None
    assert (job.state, job.call.operation, job.stops) == (State.STOPPING, Operation.STOP, 1)
    assert (job.spend.posted, job.spend.doubtful) == (Decimal("1.8"), Decimal("0.6"))  # it may have landed


def test_refused_stops_climb_a_ladder_until_one_is_confirmed() -> None:
    job = stopping_job()
    for tries in (1, 2, 3):
        job = apply(job, refused(job))
        job = apply(job, waited(Reason.STOP_REQUESTED, at=T0 + tries))
        assert wait_of(job) == (Reason.STOP_REQUESTED, T0 + 1, T0 + tries, tries)
        job = apply(job, intended(job, Operation.STOP))
    job = apply(job, confirmed(job, at=T0 + 10))
    assert job.wait is None
    assert job.stop is not None
    assert (job.stop.outcome, job.stop.confirmed_at, job.stops) == ("ended", T0 + 10, 4)


def test_a_stop_forgets_what_an_extension_waited_for() -> None:
    job = after(running_job(), waited(Reason.AWAITING_CREDIT), ordered_stop())
    assert apply(job, intended(job, Operation.STOP)).wait is None


def test_a_job_that_is_stopped_is_looked_at_as_if_it_were_new() -> None:
    job = after(running_job(), *(ev.Looked(at=T0 + n) for n in range(9)))
    job = apply(job, ordered_stop(at=T0 + 10))
    assert job.remote is not None
    assert job.remote.unchanged_looks == 0
    job = apply(job, intended(job, Operation.STOP))
    job = after(job, *(ev.Looked(at=T0 + 10 + n) for n in range(9)))
    job = apply(job, confirmed(job, at=T0 + 20))
    assert job.remote is not None
    assert job.remote.unchanged_looks == 0
    assert apply(pinned_job(), ordered_stop()).remote is None


def test_a_look_that_brings_nothing_only_counts() -> None:
    job = apply(queued_job(), ev.Looked(at=T0 + 30, missing=True))
    job = apply(job, ev.Looked(at=T0 + 60, missing=True))
    assert job.remote is not None
    assert (job.remote.missing_since, job.remote.seen_at) == (T0 + 30, None)
    assert (job.remote.unchanged_looks, job.remote.looked_at) == (2, T0 + 60)
    job = apply(job, ev.Looked(at=T0 + 70, error="cut"))
    assert job.remote is not None
    assert (job.remote.error, job.remote.missing_since) == ("cut", T0 + 30)
    job = apply(job, ev.Looked(at=T0 + 80))
    assert job.remote is not None
    assert (job.remote.error, job.remote.missing_since, job.remote.seen_at) == (None, None, T0 + 80)


@pytest.mark.parametrize(
    ("phase", "state", "reason"),
    [
        (Phase.QUEUED, State.QUEUED, Reason.AWAITING_HOST),
        (Phase.RUNNING, State.RUNNING, Reason.RUNNING),
        (Phase.DONE, State.QUEUED, Reason.AWAITING_RESULT),
        (Phase.HOST_QUIT, State.QUEUED, Reason.AWAITING_RESULT),
        (Phase.GONE, State.QUEUED, Reason.AWAITING_RESULT),
    ],
)
def test_what_the_network_shows_is_where_the_job_is(phase: Phase, state: State, reason: Reason) -> None:
    job = after(queued_job(), ev.Looked(at=T0 + 5, error="cut"))
    job = apply(job, observed(job, phase, at=T0 + 10, result_cid=RESULT))
    assert (job.state, job.reason) == (state, reason)
    assert job.remote is not None
    assert (job.remote.unchanged_looks, job.remote.error, job.remote.changed_at) == (0, None, T0 + 10)
    assert job.remote.result_cid == RESULT
    assert job.remote.seen_at == (None if phase is Phase.GONE else T0 + 10)


def test_a_job_that_is_stopped_before_it_runs_does_not_become_running() -> None:
    job = apply(queued_job(), ordered_stop())
    job = apply(job, intended(job, Operation.STOP))
    job = apply(job, observed(job, Phase.RUNNING))
    assert (job.state, job.reason) == (State.STOPPING, Reason.STOP_REQUESTED)


def test_the_end_closes_everything() -> None:
    job = after(extending_job(), waited(Reason.AWAITING_CREDIT))
    job = apply(job, ended(State.FAILED, at=T0 + 50, settled="0.5"))
    assert (job.state, job.call, job.wait) == (State.FAILED, None, None)
    assert (job.spend.settled, job.spend.posted) == (Decimal("0.5"), Decimal("1.8"))
    assert job.ending is not None


def test_a_job_that_goes_on_as_another_keeps_what_it_spent_and_sees_the_other_afresh() -> None:
    job = running_job(policies={"extend": {"by": "30m"}})
    job = apply(job, intended(job, Operation.EXTEND, 1800))
    job = apply(job, extended(job))
    other = RemoteAddress("9yB2uVfXcEoWz4hTqRkPnDjM7sGaLt5Hi8KxNmZrUwQp")
    adopted = ev.Adopted(at=T0 + 300, address=other, instead_of=ADDRESS, seconds=1800, amount=Decimal("1.8"))
    after_it = apply(job, adopted)
    assert job.remote is not None
    assert after_it.remote == Remote(
        address=other,
        posted_at=job.remote.posted_at,
        looked_at=T0 + 300,
        changed_at=T0 + 300,
        timeout=1800,
    )
    assert (after_it.state, after_it.reason) == (State.QUEUED, Reason.AWAITING_INDEX)
    assert after_it.extends == 1
    assert after_it.spend.posted == job.spend.posted + Decimal("1.8"), "both were posted"


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_mending_changes_nothing_but_the_log(state: State) -> None:
    job = job_in(state)
    mended = apply(job, ev.Mended(at=T0 + 9, what="it was not on the agenda"))
    assert mended == job.model_copy(update={"updated_at": T0 + 9, "version": job.version + 1})
