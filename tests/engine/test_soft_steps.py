"""What comes before a stop: warnings and an end of extensions, each once, and again after a change of policies."""

from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.planner import plan
from dispatcher.domain.policies import Policies
from dispatcher.domain.words import Reason, State
from tests.domain.made import T0, running_job
from tests.engine.audit import audit
from tests.world import World, definition

EXTEND = {"extend": {"by": "10m"}}


def lived(policies: dict[str, Any], **fields: Any) -> tuple[World, JobId]:
    world = World()
    job_id = world.enqueue(definition(queued_for="0s", runs_for="3h"), policies=policies, **fields)
    world.run()
    audit(world)
    return world, job_id


def steps(world: World, job_id: JobId) -> list[tuple[str, str, float]]:
    """The soft steps: kind, limit, seconds since a host took the job."""
    remote = world.job(job_id).remote
    assert remote is not None
    assert remote.started_at is not None
    return [
        (event.kind, event.limit, event.at - remote.started_at)
        for event in world.parts.store.events(job_id)
        if isinstance(event, ev.Warned | ev.ExtendsEnded)
    ]


def test_a_warning_comes_once_for_each_limit_and_then_the_stop() -> None:
    stop = {"after": "40m", "max_cost": "0.04", "soft": {"warn": 0.8}}  # 0.04 pays for 50 minutes
    world, job_id = lived({"stop": stop, **EXTEND})
    assert steps(world, job_id) == [("warned", "stop.after", 1920)]
    assert world.job(job_id).reason is Reason.STOP_AFTER
    warned = next(event for event in world.parts.store.events(job_id) if isinstance(event, ev.Warned))
    assert (warned.rule, warned.policy, warned.share) == ("soft_steps", "stop.soft.warn", 0.8)
    assert warned.detail == "80% of stop.after is over"


def test_without_extensions_the_job_ends_at_its_deadline_and_says_for_whose_sake() -> None:
    stop = {"after": "40m", "soft": {"warn": 0.1, "no_extends": 0.5}}
    world, job_id = lived({"stop": stop, **EXTEND})
    assert steps(world, job_id) == [("warned", "stop.after", 240), ("extends_ended", "stop.after", 1200)]
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.STOP_AFTER)
    assert job.extends == 2  # at 540 s and 1,140 s; not at 1,740 s
    assert job.stop is None


def test_quantum_steps_end_too() -> None:
    stop = {"after": "40m", "soft": {"no_extends": 0.5}}
    world, job_id = lived({"stop": stop, "quantum": "5m"}, timeout="2h")
    assert world.job(job_id).reason is Reason.STOP_AFTER
    remote = world.job(job_id).remote
    assert remote is not None
    assert remote.timeout == 1500


def test_what_operators_order_still_goes() -> None:
    world = World()
    stop = {"after": "2h", "soft": {"no_extends": 0.01}}
    job_id = world.enqueue(definition(queued_for="0s", runs_for="25m"), policies={"stop": stop, **EXTEND})
    world.run_for(120)
    assert world.job(job_id).no_extends == "stop.after"
    world.extend(job_id, 1200)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.extends) == (State.COMPLETED, 1)
    audit(world)


def test_the_time_until_a_stop_counts_from_enqueueing() -> None:
    world, job_id = lived({"stop": {"at": "2027-01-15T08:10:00Z", "soft": {"warn": 0.5}}})
    (step,) = steps(world, job_id)
    assert step[:2] == ("warned", "stop.at")
    assert step[2] == pytest.approx(300, abs=2)


def test_after_a_change_of_policies_they_come_again() -> None:
    stop = {"after": "20m", "soft": {"warn": 0.5, "no_extends": 0.5}}
    job = running_job(policies={"stop": stop, **EXTEND})
    now = T0 + 600
    for _ in range(2):
        action = plan(job, now).action
        share = {"at": now, "limit": "stop.after", "share": 0.5}
        job = apply(
            job, ev.ExtendsEnded(**share) if "End" in type(action).__name__ else ev.Warned(**share, detail="")
        )
    assert (job.warned, job.no_extends) == (("stop.after",), "stop.after")
    changed = Policies.model_validate({"stop": {**stop, "after": "40m"}, **EXTEND})
    job = apply(job, ev.PoliciesChanged(at=now, policies=changed, changed=("stop.after",), by="ann"))
    assert (job.warned, job.no_extends) == ((), None)
    assert plan(job, T0 + 1199).rule != "soft_steps"
    assert plan(job, T0 + 1200).rule == "soft_steps"


def test_an_extension_that_is_under_way_is_settled() -> None:
    """It is written down, and perhaps landed: its answer is taken in, and no other is begun."""
    lost = {"route": "jobs.extend", "kind": "lose_answer", "nth": [1]}
    world = World(faults=[lost])
    stop = {"after": "18m10s", "soft": {"no_extends": 0.5}}  # 545 s, just after the first extension
    job_id = world.enqueue(definition(queued_for="0s", runs_for="3h"), policies={"stop": stop, **EXTEND})
    world.run()
    job = world.job(job_id)
    assert job.extends == 1
    assert [event.key for event in world.parts.store.events(job_id) if isinstance(event, ev.CallUndecided)]
    assert job.extend_calls == 1
    assert job.reason is Reason.STOP_AFTER
    audit(world)
