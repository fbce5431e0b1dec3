"""Stops by what comes out of a job while it runs, and requests that ask for them where nothing can be seen."""

from typing import Any

import pytest

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine.changing import change_policies
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit
from tests.engine.talking import Said, Talking
from tests.world import World, definition

SILENCE = {"stop": {"no_output_for": "3m"}}
FOUND = {"stop": {"result_matches": {"key": "state", "pattern": "*FOUND*"}}}


def started(world: World, **policies: Any) -> JobId:
    return world.enqueue(definition(queued_for="0s", runs_for="25m"), timeout="30m", policies={**policies})


def ran(world: World, job_id: JobId) -> float:
    remote = world.job(job_id).remote
    assert remote is not None
    assert remote.started_at is not None
    assert remote.ended_at is not None
    return remote.ended_at - remote.started_at


@pytest.mark.parametrize("every", ["10s", "20m"])
def test_a_job_that_falls_silent_is_stopped(every: str) -> None:
    """It talks for seven minutes; however seldom it is looked at, a look comes when the silence was long enough."""
    world = Talking(lambda ran: Said(at=min(ran, 420.0)))
    job_id = started(world, **SILENCE, poll={"every": every, "at_most": every})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.NO_OUTPUT)
    assert 600 <= ran(world, job_id) <= 620
    audit(world)


def test_a_job_that_never_says_anything_is_stopped() -> None:
    world = Talking(lambda _: Said())
    job_id = started(world, **SILENCE)
    world.run()
    assert world.job(job_id).reason is Reason.NO_OUTPUT
    assert 180 <= ran(world, job_id) <= 200
    audit(world)


def test_one_that_goes_on_talking_is_not_and_its_log_does_not_grow_with_it() -> None:
    world = Talking(lambda ran: Said(at=ran, results={"state": f"{ran:.0f} s"}))
    job_id = started(world, stop={**SILENCE["stop"], **FOUND["stop"]}, poll={"every": "10s", "backoff": 1})
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    looks = sum(count for (route, _), count in world.network.ledger.statuses.items() if route == "jobs.get")
    assert looks > 100
    assert len(world.kinds(job_id)) < 12
    audit(world)


def test_silence_is_not_believed_while_the_network_does_not_answer() -> None:
    world = Talking(lambda ran: Said(at=ran))
    job_id = started(world, **SILENCE)
    world.run_for(60)
    world.network.faults.replace(parse_plan([{"route": "jobs.get", "kind": "cut", "seconds": 0}]))
    world.run_for(600)
    assert world.job(job_id).stop is None
    world.network.faults.replace(parse_plan([]))
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize(
    ("value", "reason"),
    [("we FOUND it", Reason.RESULT_MATCHED), ("we found it", Reason.FINISHED), (None, Reason.FINISHED)],
)
def test_a_result_that_matches_stops_the_job(value: str | None, reason: Reason) -> None:
    shown = {} if value is None else {"state": value, "other": "FOUND"}
    world = Talking(lambda ran: Said(results=shown if ran > 400 else {"state": "busy"}))
    job_id = started(world, **FOUND, poll={"every": "30s", "backoff": 1})
    world.run()
    job = world.job(job_id)
    assert job.reason is reason
    if reason is Reason.RESULT_MATCHED:
        assert 400 <= ran(world, job_id) <= 440
        assert job.remote is not None
        assert job.remote.results == {"state": value}  # what is not asked for is not kept
    audit(world)


def test_a_huge_result_is_cut() -> None:
    world = Talking(lambda _: Said(results={"state": "x" * 1_000_000 + "FOUND"}))
    job_id = started(world, **FOUND)
    world.run_for(120)
    remote = world.job(job_id).remote
    assert remote is not None
    assert len(remote.results["state"]) == 4000
    assert world.job(job_id).stop is None


@pytest.mark.parametrize("policies", [SILENCE, FOUND], ids=["no_output_for", "result_matches"])
def test_where_nothing_can_be_seen_it_is_refused_at_once(policies: dict[str, Any]) -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        started(world, **policies)
    (fault,) = refused.value.faults
    (name,) = policies["stop"]
    assert fault.path == f"policies.stop.{name}"
    assert "account default" in fault.message
    assert "stop.after" in fault.message
    assert world.parts.store.list_jobs() == []


@pytest.mark.parametrize("policies", [SILENCE, FOUND, {"stop": {"budget": "label:nobody"}}])
def test_nor_can_a_job_under_way_be_changed_to_it(policies: dict[str, Any]) -> None:
    world = World()
    job_id = started(world)
    world.run_for(30)
    with pytest.raises(InvalidRequest) as refused:
        change_policies(world.parts, job_id, policies, by="ann")
    (name,) = policies["stop"]
    assert [fault.path for fault in refused.value.faults] == [f"policies.stop.{name}"]
    world.run()
    assert "policies_changed" not in world.kinds(job_id)


def test_every_place_must_be_able_to() -> None:
    world = Talking(lambda _: Said(), accounts={"default": "1", "lab": "1"})
    with pytest.raises(InvalidRequest, match="account nowhere"):
        started(world, **SILENCE, retry={"elsewhere": [{"market": "nvidia-3060", "account": "nowhere"}]})
    assert started(world, **SILENCE, retry={"elsewhere": [{"market": "nvidia-3060", "account": "lab"}]})
