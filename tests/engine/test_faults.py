"""Whatever the network does to calls, each job is posted once, paid once, and comes to an end that is told.

Every kind of fault against every kind of life. The books that are compared in the end are the network's own.
"""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Options
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import extended_twice, fails, stopped_by_policy, stopped_in_the_queue
from tests.world import World, definition


def capped(world: World) -> JobId:
    return world.enqueue(
        definition(runs_for="10h"),
        policies={"extend": {"by": "10m"}, "stop": {"max_cost": "0.02"}},
    )


def host_quits(world: World) -> JobId:
    return world.enqueue(definition(runs_for="1h", host_quits_after="5m"), timeout="2h")


Life = Callable[[World], JobId]

ENDS: dict[Life, set[tuple[State, Reason]]] = {
    extended_twice: {(State.COMPLETED, Reason.FINISHED)},
    stopped_by_policy: {(State.STOPPED, Reason.STOP_AFTER)},
    stopped_in_the_queue: {(State.STOPPED, Reason.QUEUED_TOO_LONG)},
    fails: {(State.FAILED, Reason.EXIT_CODE)},
    capped: {(State.STOPPED, Reason.MAX_COST)},
    host_quits: {(State.FAILED, Reason.HOST_QUIT)},
}

FAULTS: dict[str, list[dict[str, Any]]] = {
    "lost answers": [{"route": "*", "kind": "lose_answer", "probability": 0.25}],
    "lost answers of writes": [{"route": "jobs.*", "kind": "lose_answer", "nth": [1, 3, 5, 7]}],
    "cut": [{"route": "*", "kind": "cut", "probability": 0.25}],
    "500 without an effect": [{"route": "*", "kind": "status", "status": 500, "probability": 0.25}],
    "502 with an effect": [
        {"route": "*", "kind": "status", "status": 502, "done": True, "probability": 0.25, "body": "<html>"}
    ],
    "slow": [{"route": "*", "kind": "slow", "seconds": 4, "probability": 0.4}],
    "slower than the patience": [{"route": "jobs.*", "kind": "slow", "seconds": 25, "probability": 0.2}],
    "429": [{"route": "*", "kind": "rate_limit", "retry_after": 2, "probability": 0.3}],
    "429 without a hint": [{"route": "*", "kind": "rate_limit", "retry_after": None, "probability": 0.3}],
    "in progress": [{"route": "jobs.*", "kind": "in_progress", "seconds": 7}],
    "in progress, then expired": [
        {"route": "jobs.*", "kind": "in_progress", "seconds": 7, "outcome": "expired", "nth": [1, 2, 4]}
    ],
    "expired keys": [{"route": "jobs.*", "kind": "expire_key", "nth": [1, 2, 3, 5]}],
    "answers that are no JSON": [
        {"route": "*", "kind": "status", "status": 200, "body": "well", "done": True, "probability": 0.2}
    ],
    "everything": [
        {"route": "jobs.*", "kind": "in_progress", "seconds": 3, "probability": 0.2},
        {"route": "jobs.*", "kind": "expire_key", "probability": 0.2},
        {"route": "*", "kind": "slow", "seconds": 2, "probability": 0.2},
        {"route": "*", "kind": "lose_answer", "probability": 0.1},
        {"route": "*", "kind": "status", "status": 503, "probability": 0.1},
    ],
}


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
@pytest.mark.parametrize("faults", FAULTS.values(), ids=FAULTS)
def test_a_job_ends_as_it_would_have(faults: list[dict[str, Any]], life: Life, seed: int) -> None:
    world = World(seed=seed, faults=faults)
    job_id = life(world)
    world.run()
    assert world.network.ledger.faults
    job = world.job(job_id)
    assert (job.state, job.reason) in ENDS[life]
    audit(world)
    assert world.network.ledger.total < 250


@pytest.mark.parametrize("late", [1.0, 45.0, 300.0, 1500.0])
@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
def test_an_index_that_lags_behind_hides_jobs_but_loses_none(life: Life, late: float) -> None:
    world = World(options=Options(visible_after=late, filled_after=2 * late))
    job_id = life(world)
    world.run()
    job = world.job(job_id)
    if late <= 45:
        assert (job.state, job.reason) in ENDS[life]
    assert job.reason not in {Reason.VANISHED, Reason.STOPPED_ELSEWHERE}
    audit(world)


@pytest.mark.parametrize("kind", ["cut", "lose_answer"])
@pytest.mark.parametrize("length", [240.0, 7200.0])
@pytest.mark.parametrize("life", ENDS, ids=lambda life: life.__name__)
def test_an_outage_that_begins_at_any_moment_is_lived_through(life: Life, length: float, kind: str) -> None:
    for begins in (0.0, 1.0, 60.0, 540.0, 590.0, 605.0, 1230.0, 1505.0):
        world = World()
        job_id = life(world)
        world.run_for(begins) if begins else None
        world.network.faults.replace(parse_plan([{"route": "*", "kind": kind}]))
        world.run_for(length)
        job = world.job(job_id)
        if not job.state.is_final:
            assert world.parts.store.next_due(job_id) is not None
        world.network.faults.replace([])
        healed = world.clock.at
        world.run()
        audit(world)
        reach = max((remote.ended_at for remote in remotes(world, job_id)), default=0)
        assert world.job(job_id).updated_at <= max(healed, reach) + 1000


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut"},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 500},
        {"kind": "status", "status": 200, "body": "<html>a portal</html>"},
        {"kind": "status", "status": 200, "body": {"status": 5}},
        {"kind": "slow", "seconds": 60},
    ],
    ids=str,
)
def test_a_gateway_that_never_gives_the_result_keeps_no_job_for_ever(fault: dict[str, Any]) -> None:
    world = World(faults=[{"route": "ipfs.get", **fault}])
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.COMPLETED, Reason.FINISHED)  # by the network's own record
    assert job.ending is not None
    assert job.ending.detail == "the network shows no result"
    assert job.ending.at - world.network.jobs[job.remote.address].ended_at < 1100  # type: ignore[union-attr]
    audit(world)


def test_a_pinning_service_that_is_away_spends_nothing_and_says_why() -> None:
    world = World(faults=[{"route": "ipfs.pin", "kind": "status", "status": 503}])
    job_id = world.enqueue()
    world.run_for(86_400)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.ENQUEUED, Reason.AWAITING_NETWORK)
    assert job.wait is not None
    assert "pin" in job.wait.detail
    assert world.network.jobs == {}
    world.network.faults.replace([])
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_a_slow_balance_keeps_nobody_in_a_circle() -> None:
    """A try that takes longer than the wait before the next one would be followed by the next at once, for ever."""
    world = World()
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.run_for(60)
    world.network.faults.replace(parse_plan([{"route": "credits.balance", "kind": "slow", "seconds": 25}]))
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.TIMED_OUT)
    assert world.kinds(job_id).count("waited") <= 5
    audit(world)
