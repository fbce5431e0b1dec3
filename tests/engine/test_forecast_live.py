"""The rest of a job's life, told from its record in the middle of it, is what then happens."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain import events as ev
from dispatcher.domain.errors import NotPossible
from dispatcher.domain.forecast import Assumed, Forecast, forecast_job
from dispatcher.domain.ids import JobId
from dispatcher.domain.job import Job
from dispatcher.domain.words import Operation, Phase, Reason, State
from dispatcher.simulator.network import Options
from tests.engine.test_forecast import RATE, RATES, durations, policies, told
from tests.world import START, World, definition


def rest_of(world: World, job_id: JobId, assumed: Assumed) -> tuple[Forecast, list[ev.Event]]:
    """What is foretold of the job as it is now, and what then happens to it."""
    known = len(world.parts.store.events(job_id))
    foretold = forecast_job(world.job(job_id), assumed, world.clock.at)
    world.run()
    return foretold, world.parts.store.events(job_id)[known:]


def assert_same(foretold: Forecast, happened: list[ev.Event]) -> None:
    told_before = [told(event, START) for event in foretold.log if event.logged]
    assert told_before == [told(event, START) for event in happened]
    assert foretold.complete


@settings(max_examples=150, deadline=None)
@given(
    timeout=durations,
    asked=policies,
    runs_for=st.sampled_from([20, 299.5, 1800, 6000]),
    queued_for=st.sampled_from([0, 7, 61, 600]),
    results_after=st.sampled_from([0, 4, 100]),
    cut=st.sampled_from([0, 3, 12.5, 65, 130, 400, 620, 1500, 3000, 7000]),
    order=st.sampled_from([None, None, "stop", "extend"]),
)
def test_the_rest_is_foretold_from_the_record(
    timeout: str,
    asked: dict[str, Any],
    runs_for: float,
    queued_for: float,
    results_after: float,
    cut: float,
    order: str | None,
) -> None:
    world = World(accounts={"default": "1000"})
    behaviour = {"runs_for": runs_for, "queued_for": queued_for, "results_after": results_after}
    job_id = world.enqueue(definition(**behaviour), timeout=timeout, policies=asked)
    world.run_for(cut)
    job = world.job(job_id)
    if order is not None and not job.state.is_final:
        if order == "stop":
            world.stop(job_id)
        elif job.remote is not None and not job.remote.is_over and job.stop is None:
            with suppress(NotPossible):
                world.extend(job_id, 600)
        world.work()
    assumed = Assumed(RATE, queued_for, runs_for, 0, results_after, rates=RATES)
    foretold, happened = rest_of(world, job_id, assumed)
    assert_same(foretold, happened)
    assert foretold.cost == world.job(job_id).spend.settled


def until(world: World, job_id: JobId, found: Any) -> Job:
    """The record as soon as it is as wanted, between two turns."""
    world.work()
    while not found(world.job(job_id)):
        assert world.leap()
        world.work()
    return world.job(job_id)


@pytest.mark.parametrize(
    ("operation", "route", "asked"),
    [
        (Operation.POST, "jobs.list", {}),
        (Operation.EXTEND, "jobs.extend", {"extend": {"by": "10m", "max_times": 2}}),
        (Operation.STOP, "jobs.stop", {"stop": {"after": "7m"}}),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_an_open_call_is_answered_at_its_next_try(
    operation: Operation, route: str, asked: dict[str, Any], times: int
) -> None:
    """Its first tries were cut. After the last of them nothing goes wrong any more."""
    nth = list(range(1, times + 1))
    world = World(faults=[{"route": route, "kind": "cut", "nth": nth, "seconds": 0}])
    job_id = world.enqueue(definition(runs_for="25m", queued_for=0, results_after=4), policies=asked)
    job = until(world, job_id, lambda job: job.call is not None and job.call.tries == times)
    assert job.call is not None
    assert job.call.operation is operation
    foretold, happened = rest_of(world, job_id, Assumed(RATE, 0, 1500, 0, 4))
    assert_same(foretold, happened)
    assert foretold.steps[0].at == job.call.retry_at


def test_an_extension_that_the_record_shows_already_is_not_added_again() -> None:
    """Its answer got lost, a look then showed the longer time."""
    world = World(faults=[{"route": "jobs.extend", "kind": "lose_answer", "nth": [1, 2, 3, 4]}])
    asked = {"extend": {"by": "10m", "margin": "5m", "max_times": 1}, "poll": {"every": "5s", "backoff": 1}}
    job_id = world.enqueue(definition(runs_for="1h", queued_for=0), policies=asked)
    job = until(world, job_id, lambda job: job.remote is not None and job.remote.timeout == 1200)
    assert job.call is not None
    assert job.call.operation is Operation.EXTEND
    foretold = forecast_job(job, Assumed(RATE), world.clock.at)
    world.run()
    assert (foretold.state, foretold.reason) == (State.STOPPED, Reason.MAX_EXTENDS)
    assert foretold.cost == world.job(job_id).spend.settled
    told_end, real_end = foretold.job.remote, world.job(job_id).remote
    assert told_end is not None
    assert real_end is not None
    assert told_end.ended_at == real_end.ended_at


def test_a_job_in_the_queue_for_longer_than_assumed_is_taken_now() -> None:
    world = World()
    job_id = world.enqueue(definition(queued_for="2h"))
    world.run_for(3600)
    job = world.job(job_id)
    assert job.remote is not None
    assert job.remote.phase is Phase.QUEUED
    foretold = forecast_job(job, Assumed(RATE, queued_for=60), world.clock.at)
    taken = next(e for e in foretold.log if isinstance(e, ev.Observed) and e.phase is Phase.RUNNING)
    assert taken.started_at is not None
    assert taken.started_at >= int(world.clock.at)
    assert foretold.reason is Reason.TIMED_OUT


@pytest.mark.parametrize("kind", ["host_quits", "finished", "delisted"])
def test_a_job_that_is_over_on_the_network_only_settles(kind: str) -> None:
    behaviour: dict[str, Any] = {"runs_for": "5m", "results_after": 30, "queued_for": 0}
    if kind == "host_quits":
        behaviour |= {"host_quits_after": "2m"}
    if kind == "delisted":
        behaviour |= {"queued_for": "2h"}
    world = World()
    job_id = world.enqueue(definition(**behaviour), policies={"poll": {"every": "1s", "backoff": 1}})
    if kind == "delisted":
        world.run_for(30)
        world.stop(job_id)
        job = until(world, job_id, lambda job: job.stop is not None and job.stop.confirmed_at is not None)
    else:
        job = until(world, job_id, lambda job: job.remote is not None and job.remote.is_over)
    foretold = forecast_job(job, Assumed(RATE, results_after=30), world.clock.at)
    world.run()
    ended = world.job(job_id)
    assert (foretold.state, foretold.reason) == (ended.state, ended.reason)
    assert foretold.cost == ended.spend.settled


def test_a_job_that_is_over_has_no_future() -> None:
    world = World()
    job_id = world.enqueue()
    world.run()
    foretold = forecast_job(world.job(job_id), Assumed(RATE), world.clock.at)
    assert foretold.complete
    assert foretold.steps == foretold.log == ()
    assert foretold.cost == world.job(job_id).spend.settled


def test_a_post_in_doubt_is_taken_to_have_landed() -> None:
    """Without keys: it is looked for, and what costs the most is that it is there."""
    world = World(
        options=Options(generation=2),
        faults=[{"route": "jobs.list", "kind": "lose_answer", "nth": [1], "seconds": 0}],
    )
    job_id = world.enqueue(definition(queued_for=0, runs_for="5m"))
    job = until(world, job_id, lambda job: job.call is not None)
    foretold = forecast_job(job, Assumed(RATE, 0, 300), world.clock.at)
    assert foretold.complete
    assert foretold.state is State.COMPLETED
    kinds = [event.kind for event in foretold.log if event.logged]
    assert "post_found" in kinds
