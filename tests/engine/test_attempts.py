"""One job, several attempts: what follows an end, where it goes on, and never two copies that are paid."""

from decimal import Decimal
from typing import Any

import pytest

from dispatcher.domain.bounds import costs
from dispatcher.domain.errors import InvalidRequest, NotPossible
from dispatcher.domain.ids import AccountName, JobId, RemoteAddress
from dispatcher.domain.job import Job
from dispatcher.domain.money import price
from dispatcher.domain.view import view
from dispatcher.domain.words import Reason, State
from dispatcher.engine import resolve
from dispatcher.simulator.conditions import Conditions
from dispatcher.simulator.fault_plan import parse_plan
from dispatcher.simulator.markets import A100, COMMUNITY_4090, PREMIUM_3060
from dispatcher.simulator.network import Options
from tests.world import MARKET, World, definition

RATE = Decimal("0.04796")
DEFAULT, SPARE = AccountName("default"), AccountName("spare")
COMMUNITY = "nvidia-4090-community"  # 0.2399925 $/h with the fee


def retry(*on: str, **more: Any) -> dict[str, Any]:
    return {"on": list(on), "backoff": "10s", **more}


def elsewhere(*on: str, market: str = COMMUNITY, **place: Any) -> dict[str, Any]:
    return retry(*on, attempts=2, elsewhere=[{"market": market, **place}])


def at_rest(world: World, *accounts: AccountName) -> None:
    """Nothing runs, nothing is held, and the books agree with the network."""
    assert all(remote.over for remote in world.network.jobs.values())
    for name in accounts or (DEFAULT,):
        seen, balance = world.parts.ledger.view(name), world.parts.providers.account(name).balance()
        assert (seen.held, balance.reserved) == (0, 0)
        assert seen.settled == balance.settled
    for job in world.parts.store.list_jobs(limit=100):
        world.check_log(job.id)


def attempts(job: Job) -> list[tuple[State, Reason, Decimal]]:
    return [(attempt.state, attempt.reason, attempt.cost) for attempt in job.earlier]


def quits(world: World, times: int | None = None, market: str = PREMIUM_3060, after: float = 150) -> None:
    world.network.change_market(market, Conditions(host_quits_after=after, times=times))


QUIT = (State.FAILED, Reason.HOST_QUIT, price(RATE, 150))


def test_a_job_whose_host_quits_is_done_by_the_next_one() -> None:
    world = World()
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.attempt, job.posts) == (State.COMPLETED, Reason.FINISHED, 2, 2)
    assert attempts(job) == [QUIT]
    assert job.spend.settled == price(RATE, 150) + price(RATE, 300)
    assert job.remote is not None
    assert {job.remote.address, job.earlier[0].address} == set(world.network.jobs)
    at_rest(world)


def test_without_a_policy_nothing_is_tried_again() -> None:
    world = World()
    quits(world, times=1)
    job_id = world.enqueue()
    world.run()
    assert (world.job(job_id).reason, world.job(job_id).posts) == (Reason.HOST_QUIT, 1)
    assert world.job(job_id).ending == world.job(job_id).ending


def test_the_next_attempt_goes_to_the_next_place_and_round_again() -> None:
    world = World()
    quits(world, times=2)
    quits(world, times=1, market=COMMUNITY_4090)
    places = [{"market": COMMUNITY}, {"market": "nvidia-a100"}]
    quits(world, times=1, market=A100)
    job_id = world.enqueue(policies={"retry": retry("host_quit", attempts=5, elsewhere=places)})
    world.run()
    job = world.job(job_id)
    assert [attempt.market for attempt in job.earlier] == [PREMIUM_3060, COMMUNITY_4090, A100, PREMIUM_3060]
    assert job.quote is not None
    assert (job.quote.market, job.state, job.attempt) == (COMMUNITY_4090, State.COMPLETED, 5)
    at_rest(world)


@pytest.mark.parametrize(
    ("policy", "code", "why"),
    [
        (retry("exit_code"), 9, "retry.on exit_code"),
        (retry("failed"), 9, "retry.on failed"),
        (retry(exit_codes=[9, 137]), 9, "retry.exit_codes 9"),
        (retry("host_quit", exit_codes=[137]), 9, None),
        (retry("host_quit"), 9, None),
    ],
)
def test_a_container_that_fails_is_tried_again_if_the_policy_says_so(
    policy: dict[str, Any], code: int, why: str | None
) -> None:
    world = World()
    job_id = world.enqueue(definition(exit_code=code, only_first=1), policies={"retry": policy})
    world.run()
    job = world.job(job_id)
    said = [event.why for event in world.parts.store.events(job_id) if event.kind == "attempt_ended"]
    assert said == ([] if why is None else [why])
    assert job.state is (State.FAILED if why is None else State.COMPLETED)
    at_rest(world)


def test_attempts_are_used_up_and_the_end_says_so() -> None:
    world = World()
    quits(world)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.attempt) == (State.FAILED, Reason.HOST_QUIT, 3)
    assert job.ending is not None
    assert "no further attempt: all 3 attempts are used up" in job.ending.detail
    assert job.spend.settled == 3 * price(RATE, 150)
    at_rest(world)


def test_a_job_that_nobody_takes_is_posted_elsewhere_once_it_is_off_the_queue() -> None:
    world = World()
    world.network.change_market(PREMIUM_3060, Conditions(hosts=0))
    policies = {"retry": elsewhere("queued_too_long"), "stop": {"queued_longer_than": "10m"}}
    job_id = world.enqueue(policies=policies)
    world.run()
    job = world.job(job_id)
    assert attempts(job) == [(State.STOPPED, Reason.QUEUED_TOO_LONG, Decimal(0))]
    assert (job.state, job.stop, job.rapid) == (State.COMPLETED, None, 0)
    assert job.quote is not None
    assert job.quote.market == COMMUNITY_4090
    at_rest(world)


def test_a_post_that_is_refused_is_made_elsewhere() -> None:
    world = World(faults=[{"route": "jobs.list", "kind": "status", "status": 400, "nth": [1]}])
    job_id = world.enqueue(policies={"retry": elsewhere("refused")})
    world.run()
    job = world.job(job_id)
    assert attempts(job) == [(State.REJECTED, Reason.REFUSED, Decimal(0))]
    assert (job.state, job.earlier[0].address, len(world.network.jobs)) == (State.COMPLETED, None, 1)
    at_rest(world)


def test_the_next_attempt_is_paid_from_the_account_of_its_place() -> None:
    world = World(accounts={"default": "100", "spare": "5"})
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": elsewhere("host_quit", market=MARKET, account="spare")})
    world.run_for(320)
    job = world.job(job_id)
    assert (job.account, job.earlier[0].account) == (SPARE, DEFAULT)
    assert world.parts.ledger.view(DEFAULT).held == 0
    assert world.parts.store.exposure(DEFAULT).jobs == 0
    world.run()
    job = world.job(job_id)
    assert (job.state, job.spend.settled) == (State.COMPLETED, price(RATE, 450))
    assert world.parts.ledger.view(DEFAULT).settled == price(RATE, 150)
    assert world.parts.ledger.view(SPARE).settled == price(RATE, 300)
    at_rest(world, DEFAULT, SPARE)


def test_what_an_attempt_left_is_not_taken_by_a_job_that_waits_for_credit() -> None:
    """10 minutes cost 0.008; the account has 0.010, of which 0.002 are gone after the first attempt."""
    world = World(accounts={"default": "0.010"})
    quits(world, times=1)
    first = world.enqueue(policies={"retry": retry("host_quit", backoff="10m")})
    world.run_for(320)
    assert world.job(first).reason is Reason.RETRYING
    left = price(RATE, 600) - price(RATE, 150)
    assert world.parts.ledger.view(DEFAULT).held == left
    second = world.enqueue(priority=10)
    world.run_for(200)
    assert (world.job(second).state, world.job(second).reason) == (State.ENQUEUED, Reason.AWAITING_CREDIT)
    world.run_for(500)
    assert world.job(first).attempt == 2
    assert world.job(first).state in (State.QUEUED, State.RUNNING)
    assert world.job(second).state is State.ENQUEUED
    world.credit("default", "1")
    world.run()
    assert {world.job(first).state, world.job(second).state} == {State.COMPLETED}
    at_rest(world)


def test_what_somebody_else_took_meanwhile_is_waited_for() -> None:
    """Before the dispatcher knows that the attempt is over, the network has given back what it did not use."""
    world = World(accounts={"default": "0.010"})
    quits(world, times=1)
    first = world.enqueue(policies={"retry": retry("host_quit")})
    world.run_for(10)
    second = world.enqueue(definition(runs_for="9m"))
    world.run_for(400)
    assert world.job(second).state is State.RUNNING
    assert (world.job(first).attempt, world.job(first).reason) == (2, Reason.AWAITING_CREDIT)
    world.credit("default", "0.010")
    world.run()
    assert {world.job(first).state, world.job(second).state} == {State.COMPLETED}
    at_rest(world)


def test_a_job_that_lacks_a_part_of_what_it_needs_again_waits_for_that_part_alone() -> None:
    world = World(accounts={"default": "0.009"})
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run_for(400)
    job = world.job(job_id)
    assert (job.reason, job.wait and job.wait.short_usd) == (Reason.AWAITING_CREDIT, price(RATE, 150))
    assert "that its last attempt left for it" in job.wait.detail if job.wait else False
    world.credit("default", "0.002")
    world.run()
    assert world.job(job_id).state is State.COMPLETED
    at_rest(world)


def test_an_operators_stop_while_it_waits_for_the_next_attempt_ends_the_job_and_frees_its_credit() -> None:
    world = World()
    quits(world)
    job_id = world.enqueue(policies={"retry": retry("host_quit", backoff="10m")})
    world.run_for(300)
    assert world.job(job_id).reason is Reason.RETRYING
    assert world.parts.ledger.view(DEFAULT).held > 0
    world.stop(job_id)
    world.work()
    job = world.job(job_id)
    assert (job.state, job.reason, job.posts) == (State.STOPPED, Reason.OPERATOR, 1)
    assert job.spend.settled == price(RATE, 150)
    at_rest(world)


@pytest.mark.parametrize("when", [601, 603, 606])
def test_an_operators_stop_after_a_policys_is_of_the_whole_job(when: float) -> None:
    world = World(faults=[{"route": "jobs.stop", "kind": "status", "status": 503, "nth": [1, 2, 3]}])
    world.network.change_market(PREMIUM_3060, Conditions(hosts=0))
    policies = {"retry": retry("queued_too_long"), "stop": {"queued_longer_than": "10m"}}
    job_id = world.enqueue(policies=policies)
    world.run_for(when)
    assert world.job(job_id).attempt == 1
    assert world.job(job_id).stop is not None
    world.stop(job_id)
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.posts) == (State.STOPPED, Reason.OPERATOR, 1)
    at_rest(world)


def test_attempts_that_end_at_once_are_slowed_down_and_halted() -> None:
    world = World()
    quits(world, after=5)
    policy = retry("host_quit", attempts=20, at_most="10s", rapid={"slow_after": 2, "halt_after": 4})
    job_id = world.enqueue(policies={"retry": policy})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.reason, job.attempt) == (State.FAILED, Reason.HOST_QUIT, 4)
    assert job.ending is not None
    assert job.ending.detail.endswith("no further attempt: halted: 4 attempts in a row ended within 2m")
    ends = [event for event in world.parts.store.events(job_id) if event.kind == "attempt_ended"]
    waits = [event.retry_at - event.at for event in ends]
    assert [event.rapid for event in ends] == [1, 2, 3]
    assert 8.5 <= waits[0] <= 11.5
    assert 8.5 <= waits[1] <= 11.5
    assert 34 <= waits[2] <= 46
    at_rest(world)


def test_an_attempt_that_lasts_ends_the_row_of_rapid_ones() -> None:
    world = World()
    quits(world, times=1, after=5)
    job_id = world.enqueue(
        definition(host_quits_after="4m", only_first=2),
        policies={"retry": retry("host_quit", attempts=5, rapid={"halt_after": 2})},
    )
    world.run()
    ends = [event.rapid for event in world.parts.store.events(job_id) if event.kind == "attempt_ended"]
    assert ends == [1, 0]
    assert world.job(job_id).state is State.COMPLETED


def test_max_cost_is_of_all_attempts_together() -> None:
    """$0.010 pays for 10 minutes, and after 150 s of that for 8 more minutes; then for less than two."""
    world = World()
    quits(world, times=1)
    job_id = world.enqueue(
        definition(runs_for="1h"),
        policies={"stop": {"max_cost": "0.010"}, "retry": retry("host_quit", "timed_out", attempts=9)},
    )
    world.run()
    job = world.job(job_id)
    assert job.attempt == 2
    assert job.reason is Reason.MAX_COST
    assert job.spend.settled is not None
    assert Decimal("0.009") <= job.spend.settled <= Decimal("0.010")
    at_rest(world)


def test_no_attempt_begins_that_the_caps_leave_no_minute_for() -> None:
    world = World()
    quits(world)
    job_id = world.enqueue(policies={"stop": {"max_cost": "0.0021"}, "retry": retry("host_quit")})
    world.run()
    job = world.job(job_id)
    assert (job.reason, job.attempt) == (Reason.MAX_COST, 1)  # the stop came before the host quit
    quits(world, after=195)
    job_id = world.enqueue(policies={"stop": {"max_cost": "0.003"}, "retry": retry("host_quit")})
    world.run()
    job = world.job(job_id)
    assert (job.reason, job.attempt) == (Reason.HOST_QUIT, 1)
    assert job.ending is not None
    assert "max_cost allows $0.003, of which $0.003 are used" in job.ending.detail
    at_rest(world)


def test_a_job_that_vanished_is_not_posted_again() -> None:
    """Whether it runs on is not known: a second copy might be paid beside it."""
    world = World()
    job_id = world.enqueue(policies={"retry": retry("failed", "host_quit", "no_result")})
    world.run_for(120)
    unknown = {"route": "jobs.get", "kind": "status", "status": 404}
    world.network.faults.replace(parse_plan([unknown]))
    world.run()
    job = world.job(job_id)
    assert (job.reason, job.posts, job.attempt) == (Reason.VANISHED, 1, 1)


def test_a_place_with_another_host_than_the_one_that_is_asked_for_is_a_fault() -> None:
    world = World()
    host = world.network.hosts(PREMIUM_3060)[0]
    with pytest.raises(InvalidRequest, match="the one host"):
        world.enqueue(node=host, policies={"retry": elsewhere("host_quit")})
    world.enqueue(node=host, policies={"retry": retry("host_quit")})


@pytest.mark.parametrize("fault", ["lose_answer", "cut"])
def test_without_keys_a_post_in_doubt_is_not_taken_for_the_attempt_before(fault: str) -> None:
    """All attempts have the same CID: the one before is in the list, with all the signs of the one that is sought."""
    world = World(options=Options(generation=2), faults=[{"route": "jobs.list", "kind": fault, "nth": [2]}])
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run()
    job = world.job(job_id)
    assert (job.state, job.attempt) == (State.COMPLETED, 2)
    assert job.remote is not None
    assert job.remote.address != job.earlier[0].address
    assert len(world.network.jobs) == 2
    at_rest(world)


def said_of(world: World, job_id: JobId) -> dict[str, Any]:
    return view(world.job(job_id), world.clock.now())


def test_the_view_tells_of_attempts() -> None:
    world = World()
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run()
    shown = said_of(world, job_id)
    assert (shown["attempt"], shown["attempts_at_most"]) == (2, 3)
    (first,) = shown["earlier"]
    assert first["reason"] == "host_quit"
    assert first["cost_usd"] == "0.002"
    assert shown["cost"]["settled_usd"] == "0.006"
    assert shown["cost"]["earlier_usd"] == "0.002"


def test_an_earlier_attempts_address_is_no_answer_to_where_the_job_is() -> None:
    world = World(options=Options(generation=2))
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit")})
    world.run_for(320)
    first = world.job(job_id).earlier[0].address
    assert first is not None
    with pytest.raises(NotPossible):
        resolve.resolve(world.parts, job_id, posted=RemoteAddress(first), by="tester")
    world.run()
    at_rest(world)


def test_so_far_counts_what_earlier_attempts_did_cost() -> None:
    world = World()
    quits(world, times=1)
    job_id = world.enqueue(policies={"retry": retry("host_quit", backoff="5m")})
    world.run_for(250)
    found = costs(world.job(job_id), world.clock.now())
    assert (found.so_far, found.committed) == (price(RATE, 150), price(RATE, 150))
    world.run_for(400)
    found = costs(world.job(job_id), world.clock.now())
    assert found.committed == price(RATE, 150) + price(RATE, 600)
