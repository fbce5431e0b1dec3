"""Jobs and budgets: who waits and why, who is woken when there is room, and that no worker gets past one."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.budget import Scope, Window, parse_budget
from dispatcher.domain.errors import InvalidRequest, NotPossible
from dispatcher.domain.ids import JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine import budgets
from dispatcher.engine.advance import advance
from tests.engine.audit import audit
from tests.engine.test_crashes import Tripwire, wired
from tests.engine.test_two_workers import Stalls
from tests.world import START, World, definition

TEAM = {"team": "team-a"}
FIVE = Decimal("0.004")  # 5 minutes at 0.04796 $/h, rounded up; 10 minutes: 0.008
MIDNIGHT = START - START % 86_400 + 86_400


def allow(world: World, limit: str, scope: str = "label:team-a") -> None:
    budgets.set_budget(world.parts, parse_budget(scope, limit))


def job(world: World, number: int = 0, *, runs_for: str = "5m", **fields: Any) -> JobId:
    asked = {"timeout": "5m", "labels": TEAM, **fields}
    return world.enqueue(definition(f"{number}", runs_for=runs_for), **asked)


def reasons(world: World, *job_ids: JobId) -> list[Reason]:
    return [world.job(job_id).reason for job_id in job_ids]


def use(world: World) -> tuple[Decimal, Decimal]:
    (found,) = world.parts.ledger.budgets(now=world.clock.at)
    return found.used, found.held


def test_a_job_over_its_budget_waits_and_says_why() -> None:
    world = World()
    allow(world, "0.006/day")
    first, second = job(world, 1), job(world, 2)
    world.run_for(1)

    waiting = world.job(second)
    assert (waiting.state, waiting.reason) == (State.ENQUEUED, Reason.AWAITING_BUDGET)
    assert waiting.wait is not None
    assert waiting.wait.detail == (
        "budget label:team-a allows $0.006 a day: $0.004 is used, this needs $0.004; "
        "the day ends 2027-01-16T00:00:00Z"
    )
    assert world.job(first).state is State.QUEUED
    assert world.parts.ledger.view(waiting.account).held == FIVE
    assert len(world.network.jobs) == 1


@pytest.mark.parametrize("how", ["raised", "removed"])
def test_a_budget_that_is_raised_or_removed_wakes_at_once(how: str) -> None:
    world = World()
    allow(world, "0.004/day")
    first, *others = [job(world, number) for number in range(4)]
    world.run_for(1)
    assert reasons(world, *others) == [Reason.AWAITING_BUDGET] * 3

    if how == "raised":
        allow(world, "0.012/day")
    else:
        budgets.remove_budget(world.parts, Scope("label:team-a"), None)
    world.work()

    left = Reason.AWAITING_BUDGET if how == "raised" else Reason.AWAITING_INDEX
    assert reasons(world, *others) == [Reason.AWAITING_INDEX, Reason.AWAITING_INDEX, left]
    assert world.job(first).posts == 1


def test_a_new_day_makes_room_by_priority_then_age_for_as_many_as_fit() -> None:
    """The day's budget pays for two; the job that ran over midnight counts for the day on which it was held."""
    world = World()
    world.clock.at = MIDNIGHT - 600
    allow(world, "0.008/day")
    yesterday = [job(world, number, runs_for="15m", timeout="5m") for number in range(2)]
    world.run_for(1)
    low = [job(world, 10 + number, priority=-1) for number in range(2)]
    high = job(world, 20, priority=5)
    normal = job(world, 30)
    world.run_for(590)
    assert set(reasons(world, *low, high, normal)) == {Reason.AWAITING_BUDGET}

    world.run_for(30)
    assert reasons(world, *low) == [Reason.AWAITING_BUDGET] * 2
    assert [world.job(each).posts for each in (high, normal)] == [1, 1]
    assert use(world)[0] == 2 * FIVE
    assert all(world.job(each).posts == 1 for each in yesterday)
    world.run_for(86_400)
    assert [world.job(each).posts for each in low] == [1, 1]
    world.run()
    audit(world)


def test_jobs_that_cost_less_than_was_held_make_room() -> None:
    world = World()
    allow(world, "0.010")
    first = job(world, 1, runs_for="1m", timeout="10m")
    second = job(world, 2, runs_for="1m", timeout="10m")
    world.run_for(1)
    assert reasons(world, second) == [Reason.AWAITING_BUDGET]
    assert use(world) == (Decimal("0.008"), Decimal("0.008"))

    world.run_for(600)
    assert world.job(first).state is State.COMPLETED
    assert world.job(second).posts == 1
    world.run()
    assert use(world) == (Decimal("0.002"), Decimal(0))
    audit(world)


def test_nobody_is_woken_while_there_is_no_room() -> None:
    world = World()
    allow(world, "0.004/day")
    waiting = [job(world, number, runs_for="4h", timeout="5m") for number in range(3)][1:]
    world.run_for(1800)

    assert all("woken" not in world.kinds(each) for each in waiting)
    assert max(len(world.kinds(each)) for each in waiting) < 12


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_two_workers_race_for_the_last_dollar_of_a_budget(before: bool) -> None:
    """While one holds, another takes the other job: both saw room, one gets it."""
    world = World()
    plain = world.parts
    allow(world, "0.004/day")
    first, second = job(world, 1), job(world, 2)

    class Race(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            if name != "ledger.hold":
                return call()
            if before:
                advance(plain, second)
                return call()
            answer = call()
            advance(plain, second)
            return answer

    advance(wired(plain, Race()), first)
    assert sorted(world.job(each).posts for each in (first, second)) == [0, 1]
    assert use(world) == (FIVE, FIVE)
    allow(world, "1/day")
    world.run()
    audit(world)


@pytest.mark.parametrize("operation", ["balance", "post"])
def test_workers_inside_each_others_calls_share_one_budget(operation: str) -> None:
    world = World()
    allow(world, "0.010/day")
    parts, waiting = world.parts, [job(world, number) for number in range(5)]

    def next_one() -> None:
        if waiting:
            advance(replace(parts, providers=Stalls(parts, operation, next_one)), waiting.pop())

    next_one()
    world.run_for(5)
    assert len(world.network.jobs) == 2
    assert use(world)[0] == 2 * FIVE


def test_labels_count_by_name_and_by_value_over_accounts() -> None:
    world = World(accounts={"default": "1", "other": "1"})
    allow(world, "0.010/day")
    named = job(world, 1, labels={"team-a": "x"})
    valued = job(world, 2, account="other")
    third = job(world, 3, account="other")
    free = job(world, 4, labels={"team": "team-b"})
    world.run_for(1)

    assert reasons(world, named, valued, free) == [Reason.AWAITING_INDEX] * 3
    assert reasons(world, third) == [Reason.AWAITING_BUDGET]


def test_an_impatient_job_fails_and_a_patient_one_after_its_patience() -> None:
    world = World()
    allow(world, "0.001/month")
    fails = job(world, 1, policies={"credit": {"when_short": "fail"}})
    patient = job(world, 2, policies={"credit": {"wait_at_most": "1h"}})
    world.run_for(3500)
    assert (world.job(fails).state, world.job(fails).reason) == (State.REJECTED, Reason.NO_BUDGET)
    assert world.job(patient).reason is Reason.AWAITING_BUDGET
    world.run_for(200)
    assert (world.job(patient).state, world.job(patient).reason) == (State.REJECTED, Reason.NO_BUDGET)
    audit(world)


@pytest.mark.parametrize("raised", [True, False], ids=["raised", "not raised"])
def test_an_extension_that_a_budget_refuses_is_tried_again_within_its_margin(raised: bool) -> None:
    world = World()
    allow(world, "0.010/day")
    job_id = job(world, runs_for="15m", timeout="10m", policies={"extend": {"by": "10m"}})
    world.run_for(570)
    tries = [
        event
        for event in world.parts.store.events(job_id)
        if event.kind == "waited" and event.reason is Reason.AWAITING_BUDGET
    ]
    assert len(tries) >= 3
    if raised:
        allow(world, "1/day")
    world.run()
    ended = world.job(job_id)
    if raised:
        assert (ended.state, ended.extends) == (State.COMPLETED, 1)
    else:
        assert (ended.state, ended.reason, ended.extends) == (State.STOPPED, Reason.NO_BUDGET, 0)
    audit(world)


def test_a_job_under_two_budgets_waits_for_the_one_that_has_no_room() -> None:
    world = World()
    allow(world, "0.004/day")
    allow(world, "0.004", "account:default")
    first, second = job(world, 1), job(world, 2)
    world.run_for(1)
    assert reasons(world, second) == [Reason.AWAITING_BUDGET]
    allow(world, "1", "account:default")
    world.run_for(20)
    waiting = world.job(second)
    assert waiting.wait is not None
    assert (waiting.wait.scope, waiting.posts) == ("label:team-a", 0)
    assert world.kinds(second).count("woken") == 1
    allow(world, "1/day")
    world.run_for(1)
    assert [world.job(each).posts for each in (first, second)] == [1, 1]


def test_budgets_that_make_no_sense_are_refused_and_nothing_is_stored() -> None:
    world = World()
    with pytest.raises(InvalidRequest, match="know no account defualt; they know default"):
        allow(world, "5/day", "account:defualt")
    with pytest.raises(NotPossible, match="has no budget; `dispatcher budget list`"):
        budgets.remove_budget(world.parts, Scope("label:a"), None)
    assert world.parts.ledger.budgets(now=START) == []

    allow(world, "5/day")
    allow(world, "50/month")
    with pytest.raises(NotPossible, match=r"several budgets \(label:team-a \$5.000 a day, .*name the window"):
        budgets.remove_budget(world.parts, Scope("label:team-a"), None)
    with pytest.raises(NotPossible, match=r"no budget for a total; it has label:team-a \$5.000 a day"):
        budgets.remove_budget(world.parts, Scope("label:team-a"), Window.TOTAL)
    assert budgets.remove_budget(world.parts, Scope("label:team-a"), Window.DAY).limit == 5
    assert budgets.remove_budget(world.parts, Scope("label:team-a"), None).window is Window.MONTH


def test_there_are_not_endlessly_many_budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budgets, "BUDGETS_AT_MOST", 2)
    world = World()
    allow(world, "5/day", "label:a")
    allow(world, "5/day", "label:b")
    with pytest.raises(NotPossible, match="remove one"):
        allow(world, "5/day", "label:c")
    allow(world, "6/day", "label:b")
    assert len(world.parts.ledger.budgets(now=START)) == 2
