"""More time that is not had at once: tried again within the margin, and as soon as credit arrives."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from tests.engine.audit import audit
from tests.world import START, World, definition

EXTEND = {"extend": {"by": "30m", "margin": "4m", "max_times": 1}}


def short_of_credit(world: World) -> JobId:
    """A job whose extension, due 4 minutes before its deadline, is not paid for. 10 minutes cost 0.008."""
    job_id = world.enqueue(definition(queued_for="0s", runs_for="25m"), policies=EXTEND)
    world.run_for(370)
    assert world.job(job_id).reason is Reason.AWAITING_CREDIT
    return job_id


def deadline(world: World, job_id: JobId) -> float:
    remote = world.job(job_id).remote
    assert remote is not None
    assert remote.deadline is not None
    return remote.deadline


@pytest.mark.parametrize("after", [1, 60, 200])
def test_credit_that_arrives_wakes_a_running_job_before_its_deadline(after: float) -> None:
    world = World(accounts={"default": "0.01"})
    job_id = short_of_credit(world)
    ends = deadline(world, job_id)
    world.run_for(after)
    world.credit("default", "1")
    arrived = world.clock.at
    assert arrived < ends
    world.run_for(10)
    extended = next(event for event in world.parts.store.events(job_id) if isinstance(event, ev.Extended))
    woken = [event for event in world.parts.store.events(job_id) if isinstance(event, ev.Woken)]
    assert extended.at < ends
    assert extended.at - arrived <= world.parts.timing.credit_watch
    assert [event.by for event in woken] == ["credit"]
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_even_nobody_who_watches_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The watch does not run: the job's own ladder tries several times within the margin."""
    monkeypatch.setattr("dispatcher.engine.sweep.watch_credit", lambda parts: [])
    world = World(accounts={"default": "0.01"})
    job_id = short_of_credit(world)
    ends = deadline(world, job_id)
    world.run_for(150)
    world.credit("default", "1")
    world.run()
    extended = next(event for event in world.parts.store.events(job_id) if isinstance(event, ev.Extended))
    assert extended.at <= ends - 40
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_credit_that_never_arrives_ends_the_job_and_that_is_why() -> None:
    world = World(accounts={"default": "0.01"})
    job_id = short_of_credit(world)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.NO_CREDIT)
    audit(world)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "nth": [1, 2, 3]},
        {"kind": "status", "status": 503, "nth": [1, 2, 3]},
        {"kind": "rate_limit", "nth": [1, 2], "retry_after": 20},
        {"kind": "lose_answer", "nth": [1, 2]},
    ],
    ids=lambda fault: fault["kind"],
)
def test_an_extension_that_fails_is_tried_again_within_the_margin(fault: dict[str, Any]) -> None:
    world = World(faults=[{"route": "jobs.extend", **fault}])
    job_id = world.enqueue(definition(queued_for="0s", runs_for="25m"), policies=EXTEND)
    world.run_for(300)
    ends = deadline(world, job_id)
    world.run()
    log = world.parts.store.events(job_id)
    assert sum(isinstance(event, ev.CallUndecided) for event in log) == len(fault["nth"])
    (extended,) = [event for event in log if isinstance(event, ev.Extended)]
    assert ends - 240 < extended.at < ends - 100
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_no_extension_reaches_beyond_until() -> None:
    world = World()
    until = "2027-01-15T08:35:00Z"
    assert START == 1_800_000_000  # 08:00
    policies = {"extend": {"by": "10m", "until": until}}
    job_id = world.enqueue(definition(queued_for="0s", runs_for="3h"), policies=policies)
    world.run()
    job = world.job(job_id)
    assert job.remote is not None
    assert job.remote.deadline is not None
    assert START + 2040 < job.remote.deadline <= START + 2100
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.EXTEND_UNTIL, 3)
    audit(world)


def test_the_first_posting_is_not_touched_by_until() -> None:
    world = World()
    policies = {"extend": {"by": "10m", "until": "2027-01-15T08:01:00Z"}}
    job_id = world.enqueue(definition(queued_for="0s", runs_for="25m"), policies=policies)
    world.run()
    job = world.job(job_id)
    assert job.quote is not None
    assert (job.quote.seconds, job.extends, job.reason) == (600, 0, Reason.EXTEND_UNTIL)


@pytest.mark.parametrize(("seconds", "at_most"), [(600, "2h"), (600, None), (3600, "10m")])
def test_waiting_for_credit_ends_at_a_time(seconds: int, at_most: str | None) -> None:
    world = World(accounts={"default": "0"})
    until = datetime.fromtimestamp(START + seconds, UTC)
    job_id = world.enqueue(policies={"credit": {"wait_until": until, "wait_at_most": at_most}})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.REJECTED, Reason.NO_CREDIT)
    assert job.ending is not None
    assert job.ending.at == START + 600


def test_many_jobs_and_few_looks_a_minute_still_meet_their_deadlines() -> None:
    """Forty jobs share twelve looks a minute; half of them are in the queue when their first minutes are over."""
    world = World(polls_per_minute=12)
    policies = {"extend": {"by": "10m", "margin": "3m", "max_times": 2}}
    jobs = [
        world.enqueue(definition(str(number), queued_for=f"{number * 7}s", runs_for="19m"), policies=policies)
        for number in range(40)
    ]
    world.run()
    statuses = world.network.ledger.statuses
    made = sum(count for (route, _), count in statuses.items() if route == "jobs.get")
    assert made > 150
    assert {world.job(job_id).state for job_id in jobs} == {State.COMPLETED}
    assert made <= 12 * (world.clock.at - START) / 60 + 12
    audit(world)
