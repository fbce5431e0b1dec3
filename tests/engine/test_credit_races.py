"""Many jobs and little credit: what is there is spent once, and whoever waits is served when there is more."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.ids import AccountName, JobId
from dispatcher.domain.money import price_at_most
from dispatcher.domain.words import Reason, State
from dispatcher.engine.advance import advance
from dispatcher.engine.freezing import thaw
from tests.engine.audit import audit, usd
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.engine.test_two_workers import Stalls
from tests.world import World, definition

RATE = Decimal("0.04796")
DEFAULT = AccountName("default")


def refusals(world: World) -> int:
    """How often the network had to say that there is too little."""
    return sum(call.status == 402 for call in world.network.ledger.calls)


class Meter(Tripwire):
    """Looks at the network's balance at every call: it may never be below what is there."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world, self.lowest = world, 0

    def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
        answer = call()
        account = self._world.network.accounts.of_key("nos_default")
        assert account is not None
        self.lowest = min(self.lowest, account.available)
        return answer


@pytest.mark.parametrize("credit", ["0.005", "0.017", "0.030"])
@pytest.mark.parametrize(
    "faults",
    [
        [],
        [{"route": "*", "kind": "lose_answer", "probability": 0.2}],
        [{"route": "jobs.*", "kind": "in_progress", "seconds": 20, "probability": 0.3}],
        [{"route": "credits.balance", "kind": "slow", "seconds": 8, "probability": 0.5}],
    ],
    ids=["well", "lost answers", "in progress", "slow balance"],
)
def test_no_more_is_asked_for_than_there_is(credit: str, faults: list[dict[str, Any]]) -> None:
    world = World(accounts={"default": credit}, faults=faults)
    meter = Meter(world)
    world.parts = wired(world.parts, meter)
    for number in range(8):
        extends = {"extend": {"by": "5m", "max_times": 2}} if number % 3 == 0 else {}
        world.enqueue(definition(f"{number}", runs_for=f"{3 + number % 5}m"), timeout="5m", policies=extends)
        world.run_for(7)
    world.run_for(1200)
    assert refusals(world) == 0
    assert meter.lowest == 0
    world.credit("default", "1")
    world.run()
    assert refusals(world) == 0
    audit(world)


@pytest.mark.parametrize("operation", ["balance", "post"])
def test_jobs_that_are_advanced_inside_each_others_calls_share_one_balance(operation: str) -> None:
    """Every worker asks for the balance before any has posted; there is enough for two of five."""
    world = World(accounts={"default": "0.017"})
    parts, waiting = world.parts, list[JobId]()

    def next_one() -> None:
        if waiting:
            advance(replace(parts, providers=Stalls(parts, operation, next_one)), waiting.pop())

    waiting += [world.enqueue(definition(f"{number}", runs_for="5m")) for number in range(5)]
    next_one()
    assert len(world.network.jobs) == 2
    assert refusals(world) == 0
    world.run_for(30)
    states = sorted(job.state for job in world.parts.store.list_jobs())
    assert states.count(State.ENQUEUED) == 3
    world.credit("default", "1")
    world.run()
    assert refusals(world) == 0
    audit(world)


def test_credit_that_somebody_else_spends_is_waited_for() -> None:
    """Another application uses the same account: the network refuses what the balance still showed."""
    drop = {"route": "jobs.list", "kind": "drop_credit", "to": "0", "times": 2}
    world = World(accounts={"default": "1"}, faults=[drop])
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(1800)
    job = world.job(job_id)
    assert (job.state, job.reason, job.posts) == (State.ENQUEUED, Reason.AWAITING_CREDIT, 1)
    assert world.parts.ledger.view(DEFAULT).held == 0
    world.credit("default", "1")
    world.run_for(11)
    assert world.job(job_id).posts == 2
    world.run_for(1800)
    assert world.job(job_id).reason is Reason.AWAITING_CREDIT
    world.credit("default", "1")
    world.run()
    assert (world.job(job_id).state, world.job(job_id).posts) == (State.COMPLETED, 3)
    audit(world)


def test_a_claw_back_below_zero_stops_spending_and_no_job_gets_lost() -> None:
    world = World(accounts={"default": "1"})
    running = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.run_for(60)
    world.credit("default", "-5")
    waiting = world.enqueue(definition(runs_for="5m"))
    world.run_for(3600)
    assert (world.job(running).state, world.job(running).reason) == (State.STOPPED, Reason.ACCOUNT_FROZEN)
    assert world.job(waiting).reason is Reason.ACCOUNT_FROZEN
    assert refusals(world) == 0
    world.credit("default", "6")
    world.run_for(3600)
    assert world.job(waiting).reason is Reason.ACCOUNT_FROZEN
    thaw(world.parts, DEFAULT)
    world.run()
    assert world.job(waiting).state is State.COMPLETED
    audit(world)


def test_a_hold_that_a_dead_worker_left_is_made_to_fit() -> None:
    """It held a small extension of the policy's and died; the next one takes an operator's large order first."""
    world = World()
    job_id = world.enqueue(definition(runs_for="3h"), policies={"extend": {"by": "2m"}})
    world.run_for(530)

    class DiesAfterHolding(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            answer = call()
            if name == "ledger.hold":
                raise Killed(name)
            return answer

    plain, world.parts = world.parts, wired(world.parts, DiesAfterHolding())
    with pytest.raises(Killed):
        world.run_for(60)
    world.bell.rung.clear()
    world.parts = plain
    world.extend(job_id, 7200)
    held: list[Decimal] = []

    def note() -> None:
        held.append(plain.ledger.view(DEFAULT).held - world.job(job_id).spend.posted)

    world.parts = replace(plain, providers=Stalls(plain, "extend", note))
    world.run_for(31)
    assert world.job(job_id).extends >= 1
    assert held[0] >= price_at_most(RATE, 7200)
    world.parts = plain
    world.run()
    audit(world)


def test_of_those_that_wait_the_one_with_priority_is_served_first() -> None:
    world = World(accounts={"default": "0"})
    low = [world.enqueue(definition(f"low {number}", runs_for="5m"), priority=-1) for number in range(3)]
    high = world.enqueue(definition("high", runs_for="5m"), priority=5)
    world.run_for(700)
    world.credit("default", "0.009")
    world.run_for(6)
    assert states_of(world, [*low, high]) == [State.ENQUEUED] * 3 + [State.QUEUED]
    world.credit("default", "1")
    world.run()
    audit(world)


def test_a_wait_for_credit_that_nothing_needs_any_more_wakes_nobody_again_and_again() -> None:
    """The job's result is awaited; that an extension of it was short must not fill its log once there is credit."""
    world = World(accounts={"default": "0.009"})
    job_id = world.enqueue(
        definition(runs_for="25m", results_after="55s"), policies={"extend": {"by": "10m"}}
    )
    world.run_for(630)
    job = world.job(job_id)
    assert job.remote is not None
    assert job.remote.is_over
    assert job.wait is not None
    assert job.wait.reason is Reason.AWAITING_CREDIT
    world.credit("default", "1")
    world.run_for(600)
    assert world.kinds(job_id).count("woken") == 0
    assert world.job(job_id).state is State.STOPPED
    audit(world)


def test_what_the_network_reserved_counts_once() -> None:
    """A hold whose reservation the network's balance shows is not taken from that balance again."""
    world = World(accounts={"default": "0.017"})
    first = world.enqueue(definition("first", runs_for="9m"))
    world.run_for(10)
    second = world.enqueue(definition("second", runs_for="9m"))
    world.run_for(10)
    assert State.ENQUEUED not in states_of(world, [first, second])
    world.run()
    audit(world)


def states_of(world: World, job_ids: list[JobId]) -> list[State]:
    return [world.job(job_id).state for job_id in job_ids]


def test_the_audit_would_notice_what_it_is_there_for() -> None:
    """The checks of these tests fail for a world in which something is wrong."""
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    audit(world)
    account = world.network.accounts.of_key("nos_default")
    assert account is not None
    account.settled += 1
    with pytest.raises(AssertionError):
        audit(world)
    account.settled -= 1
    remote = next(iter(world.network.jobs.values()))
    remote.settled = (remote.settled or 0) + 1
    with pytest.raises(AssertionError):
        audit(world)
    remote.settled -= 1
    twin = world.enqueue(definition(runs_for="5m"))
    with pytest.raises(AssertionError, match="enqueued"):
        audit(world)
    world.run()
    audit(world)
    world.network.jobs[world.job(twin).remote.address].key = f"{job_id}:post:2:1"  # type: ignore[union-attr]
    with pytest.raises(AssertionError):
        audit(world)
    assert usd(1) == Decimal("0.001")
