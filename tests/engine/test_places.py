"""Where an attempt runs: places that ask for too much, or cannot be had, are passed over or waited for."""

from typing import Any

import pytest

from dispatcher.domain.view import view
from dispatcher.domain.words import Reason, State
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.markets import COMMUNITY_4090, PREMIUM_3060
from tests.engine.test_attempts import COMMUNITY, DEFAULT, SPARE, at_rest, quits, retry
from tests.world import MARKET, START, World


def test_a_place_that_asks_for_too_much_is_passed_over() -> None:
    world = World()
    policy = retry("host_quit", elsewhere=[{"market": COMMUNITY, "max_rate_per_hour": "0.3"}])
    job_id = world.enqueue(policies={"retry": policy, "credit": {"max_rate_per_hour": "0.04"}})
    world.run_for(1)
    job = world.job(job_id)
    assert (job.reason, job.posts) == (Reason.AWAITING_PRICE, 0)
    assert (job.place, job.passed) == (0, 0)
    assert job.wait is not None
    assert "none of its 2 places can be had; the last: market nvidia-4090-community asks $0.23" in (
        job.wait.detail
    )
    world.network.change_market(COMMUNITY_4090, Conditions(usd_per_hour=0.03))
    world.run()
    job = world.job(job_id)
    assert (job.state, job.attempt, job.posts) == (State.COMPLETED, 1, 1)
    assert job.quote is not None
    assert job.quote.market == COMMUNITY_4090
    moved = [event for event in world.parts.store.events(job_id) if event.kind == "moved"]
    assert {event.reason for event in moved} == {Reason.TOO_DEAR}
    at_rest(world)


def test_a_job_with_one_place_waits_until_it_is_cheap_enough() -> None:
    world = World()
    job_id = world.enqueue(policies={"credit": {"max_rate_per_hour": "0.04"}})
    world.run_for(1800)
    job = world.job(job_id)
    assert job.reason is Reason.AWAITING_PRICE
    assert job.wait is not None
    assert 4 <= job.wait.tries <= 8
    assert world.parts.ledger.view(DEFAULT).held == 0
    world.network.change_market(PREMIUM_3060, Conditions(usd_per_hour=0.036))
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    at_rest(world)


@pytest.mark.parametrize(("credit", "until"), [({"when_short": "fail"}, 5), ({"wait_at_most": "1h"}, 3700)])
def test_patience_ends_the_wait_for_a_price(credit: dict[str, Any], until: float) -> None:
    world = World()
    job_id = world.enqueue(policies={"credit": {"max_rate_per_hour": "0.04", **credit}})
    world.run_for(until)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.REJECTED, Reason.TOO_DEAR)
    assert "market nvidia-3060 asks $0.04796 an hour, and $0.040 may be paid" in view(job, START)["detail"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"market": "unpriced"}, Reason.NO_PRICE),
        ({"market": "no-such-market"}, Reason.REFUSED),
        ({"market": MARKET, "account": "nobody"}, Reason.REFUSED),
        ({"market": MARKET, "max_rate_per_hour": "0.01"}, Reason.TOO_DEAR),
    ],
)
def test_a_place_that_cannot_be_had_is_passed_over(place: dict[str, Any], reason: Reason) -> None:
    world = World()
    quits(world, times=1)
    policy = retry("host_quit", elsewhere=[place])
    job_id = world.enqueue(policies={"retry": policy})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.attempt, job.account) == (State.COMPLETED, 2, DEFAULT)
    moved = [event.reason for event in world.parts.store.events(job_id) if event.kind == "moved"]
    assert moved == [reason]
    at_rest(world)


def test_places_that_nothing_can_be_had_of_reject_the_job() -> None:
    world = World()
    policy = retry("host_quit", elsewhere=[{"market": "unpriced"}])
    job_id = world.enqueue(market="no-such-market", policies={"retry": policy})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.REJECTED, Reason.NO_PRICE)


def test_what_was_kept_is_free_once_the_job_waits_on_another_account_and_when_it_ends() -> None:
    world = World(accounts={"default": "1", "spare": "0"})
    quits(world, times=1)
    place = {"market": MARKET, "account": "spare", "max_rate_per_hour": "0.05"}
    policy = retry("host_quit", elsewhere=[{"market": "no-such-market"}, place])
    job_id = world.enqueue(policies={"retry": policy})
    world.run_for(300)
    job = world.job(job_id)
    assert (job.account, job.reason) == (SPARE, Reason.AWAITING_CREDIT)
    assert world.parts.ledger.view(DEFAULT).held == 0
    world.stop(job_id)
    world.work()
    at_rest(world, DEFAULT, SPARE)
