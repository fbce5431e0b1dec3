"""Markets that are full, slow, dear or bad for a while; definitions that go wrong at first only; a late index."""

from collections.abc import Callable
from typing import Any

import pytest

from dispatcher.simulator.identifiers import NO_NODE
from dispatcher.simulator.markets import PREMIUM_3060, SCARCE
from dispatcher.simulator.network import Options

SLUG = "nvidia-3060"


def change(world: Any, market: str = SLUG, **conditions: Any) -> Any:
    reply = world.call("POST", "/simulator/markets", {"market": market, **conditions}, api_key=None)
    assert reply.status == 200, reply.body
    return reply.json()


def states(world: Any, jobs: list[str]) -> list[int]:
    return [world.get(job)["state"] for job in jobs]


def test_a_market_without_hosts_takes_nothing_until_it_has_some(world: Any) -> None:
    change(world, hosts=0)
    cid = world.pin(queued_for=0, runs_for=100)
    jobs = [world.job(cid) for _ in range(3)]
    assert states(world.wait(1000), jobs) == [0, 0, 0]
    change(world, hosts=2)
    assert states(world, jobs) == [1, 1, 0]
    change(world)
    assert states(world, jobs) == [1, 1, 1]
    assert world.get(jobs[0])["timeStart"] == int(world.origin) + 1000


def test_hosts_at_work_go_only_when_they_are_free(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for=100)
    first, second = world.job(cid), world.job(world.pin(queued_for=0, runs_for=200))
    change(world, hosts=1)
    third = world.job(cid)
    assert states(world, [first, second, third]) == [1, 1, 0]
    assert states(world.wait(100), [first, second, third]) == [2, 1, 0]
    assert states(world.wait(100), [first, second, third]) == [2, 2, 1]


def test_a_job_for_one_host_waits_until_that_one_is_there(make_world: Callable[..., Any]) -> None:
    world = make_world(hosts=2)
    wanted = world.network.hosts(world.market)[1]
    change(world, hosts=0)
    job = world.job(world.pin(queued_for=0), node=wanted)
    assert world.get(job)["state"] == 0
    change(world)
    assert world.get(job)["node"] == wanted


def test_a_slow_queue_is_for_what_is_listed_from_then_on(world: Any) -> None:
    cid = world.pin(queued_for=10, runs_for=100)
    before = world.job(cid)
    change(world, queued_for="5m")
    after, elsewhere = world.job(cid), world.job(cid, market=SCARCE)
    assert states(world.wait(10), [before, after, elsewhere]) == [1, 0, 1]
    assert world.wait(290).get(after)["timeStart"] == int(world.origin) + 300


def test_slow_hosts_take_longer(world: Any) -> None:
    change(world, slow_by=3)
    job = world.job(world.pin(queued_for=0, runs_for=100, results_after=0))
    world.extend(job)  # which foretells the end once more
    assert world.wait(299).get(job)["state"] == 1
    assert world.wait(1).get(job)["jobStatus"] == "success"


def test_bad_hosts_quit_or_fail_whatever_they_were_given(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for=1000, results_after=0)
    change(world, host_quits_after=30)
    quit_ = world.job(cid)
    change(world, fails_after=5)
    failed = world.job(cid)
    assert states(world.wait(60), [quit_, failed]) == [3, 2]
    assert world.get(failed)["jobStatus"] == "failed"
    assert world.get(failed)["timeEnd"] - world.get(failed)["timeStart"] == 5
    assert world.result(failed)["opStates"][0]["exitCode"] == 1


def test_only_the_next_jobs_are_treated_badly(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for=1000)
    change(world, fails_after=5, times=2)
    jobs = [world.job(cid) for _ in range(3)]
    assert states(world.wait(60), jobs) == [2, 2, 1]


def test_a_definition_can_go_wrong_only_the_first_times(world: Any) -> None:
    cid = world.pin(
        queued_for=0, runs_for=100, host_quits_after=50, exit_code=7, only_first=2, results_after=0
    )
    jobs = [world.job(cid) for _ in range(3)]
    assert states(world.wait(100), jobs) == [3, 3, 2]
    assert world.get(jobs[2])["jobStatus"] == "success"


def test_a_market_gets_dearer_for_new_jobs_alone(world: Any) -> None:
    cid = world.pin(queued_for=0, runs_for=3600)
    before = world.job(cid, timeout=3600)
    change(world, usd_per_hour=2)
    after = world.post(cid, timeout=3600).json()
    assert after["credits"]["costUSD"] == 2.2
    assert world.get(before)["usdRewardPerHour"] == 0.0436
    assert world.call("GET", f"/api/markets/{PREMIUM_3060}/").json()["usd_reward_per_hour"] == 2
    world.wait(3600)
    assert world.ledger()["charges"]["account-1"]["settled"] == 2.248
    change(world)
    assert world.post(cid, timeout=3600).json()["credits"]["costUSD"] == 0.048


def test_the_markets_are_shown_as_they_are(world: Any) -> None:
    change(world, hosts=1, queued_for="1m", times=3, fails_after=1, usd_per_hour=1)
    world.job(world.pin(queued_for=0))
    world.wait(100)
    shown = world.call("GET", "/simulator/markets", api_key=None).json()["markets"]
    (mine,) = [market for market in shown if market["slug"] == SLUG]
    conditions = {"hosts": 1, "queued_for": 60, "times": 2, "fails_after": 1, "usd_per_hour": 1}
    assert mine == {"market": PREMIUM_3060, "slug": SLUG, "usd_per_hour": 1, "conditions": conditions}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"market": "nowhere"}, "market"),
        ({"market": SLUG, "hosts": -1}, "hosts must be a whole number"),
        ({"market": SLUG, "hosts": 1.5}, "hosts must be a whole number"),
        ({"market": SLUG, "times": True}, "times must be a whole number"),
        ({"market": SLUG, "queued_for": "soon"}, "queued_for must be a duration"),
        ({"market": SLUG, "slow_by": 0}, "slow_by must be a number above 0"),
        ({"market": SLUG, "usd_per_hour": "2"}, "usd_per_hour must be a number"),
        ({"market": SLUG, "colour": 1, "hosts": None}, "colour is unknown; hosts must be"),
    ],
)
def test_what_cannot_be_is_refused_in_words(world: Any, fields: dict[str, Any], told: str) -> None:
    reply = world.call("POST", "/simulator/markets", fields, api_key=None)
    assert reply.status in (400, 404)
    assert told in reply.json()["message"]


def test_a_late_index_shows_what_was(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(index_lags=20))
    job = world.job(world.pin(queued_for=0, runs_for=100, results_after=0))
    world.extend(job, 600)
    record = world.wait(19).get(job)
    assert (record["state"], record["node"], record["timeStart"], record["timeout"]) == (0, NO_NODE, 0, 1800)
    record = world.wait(1).get(job)
    assert (record["state"], record["timeStart"], record["timeout"]) == (1, int(world.origin), 2400)
    record = world.wait(99).get(job)
    assert (record["state"], record["timeEnd"], record["jobStatus"], record["ipfsResult"]) == (
        1,
        0,
        None,
        None,
    )
    record = world.wait(1).get(job)
    assert (record["state"], record["timeEnd"]) == (2, int(world.origin) + 100)
    assert record["jobStatus"] == "success"


def test_a_late_index_shows_a_delisted_job_for_a_while(make_world: Callable[..., Any]) -> None:
    world = make_world(options=Options(index_lags=20))
    job = world.job(world.pin(queued_for="1h"))
    world.stop(job)
    assert world.wait(19).get(job)["state"] == 0
    assert world.wait(1).call("GET", f"/api/jobs/{job}").status == 404
