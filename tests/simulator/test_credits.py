"""Credits: reserved, settled once, refused when short."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.simulator.jobs import End, State
from dispatcher.simulator.markets import A100, MISPRICED, PREMIUM_3060, SCARCE, UNPRICED
from dispatcher.simulator.network import Options
from dispatcher.simulator.reports import accounts_report, jobs_report


def test_listing_and_extending_reserve_and_the_end_settles_what_was_used(world: Any) -> None:
    job = world.job(world.pin(queued_for=0, runs_for=1200), market=A100, timeout=3600)
    assert world.balance() == (50, 0.99, 0)
    answer = world.extend(job, 1800).json()
    assert answer["credits"]["costUSD"] == 0.495
    assert world.balance() == (50, 1.485, 0)
    world.wait(1199)
    assert world.balance() == (50, 1.485, 0)
    world.wait(1)
    assert world.balance() == (50, 0, 0.33)
    world.wait(10_000)
    assert world.balance() == (50, 0, 0.33)


def test_each_reservation_has_its_own_id(world: Any) -> None:
    listed = world.post(timeout=3600).json()
    extended = world.extend(listed["job"]).json()
    ids = {listed["credits"]["reservationId"], extended["credits"]["reservationId"]}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id_) for id_ in ids)


def test_a_job_that_uses_all_its_time_pays_what_was_reserved_and_no_more(world: Any) -> None:
    """Ten extensions are rounded one by one; the whole is not charged beyond their sum."""
    job = world.job(world.pin(queued_for=0, runs_for="100h"), timeout=60)
    for _ in range(10):
        world.extend(job, 30)  # $0.0003997 each, rounded to nothing
    _, reserved, _ = world.balance()
    assert reserved == 0.001
    world.wait(1000)
    assert world.balance() == (50, 0, 0.001), "360 seconds would be $0.005"


@pytest.mark.parametrize(
    ("end", "settled"),
    [
        (lambda world, job: world.stop(job), 0.5),
        (lambda world, job: world.call("POST", "/simulator/host-quits", {"job": job}), 0.5),
        (lambda world, job: world.wait(100_000), 1.0),
    ],
    ids=["stop", "quit", "timeout"],
)
def test_every_end_settles_the_seconds_used(world: Any, end: Any, settled: float) -> None:
    job = world.job(world.pin(queued_for=0, runs_for="100h"), market=SCARCE, timeout=4000)
    used = int(settled * 4000)
    end(world.wait(2000), job)
    price = round(1.5 * 1.1 * used / 3600 + 1e-9, 3)
    assert world.balance() == (50, 0, price)


def test_a_delisted_job_costs_nothing(world: Any) -> None:
    job = world.job(world.pin(queued_for="1h"))
    world.extend(job)
    world.stop(job)
    assert world.balance() == (50, 0, 0)


def test_seconds_are_those_of_the_record(make_world: Callable[..., Any]) -> None:
    """From 0.9 s to 36.1 s of the clock the record shows 36 s, and so many are paid."""
    world = make_world(now=1_795_298_400.9)
    job = world.job(world.pin(queued_for=0, runs_for=35.2), market=A100)
    record = world.wait(100).get(job)
    assert record["timeEnd"] - record["timeStart"] == 36
    assert world.balance() == (50, 0, 0.01)


def test_too_little_credit_is_told_to_the_thousandth(make_world: Callable[..., Any]) -> None:
    world = make_world(accounts={"nos_test_key_0001": "1.000"})
    refused = world.post(market=A100, timeout=3808)
    assert (refused.status, refused.json()) == (
        402,
        {"message": "Insufficient credits. Available: $1.000, Required: $1.047"},
    )
    job = world.job(world.pin(queued_for=0, runs_for="1h"), market=A100, timeout=3636)
    assert world.balance() == (1, 1, 0)
    refused = world.extend(job, 4)
    assert refused.json() == {"message": "Insufficient credits. Available: $0.000, Required: $0.001"}
    assert world.get(job)["timeout"] == 3636
    assert world.balance() == (1, 1, 0)


def test_credit_that_arrives_can_be_spent_at_once(make_world: Callable[..., Any]) -> None:
    world = make_world(accounts={"nos_test_key_0001": 0})
    assert world.post().status == 402
    assert world.call("POST", "/simulator/credits", {"account": "account-1", "add": "12.50"}).status == 200
    assert world.post().status == 200
    assert world.balance()[0] == 12.5


@pytest.mark.parametrize(
    ("form", "shown"), [("$-5.000", "$-5.000"), ("-$5.000", "-$5.000"), ("$0.000", "$0.000")]
)
def test_a_claw_back_can_leave_less_than_nothing(
    make_world: Callable[..., Any], form: Any, shown: str
) -> None:
    world = make_world(accounts={"nos_test_key_0001": 1}, options=Options(negative_credit=form))
    world.call("POST", "/simulator/credits", {"account": world.key, "add": -6})
    assert world.balance() == (-5, 0, 0)
    message = world.post().json()["message"]
    assert message == f"Insufficient credits. Available: {shown}, Required: $0.024"


@pytest.mark.parametrize("market", [UNPRICED, MISPRICED])
def test_a_market_without_a_price_takes_no_credits(world: Any, market: str) -> None:
    refused = world.post(market=market)
    assert (refused.status, refused.json()) == (403, {"message": "Market does not accept credits"})


def test_accounts_are_apart(world: Any) -> None:
    job = world.job()
    assert world.balance(world.other) == (50, 0, 0)
    for refused in (world.stop(job, api_key=world.other), world.extend(job, api_key=world.other)):
        assert (refused.status, refused.json()) == (403, {"message": "Not the owner of this job"})


# What may happen, in any order, must keep the books straight and must not depend on who looks when.

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([0.3, 1, 7.7, 60, 600])),
        st.tuples(
            st.just("list"), st.sampled_from([PREMIUM_3060, SCARCE]), st.integers(60, 2000), st.integers(0, 3)
        ),
        st.tuples(st.just("extend"), st.integers(0, 9), st.integers(1, 900)),
        st.tuples(st.just("stop"), st.integers(0, 9)),
        st.tuples(st.just("quit"), st.integers(0, 9)),
        st.tuples(st.just("credit"), st.sampled_from(["0.5", "-0.7"])),
    ),
    min_size=10,
    max_size=40,
)
_BEHAVIOURS: tuple[dict[str, Any], ...] = (
    {"queued_for": 0, "runs_for": 90},
    {"queued_for": 30, "runs_for": "1h"},
    {"queued_for": 2.5, "runs_for": 300, "host_quits_after": 100},
    {},
)


def _perform(world: Any, steps: list[tuple[Any, ...]], look: Callable[[], None]) -> None:
    cids = [world.pin(**behaviour) for behaviour in _BEHAVIOURS]
    jobs: list[str] = []
    for step in steps:
        match step:
            case ("wait", seconds):
                look_times = 4
                for _ in range(look_times):
                    world.wait(seconds / look_times)
                    look()
            case ("list", market, timeout, behaviour):
                reply = world.post(cids[behaviour], market=market, timeout=timeout)
                jobs += [reply.json()["job"]] if reply.status == 200 else []
            case ("extend" | "stop" | "quit" as name, index, *seconds) if jobs:
                job = jobs[index % len(jobs)]
                if name == "quit":
                    world.call("POST", "/simulator/host-quits", {"job": job})
                else:
                    getattr(world, name)(job, *seconds)
            case ("credit", amount):
                world.call("POST", "/simulator/credits", {"account": world.key, "add": amount})
            case _:
                pass  # about a job, and there is none


def _check_books(world: Any) -> None:
    network = world.network
    network.advance()
    account = network.accounts.find(world.key)
    live = [job for job in network if not job.over]
    over = [job for job in network if job.over]
    assert account.reserved == sum(job.reserved for job in live)
    assert account.settled == sum(job.settled for job in over)
    assert all(0 <= job.settled <= job.reserved for job in over)
    assert all(job.settled is None for job in live)
    expired = [job for job in over if job.end is End.EXPIRED]
    assert all(job.time_end - job.time_start == job.timeout for job in expired)
    running = [job for job in live if job.state is State.RUNNING]
    assert len({job.node for job in running}) == len(running), "a host has one job"


@settings(max_examples=150, deadline=None)
@given(_STEPS)
def test_the_books_are_straight_and_looking_changes_nothing(make_steps: list[tuple[Any, ...]]) -> None:
    world_type = _WORLDS[0]
    watched, alone = (world_type(hosts=2, accounts={world_type.key: 1}) for _ in range(2))
    seen: dict[str, int] = {}

    def look() -> None:
        _check_books(watched)
        for job in watched.network:
            assert job.state >= seen.get(job.address, 0)
            seen[job.address] = job.state

    _perform(watched, make_steps, look)
    _perform(alone, make_steps, lambda: None)
    for world in (watched, alone):
        world.wait(1_000_000)
        _check_books(world)
        assert all(job.over for job in world.network), "every job got a host and an end"
    assert jobs_report(watched.network) == jobs_report(alone.network)
    assert accounts_report(watched.network) == accounts_report(alone.network)


_WORLDS: list[Any] = []


@pytest.fixture(autouse=True)
def _world_type(make_world: Callable[..., Any]) -> None:
    """Hypothesis runs a test many times on one set of fixtures, so it takes the type and makes its own
    worlds."""
    _WORLDS[:] = [make_world]
