"""What a job can cost at most, in every state: never understated, and known wherever it can be."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.bounds import costs, longest_runtime
from dispatcher.domain.costs import capped_by, extension_refusal
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.money import price_at_most
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    T0,
    after,
    confirmed,
    ended,
    extended,
    extending_job,
    held_job,
    intended,
    new_job,
    observed,
    ordered_stop,
    over_job,
    pinned_job,
    posting_job,
    queued_job,
    refused,
    running_job,
    short,
    stopping_job,
    waited,
)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


def extending(**policy: Any) -> dict[str, Any]:
    return {"extend": {"by": "10m", **policy}}


UNTIL_2400 = {"extend": {"by": "10m"}, "stop": {"at": at(2340)}}
"""2400 s with the minute of grace that is posted beyond a planned stop."""


def order(job: Job, seconds: int) -> Job:
    return apply(job, ev.ExtendOrdered(at=T0, seconds=seconds, by="tester"))


def landed(job: Job, seconds: int) -> Job:
    """`job` after an extension."""
    job = apply(job, intended(job, Operation.EXTEND, seconds))
    return apply(job, extended(job))


def extension_refused(job: Job) -> Job:
    job = apply(job, intended(job, Operation.EXTEND, 600))
    return apply(job, refused(job))


def refused_post() -> Job:
    return apply(posting_job(), refused(posting_job()))


def stopped(job: Job) -> Job:
    return apply(job, ordered_stop())


def over(job: Job, phase: Phase = Phase.DONE, **changes: Any) -> Job:
    return apply(job, observed(job, phase, at=T0 + 110, **changes))


@pytest.mark.parametrize(
    ("job", "committed", "allowed"),
    [
        # Enqueued: nothing is paid before the post is written down. Without a price there is no figure in dollars.
        (new_job(), "0", None),
        (new_job(policies={"stop": {"max_cost": "1"}}), "0", "1"),
        (new_job(policies={"stop": {"at": at(-1)}}), "0", "0"),  # will not be posted at all
        (new_job(policies={"extend": {"by": "10m", "max_runtime": "59s"}}), "0", "0"),
        (stopped(new_job()), "0", "0"),
        (apply(new_job(), waited(Reason.AWAITING_CREDIT)), "0", None),
        (held_job(), "0", "1.8"),
        (held_job(policies=extending()), "0", None),
        (held_job(policies=extending(max_times=2)), "0", "3"),
        (held_job(policies=UNTIL_2400), "0", "2.4"),
        (held_job(policies={"stop": {"at": at(540)}}), "0", "0.6"),
        (stopped(held_job(policies=extending())), "0", "0"),
        # Pinned.
        (pinned_job(), "0", "1.8"),
        (pinned_job(policies=extending(max_cost="2")), "0", "2"),
        (refused_post(), "0", "0"),  # ends without having been posted
        # Posting: it may have landed.
        (posting_job(), "1.8", "1.8"),
        (posting_job(policies=extending(max_times=2)), "1.8", "3"),
        (posting_job(policies=extending()), "1.8", None),
        (posting_job(policies=UNTIL_2400), "1.8", "2.4"),
        (stopped(posting_job(policies=extending())), "1.8", "1.8"),
        (apply(posting_job(), short(posting_job())), "0", None),  # the price is asked again
        # Queued.
        (queued_job(), "1.8", "1.8"),
        (queued_job(policies=UNTIL_2400), "1.8", "2.4"),
        (order(queued_job(), 600), "1.8", "2.4"),
        (stopped(order(queued_job(policies=extending()), 600)), "1.8", "1.8"),
        # Running.
        (running_job(), "1.8", "1.8"),
        (running_job(policies=extending()), "1.8", None),
        (running_job(policies=UNTIL_2400), "1.8", "2.4"),
        (running_job(policies=UNTIL_2400 | extending(max_times=3)), "1.8", "2.4"),
        (running_job(policies={"stop": {"at": at(600)}}), "0.66", "0.66"),  # that is all that was posted
        (landed(running_job(policies=UNTIL_2400), 600), "2.4", "2.4"),
        (landed(running_job(policies=extending(max_times=2)), 600), "2.4", "3"),
        # An operator's extension counts as one of `max_times`, but is as long as the operator likes.
        (landed(running_job(policies=extending(max_times=2)), 3600), "5.4", "6"),
        (order(running_job(), 600), "1.8", "2.4"),
        (order(order(running_job(), 600), 60), "1.8", "2.46"),
        (order(running_job(policies=extending(max_runtime="50m")), 600), "1.8", "3"),
        (extension_refused(running_job(policies=extending())), "1.8", "1.8"),  # no further one is tried
        (order(extension_refused(running_job(policies=extending())), 600), "1.8", "2.4"),
        (extending_job(600), "2.4", "2.4"),
        (extending_job(600, policies=extending(max_times=2)), "2.4", "3"),
        (extending_job(600, policies=extending(max_runtime="1h")), "2.4", "3.6"),
        (extending_job(600, policies=UNTIL_2400), "2.4", "2.4"),
        # In steps: one is at risk, all of them are allowed.
        (held_job(policies={"quantum": "10m"}), "0", "1.8"),
        (queued_job(policies={"quantum": "10m"}), "0.6", "1.8"),
        (landed(queued_job(policies={"quantum": "10m"}), 600), "1.2", "1.8"),
        (order(queued_job(policies={"quantum": "10m"}), 600), "0.6", "2.4"),
        (landed(order(queued_job(policies={"quantum": "10m"}), 600), 600), "1.2", "2.4"),
        (running_job(policies=extending(max_times=2) | {"quantum": "10m"}), "0.6", "3"),
        (running_job(policies=extending() | {"quantum": "10m"}), "0.6", None),
        (running_job(policies={"quantum": "10m", "stop": {"at": at(1140)}}), "0.6", "1.2"),
        (extension_refused(running_job(policies={"quantum": "10m"})), "0.6", "0.6"),
        (stopped(running_job(policies={"quantum": "10m"})), "0.6", "0.6"),
        # Dearer than the market was: what is reserved stays, what comes costs more. Cheaper: holds are made alike.
        (
            apply(
                running_job(policies=extending(max_times=1)),
                observed(running_job(), Phase.RUNNING, rate_per_hour=Decimal("7.2")),
            ),
            "1.8",
            "3",
        ),
        (
            apply(
                running_job(policies=extending(max_times=1)),
                observed(running_job(), Phase.RUNNING, rate_per_hour=Decimal("1.8")),
            ),
            "1.8",
            "2.4",
        ),
        # Stopping: no more comes, but what was asked for may have landed.
        (stopped(running_job(policies=extending())), "1.8", "1.8"),
        (stopping_job(policies=extending()), "1.8", "1.8"),
        (apply(stopping_job(), confirmed(stopping_job())), "1.8", "1.8"),
        (
            after(stopped(extending_job(600)), intended(stopped(extending_job(600)), Operation.STOP)),
            "2.4",
            "2.4",
        ),
        # Over on the network: its time is known, or else all that was reserved may be taken.
        (over_job(), "0.1", "0.1"),
        (over_job(policies=extending()), "0.1", "0.1"),
        (over_job(Phase.HOST_QUIT), "0.1", "0.1"),
        (over(running_job(policies=extending())), "1.8", "1.8"),
        (over(running_job(policies=extending()), Phase.GONE), "1.8", "1.8"),
        (over(queued_job(), ended_at=T0 + 5), "1.8", "1.8"),
        # Over.
        *[
            (apply(over_job(), ended(state, settled="0.1")), "0.1", "0.1")
            for state in State
            if state.is_final
        ],
    ],
)
def test_at_most_now_and_at_most_ever(job: Job, committed: str, allowed: str | None) -> None:
    found = costs(job, T0 + 100)
    assert found.committed == Decimal(committed)
    assert found.allowed == (None if allowed is None else Decimal(allowed))
    later = costs(job, T0 + 10**6)
    assert (later.committed, later.allowed) == (found.committed, found.allowed)


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        (new_job(), 1800),  # known before the price is
        (new_job(policies=extending()), None),
        (new_job(policies=extending(max_cost="2")), None),
        (new_job(policies=extending(max_times=2)), 3000),
        (new_job(policies=extending(max_times=2, max_runtime="40m")), 2400),
        (new_job(policies={"stop": {"after": "10m"}}), 660),
        (new_job(policies={"quantum": "10m"}), 1800),
        (new_job(policies={"quantum": "10m"} | extending(max_times=2)), 3000),
        (new_job(policies=UNTIL_2400), 2400),
        (new_job(policies={"stop": {"at": at(-1)}}), 0),
        (stopped(running_job(policies=extending())), 1800),
        (order(running_job(), 600), 2400),
        (
            apply(
                running_job(policies=UNTIL_2400), observed(running_job(), Phase.RUNNING, started_at=T0 + 300)
            ),
            2100,
        ),
    ],
)
def test_the_most_run_time(job: Job, seconds: int | None) -> None:
    assert longest_runtime(job) == seconds


def test_every_extension_is_rounded_for_itself() -> None:
    """A minute costs 0.0166..., reserved as 0.017: sixty times that is more than an hour's price."""
    spec = {"timeout": "1m", "policies": {"extend": {"by": "1m", "max_times": 60}}}
    job = running_job(**spec)
    assert job.quote is not None
    dear = job.model_copy(update={"quote": job.quote.model_copy(update={"rate_per_hour": Decimal(1)})})
    found = costs(dear, T0)
    assert found.allowed == found.committed + 60 * Decimal("0.017")
    assert found.allowed > found.committed + price_at_most(Decimal(1), 3600)


def test_a_queued_job_cannot_be_extended_beyond_its_stop() -> None:
    """As if a host had taken it at once: `stop.at` is T0 + 2340, and a minute more may be posted."""
    job = queued_job(policies={"stop": {"at": at(2340)}})
    assert extension_refusal(job, 600) is None
    assert "do not allow" in str(extension_refusal(job, 601))


def test_what_is_under_way_still_counts_once_no_more_time_is_given() -> None:
    """An extension of 600 s is written down, an operator ordered 300 s more; then the policies give no more."""
    job = order(extending_job(600, policies=extending()), 300)
    assert costs(job, T0).allowed is None
    job = apply(job, ev.ExtendsEnded(at=T0, limit="stop.after", share=0.5))
    assert longest_runtime(job) == 2700
    assert costs(job, T0).allowed == Decimal("2.700")
    job = apply(job, extended(job))
    assert longest_runtime(job) == 2700


def test_no_more_than_until_is_promised() -> None:
    assert longest_runtime(new_job(policies=extending(until=at(2000)))) == 2000
    assert longest_runtime(running_job(policies=extending(until=at(2000)))) == 2000
    assert longest_runtime(running_job(policies=extending(until=at(60)))) == 1800  # the first posting stays
    assert "extend.until" in str(extension_refusal(running_job(policies=extending(until=at(2000))), 201))


@pytest.mark.parametrize(
    ("policies", "reason"),
    [
        ({}, None),
        (extending(), None),
        (extending(until=at(2000)), Reason.EXTEND_UNTIL),
        (extending(until=at(2000), max_runtime="33m"), Reason.MAX_RUNTIME),
        (extending(max_cost="2"), Reason.MAX_COST),
        (extending(max_runtime="40m"), Reason.MAX_RUNTIME),
        (UNTIL_2400, Reason.STOP_AT),
        ({"extend": {"by": "10m", "max_cost": "2"}, "stop": {"at": at(2340)}}, Reason.MAX_COST),
        ({"extend": {"by": "10m", "max_cost": "3"}, "stop": {"at": at(2340)}}, Reason.STOP_AT),
        ({"extend": {"by": "10m", "max_runtime": "39m"}, "stop": {"at": at(2340)}}, Reason.MAX_RUNTIME),
    ],
)
def test_the_tightest_limit(policies: dict[str, Any], reason: Reason | None) -> None:
    assert capped_by(running_job(policies=policies)) is reason
