"""Policies that are changed while a job is under way: in every live state, at every moment, by several at once."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.changing import Change
from dispatcher.domain.errors import InvalidRequest, NotPossible, UnknownJob
from dispatcher.domain.events import PoliciesChanged, PoliciesKept
from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.policies.written import said
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.changing import change_policies
from dispatcher.ports.store import Command
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Options
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import Tripwire, kill_points, live, wired
from tests.engine.test_two_workers import Intruder
from tests.world import World, definition

DEFAULT = AccountName("default")


def ask(world: World, job_id: JobId, by: str = "ada", **patch: Any) -> Change:
    return change_policies(world.parts, job_id, patch, by=by)


def changes(world: World, job_id: JobId) -> list[tuple[str, ...]]:
    log = world.parts.store.events(job_id)
    return [event.changed for event in log if isinstance(event, PoliciesChanged)]


# --- every live state --------------------------------------------------------------------------------------


def short_of_credit(world: World) -> None:
    world.credit("default", "-100")


def over_budget(world: World) -> None:
    from dispatcher.domain.budget import parse_budget

    world.parts.ledger.set_budget(parse_budget("account:default", "0.001/day"), now=world.clock.now())


def breaks(route: str, kind: str = "cut") -> Callable[[World], None]:
    return lambda world: world.network.faults.replace(parse_plan([{"route": route, "kind": kind}]))


def frozen(world: World) -> None:
    world.parts.ledger.freeze(DEFAULT, "odd", by="ada", now=world.clock.now())


LONG = definition(runs_for="10h")
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


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("name", "index"), kill_points({"changed": changed}))
def test_a_change_outlives_a_worker_that_dies_anywhere(name: str, index: int, before: bool) -> None:
    wire = Tripwire()
    wire.arm(index, before=before)
    world, job_id = live(changed, wire)
    job = world.job(job_id)
    assert (job.state, job.reason, job.extends) == (State.STOPPED, Reason.MAX_EXTENDS, 1)
    assert changes(world, job_id) == [("extend.by", "extend.max_times", "stop.max_cost")]
    assert remotes(world, job_id)[0].timeout == 1800
    audit(world)


def extended_twice(world: World) -> JobId:
    policies = {"extend": {"by": "10m"}, "poll": SELDOM}
    return world.enqueue(definition(runs_for="25m"), request_id="k", policies=policies)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize(("name", "index"), kill_points({"extended_twice": extended_twice}))
def test_a_change_is_had_whatever_a_worker_is_doing_at_that_moment(
    name: str, index: int, before: bool
) -> None:
    asked: list[float] = []
    world = World()

    def cheaper() -> None:
        for job in world.parts.store.list_jobs():
            if not job.state.is_final:
                asked.append(world.clock.at)
                ask(world, job.id, stop={"max_cost": "0.01"}, extend=None)

    world.parts = wired(world.parts, Intruder(index, before=before, intrude=cheaper))
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
