"""Hosts and the queue in front of them."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.markets import SCARCE


def _states(world: Any, jobs: list[str]) -> list[int]:
    return [world.get(job)["state"] for job in jobs]


def test_jobs_wait_for_a_free_host_in_order(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=1)
    cid = world.pin(queued_for=0, runs_for=100)
    jobs = [world.job(cid) for _ in range(3)]
    assert _states(world, jobs) == [1, 0, 0]
    assert _states(world.wait(100), jobs) == [2, 1, 0]
    assert _states(world.wait(100), jobs) == [2, 2, 1]
    starts = [world.get(job)["timeStart"] - int(world.origin) for job in jobs]
    assert starts == [0, 100, 200]
    assert len({world.get(job)["node"] for job in jobs}) == 1


def test_the_queue_moves_in_time_order_even_if_nobody_looks(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=2)
    lengths = [50, 200, 30, 40]
    jobs = [world.job(world.pin(queued_for=0, runs_for=length)) for length in lengths]
    world.wait(10_000)
    spans = [(world.get(job)["timeStart"], world.get(job)["timeEnd"]) for job in jobs]
    assert [(start - int(world.origin), end - int(world.origin)) for start, end in spans] == [
        (0, 50),
        (0, 200),
        (50, 80),
        (80, 120),
    ]


def test_a_minimum_queue_time_is_served_before_the_wait_for_a_host(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=1)
    slow = world.job(world.pin(queued_for=60, runs_for=100))
    quick = world.job(world.pin(queued_for=0, runs_for=10))
    world.wait(1000)
    assert world.get(quick)["timeStart"] == int(world.origin)
    assert world.get(slow)["timeStart"] == int(world.origin) + 60


def test_a_delisted_job_gives_up_its_place(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=1)
    cid = world.pin(queued_for=0, runs_for=100)
    first, second, third = (world.job(cid) for _ in range(3))
    assert world.stop(second).json()["delisted"] is True
    assert _states(world.wait(100), [first, third]) == [2, 1]


@pytest.mark.parametrize("how", ["stop", "quit"])
def test_a_job_ended_early_frees_its_host(make_world: Callable[..., Any], how: str) -> None:
    world = make_world(hosts=1)
    first, second = (world.job(world.pin(queued_for=0, runs_for=100)) for _ in range(2))
    if how == "stop":
        world.stop(first)
    else:
        world.call("POST", "/simulator/host-quits", {"job": first})
    assert world.get(second)["state"] == 1


def test_a_job_for_one_host_runs_on_that_host_only(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=3)
    wanted = world.network.hosts(world.market)[2]
    cid = world.pin(queued_for=0, runs_for=100)
    first, second = (world.job(cid, node=wanted) for _ in range(2))
    free = [world.job(cid) for _ in range(2)]
    assert world.get(first)["node"] == wanted
    assert _states(world, [second, *free]) == [0, 1, 1]
    assert world.wait(100).get(second)["node"] == wanted


def test_a_named_host_serves_its_queue_and_the_general_one_in_order_of_arrival(
    make_world: Callable[..., Any],
) -> None:
    world = make_world(hosts=1)
    (host,) = world.network.hosts(world.market)
    cid = world.pin(queued_for=0, runs_for=100)
    world.job(cid)
    general, named, later = world.job(cid), world.job(cid, node=host), world.job(cid)
    assert _states(world.wait(100), [general, named, later]) == [1, 0, 0]
    assert _states(world.wait(100), [general, named, later]) == [2, 1, 0]
    assert _states(world.wait(100), [general, named, later]) == [2, 2, 1]


def test_a_job_for_a_host_that_is_not_there_waits_for_ever(world: Any) -> None:
    elsewhere = world.network.hosts(SCARCE)[0]
    job = world.job(world.pin(queued_for=0), node=elsewhere)
    assert world.wait(1_000_000).get(job)["state"] == 0


def test_the_scarce_market_forms_a_queue_and_others_do_not(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for=100)
    scarce = [world.job(cid, market=SCARCE) for _ in range(3)]
    assert _states(world, scarce) == [1, 1, 0]
    assert _states(world, [world.job(cid) for _ in range(50)]) == [1] * 50
    assert world.get(world.job(cid))["state"] == 0


@pytest.mark.parametrize("hosts", [{SCARCE: 1}, {"nvidia-h100-scarce": 1}])
def test_numbers_of_hosts_can_be_set_by_market(make_world: Callable[..., Any], hosts: dict[str, int]) -> None:
    world = make_world(hosts=hosts)
    assert len(world.network.hosts(SCARCE)) == 1
    assert len(world.network.hosts(world.market)) == 50


def test_hosts_depend_on_the_seed_and_the_market(make_world: Callable[..., Any]) -> None:
    one, same, other = make_world(seed=1), make_world(seed=1), make_world(seed=2)
    assert one.network.hosts(SCARCE) == same.network.hosts(SCARCE) != other.network.hosts(SCARCE)
    assert not set(one.network.hosts(SCARCE)) & set(one.network.hosts(one.market))


def test_a_market_of_a_million_hosts_costs_nothing_until_used(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=1_000_000)
    assert world.get(world.job(world.pin(queued_for=0)))["state"] == 1


def test_the_host_that_was_free_longest_is_taken_first(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=2)
    long, short = (world.job(world.pin(queued_for=0, runs_for=length)) for length in (100, 50))
    nodes = {job: world.get(job)["node"] for job in (long, short)}
    world.wait(200)
    cid = world.pin(queued_for=0, runs_for=10)
    following = [world.get(world.job(cid))["node"] for _ in range(2)]
    assert following == [nodes[short], nodes[long]]
