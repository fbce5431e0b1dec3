"""Policies that are changed while a job is under way: the money, and what cannot be had."""

from dataclasses import replace
from decimal import Decimal

import pytest

from dispatcher.domain.errors import InvalidRequest, NotPossible, UnknownJob
from dispatcher.domain.events import PoliciesKept
from dispatcher.domain.ids import JobId
from dispatcher.domain.policies.written import said
from dispatcher.domain.words import Reason, State
from dispatcher.ports.store import Command
from tests.engine.audit import audit, remotes
from tests.engine.changing import LONG, ask, changes
from tests.world import MARKET, World, definition

# --- money -------------------------------------------------------------------------------------------------


def test_a_cap_below_what_is_committed_spends_nothing_more_and_says_so() -> None:
    world = World()
    job_id = world.enqueue(LONG, timeout="2h", policies={"extend": {"by": "1h"}})
    world.run_for(3600)
    found = ask(world, job_id, stop={"max_cost": "0.06"})
    assert [note for note in found.notes if "$0.096 is committed already" in note]
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.MAX_COST, 0)
    assert job.spend.settled is not None
    assert job.spend.settled <= Decimal("0.06")
    audit(world)


def test_a_cap_that_is_raised_lets_the_job_go_on() -> None:
    world = World()
    job_id = world.enqueue(
        definition(runs_for="3h"),
        timeout="1h",
        policies={"extend": {"by": "1h"}, "stop": {"max_cost": "0.05"}},
    )
    world.run_for(3000)
    ask(world, job_id, stop={"max_cost": None})
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_nothing_is_extended_after_a_stop_whatever_the_policies_become() -> None:
    world = World(faults=[{"route": "jobs.stop", "kind": "cut", "times": 20}])
    job_id = world.enqueue(LONG, timeout="10m")
    world.run_for(540)
    world.stop(job_id)
    world.run_for(1)
    found = ask(world, job_id, extend={"by": "1h"}, stop={"after": "90h"}, quantum="2m")
    assert "the job is being stopped, and a stop always wins" in found.notes
    world.run()
    assert "extended" not in world.kinds(job_id)
    assert {reservation.kind for reservation in remotes(world, job_id)[0].reservations} == {"list"}
    assert world.job(job_id).state is State.STOPPED
    audit(world)


def test_an_extension_that_the_network_refused_is_tried_again_under_another_policy() -> None:
    world = World(faults=[{"route": "jobs.extend", "kind": "status", "status": 400, "times": 1}])
    job_id = world.enqueue(definition(runs_for="40m"), timeout="10m", policies={"extend": {"by": "10m"}})
    world.run_for(560)
    assert world.job(job_id).extend_refused is not None
    ask(world, job_id, poll={"every": "1m"})
    world.work()
    assert world.job(job_id).extend_refused is not None
    ask(world, job_id, extend={"by": "1h"})
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


# --- what cannot be had ------------------------------------------------------------------------------------


def test_all_faults_are_told_at_once_and_nothing_is_asked() -> None:
    world = World()
    job_id = world.enqueue(LONG)
    world.run_for(60)
    with pytest.raises(InvalidRequest) as caught:
        ask(world, job_id, stop={"after": "5"}, retry={"attempts": 1}, x={})
    assert {fault.path for fault in caught.value.faults} == {
        "policies.stop.after",
        "policies.retry.attempts",
        "policies.x",
    }
    with pytest.raises(InvalidRequest, match=r"policies\.extend\.by: is missing"):
        ask(world, job_id, extend={"max_cost": 5})
    world.run_for(60)
    assert changes(world, job_id) == []


def test_jobs_that_are_over_or_unknown_keep_their_policies() -> None:
    world = World()
    job_id = world.enqueue()
    world.run()
    with pytest.raises(NotPossible, match="the job is completed"):
        ask(world, job_id, stop={"after": "3h"})
    with pytest.raises(UnknownJob):
        ask(world, JobId("job_none"), stop={"after": "3h"})
    # One that ends before the worker takes the change in.
    second = world.enqueue(definition(runs_for="2m"))
    world.run_for(60)
    world.parts.store.command(second, Command("stop", "bob", world.clock.at), now=world.clock.at)
    ask(world, second, stop={"after": "3h"})
    world.run()
    audit(world)


def test_secrets_of_the_dispatchers_own_are_refused_in_policies_too() -> None:
    world = World()
    world.parts = replace(world.parts, own_secrets=("nos_secret_key",))
    job_id = world.enqueue(LONG)
    with pytest.raises(InvalidRequest) as caught:
        ask(world, job_id, stop={"result_matches": {"key": "a", "pattern": "xnos_secret_keyx"}})
    assert "own secrets" in str(caught.value)
    assert "nos_secret" not in str(caught.value)


def test_what_fits_when_asked_but_not_when_taken_in_is_kept_as_it_was_with_the_reason() -> None:
    world = World()
    job_id = world.enqueue(LONG, timeout="1h", policies={"extend": {"by": "30m"}})
    world.run_for(60)
    ask(world, job_id, extend=None)
    ask(
        world, job_id, extend={"max_cost": 5}, by="bob"
    )  # without the extend policy that is gone by then: not whole
    world.work()
    (kept,) = (event for event in world.parts.store.events(job_id) if isinstance(event, PoliciesKept))
    assert (kept.by, kept.detail) == ("bob", "policies.extend.by: is missing")
    assert said(world.job(job_id).spec.policies) == {}
    world.run()
    audit(world)


@pytest.mark.parametrize("detail", ["", "{", "[]", '{"stop": 5}'])
def test_a_change_that_cannot_be_read_is_told_and_harms_nothing(detail: str) -> None:
    world = World()
    job_id = world.enqueue(LONG)
    world.run_for(60)
    world.parts.store.command(job_id, Command("policies", "eve", 0.0, detail=detail), now=world.clock.at)
    world.work()
    kinds = world.kinds(job_id)
    assert kinds.count("policies_kept") == (0 if detail == "[]" else 1)
    assert "policies_changed" not in kinds


def test_more_changes_than_wait_for_a_worker_are_refused_and_none_is_lost() -> None:
    world = World()
    job_id = world.enqueue(LONG)
    for number in range(100):
        ask(world, job_id, extend={"by": "30m", "max_times": number + 1})
    with pytest.raises(NotPossible, match="too many commands wait"):
        ask(world, job_id, stop={"after": "3h"})
    world.work()
    assert len(changes(world, job_id)) == 100


def test_no_place_comes_in_where_a_post_in_doubt_of_this_job_could_not_be_found() -> None:
    """Without keys it is found by the stamp in the definition, and what is enqueued already cannot be given one."""
    world = World(accounts={"default": "1", "spare": "1"})
    world.parts = replace(world.parts, stamps=lambda account: account == "spare")
    places = [{"market": MARKET, "account": "spare"}]
    job_id = world.enqueue(LONG)
    with pytest.raises(InvalidRequest, match="without the stamp") as refused:
        ask(world, job_id, retry={"elsewhere": places})
    assert [fault.path for fault in refused.value.faults] == ["policies.retry.elsewhere"]
    ask(world, job_id, retry={"elsewhere": [{"market": MARKET}]})
    stamped = world.enqueue(LONG, policies={"retry": {"elsewhere": places}})
    assert world.job(stamped).stamped
    ask(world, stamped, retry={"elsewhere": [*places, *places]})
