"""What several attempts leave behind: holds, pins, stamps, and addresses; wherever something dies in between."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.crashes import Crash
from dispatcher.domain.errors import NotPossible
from dispatcher.domain.ids import AccountName, HoldId, JobId
from dispatcher.domain.money import price
from dispatcher.domain.words import Reason, State
from dispatcher.engine import dead
from dispatcher.engine.reconcile import reconcile
from dispatcher.engine.resolve import resolve
from dispatcher.ports.ledger import Ledger
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.network import Options
from tests.engine.test_attempts import COMMUNITY, DEFAULT, RATE, SPARE, at_rest, elsewhere, quits, retry
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.world import MARKET, World, definition

TO_SPARE = elsewhere("host_quit", market=MARKET, account="spare")


def two_accounts() -> World:
    world = World(accounts={"default": "100", "spare": "100"})
    quits(world, times=1)
    return world


def test_what_a_refused_post_was_to_cost_stays_held_for_the_next_one() -> None:
    world = World(faults=[{"route": "jobs.list", "kind": "status", "status": 400, "nth": [1]}])
    job_id = world.enqueue(policies={"retry": retry("refused", backoff="10m")})
    world.run_for(60)
    assert world.job(job_id).reason is Reason.RETRYING
    assert world.parts.ledger.view(DEFAULT).held == price(RATE, 600)
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    at_rest(world)


def test_a_refused_post_that_nothing_follows_frees_its_hold() -> None:
    world = World(faults=[{"route": "jobs.list", "kind": "status", "status": 400}])
    job_id = world.enqueue(policies={"retry": retry("refused", attempts=2)})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.posts) == (State.REJECTED, Reason.REFUSED, 2)
    at_rest(world)


class NotingCaps:
    """A ledger that notes the cap of each hold."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.caps: list[Decimal | None] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def hold(self, *given: Any, **more: Any) -> Any:
        self.caps.append(more["cap"])
        return self._ledger.hold(*given, **more)


def test_the_ledger_is_told_what_is_left_of_the_jobs_cap() -> None:
    world = World()
    quits(world, times=1)
    noting: Any = NotingCaps(world.parts.ledger)
    world.parts = replace(world.parts, ledger=noting)
    world.enqueue(policies={"stop": {"max_cost": "1"}, "retry": retry("host_quit")})
    world.run()
    assert noting.caps == [Decimal(1), Decimal(1) - price(RATE, 150)]


def test_each_account_pins_what_it_posts() -> None:
    """Its hosts may look elsewhere than those of the account before."""
    world = two_accounts()
    job_id = world.enqueue(policies={"retry": TO_SPARE})
    world.run()
    pinned = [event.known for event in world.parts.store.events(job_id) if event.kind == "pinned"]
    assert pinned == [False, False]
    world = World()
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run()
    pinned = [event.known for event in world.parts.store.events(job_id) if event.kind == "pinned"]
    assert pinned == [False, True]


@pytest.mark.parametrize("without_keys", ["default", "spare", None])
def test_a_definition_is_stamped_if_any_of_its_accounts_needs_that(without_keys: str | None) -> None:
    world = two_accounts()
    world.parts = replace(world.parts, stamps=lambda account: account == without_keys)
    job_id = world.enqueue(policies={"retry": TO_SPARE})
    assert world.job(job_id).stamped == (without_keys is not None)


def test_a_person_cannot_name_an_earlier_attempt_as_what_became_of_a_post() -> None:
    faults = [
        {"route": "jobs.list", "kind": "lose_answer", "nth": [2]},
        {"route": "jobs.query", "kind": "cut", "seconds": 0},
    ]
    world = World(options=Options(generation=2), faults=faults)
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run_for(400)
    job = world.job(job_id)
    assert (job.state, job.attempt) == (State.POSTING, 2)
    first = job.earlier[0].address
    assert first is not None
    with pytest.raises(NotPossible, match="that was its attempt 1"):
        resolve(world.parts, job_id, posted=first, by="tester")
    world.network.faults.replace(parse_plan([]))
    world.run()
    at_rest(world)


def test_a_hold_that_is_left_over_on_an_earlier_account_is_closed_for_nothing() -> None:
    world = two_accounts()
    job_id = world.enqueue(policies={"retry": TO_SPARE})
    world.run()
    before = world.parts.ledger.view(DEFAULT).settled
    assert before == price(RATE, 150)
    world.parts.ledger.hold(DEFAULT, job_id, HoldId("nobody's"), Decimal(1), now=world.clock.now())
    reconcile(world.parts, whole=True)
    assert world.parts.ledger.view(DEFAULT).held == 0
    assert world.parts.ledger.view(DEFAULT).settled == before


class DiesBeforeTheBooks(Tripwire):
    """The attempt's end is saved, and not settled."""

    def pass_through(self, name: str, call: Any) -> Any:
        if name == "ledger.settle_attempt":
            raise Killed(name)
        return super().pass_through(name, call)


def test_a_dead_letter_between_two_attempts_is_dropped_with_the_attempt_paid() -> None:
    world = World()
    quits(world, times=1)
    plain, world.parts = world.parts, wired(world.parts, DiesBeforeTheBooks())
    job_id = world.enqueue(policies={"retry": retry("host_quit", backoff="10m")})
    with pytest.raises(Killed):
        world.run()
    world.parts = plain
    world.bell.rung.clear()
    assert world.job(job_id).reason is Reason.RETRYING
    world.clock.move(60)
    claim = plain.store.claim(job_id, now=world.clock.now(), lease=30)
    assert claim is not None
    now = world.clock.now()
    plain.store.crashed(job_id, claim.token, Crash("Bug: x", ""), now=now, retry_at=now, at_most=1)
    job = dead.drop(plain, job_id, by="tester")
    assert job is not None
    assert (job.reason, job.spend.settled) == (Reason.DROPPED, price(RATE, 150))
    at_rest(world)


def said(world: World, job_id: JobId, kind: str) -> list[Any]:
    return [event for event in world.parts.store.events(job_id) if event.kind == kind]


def test_the_books_agree_with_the_network_at_every_audit() -> None:
    """Between two attempts something is held that the network knows nothing of: that is no drift."""
    world = World(accounts={"default": "1"})
    reconcile(world.parts, whole=True)
    quits(world, times=2)
    job_id = world.enqueue(definition(), policies={"retry": retry("host_quit", backoff="3m", attempts=4)})
    for _ in range(60):
        world.run_for(30)
        reconcile(world.parts, whole=True)
        audit = world.parts.ledger.view(DEFAULT).audit
        assert audit is not None
        assert audit.drift == 0
    assert world.job(job_id).state is State.COMPLETED
    assert len(said(world, job_id, "attempt_ended")) == 2
    at_rest(world)


def test_no_keys_are_used_twice() -> None:
    world = World(accounts={"default": "1", "spare": "1"})
    quits(world, times=3)
    places = [{"market": COMMUNITY}, {"market": MARKET, "account": "spare"}]
    policies = {
        "retry": retry("host_quit", attempts=6, elsewhere=places),
        "extend": {"by": "2m"},
    }
    job_id = world.enqueue(definition(runs_for="10m"), timeout="2m", policies=policies)
    quits(world, times=3, after=200)
    world.run()
    keys = [event.call.key for event in said(world, job_id, "call_intended")]
    assert len(keys) == len(set(keys)) >= 8
    assert world.job(job_id).state is State.COMPLETED
    at_rest(world, AccountName("default"), SPARE)
