"""The list of jobs, as the network's index serves it."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.network import Options


def _ask(world: Any, query: str = "", path: str = "/api/jobs/") -> Any:
    reply = world.call("GET", f"{path}?{query}", api_key=None)
    assert reply.status == 200, reply.body
    return reply.json()


def _addresses(world: Any, query: str = "limit=50") -> list[str]:
    return [record["address"] for record in _ask(world, query)["jobs"]]


def _project(world: Any, key: str) -> str:
    project: str = world.network.accounts.of_key(key).project
    return project


def test_the_latest_started_come_first_and_the_queue_last(world: Any) -> None:
    first = world.job(world.pin(queued_for=0, runs_for=60))
    waiting = [world.job(world.pin(queued_for="2h", runs_for=60, output=str(n))) for n in range(2)]
    second = world.wait(120).job(world.pin(queued_for=0, runs_for="1h"))
    world.wait(10)
    assert _addresses(world) == [second, first, *waiting]
    assert [_addresses(world, f"limit=1&offset={n}") for n in range(5)] == [
        [second],
        [first],
        [waiting[0]],
        [waiting[1]],
        [],
    ]
    assert _ask(world, "limit=1&offset=1")["totalJobs"] == 4


def test_a_record_is_that_of_get_with_its_address(world: Any) -> None:
    address = world.job(world.pin(queued_for=0, runs_for=60))
    (listed,) = _ask(world.wait(30))["jobs"]
    shown = world.get(address)
    del shown["benchmarkProcessedAt"]
    assert listed == {"id": 1, "address": address, **shown}


def test_it_is_filtered(world: Any) -> None:
    mine = world.job(world.pin(queued_for=0, runs_for="1h"))
    theirs = world.job(world.pin(queued_for="1h", runs_for=60), api_key=world.other)
    world.wait(10)
    assert _addresses(world, f"poster={_project(world, world.key)}") == [mine]
    assert _addresses(world, f"poster={_project(world, world.other)}") == [theirs]
    assert _addresses(world, "state=RUNNING") == [mine]
    assert _addresses(world, "state=QUEUED") == [theirs]
    assert _addresses(world, "state=COMPLETED") == _addresses(world, "state=STOPPED") == []
    assert _addresses(world, f"market={world.market}&node={world.get(mine)['node']}") == [mine]
    assert _addresses(world, f"market={theirs}") == []
    assert _addresses(world, f"payer={world.get(mine)['payer']}") == [mine, theirs]


@pytest.mark.parametrize("generation", [2, 3])
def test_what_get_does_not_show_is_not_listed(make_world: Callable[..., Any], generation: Any) -> None:
    world = make_world(options=Options(generation=generation, visible_after=30))
    address = world.job(world.pin(queued_for="1h", runs_for=60))
    assert _addresses(world.wait(29)) == []
    assert _addresses(world.wait(1)) == [address]
    world.stop(address)
    assert _addresses(world) == []


def test_a_page_has_ten_unless_more_are_asked_for_and_fifty_at_most(world: Any) -> None:
    cid = world.pin(queued_for="1h", runs_for=60)
    for _ in range(52):
        world.job(cid)
    assert len(_ask(world, path="/jobs")["jobs"]) == 10
    assert len(_addresses(world, "limit=50")) == 50
    assert len(_addresses(world, "limit=50&offset=50")) == 2


@pytest.mark.parametrize("query", ["limit=51", "limit=0", "limit=x", "offset=-1", "state=running", "state=7"])
def test_what_cannot_be_meant_is_refused(world: Any, query: str) -> None:
    reply = world.call("GET", f"/api/jobs/?{query}")
    assert (reply.status, reply.json()["on"]) == (422, "query")


def test_faults_befall_it(world: Any) -> None:
    plan = [{"route": "jobs.query", "kind": "rate_limit", "retry_after": 9}]
    assert world.call("POST", "/simulator/faults", plan).status == 200
    assert world.call("GET", "/api/jobs/").status == 429
    assert world.call("GET", "/api/markets/").status == 200
