"""An explanation with all that is known beside the record: lines, budgets, breakers, crashes; and it comes true."""

from typing import Any

import pytest

from dispatcher.domain.budget import parse_budget
from dispatcher.domain.errors import UnknownJob
from dispatcher.domain.explain import Explanation
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.words import Reason, State
from dispatcher.engine import freezing
from dispatcher.engine.explaining import explain_job
from dispatcher.simulator.network import Options
from tests.engine.test_dead_letters import killed
from tests.engine.test_poison import Poison, Poisoned
from tests.world import START, World, definition


def explained(world: World, job_id: JobId) -> Explanation:
    return explain_job(world.parts, job_id)


def said(lines: tuple[str, ...]) -> str:
    return "\n".join(lines)


@pytest.mark.parametrize("after", [0, 61, 700, 2000, 5400])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"extend": {"by": "10m", "max_times": 4}},
        {"extend": {"by": "20m"}, "stop": {"after": "1h"}},
        {"quantum": "10m", "stop": {"max_cost": "0.02"}},
    ],
)
def test_what_is_told_of_the_end_comes_true(asked: dict[str, Any], after: float) -> None:
    """The host goes on to the limit."""
    world = World()
    job_id = world.enqueue(
        definition(runs_for="100h", queued_for=60, results_after=5), timeout="30m", policies=asked
    )
    world.run_for(after)
    (outlook,) = explained(world, job_id).outlooks or (None,)
    world.run()
    job = world.job(job_id)
    if outlook is None:
        return
    assert job.ending is not None
    assert (outlook.state, outlook.reason, outlook.cost) == (job.state, job.reason, job.spend.settled)
    assert outlook.at == pytest.approx(job.ending.at, abs=1)


def test_the_next_step_comes_when_it_is_told() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="2h"), policies={"extend": {"by": "10m"}})
    world.run_for(400)
    told = explained(world, job_id)
    due = world.parts.store.next_due(job_id)
    assert told.next is not None
    assert due is not None
    assert (told.next.at, told.next.follow_up) == (due.at, due.follow_up)
    assert told.next.remark == ""


def poor(**fields: Any) -> tuple[World, list[JobId]]:
    world = World(accounts={"default": "0.01"})
    ids = [world.enqueue(timeout="1h", priority=priority, **fields) for priority in (5, 0)]
    world.run_for(100)
    return world, ids


def test_a_wait_for_credit_tells_how_much_is_missing_and_who_is_before() -> None:
    world, (first, second) = poor()
    lines = said(explained(world, first).waits_for)
    assert "needs $0.048 on account default; $0.010 is there" in lines
    assert "$0.038 is missing" in lines
    assert "first in line" in lines
    lines = said(explained(world, second).waits_for)
    assert "those before it $0.048" in lines
    assert "$0.086 is missing" in lines
    assert "number 2 in line" in lines


def test_without_a_limit_on_waiting_it_waits_for_ever_and_costs_nothing() -> None:
    world, (first, _) = poor()
    waits, comes = explained(world, first).outlooks
    assert (waits.at, waits.state, waits.cost) == (None, None, 0)
    assert (comes.state, comes.reason) == (State.STOPPED, Reason.TIMED_OUT)
    assert str(comes.cost) == "0.048"


def test_the_end_of_patience_is_told_with_its_policy_and_comes_true() -> None:
    world, (first, _) = poor(policies={"credit": {"wait_at_most": "2h"}})
    told = explained(world, first)
    waits, _ = told.outlooks
    assert (waits.at, waits.state, waits.reason) == (START + 7200, State.REJECTED, Reason.NO_CREDIT)
    patience = next(entry for entry in told.agenda if entry.rule == "credit_patience")
    assert patience.under == "credit.wait_at_most 2h, from 08:00:00Z"
    world.run()
    job = world.job(first)
    assert (job.state, job.reason, job.updated_at) == (waits.state, waits.reason, waits.at)
    ended = world.parts.store.events(first)[-1]
    assert (ended.rule, ended.policy) == ("credit_patience", "credit.wait_at_most")


def test_a_running_job_that_waits_for_credit_ends_at_its_deadline_without_it() -> None:
    world = World(accounts={"default": "0.01"})
    job_id = world.enqueue(definition(runs_for="5h", queued_for=0), policies={"extend": {"by": "10m"}})
    world.run_for(590)
    without, _ = explained(world, job_id).outlooks
    assert without.at == START + 600
    assert without.at_most
    assert without.cost == world.job(job_id).spend.posted


def test_a_wait_for_a_budget_tells_how_much_is_used_and_when_a_new_one_begins() -> None:
    world = World()
    world.parts.ledger.set_budget(parse_budget("label:team-a", "0.01/day"), now=START)
    world.enqueue(labels={"team": "team-a"})
    job_id = world.enqueue(labels={"team": "team-a"})
    world.run_for(60)
    lines = said(explained(world, job_id).waits_for)
    assert "budget label:team-a: $0.008 of $0.010 a day is used, $0.002 is left" in lines
    assert "a new one begins 2027-01-16T00:00:00Z" in lines
    assert "first in line" in lines


def test_a_frozen_account_tells_by_whom_and_how_it_ends() -> None:
    world = World()
    freezing.freeze(world.parts, AccountName("default"), "looks odd", by="ann")
    job_id = world.enqueue()
    world.run_for(60)
    lines = said(explained(world, job_id).waits_for)
    assert "by ann since 2027-01-15T08:00:00Z: looks odd" in lines
    assert "`dispatcher account thaw default`" in lines


def test_an_open_breaker_is_told() -> None:
    world = World(faults=[{"route": "*", "kind": "status", "status": 503}])
    ids = [world.enqueue(definition(str(number))) for number in range(10)]
    world.run_for(60)
    told = explained(world, ids[0])
    assert "the breaker of api.test is open since" in said(told.held_back)
    (wait,) = told.history.waits
    assert wait.reason is Reason.AWAITING_NETWORK


def test_a_call_that_gets_no_answer_is_told_with_its_tries() -> None:
    world = World(faults=[{"route": "jobs.list", "kind": "status", "status": 503}])
    job_id = world.enqueue()
    world.run_for(60)
    (call,) = explained(world, job_id).history.troubled
    assert call.tries > 3
    assert call.outcome is None
    assert "503" in call.error


def test_a_dead_letter_has_no_next_step_and_its_deadline_is_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    poison = Poison(world, monkeypatch)
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    killed(world, poison, job_id)
    told = explained(world, job_id)
    assert told.next is None
    (outlook,) = told.outlooks
    remote = world.job(job_id).remote
    assert remote is not None
    assert outlook.at == remote.deadline
    assert outlook.cost == world.job(job_id).spend.posted


def test_a_job_that_rests_after_a_crash_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    poison = Poison(world, monkeypatch)
    job_id = world.enqueue(definition(runs_for="3h"), timeout="1h")
    world.run_for(120)
    poison.put(job_id, lambda job, action: True, times=1)
    world.leap()
    with pytest.raises(Poisoned):
        world.work()
    told = explained(world, job_id)
    trouble = world.parts.store.trouble(job_id)
    assert trouble is not None
    assert told.next is not None
    assert told.next.at == trouble.retry_at
    assert "its last turn failed" in told.next.remark


def test_a_post_in_doubt_waits_for_a_person() -> None:
    lost = {"route": "jobs.list", "kind": "lose_answer", "nth": [1]}
    world = World(options=Options(generation=2), faults=[lost])
    job_id = world.enqueue()
    world.run_for(9000)
    told = explained(world, job_id)
    assert told.job.reason is Reason.UNRESOLVED
    assert f"`dispatcher resolve {job_id} --posted ADDRESS`" in said(told.waits_for)
    (outlook,) = told.outlooks
    assert outlook.at is None
    assert outlook.cost == told.costs.committed


def test_when_nobody_works_that_is_told() -> None:
    world = World()
    job_id = world.enqueue(policies={"extend": {"by": "10m"}})
    world.run_for(200)
    world.clock.move(3000)
    told = explained(world, job_id)
    assert told.next is not None
    assert "nobody took it: are workers running?" in told.next.remark
    assert told.next.at == world.clock.at


def test_without_a_price_the_reason_is_told() -> None:
    world = World(faults=[{"route": "markets.*", "kind": "status", "status": 503}])
    job_id = world.enqueue()
    world.run_for(5)
    (outlook,) = explained(world, job_id).outlooks
    assert "its price cannot be had now" in outlook.unknown
    assert outlook.cost is None


def test_a_job_that_is_over_is_explained_by_what_was() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="1h"), timeout="30m", policies={"stop": {"after": "10m"}})
    world.run()
    told = explained(world, job_id)
    assert told.next is None
    assert told.outlooks == told.waits_for == told.held_back == ()
    (noted,) = told.history.noted
    assert (noted.kind, noted.by, noted.policy) == ("stop_ordered", "policy", "stop.after")


def test_nothing_is_changed_by_asking() -> None:
    world, (first, _) = poor()
    before = world.job(first), world.parts.store.events(first), world.parts.store.next_due(first)
    explained(world, first)
    assert before == (world.job(first), world.parts.store.events(first), world.parts.store.next_due(first))


def test_an_unknown_job_is_an_error() -> None:
    with pytest.raises(UnknownJob):
        explained(World(), JobId("job_x"))
