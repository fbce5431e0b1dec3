"""What a job was said to cost at most is never exceeded, along random lives and at prices that are rounded."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.actions import Nothing
from dispatcher.domain.bounds import costs, longest_runtime
from dispatcher.domain.costs import extension_refusal, next_extension
from dispatcher.domain.job import Job
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.money import price, price_at_most
from dispatcher.domain.policies import SHORTEST_TIMEOUT
from dispatcher.domain.words import Operation, Phase
from tests.domain.made import RATE, T0, after, enqueued, extended, held, intended, new_job, observed, posted
from tests.domain.test_planner_walks import drawn
from tests.domain.walk import Walk


def order(job: Job, seconds: int) -> Job:
    return apply(job, ev.ExtendOrdered(at=T0, seconds=seconds, by="tester"))


DURATIONS = st.integers(120, 5000).map(lambda n: f"{n}s")


@settings(deadline=None)
@given(
    st.decimals("0.01", 20, places=5),
    DURATIONS,
    st.none() | DURATIONS,
    st.none() | st.fixed_dictionaries({"by": DURATIONS, "max_times": st.integers(1, 5)}),
    st.none() | DURATIONS,
    st.lists(st.integers(1, 4000), max_size=2),
    st.none() | st.integers(1, 20_000),
)
def test_extensions_never_add_up_to_more_than_was_said(
    hourly: Decimal,
    timeout: str,
    quantum: str | None,
    extend: dict[str, Any] | None,
    stop_after: str | None,
    orders: list[int],
    until: int | None,
) -> None:
    """At a price that is rounded each time, one extension after the other until none is allowed any more."""
    if extend is not None and until is not None:
        extend = extend | {"until": datetime.fromtimestamp(T0 + until, UTC)}
    policies = {"quantum": quantum, "extend": extend, "stop": {"after": stop_after}}
    job = new_job(timeout=timeout, policies=policies)
    job = after(job, held(job, rate=hourly), ev.Pinned(at=T0, known=False))
    bounds = [costs(job, T0).allowed]
    job = apply(job, intended(job, Operation.POST))
    job = apply(job, posted(job).model_copy(update={"amount": price(hourly, first(job))}))
    job = apply(job, observed(job, Phase.RUNNING))
    bounds.append(costs(job, T0).allowed)
    longest = longest_runtime(job)
    for seconds in orders:
        if extension_refusal(job, seconds) is None:
            job = order(job, seconds)
            bounds, longest = [costs(job, T0).allowed], longest_runtime(job)  # an order raises them
    while (seconds := job.extend_ordered[0] if job.extend_ordered else next_extension(job)) > 0:
        event = ev.ExtendDropped(at=T0, seconds=seconds, detail="")
        if not job.extend_ordered or extension_refusal(job, seconds) is None:
            job = apply(job, intended(job, Operation.EXTEND, seconds))
            amount = price_at_most(hourly, seconds)
            assert job.call is not None
            job = job.model_copy(update={"call": job.call.model_copy(update={"amount": amount})})
            assert all(costs(job, T0).committed <= bound for bound in bounds if bound is not None)
            bounds.append(costs(job, T0).allowed)
            answer = extended(job)
            job = apply(job, answer.model_copy(update={"amount": price(hourly, seconds)}))
        else:
            job = apply(job, event)
        bounds.append(costs(job, T0).allowed)
    assert None not in bounds
    assert all(job.spend.posted <= bound for bound in bounds if bound is not None)
    assert job.remote is not None
    assert longest is not None
    assert job.remote.timeout <= longest
    assert (
        orders or longest - job.remote.timeout < SHORTEST_TIMEOUT
    )  # and no more than that too much was said


def first(job: Job) -> int:
    assert job.call is not None
    return job.call.seconds


STEPS = 2000


def test_along_random_lives_nothing_costs_more_than_was_said() -> None:
    """At every step: at most now covers what the network reserved, and no later figure is above an earlier one."""
    limited = 0
    for seed in range(300):
        chance = Random(seed)
        policies = drawn(chance) | ({"quantum": "12m"} if chance.random() < 0.3 else {})
        spec = {"policies": policies, "timeout": timedelta(seconds=chance.randint(60, 4000))}
        walk = Walk(enqueued(**spec), seed, chance.randint(0, 40))
        commands = chance.randint(0, 3)
        bound: Decimal | None = None
        for number in range(STEPS):
            orders = _orders(walk)
            if commands > 0 and number % 17 == seed % 17:
                walk.command()
                commands -= 1
            action = walk.step()
            job = walk.job
            found = costs(job, walk.now)
            if _orders(walk) > orders or job.quote is None:
                bound = None  # an order raises what is allowed; a price that is asked again may
            if job.remote is not None and not job.remote.is_over and not job.state.is_final:
                assert found.committed >= walk.network.reserved
            assert found.allowed is not None or bound is None
            if bound is not None and found.allowed is not None:
                assert found.allowed <= bound
                limited += 1
            bound = found.allowed
            if isinstance(action, Nothing):
                break
        assert walk.job.spend.settled == costs(walk.job, walk.now).allowed
    assert limited > 3000
    assert walk.network.rate == RATE


def _orders(walk: Walk) -> int:
    """How often people asked for what may cost more."""
    return sum(event.kind in {"extend_ordered", "policies_changed"} for event in walk.log)


def test_a_ceiling_on_prices_bounds_all_attempts_from_the_beginning() -> None:
    """What is allowed is known before the first price is, and never exceeded, attempt after attempt."""
    attempts = 0
    for seed in range(300):
        chance = Random(seed)
        retry = {"on": ["failed", "timed_out", "queued_too_long"], "attempts": 4, "backoff": "20s"}
        policies = drawn(chance) | {"retry": retry}
        policies["credit"] = {"max_rate_per_hour": str(RATE)}
        policies["extend"] = {"by": "10m", "max_times": 2} if chance.random() < 0.5 else None
        spec = {"policies": policies, "timeout": timedelta(seconds=chance.randint(60, 4000))}
        walk = Walk(enqueued(**spec), seed, chance.randint(0, 40))
        bound = costs(walk.job, walk.now).allowed
        for _ in range(STEPS):
            action = walk.step()
            found = costs(walk.job, walk.now)
            assert found.allowed is not None
            assert bound is not None
            assert found.so_far <= found.committed <= found.allowed <= bound
            if isinstance(action, Nothing):
                break
        assert walk.job.spend.settled == costs(walk.job, walk.now).allowed
        attempts += walk.job.attempt
    assert attempts > 400


@pytest.mark.parametrize(
    ("policies", "allowed"),
    [
        # One attempt of 30 minutes costs 1.8; without a ceiling nobody knows what the next one costs.
        ({}, None),
        ({"stop": {"max_cost": "4"}}, "4"),
        ({"credit": {"max_rate_per_hour": "3.6"}}, "5.4"),
        ({"credit": {"max_rate_per_hour": "7.2"}}, "10.8"),
        ({"credit": {"max_rate_per_hour": "7.2"}, "stop": {"max_cost": "4"}}, "4"),
        ({"credit": {"max_rate_per_hour": "3.6"}, "extend": {"by": "10m", "max_times": 2}}, "9"),
        ({"credit": {"max_rate_per_hour": "3.6"}, "extend": {"by": "10m"}}, None),
        ({"credit": {"max_rate_per_hour": "3.6"}, "quantum": "10m"}, "5.4"),
    ],
)
def test_what_three_attempts_can_cost(policies: dict[str, Any], allowed: str | None) -> None:
    job = new_job(policies=policies | {"retry": {"attempts": 3}})
    assert costs(job, T0).allowed == (None if allowed is None else Decimal(allowed))


def test_an_attempt_that_has_its_price_counts_at_that_and_the_next_ones_at_the_ceiling() -> None:
    job = new_job(policies={"credit": {"max_rate_per_hour": "7.2"}, "retry": {"attempts": 3}})
    assert costs(after(job, held(job)), T0).allowed == Decimal("1.8") + 2 * Decimal("3.6")
