"""What a job may be given, what it costs, and what it can still cost. A second costs a thousandth of a dollar."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.bounds import costs
from dispatcher.domain.costs import (
    extension_refusal,
    final_cost,
    first_seconds,
    highest_rate,
    next_extension,
    rate,
    run_seconds,
)
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.money import price_at_most
from dispatcher.domain.policies import LONGEST_TIMEOUT, SHORTEST_TIMEOUT, STOP_GRACE, Policies
from dispatcher.domain.words import Operation, Phase, Reason, State
from tests.domain.made import (
    RATE,
    T0,
    ended_job,
    extended,
    extending_job,
    held_job,
    intended,
    job_in,
    new_job,
    observed,
    ordered_stop,
    over_job,
    posting_job,
    queued_job,
    running_job,
    waited,
)


def at(seconds: float) -> str:
    return datetime.fromtimestamp(T0 + seconds, UTC).isoformat()


@pytest.mark.parametrize(
    ("policies", "seconds"),
    [
        ({}, 1800),
        ({"extend": {"by": "10m", "max_runtime": "20m"}}, 1200),
        ({"extend": {"by": "10m", "max_runtime": "2h"}}, 1800),
        ({"extend": {"by": "10m", "max_cost": "1.5"}}, 1500),
        ({"stop": {"after": "10m"}}, 660),
        ({"stop": {"after": "29m"}}, 1800),
        ({"stop": {"after": "1s"}}, 61),
        ({"stop": {"at": at(600)}}, 660),
        ({"stop": {"at": at(1)}}, 61),
        ({"stop": {"at": at(0)}}, 60),
        ({"stop": {"at": at(-1)}}, 0),
        ({"stop": {"max_cost": "1.5"}}, 1500),
        ({"stop": {"max_cost": "1.5009"}}, 1500),
        ({"stop": {"max_cost": "0.06"}}, 60),
        ({"stop": {"max_cost": "0.059"}}, 0),
        ({"extend": {"by": "10m", "max_runtime": "59s"}}, 0),
        ({"stop": {"after": "10m", "max_cost": "0.3"}, "extend": {"by": "1h", "max_runtime": "8m"}}, 300),
        ({"stop": {"queued_longer_than": "1m"}}, 1800),
    ],
)
def test_the_first_posting(policies: dict[str, Any], seconds: int) -> None:
    assert first_seconds(new_job(policies=policies).spec, RATE, T0) == seconds


@given(
    st.integers(SHORTEST_TIMEOUT, LONGEST_TIMEOUT),
    st.none() | st.integers(1, 10**6),
    st.none() | st.integers(-1000, 10**6),
    st.none() | st.decimals("0.001", 400, places=3),
    st.decimals("0.001", 100, places=5),
)
def test_the_first_posting_stays_within_every_policy(
    timeout: int, after: int | None, until: int | None, max_cost: Decimal | None, hourly: Decimal
) -> None:
    stop = {
        "after": None if after is None else timedelta(seconds=after),
        "at": None if until is None else at(until),
        "max_cost": max_cost,
    }
    spec = new_job(timeout=timedelta(seconds=timeout), policies={"stop": stop}).spec
    seconds = first_seconds(spec, hourly, T0)
    assert seconds == 0 or SHORTEST_TIMEOUT <= seconds <= timeout
    if after is not None:
        assert seconds <= after + STOP_GRACE
    if until is not None:
        assert seconds <= max(until + STOP_GRACE, 0)
    if max_cost is not None:
        assert price_at_most(hourly, seconds) <= max_cost


def grown(job: Job, *seconds: int) -> Job:
    """`job` after extensions that landed."""
    for one in seconds:
        job = apply(job, intended(job, Operation.EXTEND, one))
        job = apply(job, extended(job))
    return job


def dearer(job: Job, hourly: str) -> Job:
    """`job` after the network's record showed another rate than the market."""
    return apply(job, observed(job, Phase.RUNNING, rate_per_hour=Decimal(hourly)))


@pytest.mark.parametrize(
    ("job", "seconds"),
    [
        (running_job(), 0),
        (running_job(policies={"extend": {"by": "10m"}}), 600),
        (new_job(policies={"extend": {"by": "10m"}}), 0),
        (running_job(policies={"extend": {"by": "10m", "max_times": 1}}), 600),
        (grown(running_job(policies={"extend": {"by": "10m", "max_times": 1}}), 600), 0),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "40m"}}), 600),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "35m"}}), 300),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "31m"}}), 60),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "30m59s"}}), 0),
        (running_job(policies={"extend": {"by": "10m", "max_cost": "2.1"}}), 300),
        (running_job(policies={"extend": {"by": "10m", "max_cost": "1.859"}}), 0),
        (grown(running_job(policies={"extend": {"by": "10m", "max_cost": "2.5"}}), 600), 100),
        (running_job(policies={"extend": {"by": "10m"}, "stop": {"max_cost": "2.1"}}), 300),
        (running_job(policies={"extend": {"by": "10m"}, "stop": {"after": "34m"}}), 300),
        (running_job(policies={"extend": {"by": "10m"}, "stop": {"at": at(2040)}}), 300),
        (running_job(timeout="1m", policies={"extend": {"by": "10m"}, "stop": {"at": at(-1)}}), 0),
        # The record's rate is higher than the market's was: a second costs twice as much.
        (dearer(running_job(policies={"extend": {"by": "10m", "max_cost": "2.1"}}), "7.2"), 150),
        (dearer(running_job(policies={"extend": {"by": "10m", "max_cost": "2.1"}}), "1.8"), 300),
    ],
)
def test_the_next_extension_by_policy(job: Job, seconds: int) -> None:
    assert next_extension(job) == seconds


@pytest.mark.parametrize(
    ("job", "seconds", "said"),
    [
        (running_job(), 1, None),
        (running_job(), 10**6, None),
        (queued_job(), 600, None),
        (running_job(), 0, "adds time"),
        (running_job(), -600, "adds time"),
        (new_job(), 600, "not on the network yet"),
        (posting_job(), 600, "not on the network yet"),
        (apply(running_job(), ordered_stop()), 600, "a stop always wins"),
        (over_job(), 600, "the job is over"),
        (ended_job(State.FAILED), 600, "the job is failed"),
        (running_job(policies={"stop": {"max_cost": "2"}}), 200, None),
        (running_job(policies={"stop": {"max_cost": "2"}}), 201, "its policies do not allow"),
        (running_job(policies={"stop": {"after": "34m"}}), 300, None),
        (running_job(policies={"stop": {"after": "34m"}}), 301, "its policies do not allow"),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "30m10s"}}), 10, None),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "30m10s"}}), 11, "do not allow"),
        (running_job(policies={"extend": {"by": "10m", "max_times": 1}}), 7200, None),  # the policy's alone
    ],
)
def test_what_an_operator_may_order(job: Job, seconds: int, said: str | None) -> None:
    refusal = extension_refusal(job, seconds)
    assert refusal is None if said is None else said in str(refusal)


def test_the_rate_is_the_records_or_else_the_quotes() -> None:
    assert rate(new_job()) is highest_rate(new_job()) is None
    assert rate(held_job()) == highest_rate(held_job()) == RATE
    assert rate(dearer(running_job(), "1.8")) == Decimal("1.8")
    assert highest_rate(dearer(running_job(), "1.8")) == RATE
    assert rate(dearer(running_job(), "7.2")) == highest_rate(dearer(running_job(), "7.2")) == Decimal("7.2")


@pytest.mark.parametrize(
    ("job", "after", "seconds"),
    [
        (new_job(), 100, 0),
        (queued_job(), 100, 0),
        (running_job(), 100, 100),
        (running_job(), 100.5, 100.5),
        (running_job(), -5, 0),
        (running_job(), 10**6, 1800),
        (over_job(), 10**6, 100),
    ],
)
def test_how_long_a_job_has_run(job: Job, after: float, seconds: float) -> None:
    assert run_seconds(job, T0 + after) == seconds


def stopped_while_extending() -> Job:
    """A stop took the place of an extension by 600 s that was never answered."""
    job = apply(extending_job(600), ordered_stop())
    return apply(job, intended(job, Operation.STOP))


def seen(job: Job, phase: Phase, **changes: Any) -> Job:
    return apply(job, observed(job, phase, at=T0 + 110, **changes))


@pytest.mark.parametrize(
    ("job", "cost"),
    [
        (new_job(), "0"),
        (over_job(), "0.1"),
        (seen(running_job(), Phase.DONE, ended_at=T0 + 1800), "1.8"),
        (seen(running_job(), Phase.DONE, ended_at=T0 + 1805), "1.8"),  # never more than was allowed
        (seen(running_job(), Phase.DONE, ended_at=None), "0.11"),  # until it was seen as over
        (seen(running_job(), Phase.DONE, ended_at=T0 - 5), "0"),
        (seen(running_job(), Phase.HOST_QUIT, ended_at=T0 + 10), "0.01"),
        (seen(running_job(), Phase.GONE), "1.8"),  # nothing shows less
        (seen(queued_job(), Phase.GONE), "0"),  # taken off the queue
        (seen(queued_job(), Phase.DONE, ended_at=T0 + 5), "0"),
        (seen(running_job(), Phase.DONE, ended_at=T0 + 100, rate_per_hour=Decimal("1.8")), "0.05"),
        (seen(running_job(), Phase.DONE, ended_at=T0 + 1800, rate_per_hour=Decimal("7.2")), "1.8"),
        (seen(stopped_while_extending(), Phase.DONE, ended_at=T0 + 100), "0.1"),
        (seen(stopped_while_extending(), Phase.DONE, ended_at=T0 + 2000, timeout=2400), "2"),  # it had landed
        (seen(stopped_while_extending(), Phase.DONE, ended_at=T0 + 9000, timeout=9000), "2.4"),
        # an extension by 600 s that was never answered, at twice the price: the record says whether it landed
        (seen(extending_job(600), Phase.DONE, ended_at=T0 + 1800, rate_per_hour=Decimal("7.2")), "1.8"),
        (
            seen(
                extending_job(600),
                Phase.DONE,
                ended_at=T0 + 1900,
                timeout=2400,
                rate_per_hour=Decimal("7.2"),
            ),
            "2.4",
        ),
    ],
)
def test_what_is_settled(job: Job, cost: str) -> None:
    assert final_cost(job) == Decimal(cost)


@pytest.mark.parametrize(
    ("job", "after", "so_far", "committed", "allowed"),
    [
        (new_job(), 0, "0", "0", None),
        (new_job(policies={"stop": {"max_cost": "1"}}), 0, "0", "0", "1"),
        (held_job(), 0, "0", "0", "1.8"),
        (posting_job(), 0, "0", "1.8", "1.8"),  # it may have landed
        (running_job(), 100, "0.1", "1.8", "1.8"),
        (running_job(), 10**6, "1.8", "1.8", "1.8"),
        (extending_job(600), 100, "0.1", "2.4", "2.4"),  # an order beyond what was posted
        (stopped_while_extending(), 100, "0.1", "2.4", "2.4"),
        (running_job(policies={"extend": {"by": "10m"}}), 100, "0.1", "1.8", None),
        (extending_job(600, policies={"extend": {"by": "10m"}}), 100, "0.1", "2.4", None),
        (running_job(policies={"extend": {"by": "10m", "max_times": 2}}), 0, "0", "1.8", "3"),
        (running_job(policies={"extend": {"by": "10m", "max_runtime": "1h"}}), 0, "0", "1.8", "3.6"),
        (running_job(policies={"extend": {"by": "10m", "max_cost": "2"}}), 0, "0", "1.8", "2"),
        (running_job(policies={"extend": {"by": "10m"}, "stop": {"after": "59m"}}), 0, "0", "1.8", "3.6"),
        (ended_job(), 10**6, "0.1", "0.1", "0.1"),
    ],
)
def test_the_three_figures(job: Job, after: float, so_far: str, committed: str, allowed: str | None) -> None:
    found = costs(job, T0 + after)
    assert found.so_far == Decimal(so_far)
    assert found.committed == Decimal(committed)
    assert found.allowed == (None if allowed is None else Decimal(allowed))


@given(
    st.sampled_from(State),
    st.floats(0, 10**5),
    st.decimals("0.1", 20, places=4),
    st.sampled_from(
        [{}, {"extend": {"by": "10m", "max_times": 3}}, {"extend": {"by": "1h", "max_runtime": "9h"}}]
    ),
)
def test_the_figures_never_contradict_each_other(
    state: State, after: float, hourly: Decimal, policies: dict[str, Any]
) -> None:
    job = job_in(state)
    spec = job.spec.model_copy(update={"policies": Policies.model_validate(policies)})
    job = job.model_copy(update={"spec": spec})
    if job.state is State.RUNNING:
        job = dearer(job, str(hourly))
    found = costs(job, T0 + after)
    assert 0 <= found.so_far <= found.committed
    assert found.allowed is None or found.committed <= found.allowed


def test_waiting_and_looking_cost_nothing() -> None:
    job = running_job()
    looked = apply(apply(job, waited(Reason.AWAITING_CREDIT)), ev.Looked(at=T0 + 9))
    assert costs(looked, T0 + 10) == costs(job, T0 + 10)
