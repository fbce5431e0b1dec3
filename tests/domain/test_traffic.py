"""Calls that are held back: what they mean for the record, when they are tried again, what errors say of a network."""

from datetime import timedelta

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Collect, Look, Send, Wait
from dispatcher.domain.errors import (
    Forbidden,
    InsufficientCredits,
    KeyExpired,
    KeyInProgress,
    MalformedAnswer,
    NoAnswer,
    NotFound,
    ProviderError,
    RateLimited,
    Refused,
    Unauthorized,
    Unavailable,
)
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import plan
from dispatcher.domain.rules.ending import RESULT_PATIENCE
from dispatcher.domain.rules.pace import call_retry
from dispatcher.domain.traffic import Limits, Outcome, Urgency, outcome_of, pressing_pause
from dispatcher.domain.view import next_step, why
from dispatcher.domain.words import Operation, Phase, Reason
from tests.domain.made import (
    RESULT,
    T0,
    after,
    extending_job,
    intended,
    new_job,
    observed,
    open_call,
    ordered_stop,
    pinned_job,
    posting_job,
    running_job,
    stopping_job,
    undecided,
    waited,
)

A, F, L = Outcome.ANSWERED, Outcome.FAILED, Outcome.LIMITED


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NoAnswer("get", "cut"), F),
        (Unavailable("get", "", status=500), F),
        (Unavailable("get", "", status=503, retry_after=5), F),
        (Unavailable("get", "", status=599), F),
        (Unavailable("get", ""), F),
        (Unavailable("get", "", status=501), A),  # it never will, and says so
        (Unavailable("get", "", status=408), A),
        (RateLimited("get", "", status=429), L),
        (KeyInProgress("post", "", status=409, retry_after=9), A),
        (KeyExpired("post", "", status=409), A),
        (InsufficientCredits("post", "", status=402), A),
        (Unauthorized("get", "", status=401), A),
        (Forbidden("get", "", status=403), A),
        (NotFound("get", "", status=404), A),
        (Refused("get", "", status=400), A),
        (MalformedAnswer("get", "", status=200), A),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.status}" if isinstance(value, ProviderError) else None,
)
def test_what_an_error_says_about_the_network(error: ProviderError, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def test_the_urgent_need_less_and_nothing_needs_more_than_there_can_be() -> None:
    for rate in (0.1, 1, 20, 10_000):
        limits = Limits.of(rate)
        needs = [limits.needed(urgency) for urgency in Urgency]
        assert needs == sorted(needs)
        assert needs[0] < 1 == needs[1]
        assert needs[-1] <= limits.burst


def test_limits_are_the_walls_and_the_clock_may_be_faster() -> None:
    wall, fast = Limits.of(20), Limits.of(20, speed=60)
    assert (wall.rate, wall.burst, fast.burst) == (20, 40, 40)
    assert fast.rate == pytest.approx(20 / 60)
    assert (fast.cool_down, fast.window, fast.longest_pause) == (300, 3600, 1800)


@pytest.mark.parametrize(
    ("before", "until"), [(None, 300), (1000, 300), (600, 300), (100, 50), (0, 0), (-50, 0)]
)
def test_how_long_a_pause_holds_what_presses(before: float | None, until: float) -> None:
    assert pressing_pause(T0, None if before is None else T0 + before) == T0 + until


@pytest.mark.parametrize(
    ("job", "left", "seconds"),
    [
        (posting_job(), None, 7200),  # a post can wait as long as the network wishes
        (extending_job(), 1000, 300),
        (extending_job(), 120, 60),
        (extending_job(), 1, 1),
        (extending_job(), -5, 300),
        (stopping_job(), None, 300),
        (stopping_job(), 40, 20),
    ],
    ids=["post", "extend", "extend soon", "extend at once", "extend too late", "stop", "stop soon"],
)
def test_a_wish_beyond_the_deadline_is_not_obeyed(job: Job, left: float | None, seconds: float) -> None:
    assert call_retry(job, 1, 7200.0, left) == seconds
    assert call_retry(job, 1, min(7200.0, 0.7), left) == 0.7


def held(job: Job, *, at: float = T0, retry_at: float, in_doubt: bool = False) -> ev.CallUndecided:
    return ev.CallUndecided(
        at=at,
        operation=open_call(job).operation,
        key=open_call(job).key,
        error="post: held back",
        retry_at=retry_at,
        sent=False,
        in_doubt=in_doubt,
    )


class TestCalls:
    def test_a_call_that_was_held_back_is_not_a_try(self) -> None:
        job = posting_job()
        job = after(job, held(job, retry_at=T0 + 40))
        call = open_call(job)
        assert (call.tries, call.retry_at, call.error) == (0, T0 + 40, None)
        assert (call.held, call.unsent_until) == ("post: held back", T0 + 40)
        assert plan(job, T0 + 39).action == Wait(T0 + 40)
        assert plan(job, T0 + 40).action == Send(call.key)
        assert why(job) == "post: held back"
        step = next_step(job, T0 + 1)
        assert step is not None
        assert step["at"] == "2027-01-15T08:00:40Z"
        assert plan(job, T0 + 1).reason is Reason.AWAITING_NETWORK

    def test_what_it_was_told_before_is_remembered(self) -> None:
        job = posting_job()
        job = after(job, undecided(job, retry_at=T0 + 2))
        told = open_call(job).error
        job = after(job, held(job, retry_at=T0 + 9, in_doubt=True))
        call = open_call(job)
        assert (call.tries, call.error, call.held, call.unsent_until) == (1, told, "post: held back", None)
        job = after(job, undecided(job, retry_at=T0 + 12))
        assert (open_call(job).tries, open_call(job).held) == (2, None)
        assert why(job) == told

    @pytest.mark.parametrize("sent", [False, True])
    def test_a_stop_does_not_wait_for_a_post_that_was_never_sent(self, sent: bool) -> None:
        job = posting_job()
        event = undecided(job, retry_at=T0 + 40) if sent else held(job, retry_at=T0 + 40)
        job = after(job, event, ordered_stop())
        expected = Wait(T0 + 40) if sent else Send(open_call(job).key)
        assert plan(job, T0 + 1).action == expected

    def test_a_post_that_may_have_been_sent_is_waited_for(self) -> None:
        job = posting_job()
        job = after(job, held(job, retry_at=T0 + 40, in_doubt=True), ordered_stop())
        assert plan(job, T0 + 1).action == Wait(T0 + 40)


class TestWaits:
    def test_a_wait_without_a_try_climbs_no_ladder(self) -> None:
        job = new_job()
        for n in range(5):
            event = waited(Reason.AWAITING_NETWORK, at=T0 + n, detail="held back")
            job = apply(job, event.model_copy(update={"sent": False, "retry_at": T0 + n + 0.5}))
        assert job.wait is not None
        assert (job.wait.tries, job.wait.since, job.wait.last) == (0, T0, T0 + 4)
        assert plan(job, T0 + 4).action == Wait(T0 + 4.5)

    @pytest.mark.parametrize(("retry_at", "earliest", "latest"), [(1.0, 1.7, 2.3), (90.0, 90, 90)])
    def test_the_networks_wish_counts_if_it_is_longer_than_the_ladder(
        self, retry_at: float, earliest: float, latest: float
    ) -> None:
        for job in (new_job(), pinned_job()):
            event = waited(Reason.AWAITING_NETWORK).model_copy(update={"retry_at": T0 + retry_at})
            action = plan(apply(job, event), T0).action
            assert isinstance(action, Wait)
            assert earliest <= action.until - T0 <= latest

    def test_who_is_woken_is_tried_at_once_all_the_same(self) -> None:
        event = waited(Reason.AWAITING_NETWORK).model_copy(update={"retry_at": T0 + 90})
        job = after(new_job(), event, ev.Woken(at=T0 + 1, by="credit"))
        assert not isinstance(plan(job, T0 + 1).action, Wait)


class TestLooks:
    def test_a_look_that_was_held_back_changes_no_ladder(self) -> None:
        job = running_job(timeout="2h")
        before = job.remote
        due = plan(job, T0).action
        assert isinstance(due, Wait)
        job = apply(job, ev.Looked(at=due.until, error="get: held back", held_until=due.until + 3))
        assert before is not None
        assert job.remote == before.model_copy(
            update={"error": "get: held back", "held_until": due.until + 3}
        )
        assert plan(job, due.until).action == Wait(due.until + 3)
        assert plan(job, due.until + 3).action == Look()
        assert why(job) == "get: held back"
        job = apply(job, ev.Looked(at=due.until + 3))
        assert job.remote is not None
        assert (job.remote.held_until, job.remote.error) == (None, None)
        assert (job.remote.unchanged_looks, job.remote.looked_at) == (
            before.unchanged_looks + 1,
            due.until + 3,
        )

    def test_what_is_seen_ends_the_hold(self) -> None:
        job = running_job(timeout="2h")
        job = apply(job, ev.Looked(at=T0 + 1, error="held", held_until=T0 + 500))
        job = apply(job, observed(job, Phase.DONE, at=T0 + 2, ended_at=T0 + 2))
        assert job.remote is not None
        assert (job.remote.held_until, job.remote.error) == (None, None)

    def test_a_result_that_is_held_back_is_not_given_up_before_it_was_asked_for(self) -> None:
        job = running_job(timeout="2h")
        job = apply(job, observed(job, Phase.DONE, at=T0, ended_at=T0, result_cid=RESULT))
        event = waited(Reason.AWAITING_RESULT, at=T0 + 800)
        gone = apply(job, event)
        assert plan(gone, T0 + RESULT_PATIENCE + 1).action in (Collect(), Collect(without_result=True))
        job = apply(job, event.model_copy(update={"sent": False, "retry_at": T0 + 1500}))
        assert plan(job, T0 + 801).action == Wait(T0 + 1500)
        assert plan(job, T0 + 1500).action == Collect()
        day = timedelta(days=1).total_seconds()
        job = apply(job, event.model_copy(update={"sent": False, "retry_at": T0 + day}))
        assert plan(job, T0 + 3599).action == Wait(T0 + 3600)
        assert plan(job, T0 + 3600).action == Collect(without_result=True)


def test_a_stop_may_follow_an_extension_that_was_held_back() -> None:
    job = extending_job()
    job = after(job, held(job, retry_at=T0 + 40), ordered_stop())
    job = apply(job, intended(job, Operation.STOP))
    assert open_call(job).operation is Operation.STOP
