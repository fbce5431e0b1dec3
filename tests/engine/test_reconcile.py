"""A store that was damaged under the engine's feet: reconciliation brings every job to its end all the same."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from dispatcher.domain import events as ev
from dispatcher.domain.errors import NoAnswer
from dispatcher.domain.ids import HoldId, JobId
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.words import Reason, State
from dispatcher.engine import reconcile as module
from dispatcher.engine.advance import advance
from dispatcher.engine.parts import Parts
from dispatcher.engine.reconcile import reconcile, reconcile_in_turn
from dispatcher.engine.sweep import sweep
from dispatcher.ports.mending import Damage as Found
from tests.engine.audit import audit
from tests.engine.listing import DEFAULT, with_listing
from tests.engine.test_crashes import LIVES, Killed, Tripwire, wired
from tests.store.damage import Damage
from tests.world import World, definition


def damage_to(world: World) -> Damage:
    return Damage(world.parts.store, None)


def found_in(world: World, *, whole: bool = True) -> list[tuple[JobId, str]]:
    return [(finding.job, finding.what) for finding in reconcile(world.parts, whole=whole).findings]


def run_with_rounds(world: World, *, seconds: float = 4 * 3600.0) -> None:
    """Beat asks for a round every minute."""
    for _ in range(int(seconds / 60)):
        if not world.live():
            return
        reconcile_in_turn(world.parts)
        world.run_for(60)


# --- what follows from the records


@pytest.mark.parametrize("after", [0, 5, 20, 290, 400, 620, 900])
def test_a_job_that_falls_off_the_agenda_goes_on_wherever_it_is(after: float) -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="15m", queued_for="10s"), policies={"extend": {"by": "10m"}})
    world.run_for(after) if after else None
    damage_to(world).due(job_id, None)
    world.bell.rung.clear()
    world.run_for(300)
    assert not world.job(job_id).state.is_final, "nobody comes back to it"

    run_with_rounds(world)

    events = [event for event in world.parts.store.events(job_id) if event.kind == "mended"]
    assert [event.what for event in events] == [Found.NOT_ON_AGENDA]
    assert world.job(job_id).state in {State.COMPLETED, State.STOPPED}
    audit(world)


def test_a_job_that_is_due_much_later_than_its_next_step_is_looked_at() -> None:
    """It ended while nobody looked: its agenda entry was put off for days."""
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(60)
    damage_to(world).due(job_id, world.clock.at + 10 * 86400)
    world.run_for(3600)
    assert world.job(job_id).state is State.RUNNING

    assert found_in(world) == [(job_id, Found.LATE)]

    world.work()
    world.run_for(120)
    assert world.job(job_id).state is State.COMPLETED
    assert "mended" in world.kinds(job_id)
    audit(world)


def test_a_poll_that_is_only_far_away_by_its_own_policy_is_not_hurried() -> None:
    world = World()
    world.enqueue(
        definition(runs_for="5h"), timeout="6h", policies={"poll": {"every": "2h", "near_deadline": "1h"}}
    )
    for _ in range(100):
        world.run_for(100)
        assert found_in(world) == []


def killed_with_a_job_in_hand(world: World, *, saved: bool) -> JobId:
    """A late message's worker takes a running job, is killed, and the job is due again only in a while."""
    job_id = world.enqueue(definition(runs_for="3h"), timeout="4h", policies={"poll": {"every": "10m"}})
    world.run_for(60)
    claim = world.parts.store.claim(job_id, now=world.clock.at, lease=30)
    assert claim is not None
    if saved:
        order = ev.StopOrdered(at=world.clock.at, reason=Reason.OPERATOR, by="tester")
        world.parts.store.save(claim, apply(claim.job, order), [order], now=world.clock.at, lease=30)
    return job_id


def test_a_worker_that_died_with_work_to_do_is_followed_by_another_soon() -> None:
    world = World()
    job_id = killed_with_a_job_in_hand(world, saved=True)
    soon = world.clock.at + 30 + 40 + 60
    damage_to(world).due(job_id, soon + 86400)
    world.clock.move(29)
    assert found_in(world) == [], "somebody has it"
    damage_to(world).due(job_id, soon)
    world.clock.move(1 + 39)
    assert found_in(world) == [], "the lease and the grace have not run out"
    world.clock.move(2)

    assert found_in(world) == [(job_id, Found.LAPSED)]

    run_with_rounds(world)
    assert world.job(job_id).state is State.STOPPED
    audit(world)


def test_a_worker_that_died_over_a_late_message_left_nothing_undone() -> None:
    """Its job is due when its next step is: nothing has to be mended."""
    world = World()
    killed_with_a_job_in_hand(world, saved=False)
    for _ in range(10):
        world.clock.move(30)
        assert found_in(world) == []


@pytest.mark.parametrize("name", sorted(LIVES))
def test_a_round_at_any_moment_of_any_life_finds_nothing_and_disturbs_nothing(name: str) -> None:
    """After every single turn, and between taking a job and letting it go."""
    quiet, plain_id = World(), None
    plain_id = LIVES[name](quiet)
    quiet.run()
    world = World()
    rounds: list[Any] = []

    class Watching(Tripwire):
        def pass_through(self, call_name: str, call: Callable[[], Any]) -> Any:
            rounds.append(reconcile(plain, whole=True))
            answer = call()
            rounds.append(reconcile(plain, whole=True))
            return answer

    plain = world.parts
    world.parts = wired(plain, Watching())
    job_id = LIVES[name](world)
    world.run()

    assert len(rounds) > 50
    assert not [finding for each in rounds for finding in each.findings]
    assert plain.store.events(job_id) == quiet.parts.store.events(plain_id)


def test_finding_nothing_is_no_news() -> None:
    world = World()
    world.enqueue()
    world.run()
    with capture_logs() as logs:
        reconcile(world.parts)
    assert [(line["event"], line["log_level"]) for line in logs] == [("reconcile_found_nothing", "debug")]


def test_what_was_mended_is_a_line_with_fields() -> None:
    world = World()
    job_id = world.enqueue()
    damage_to(world).due(job_id, None)
    with capture_logs() as logs:
        reconcile(world.parts)
    assert [line for line in logs if line["log_level"] != "debug"] == [
        {
            "event": "reconcile_mended",
            "log_level": "warning",
            "job": job_id,
            "what": "it was not on the agenda",
        }
    ]


# --- the books


def test_holds_of_jobs_that_do_not_exist_are_closed() -> None:
    world = World()
    world.enqueue()
    world.work()
    ledger = world.parts.ledger
    before = ledger.view(DEFAULT)
    for number, confirmed in enumerate((False, True)):
        ghost, name = JobId(f"job_ghost{number}"), HoldId(f"job_ghost{number}:post:1")
        ledger.hold(DEFAULT, ghost, name, Decimal("1.5"), now=world.clock.at)
        if confirmed:
            ledger.confirm(DEFAULT, name, Decimal("1.5"))

    with capture_logs() as logs:
        found = found_in(world)

    assert sorted(job_id for job_id, _ in found) == ["job_ghost0", "job_ghost1"]
    assert {what for _, what in found} == {"$1.500000 of account default were still held for it"}
    assert len([line for line in logs if line["event"] == "reconcile_mended"]) == 2
    assert ledger.view(DEFAULT).held == before.held
    assert ledger.view(DEFAULT).settled == before.settled
    assert found_in(world) == []
    world.run()
    audit(world)


def test_a_job_that_is_over_and_was_not_settled_is_settled_at_its_cost() -> None:
    """Its worker was killed between its end and its settlement, and then its agenda entry got lost."""
    world = World()
    plain, wire = world.parts, Tripwire()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(200)

    class AtSettlement(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            if name == "ledger.settle":
                raise Killed(name)
            return call()

    world.parts = wired(plain, AtSettlement())
    with pytest.raises(Killed):
        world.run()
    world.parts = plain
    damage_to(world).due(job_id, None)
    job = world.job(job_id)
    assert job.state.is_final
    assert plain.ledger.view(DEFAULT).held > 0

    found = found_in(world)

    assert plain.ledger.view(DEFAULT).held == 0
    assert plain.ledger.view(DEFAULT).settled == job.spend.settled
    assert [job_id for job_id, _ in found] == [job_id]
    world.clock.move(200)
    assert found_in(world) == [(job_id, Found.KEPT)]
    world.work()
    audit(world)
    assert wire.calls == []


def test_a_job_that_ends_while_its_holds_are_looked_at_is_no_finding() -> None:
    world = World()
    plain = world.parts
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(60)

    class Ends(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            answer = call()
            if name == "ledger.jobs_with_holds" and world.live():
                assert [held for held, _ in answer] == [job_id]
                world.run()
            return answer

    assert reconcile(wired(plain, Ends())).findings == []
    audit(world)


def test_a_live_job_that_falls_off_the_agenda_in_the_middle_of_a_round_keeps_its_holds() -> None:
    world = World()
    plain = world.parts
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(60)
    held = plain.ledger.view(DEFAULT).held

    class Falls(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            if name == "ledger.jobs_with_holds":
                damage_to(world).due(job_id, None)
            return call()

    assert reconcile(wired(plain, Falls())).findings == []
    assert plain.ledger.view(DEFAULT).held == held > 0
    run_with_rounds(world)
    audit(world)


def test_holds_of_live_jobs_are_nobodys_business() -> None:
    world = World()
    job_id = world.enqueue()
    world.work()
    held = world.parts.ledger.view(DEFAULT).held
    assert held > 0
    assert found_in(world) == []
    assert world.parts.ledger.view(DEFAULT).held == held
    assert world.parts.ledger.jobs_with_holds(DEFAULT, 10) == [(job_id, held)]


def test_each_account_has_its_further_checks_and_one_that_does_not_answer_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(accounts={"default": "10", "other": "10"})
    checked: list[str] = []

    def check(_: Parts, account: str) -> None:
        checked.append(account)
        if account == "default":
            raise NoAnswer("balance", "cut")

    monkeypatch.setattr(module, "ACCOUNT_CHECKS", (check,))
    with capture_logs() as logs:
        found = reconcile(world.parts)
    assert checked == ["default", "other"]
    assert found.unseen == ["account default: balance: cut"]
    assert [line["event"] for line in logs if line["log_level"] == "warning"] == ["reconcile_incomplete"]


# --- rounds


def test_of_two_beats_one_makes_the_round() -> None:
    world = World()
    assert reconcile_in_turn(world.parts) is not None
    world.clock.move(1)
    assert reconcile_in_turn(world.parts) is None
    world.clock.move(58.9)
    assert reconcile_in_turn(world.parts) is not None


def test_a_round_is_bounded_and_the_next_goes_on_where_it_stopped() -> None:
    world = World(accounts={"default": "1"})
    request = {"market": "nvidia-3060", "timeout": "100h"}
    ids = [world.enqueue(**request) for _ in range(1500)]
    world.bell.rung.clear()
    damage = damage_to(world)
    for job_id in ids:
        damage.due(job_id, None)
    world.clock.move(1)

    rounds = []
    while len({job_id for each in rounds for job_id, _ in each}) < len(ids):
        rounds.append(found_in(world, whole=False))
        assert 0 < len(rounds[-1]) <= 1000
        assert len(rounds) < 6

    assert len(rounds) > 1
    assert found_in(world) == []
    assert len(world.parts.store.take_due(now=world.clock.at, limit=5000, grace=10)) == len(ids)


def test_by_hand_all_of_it_is_looked_at_once() -> None:
    world = World(accounts={"default": "1"})
    ids = [world.enqueue(timeout="100h") for _ in range(1100)]
    world.bell.rung.clear()
    damage = damage_to(world)
    for job_id in ids:
        damage.due(job_id, None)
    assert len(found_in(world)) == len(ids)


def test_rounds_through_a_list_that_cannot_be_had_mend_the_store_all_the_same() -> None:
    world = World()
    listing = with_listing(world)

    def away() -> None:
        raise NoAnswer("list_jobs", "cut")

    listing.before_list = away
    job_id = world.enqueue()
    damage_to(world).due(job_id, None)
    found = reconcile(world.parts)
    assert [finding.job for finding in found.findings] == [job_id]
    assert found.unseen == ["account default: list_jobs: cut"]


def test_jobs_that_wait_for_credit_are_served_again_after_their_list_was_lost() -> None:
    world = World(accounts={"default": "0.001"})
    job_id = world.enqueue(policies={"poll": {"every": "10s"}})
    world.work()
    assert world.job(job_id).reason is Reason.AWAITING_CREDIT
    damage_to(world).awaited(job_id, None)
    assert found_in(world) == [(job_id, Found.NOT_AWAITED)]
    for _ in range(2):
        sweep(world.parts)
        while world.bell.rung:
            advance(world.parts, world.bell.rung.popleft()[1])
    assert [waiter.id for waiter in world.parts.store.waiters(DEFAULT, 5)] == [job_id]
    world.credit("default", "5")
    world.run()
    audit(world)
