"""Jobs that are posted short and extended in steps: what they get, and what a dead dispatcher costs."""

from decimal import Decimal

import pytest

from dispatcher.domain.money import price
from dispatcher.domain.words import Reason, State
from tests.engine.audit import audit, remotes
from tests.world import World, definition

RATE = Decimal("0.04796")


def test_a_job_gets_all_its_time_step_by_step_and_no_more() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="3h"), timeout="2h", policies={"quantum": "30m"})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.TIMED_OUT, 3)
    (remote,) = remotes(world, job_id)
    assert [reservation.seconds for reservation in remote.reservations] == [1800] * 4
    assert job.spend.settled == price(RATE, 7200)
    audit(world)


def test_a_job_that_ends_early_is_paid_as_if_it_had_been_posted_whole() -> None:
    world = World()
    stepwise = world.enqueue(definition(runs_for="50m"), timeout="2h", policies={"quantum": "15m"})
    at_once = world.enqueue(definition(runs_for="50m"), timeout="2h")
    world.run()
    # Each reservation is a price of its own, rounded up to a thousandth.
    assert world.job(stepwise).spend.settled == world.job(at_once).spend.settled
    audit(world)


@pytest.mark.parametrize("minutes", [5, 20, 40, 100])
def test_a_dispatcher_that_dies_costs_at_most_one_more_step(minutes: int) -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="9h"), timeout="8h", policies={"quantum": "30m"})
    world.run_for(minutes * 60)
    world.clock.move(24 * 3600)  # every process is dead
    (remote,) = remotes(world, job_id)
    assert remote.over
    assert remote.ended_at is not None
    assert remote.started_at is not None
    assert remote.ended_at - remote.started_at <= minutes * 60 + 1800


def test_an_operators_extension_comes_on_top() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="9h"), timeout="1h", policies={"quantum": "30m"})
    world.run_for(300)
    world.extend(job_id, 600)
    world.run()
    assert world.job(job_id).remote is not None
    assert world.job(job_id).remote.timeout == 4200  # type: ignore[union-attr]
    audit(world)


def test_without_credit_for_the_next_step_the_job_ends_with_the_last() -> None:
    world = World(accounts={"default": "0.03"})  # a step of 30 minutes costs 0.024
    job_id = world.enqueue(definition(runs_for="9h"), timeout="2h", policies={"quantum": "30m"})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.NO_CREDIT)
    assert job.remote is not None
    assert job.remote.timeout == 1800
    audit(world)


def test_the_extend_policy_goes_on_in_steps() -> None:
    world = World()
    asked = {"quantum": "30m", "extend": {"by": "1h", "max_times": 2}}
    job_id = world.enqueue(definition(runs_for="9h"), timeout="1h", policies=asked)
    world.run()
    job = world.job(job_id)
    (remote,) = remotes(world, job_id)
    assert max(reservation.seconds for reservation in remote.reservations) == 1800
    assert (remote.timeout, job.reason) == (3 * 3600, Reason.MAX_EXTENDS)
    audit(world)
