"""Jobs on the network that no record has: told apart, and taken over or stopped only with proof."""

from dataclasses import replace
from decimal import Decimal

import pytest

from dispatcher.domain import events as ev
from dispatcher.domain.job import Ending
from dispatcher.domain.lifecycle import apply
from dispatcher.domain.outcome import Outcome
from dispatcher.domain.retrying import ended
from dispatcher.domain.words import FollowUp, Phase, Reason, State
from dispatcher.engine.reconcile import reconcile
from dispatcher.engine.strays import stop_by_hand
from dispatcher.ports.store import Next
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import remotes
from tests.engine.listing import (
    DEFAULT,
    LONG,
    address_of,
    lines,
    looked,
    orphaned,
    post_behind_its_back,
    remote,
    stamped,
    the_stray,
    twice,
    with_listing,
)
from tests.world import World, definition

# --- not ours


def test_what_bears_no_stamp_is_left_alone_and_told_once() -> None:
    world = World()
    listing = with_listing(world)
    address = post_behind_its_back(world, definition(**LONG))
    world.clock.move(4000)

    told = lines(world, "info")
    assert told == [
        {
            "event": "foreign_job",
            "log_level": "info",
            "account": "default",
            "address": address,
            "why": "it bears no stamp of a dispatcher",
        }
    ]
    reads = listing.reads
    assert lines(world, "info") == []
    assert looked(world).foreign == 1
    assert listing.reads == reads, "it is not read again"
    assert not remote(world, address).over
    assert listing.stop_keys == []


def test_a_definition_that_is_not_shown_yet_is_waited_for() -> None:
    world = World(options=replace(World().network.options, filled_after=1000.0))
    with_listing(world)
    post_behind_its_back(world, definition(**LONG))
    world.clock.move(600)
    assert looked(world).strays == []
    world.clock.move(600)
    assert [stray.kind for stray in looked(world).strays] == ["foreign"]


def test_a_stamp_that_is_not_known_here_is_told_with_the_way_out_and_not_touched() -> None:
    """Another dispatcher may share the account."""
    world = World()
    with_listing(world)
    address = post_behind_its_back(world, stamped(77, **LONG))
    world.clock.move(600)

    (told,) = lines(world, "warning")
    assert told["event"] == "orphan_suspected"
    assert told["to_stop_it"] == f"dispatcher reconcile --stop {address} --account default"
    assert told["stamp"] == f"job_{77:024x}"
    assert lines(world, "warning") == []
    assert not remote(world, address).over

    stray = stop_by_hand(world.parts, DEFAULT, address, by="me")
    assert (stray.outcome, stray.kind, stray.job) == ("ended", "ordered", f"job_{77:024x}")
    assert remote(world, address).over


# --- orphans


def test_one_whose_job_is_over_is_stopped_and_told() -> None:
    world, listing, job_id, address = orphaned()

    (told,) = lines(world, "error")

    assert told["event"] == "orphan_stopped"
    assert (told["address"], told["job"], told["account"]) == (address, job_id, "default")
    assert (told["outcome"], told["why"]) == ("ended", f"{job_id} is over (stopped, operator)")
    assert remote(world, address).over
    assert listing.stop_keys == [f"stray:{address}:stop:1"]
    assert not the_stray(world).is_open
    assert lines(world, "error") == []
    assert world.parts.ledger.view(DEFAULT).held == 0


def test_a_queued_one_is_taken_off_the_queue() -> None:
    world, _, _, address = orphaned(queued_for="5h")
    assert looked(world).strays[0].outcome == "delisted"
    assert remote(world, address).over


def test_the_address_of_a_job_that_was_ended_while_it_ran_is_an_orphan_even_without_a_stamp() -> None:
    """An end that the network did not share: a bug, or a store that was restored."""
    world = World()
    with_listing(world)
    job_id = world.enqueue(definition(**LONG), timeout="4h")
    world.run_for(60)
    address, store, now = address_of(world, job_id), world.parts.store, world.clock.at
    claim = store.claim(job_id, now=now, lease=30)
    assert claim is not None
    end = ev.Ended(
        at=now, state=State.FAILED, reason=Reason.VANISHED, ending=Ending(at=now), settled=Decimal(0)
    )
    over = apply(claim.job, end)
    store.release(claim, over, [end], now=now, due=None, retention=86400)

    world.clock.move(100)
    assert looked(world).strays == [], "the end gets time to show"
    world.clock.move(30)
    assert [(stray.kind, stray.outcome) for stray in looked(world).strays] == [("orphan", "ended")]
    assert remote(world, address).over


def test_a_job_that_another_one_of_the_same_definition_may_just_have_posted_is_waited_for() -> None:
    """The new job's definition bears the old one's stamp, and the answer to its post does not come."""
    world = World()
    listing = with_listing(world)
    first = world.enqueue(stamped(1, runs_for="30m"), timeout="1h")
    world.run()
    world.clock.move(86400)
    world.network.faults.replace(parse_plan([{"route": "jobs.list", "kind": "lose_answer"}]))
    second = world.enqueue(stamped(1, runs_for="30m"), timeout="1h")
    for _ in range(20):
        world.run_for(60)
        assert looked(world).strays == []
    assert world.job(second).state is State.POSTING
    assert len(remotes(world, second)) == 1
    world.network.faults.replace(parse_plan([]))
    world.run()
    assert world.job(first).state is world.job(second).state is State.COMPLETED
    assert listing.stop_keys == []


def test_a_post_without_an_answer_wakes_its_job() -> None:
    world = World()
    with_listing(world)
    world.network.faults.replace(parse_plan([{"route": "jobs.list", "kind": "lose_answer"}]))
    job_id = world.enqueue(stamped(1, **LONG))
    world.work()
    due = world.parts.store.next_due(job_id)
    assert due is not None
    assert due.at > world.clock.at
    assert looked(world).woken == [job_id]
    due = world.parts.store.next_due(job_id)
    assert due is not None
    assert due.at == world.clock.at


# --- the second one of a live job


def test_the_younger_one_is_stopped_and_its_job_goes_on() -> None:
    world, _, job_id, stray = twice(older_recorded=True)
    kept = address_of(world, job_id)

    (told,) = lines(world, "error")

    assert told["event"] == "duplicate_stopped"
    assert (told["job"], told["address"], told["outcome"]) == (job_id, stray, "ended")
    assert remote(world, stray).over
    world.run()
    (noted,) = [event for event in world.parts.store.events(job_id) if event.kind == "mended"]
    assert stray in noted.what
    assert kept in noted.what
    assert (world.job(job_id).state, address_of(world, job_id)) == (State.COMPLETED, kept)
    assert str(remote(world, kept).end) == "finished"
    world.check_log(job_id)


def test_the_older_one_is_taken_over_before_the_younger_is_stopped() -> None:
    world, listing, job_id, older = twice(older_recorded=False)
    younger = address_of(world, job_id)

    told = [line["event"] for line in lines(world, "error")]
    assert told == ["job_found_twice"]
    assert listing.stop_keys == []
    assert looked(world).adopted == [(job_id, older)], "until its worker has done it"
    world.run_for(60)
    assert address_of(world, job_id) == older
    assert world.parts.store.find_address(older) == job_id
    assert world.parts.store.find_address(younger) is None

    assert [line["event"] for line in lines(world, "error")] == ["duplicate_stopped"]

    world.run()
    assert "adopted" in world.kinds(job_id)
    assert (world.job(job_id).state, address_of(world, job_id)) == (State.COMPLETED, older)
    assert str(remote(world, older).end) == "finished"
    assert str(remote(world, younger).end) == "stopped"
    world.check_log(job_id)


def test_a_job_that_was_taken_over_is_extended_and_ends_like_any_other() -> None:
    world = World()
    with_listing(world)
    document = stamped(1, runs_for="50m")
    older = post_behind_its_back(world, document, seconds=1200)
    world.clock.move(10)
    job_id = world.enqueue(document, timeout="20m", policies={"extend": {"by": "20m", "margin": "3m"}})
    for _ in range(70):
        world.run_for(60)
        reconcile(world.parts)
    assert (world.job(job_id).state, address_of(world, job_id)) == (State.COMPLETED, older)
    assert world.job(job_id).extends >= 2
    assert sum(not job.over for job in world.network) == 0
    world.check_log(job_id)


def test_a_job_that_is_being_stopped_takes_nothing_over() -> None:
    world, _, job_id, older = twice(older_recorded=False)
    world.stop(job_id)
    world.run_for(5)
    assert [stray.outcome for stray in looked(world).strays] == ["ended"]
    assert remote(world, older).over
    world.run()
    assert "adopted" not in world.kinds(job_id)
    assert all(job.over for job in world.network)


@pytest.mark.parametrize("stop_first", [True, False])
def test_a_stop_beside_a_takeover_ends_both(stop_first: bool) -> None:
    """Both are kept until the job's worker comes; what was ordered first is done first."""
    world, _, job_id, _ = twice(older_recorded=False)
    acts = [lambda: world.stop(job_id), lambda: reconcile(world.parts)]
    for act in acts if stop_first else reversed(acts):
        act()
    world.run()
    assert ("adopted" in world.kinds(job_id)) is not stop_first
    assert sum(not job.over for job in world.network) == 1
    world.clock.move(130)
    assert [stray.kind for stray in looked(world).strays] == ["orphan"]
    assert all(job.over for job in world.network)
    world.check_log(job_id)


def test_an_attempt_that_lives_on_beside_the_next_one_is_an_orphan_even_without_a_stamp() -> None:
    """An end that the network did not share: two of one job, both paid."""
    world = World()
    with_listing(world)
    retry = {"on": ["host_quit"], "backoff": "1s"}
    job_id = world.enqueue(definition(**LONG), timeout="4h", policies={"retry": retry})
    world.run_for(60)
    first, store, now = address_of(world, job_id), world.parts.store, world.clock.at
    claim = store.claim(job_id, now=now, lease=30)
    assert claim is not None
    quits = Outcome(State.FAILED, Reason.HOST_QUIT)
    assert claim.job.remote is not None
    seen = claim.job.remote.model_copy(update={"phase": Phase.HOST_QUIT})
    end = ended(claim.job.model_copy(update={"remote": seen}), quits, now)
    assert isinstance(end, ev.AttemptEnded)
    store.release(claim, apply(claim.job, end), [end], now=now, due=Next(now, FollowUp.DISPATCH), retention=1)
    world.run_for(60)
    assert world.job(job_id).state is State.RUNNING
    assert not remote(world, first).over
    assert looked(world).strays == [], "the end gets time to show"
    world.run_for(120)
    assert [(stray.kind, stray.address, stray.outcome) for stray in looked(world).strays] == [
        ("orphan", first, "ended")
    ]
    assert remote(world, first).over
    assert not remote(world, address_of(world, job_id)).over
