"""Jobs that are stopped when a budget is used up: noted at a look, asked of the ledger at most once a minute."""

from typing import Any

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.budget import parse_budget
from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine import budgets
from tests.engine.audit import audit
from tests.engine.test_crashes import Tripwire, wired
from tests.world import World, definition

TEAM = {"team": "team-a"}
STOP = {"stop": {"budget": "label:team-a"}}


def allow(world: World, limit: str, scope: str = "label:team-a") -> None:
    budgets.set_budget(world.parts, parse_budget(scope, limit))


def job(world: World, text: str = "", **fields: Any) -> JobId:
    asked = {"labels": TEAM, "policies": STOP, "timeout": "30m", **fields}
    return world.enqueue(definition(text, queued_for="0s", runs_for="29m"), **asked)


def test_a_job_is_stopped_when_its_budget_is_used_up() -> None:
    world = World()
    allow(world, "0.05/day")
    first = job(world, "cheap")
    world.run_for(120)
    assert world.job(first).stop is None
    other = job(world, "dear", policies={})  # 0.024 each: 0.002 are left, which pays for a minute
    world.run_for(300)
    assert world.job(first).stop is None
    third = job(world, "small", policies={}, timeout="2m")  # 0.002
    world.run_for(400)
    stopped = world.job(first)
    assert (stopped.state, stopped.reason) == (State.STOPPED, Reason.BUDGET_USED_UP)
    noted = next(event for event in world.parts.store.events(first) if isinstance(event, ev.BudgetUsedUp))
    assert noted.scope == "label:team-a"
    assert "allows $0.050 a day: $0.000 is left, one more minute costs $0.001" in noted.detail
    assert world.job(other).stop is None  # it did not ask for that
    world.run()
    assert world.job(third).state is not State.REJECTED
    audit(world)


def test_a_budget_that_nobody_set_stops_nobody() -> None:
    world = World()
    first = job(world)
    world.run()
    assert world.job(first).state is State.COMPLETED


def test_a_limit_that_is_lowered_stops_the_jobs_under_it() -> None:
    world = World()
    allow(world, "1")
    jobs = [job(world, str(number)) for number in range(3)]
    world.run_for(200)
    allow(world, "0.01")
    world.run_for(500)
    assert {world.job(each).reason for each in jobs} == {Reason.BUDGET_USED_UP}
    audit(world)


def test_the_ledger_is_asked_at_most_once_a_minute() -> None:
    world = World()
    allow(world, "1")
    counts = Tripwire()
    world.parts = wired(world.parts, counts)
    policies = {**STOP, "poll": {"every": "10s", "backoff": 1}}
    for number in range(5):
        job(world, str(number), policies=policies)
    world.run_for(600)
    asked = sum(name.endswith("budgets") for name in counts.calls)
    assert 9 <= asked <= 12


@pytest.mark.parametrize("scope", ["label:team-b", "account:lab", "label:team=other"])
def test_a_budget_that_the_job_does_not_count_for_is_refused(scope: str) -> None:
    world = World()
    with pytest.raises(InvalidRequest) as refused:
        job(world, policies={"stop": {"budget": scope}})
    (fault,) = refused.value.faults
    assert fault.path == "policies.stop.budget"
    assert "account:default, label:team, label:team-a, label:team=team-a" in fault.message


@pytest.mark.parametrize("scope", ["team-a", "label:", "account:a=b", "label:a b"])
def test_what_is_nobodys_spending_is_refused_by_its_field(scope: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        job(World(), policies={"stop": {"budget": scope}})
    assert [fault.path for fault in refused.value.faults] == ["policies.stop.budget"]
    assert "write account:NAME" in refused.value.faults[0].message


def test_the_accounts_of_all_places_count() -> None:
    retry = {"elsewhere": [{"market": "nvidia-3060", "account": "lab"}]}
    world = World(accounts={"default": "1", "lab": "1"})
    assert job(world, policies={"stop": {"budget": "account:lab"}, "retry": retry})
