"""Policies that are changed while a job is under way: by several at once, at any moment, whoever dies."""

from decimal import Decimal

import pytest

from dispatcher.domain.ids import JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.policies.written import said
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.changing import taken_in
from dispatcher.engine.placing import hold_credit
from dispatcher.ports.store import Command
from tests.engine.audit import audit, remotes
from tests.engine.changing import DEFAULT, LONG, ask, breaks, changes
from tests.engine.test_crashes import Tripwire, kill_points, live, wired
from tests.engine.test_two_workers import Intruder
from tests.world import World, definition

# --- several at once, and workers that die -----------------------------------------------------------------


def test_of_two_changes_one_after_another_both_hold() -> None:
    world = World()
    job_id = world.enqueue(LONG)
    world.run_for(60)
    ask(world, job_id, stop={"after": "3h"})
    ask(world, job_id, stop={"max_cost": 5}, by="bob")
    ask(world, job_id, stop={"max_cost": 5}, by="carl")
    world.work()
    assert said(world.job(job_id).spec.policies)["stop"] == {"after": "3h", "max_cost": "5.000"}
    assert changes(world, job_id) == [("stop.after",), ("stop.max_cost",)]


SELDOM = {"every": "10m", "at_most": "10m", "near_deadline": "10m"}


def changed(world: World) -> JobId:
    """Begun under other policies than it ends with: it would be extended for ever, and is extended once."""
    policies = {"extend": {"by": "20m"}, "poll": SELDOM}
    job_id = world.enqueue(definition(runs_for="3h"), timeout="20m", request_id="k", policies=policies)
    world.run_for(300)
    if not world.job(job_id).state.is_final:
        ask(world, job_id, extend={"by": "10m", "max_times": 1}, stop={"max_cost": 2})
    return job_id


@pytest.mark.parametrize(("name", "index"), kill_points({"changed": changed}))
def test_a_change_outlives_a_worker_that_dies_anywhere(name: str, index: int) -> None:
    wire = Tripwire()
    wire.arm(index, before=False)
    world, job_id = live(changed, wire)
    job = world.job(job_id)
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.MAX_EXTENDS, 1)
    assert changes(world, job_id) == [("extend.by", "extend.max_times", "stop.max_cost")]
    assert remotes(world, job_id)[0].timeout == 1800
    audit(world)


def extended_twice(world: World) -> JobId:
    policies = {"extend": {"by": "10m"}, "poll": SELDOM}
    return world.enqueue(definition(runs_for="25m"), request_id="k", policies=policies)


@pytest.mark.parametrize(("name", "index"), kill_points({"extended_twice": extended_twice}))
def test_a_change_is_had_whatever_a_worker_is_doing_at_that_moment(name: str, index: int) -> None:
    asked: list[float] = []
    world = World()

    def cheaper() -> None:
        for job in world.parts.store.list_jobs():
            if not job.state.is_final:
                asked.append(world.clock.at)
                ask(world, job.id, stop={"max_cost": "0.01"}, extend=None)

    world.parts = wired(world.parts, Intruder(index, before=False, intrude=cheaper))
    job_id = extended_twice(world)
    world.run()
    audit(world)
    job = world.job(job_id)
    if not asked:
        return  # nothing was there yet, or it was over already
    if changes(world, job_id):
        assert job.spec.policies.max_cost() == Decimal("0.01")
        assert job.spec.policies.extend is None
        late = [
            r for r in remotes(world, job_id)[0].reservations if r.kind == "extend" and r.at > asked[0] + 1
        ]
        assert late == []
    else:
        assert job.updated_at <= asked[0] + 1  # what ended in that very turn is not changed any more


def test_a_worker_that_takes_a_change_in_twice_notes_it_once() -> None:
    """The lease lapsed before the record was saved: another takes in the same command."""
    world = World()
    job_id = world.enqueue(LONG)
    world.run_for(60)
    ask(world, job_id, stop={"after": "3h"})
    claim = world.parts.store.claim(job_id, now=world.clock.at, lease=30)
    assert claim is not None
    world.clock.move(31)
    advance(world.parts, job_id)
    world.work()
    assert changes(world, job_id) == [("stop.after",)]


def test_a_worker_that_was_thought_dead_takes_no_credit_from_a_post_that_others_sent_meanwhile() -> None:
    """What is held anew has the name of what was held before: it is changed in place, and never let go."""
    world = World(accounts={"default": "0.01"})
    breaks("ipfs.pin")(world)
    job_id = world.enqueue(definition(), timeout="10m")
    world.run_for(30)
    ask(world, job_id, stop={"after": "5m"})
    asked = Command("policies", "ada", world.clock.now(), detail='{"stop":{"after":"5m"}}')
    stale = world.job(job_id)
    for event in taken_in(stale, asked, world.clock.now()):
        stale = apply(stale, event)
    assert stale.quote is None
    breaks("jobs.list")(world)
    world.run_for(30)
    assert world.job(job_id).state is State.POSTING
    held = world.parts.ledger.view(DEFAULT).held
    world.parts.ledger.freeze(DEFAULT, "odd", by="ada", now=world.clock.now())
    hold_credit(world.parts, stale)
    assert world.parts.ledger.view(DEFAULT).held == held
