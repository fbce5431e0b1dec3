"""Policies that are changed while a job is under way: in every live state, and what comes of it at once."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.domain.errors import InvalidRequest
from dispatcher.domain.events import PoliciesChanged
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.policies.written import said
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.markets import PREMIUM_3060
from dispatcher.simulator.network import Options
from tests.engine.audit import audit, remotes
from tests.engine.changing import DEFAULT, LONG, ask, breaks, changes, frozen
from tests.engine.test_crashes import Tripwire, wired
from tests.world import World, definition

# --- every live state --------------------------------------------------------------------------------------


def short_of_credit(world: World) -> None:
    world.credit("default", "-100")


def over_budget(world: World) -> None:
    from dispatcher.domain.budget import parse_budget

    world.parts.ledger.set_budget(parse_budget("account:default", "0.001/day"), now=world.clock.now())


WHERE: dict[
    str, tuple[Callable[[World], None] | None, dict[str, Any], float, Callable[[World, JobId], None] | None]
]
WHERE = {
    "enqueued/awaiting_credit": (short_of_credit, LONG, 60, None),
    "enqueued/awaiting_budget": (over_budget, LONG, 60, None),
    "enqueued/account_frozen": (frozen, LONG, 60, None),
    "enqueued/awaiting_network": (breaks("ipfs.pin"), LONG, 60, None),
    "posting/new": (breaks("jobs.list", "lose_answer"), LONG, 60, None),
    "queued/awaiting_host": (None, definition(queued_for="3h"), 300, None),
    "running/running": (None, LONG, 300, None),
    "running/extending": (breaks("jobs.extend"), LONG, 1790, None),
    "stopping/stop_requested": (breaks("jobs.stop"), LONG, 300, lambda world, job_id: world.stop(job_id)),
}  # fmt: skip


@pytest.mark.parametrize("where", WHERE)
def test_policies_can_be_changed_in_every_live_state(where: str) -> None:
    trouble, job_definition, after, then = WHERE[where]
    world = World()
    if trouble is not None:
        trouble(world)
    job_id = world.enqueue(job_definition, timeout="30m", policies={"extend": {"by": "30m"}})
    world.run_for(after)
    if then is not None:
        then(world, job_id)
        world.run_for(30)
    job = world.job(job_id)
    assert f"{job.state}/{job.reason}" == where
    found = ask(world, job_id, stop={"after": "45m"}, extend={"max_cost": 2})
    assert found.changed == ("extend.max_cost", "stop.after")
    world.work()
    assert said(world.job(job_id).spec.policies) == {
        "extend": {"by": "30m", "max_cost": "2.000"},
        "stop": {"after": "45m"},
    }
    (event,) = (event for event in world.parts.store.events(job_id) if isinstance(event, PoliciesChanged))
    assert (event.by, event.at, event.changed) == ("ada", world.clock.at, found.changed)
    world.check_log(job_id)
    # Whatever was in the way is gone: the job ends as its new policies say.
    world.network.faults.replace([])
    world.parts.ledger.thaw(DEFAULT)
    world.credit("default", "200")
    for use in world.parts.ledger.budgets(now=world.clock.now()):
        world.parts.ledger.remove_budget(use.budget.scope, use.budget.window)
    world.run()
    assert all(remote.over for remote in remotes(world, job_id))
    allowed = 60 if where == "running/extending" else 46  # an extension that was under way stays so
    assert max(remote.timeout for remote in remotes(world, job_id)) <= allowed * 60
    ended = world.job(job_id)
    if where.startswith(("enqueued", "posting", "running")):
        assert (ended.state, ended.reason) == (State.STOPPED, Reason.STOP_AFTER)
    audit(world)


def test_a_post_that_a_person_has_to_resolve_may_have_other_policies_too() -> None:
    world = World(options=Options(generation=2), faults=[{"route": "jobs.list", "kind": "lose_answer"},
                                                         {"route": "jobs.query", "kind": "cut"}])  # fmt: skip
    job_id = world.enqueue(LONG, timeout="30m")
    world.run_for(2 * 86400)
    before = world.job(job_id)
    assert before.state is State.POSTING
    ask(world, job_id, stop={"max_cost": 2})
    world.work()
    assert (world.job(job_id).state, world.job(job_id).reason) == (before.state, before.reason)
    assert changes(world, job_id) == [("stop.max_cost",)]
    world.check_log(job_id)


# --- follow-ups come to meet the new policies at once ------------------------------------------------------


def test_the_agenda_follows_at_once_both_ways() -> None:
    world = World()
    job_id = world.enqueue(LONG, timeout="1h", policies={"extend": {"by": "1h"}})
    world.run_for(600)
    ask(world, job_id, extend=None)
    world.work()
    world.run_for(3000)
    assert "extended" not in world.kinds(job_id)
    ask(world, job_id, extend={"by": "30m"})
    world.run_for(400)
    assert world.job(job_id).extends == 1
    asked = world.clock.at
    ask(world, job_id, stop={"after": "10m"})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.STOPPED, Reason.STOP_AFTER)
    assert remotes(world, job_id)[0].ended_at <= asked + 1
    assert changes(world, job_id) == [("extend.by",), ("extend.by",), ("stop.after",)]
    audit(world)


@pytest.mark.parametrize(
    "patch", [{"stop": {"max_cost": "0.005"}}, {"quantum": "5m"}], ids=["max_cost", "quantum"]
)
def test_a_job_that_waits_for_credit_is_tried_again_when_it_needs_less(patch: dict[str, Any]) -> None:
    world = World(accounts={"default": "0.006"})
    job_id = world.enqueue(definition(runs_for="3m"), timeout="1h")
    world.run_for(60)
    waiting = world.job(job_id)
    assert waiting.reason is Reason.AWAITING_CREDIT
    assert waiting.wait is not None
    ask(world, job_id, **patch)
    world.work()
    assert world.job(job_id).state is State.QUEUED
    assert world.kinds(job_id)[-5:] == [
        "policies_changed",
        "credit_held",
        "pinned",
        "call_intended",
        "posted",
    ]
    world.run()
    audit(world)


def test_a_change_of_no_concern_to_the_money_does_not_wake() -> None:
    world = World(accounts={"default": "0.006"})
    job_id = world.enqueue(definition(), timeout="1h")
    world.run_for(60)
    wait = world.job(job_id).wait
    ask(world, job_id, poll={"every": "1m"})
    world.work()
    assert world.job(job_id).wait == wait
    assert changes(world, job_id) == [("poll.every",)]


def test_patience_may_be_ended_under_way() -> None:
    world = World(accounts={"default": "0.006"})
    job_id = world.enqueue(definition(), timeout="1h")
    world.run_for(60)
    ask(world, job_id, credit={"when_short": "fail"})
    world.work()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.REJECTED, Reason.NO_CREDIT)
    audit(world)


@pytest.mark.parametrize("trouble", [breaks("ipfs.pin"), frozen], ids=["unpinned", "pinned"])
@pytest.mark.parametrize(
    ("patch", "seconds"),
    [({"stop": {"after": "9m"}}, 600), ({"stop": {"max_cost": "0.01"}}, 750), ({"quantum": "5m"}, 300)],
    ids=["after", "max_cost", "quantum"],
)
def test_what_was_held_for_the_post_is_held_anew(
    trouble: Callable[[World], None], patch: dict[str, Any], seconds: int
) -> None:
    world, wire = World(), Tripwire()
    if trouble is frozen:
        # Between the pin and the post.
        original = world.parts.store.mark_pinned
        world.parts.store.mark_pinned = lambda *args: (original(*args), frozen(world))  # type: ignore[method-assign]
    else:
        trouble(world)
    world.parts = wired(world.parts, wire)
    job_id = world.enqueue(definition(runs_for="10h"), timeout="1h")
    world.run_for(30)
    before = world.job(job_id)
    assert (before.state is State.PINNED) == (trouble is frozen)
    assert before.quote is not None
    assert world.parts.ledger.view(DEFAULT).held == before.quote.amount
    ask(world, job_id, **patch)
    if trouble is not frozen:
        world.work()
        anew = world.job(job_id).quote
        assert anew is not None
        assert world.parts.ledger.view(DEFAULT).held == anew.amount < before.quote.amount
    world.network.faults.replace([])
    world.parts.ledger.thaw(DEFAULT)
    world.run_for(300)
    (remote,) = remotes(world, job_id)
    assert remote.reservations[0].seconds == seconds
    job = world.job(job_id)
    assert job.quote is not None
    assert job.quote.seconds == seconds
    world.run()
    audit(world)


def test_what_is_held_stays_held_where_the_change_does_not_touch_it() -> None:
    world = World()
    breaks("ipfs.pin")(world)
    job_id = world.enqueue(definition(), timeout="1h")
    world.run_for(30)
    quote = world.job(job_id).quote
    ask(world, job_id, extend={"by": "30m"}, stop={"max_cost": 50})
    world.work()
    assert world.job(job_id).quote == quote
    assert world.kinds(job_id).count("credit_held") == 1


def test_a_job_that_waits_for_a_price_is_tried_again_when_it_may_pay_more() -> None:
    world = World()
    job_id = world.enqueue(definition(), policies={"credit": {"max_rate_per_hour": "0.01"}})
    world.run_for(60)
    assert world.job(job_id).reason is Reason.AWAITING_PRICE
    ask(world, job_id, credit={"max_rate_per_hour": "0.05"})
    world.work()
    assert world.job(job_id).state is State.QUEUED
    world.run()
    audit(world)


def test_a_ceiling_that_comes_down_holds_for_what_is_not_posted_yet() -> None:
    world = World()
    breaks("ipfs.pin")(world)
    job_id = world.enqueue(definition())
    world.run_for(30)
    assert world.job(job_id).quote is not None
    ask(world, job_id, credit={"max_rate_per_hour": "0.01"})
    world.network.faults.replace([])
    world.run_for(60)
    assert world.job(job_id).reason is Reason.AWAITING_PRICE
    ask(world, job_id, retry={"elsewhere": [{"market": "nvidia-3060", "max_rate_per_hour": "1"}]})
    ask(world, job_id, credit=None)
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_places_may_be_ordered_anew_while_an_attempt_is_at_one_of_them() -> None:
    world = World(accounts={"default": "1", "other": "1"})
    there = {"market": "nvidia-a100", "account": "other"}
    job_id = world.enqueue(
        definition(runs_for="5m", exit_code=1),
        policies={
            "retry": {"on": ["failed"], "attempts": 3, "elsewhere": [there], "rapid": {"within": "1s"}}
        },
    )
    world.run_for(600)
    job = world.job(job_id)
    assert (job.attempt, job.place, job.account) == (2, 1, "other")
    with pytest.raises(InvalidRequest, match=r"retry\.elsewhere"):
        ask(world, job_id, retry={"elsewhere": [{"market": "nvidia-a100"}]})
    ask(world, job_id, retry={"elsewhere": [{"market": "nvidia-4090-community"}, there]})
    world.work()
    job = world.job(job_id)
    assert (job.place, job.account, job.market) == (2, "other", "nvidia-a100")
    world.run()
    job = world.job(job_id)
    assert [(attempt.account, attempt.number) for attempt in job.earlier] == [("default", 1), ("other", 2)]
    assert (job.attempt, job.account, job.state) == (3, "default", State.FAILED)
    world.check_log(job_id)
    for name in ("default", "other"):
        assert world.parts.ledger.view(AccountName(name)).held == 0


def test_no_attempt_that_a_change_allows_comes_after_an_operators_stop() -> None:
    """A policy's stop is of the attempt alone. The operator's makes it the job's, though none may follow as yet."""
    world = World()
    world.network.change_market(PREMIUM_3060, Conditions(hosts=0))
    job_id = world.enqueue(definition(), policies={"stop": {"queued_longer_than": "5m"}})
    breaks("jobs.stop")(world)
    world.run_for(360)
    stop = world.job(job_id).stop
    assert stop is not None
    assert stop.reason is Reason.QUEUED_TOO_LONG
    world.stop(job_id)
    world.work()
    ask(world, job_id, retry={"on": ["queued_too_long"], "attempts": 5})
    world.network.faults.replace([])
    world.run()
    assert (world.job(job_id).state, world.job(job_id).posts) == (State.STOPPED, 1)
