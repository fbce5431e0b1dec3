"""What the network refuses: which refusals are believed, what they cost, and what odd ones may not break."""

from collections.abc import Callable
from copy import copy
from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.words import Reason, State
from dispatcher.simulator.fault_plan import parse_plan
from tests.engine.audit import audit, remotes
from tests.engine.test_crashes import Killed, Tripwire, wired
from tests.world import ADDRESS, World, definition

SHORT = {"message": "Insufficient credits. Available: $0.000, Required: $0.008"}
PORTAL = "<html><h1>Forbidden</h1></html>"


@pytest.mark.parametrize(
    ("status", "body"), [(403, PORTAL), (404, PORTAL), (400, PORTAL), (402, SHORT), (409, {"message": "no"})]
)
@pytest.mark.parametrize("times", [1, 4])
def test_a_refusal_of_a_post_that_may_have_landed_is_not_believed_at_once(
    status: int, body: Any, times: int
) -> None:
    """The network would repeat its answer to a post that landed. What refuses it may be a proxy, or a check of the
    balance that this very post used up: to believe it would abandon the job that is there, or post it again."""
    world = World(
        faults=[
            {"route": "jobs.list", "kind": "lose_answer", "nth": [1]},
            {"route": "jobs.list", "kind": "status", "status": status, "body": body, "times": times},
        ]
    )
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    assert world.kinds(job_id).count("call_undecided") == 1 + times
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_the_same_holds_where_the_worker_that_sent_it_died_before_it_could_tell() -> None:
    class DiesAfterThePost(Tripwire):
        def pass_through(self, name: str, call: Callable[[], Any]) -> Any:
            answer = call()
            if name == "network.post":
                raise Killed(name)
            return answer

    world = World()
    plain, world.parts = world.parts, wired(world.parts, DiesAfterThePost())
    job_id = world.enqueue(definition(runs_for="5m"))
    with pytest.raises(Killed):
        world.run()
    assert len(remotes(world, job_id)) == 1
    world.parts = plain
    world.network.faults.replace(
        parse_plan([{"route": "jobs.list", "kind": "status", "status": 403, "nth": [1]}])
    )
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_refusal_of_an_extension_that_may_have_landed_is_not_believed_at_once(status: int) -> None:
    world = World(
        faults=[
            {"route": "jobs.extend", "kind": "lose_answer", "nth": [1]},
            {"route": "jobs.extend", "kind": "status", "status": status, "nth": [1]},
        ]
    )
    job_id = world.enqueue(definition(runs_for="25m"), policies={"extend": {"by": "10m"}})
    world.run()
    assert (world.job(job_id).state, world.job(job_id).extends) == (State.COMPLETED, 2)
    audit(world)


def test_a_single_refusal_among_many_lost_answers_is_not_believed() -> None:
    world = World(
        faults=[
            {"route": "jobs.list", "kind": "lose_answer", "nth": [*range(1, 9), 10, 11]},
            {"route": "jobs.list", "kind": "status", "status": 403, "nth": [1, 2]},
        ]
    )
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run()
    assert world.kinds(job_id).count("call_undecided") == 12
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


@pytest.mark.parametrize("lost_before", [False, True])
def test_a_refusal_that_stays_is_believed(lost_before: bool) -> None:
    faults = [{"route": "jobs.list", "kind": "status", "status": 403, "body": {"message": "no credits here"}}]
    if lost_before:
        faults.insert(0, {"route": "jobs.list", "kind": "cut", "nth": [1]})
    world = World(faults=faults)
    job_id = world.enqueue()
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.REJECTED, Reason.REFUSED)
    assert job.ending is not None
    assert "no credits here" in job.ending.detail
    assert job.updated_at - job.created_at < 180
    audit(world)


@pytest.mark.parametrize(
    "required",
    [
        "$0.00812345678",
        "$-5.000",
        "-$5.000",
        "$0.000",
        "$999999999999",
        "$1e3",
        "much",
        "$1000000000.000000000001",
    ],
)
@pytest.mark.parametrize("route", ["jobs.list", "jobs.extend"])
def test_whatever_sum_a_402_names_the_job_waits_and_goes_on(route: str, required: str) -> None:
    body = {"message": f"Insufficient credits. Available: $0.000, Required: {required}"}
    world = World(faults=[{"route": route, "kind": "status", "status": 402, "body": body, "nth": [1]}])
    job_id = world.enqueue(definition(runs_for="15m"), policies={"extend": {"by": "10m"}})
    world.run()
    assert "call_short" in world.kinds(job_id)
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_a_sum_with_more_decimals_than_there_are_is_rounded_up() -> None:
    body = {"message": "Insufficient credits. Available: $0.009, Required: $0.00912345678"}
    world = World(
        accounts={"default": "0.009"},
        faults=[{"route": "jobs.list", "kind": "status", "status": 402, "body": body, "nth": [1]}],
    )
    job_id = world.enqueue(definition(runs_for="5m"))
    world.work()
    wait = world.job(job_id).wait
    assert wait is not None
    assert wait.short_usd == Decimal("0.009124")
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_a_network_that_shows_credit_and_refuses_to_take_it_is_not_hammered() -> None:
    """The watch for credit sees enough of it; the ladder decides, since that much did not do."""
    world = World(faults=[{"route": "jobs.list", "kind": "status", "status": 402, "body": SHORT}])
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(6 * 3600)
    job = world.job(job_id)
    assert (job.state, job.reason) == (State.ENQUEUED, Reason.AWAITING_CREDIT)
    assert job.wait is not None
    assert "Insufficient credits" in job.wait.detail
    assert job.posts < 60
    assert len(world.kinds(job_id)) < 300
    world.network.faults.replace([])
    world.credit("default", "1")
    world.run_for(11)
    assert world.job(job_id).state in {State.QUEUED, State.RUNNING}
    world.run()
    audit(world)


@pytest.mark.parametrize("price", [0, -1, None, "0.04", float(10**9), 9e8])
def test_a_price_that_cannot_be_meant_rejects_the_job(price: object) -> None:
    world = World()
    market = copy(world.network.markets[ADDRESS])
    object.__setattr__(market, "document", {**market.document, "usd_reward_per_hour": price})
    world.network.markets[ADDRESS] = market
    job_id = world.enqueue(timeout="90h")
    world.run()
    assert (world.job(job_id).state, world.job(job_id).reason) == (State.REJECTED, Reason.NO_PRICE)
    audit(world)


def test_a_record_with_a_price_that_cannot_be_meant_is_followed_all_the_same() -> None:
    world = World()
    job_id = world.enqueue(definition(runs_for="5m"))
    world.run_for(30)
    remote = remotes(world, job_id)[0]
    market = copy(remote.market)
    object.__setattr__(market, "document", {**market.document, "usd_reward_per_hour": 1e9})
    remote.market = market
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    audit(world)


def test_a_market_that_vanishes_rejects_those_that_wait_for_it_and_no_others() -> None:
    world = World(accounts={"default": "0.009"})
    running = world.enqueue(definition(runs_for="9m"))
    world.run_for(30)
    waiting = world.enqueue(definition(runs_for="8m"))
    by_address = world.enqueue(definition(runs_for="7m"), market=ADDRESS)
    world.run_for(60)
    assert world.job(waiting).reason is Reason.AWAITING_CREDIT
    vanished = world.network.markets.pop(ADDRESS)
    world.run_for(120)
    world.credit("default", "1")
    world.run()
    assert world.job(running).state is State.COMPLETED
    for job_id in (waiting, by_address):
        assert (world.job(job_id).state, world.job(job_id).reason) == (State.REJECTED, Reason.REFUSED)
    assert vanished.address == ADDRESS
    audit(world)
